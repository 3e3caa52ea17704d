"""Phonons of a result: spectrum, transport, and phonopy's and phono3py's objects.

Force constants are fitted again from the forces that are stored, as they were for the result.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy
    from phonopy.phonon.band_structure import BandStructure


@dataclass(frozen=True)
class Spectrum:
    """Density of states and bands of the harmonic phonons.

    Attributes
    ----------
    dos_frequency_thz : ndarray
        Shape (points,).
    dos_per_thz : ndarray
        Same shape; of a primitive cell, its integral is 3 × the number of atoms.
    band_distance_per_a : list of ndarray
        One a segment of seekpath's path, shape (q-points,): distance along the path, without 2π.
    band_frequency_thz : list of ndarray
        Same segments, shape (q-points, branches); imaginary modes are negative.
    band_labels : list of tuple of str
        Names of the two ends of each segment.
    """

    dos_frequency_thz: NDArray[np.float64]
    dos_per_thz: NDArray[np.float64]
    band_distance_per_a: list[NDArray[np.float64]]
    band_frequency_thz: list[NDArray[np.float64]]
    band_labels: list[tuple[str, str]]


@dataclass(frozen=True)
class Transport:
    """κ at 300 K on the densest q-mesh, accumulated over the modes that carry it.

    Attributes
    ----------
    frequency_thz, cumulative_kappa_of_frequency_w_per_m_k : ndarray
        Shape (points,): isotropic κ of all modes up to a frequency.
    mean_free_path_angstrom, cumulative_kappa_of_mean_free_path_w_per_m_k : ndarray
        Shape (points,): of all modes up to a mean free path.
    """

    frequency_thz: NDArray[np.float64]
    cumulative_kappa_of_frequency_w_per_m_k: NDArray[np.float64]
    mean_free_path_angstrom: NDArray[np.float64]
    cumulative_kappa_of_mean_free_path_w_per_m_k: NDArray[np.float64]


def spectrum_of(content: Mapping[str, Any]) -> Spectrum:
    """Return the spectrum of a result's document."""
    return Spectrum(
        dos_frequency_thz=np.asarray(content["dos_frequency_thz"], dtype=float),
        dos_per_thz=np.asarray(content["dos_per_thz"], dtype=float),
        band_distance_per_a=_arrays(content["band_distance_per_a"]),
        band_frequency_thz=_arrays(content["band_frequency_thz"]),
        band_labels=[(start, end) for start, end in content["band_labels"]],
    )


def transport_of(content: Mapping[str, Any]) -> Transport:
    """Return the transport of a result's document."""
    return Transport(
        **{curve.name: np.asarray(content[curve.name], dtype=float) for curve in fields(Transport)}
    )


def phonopy_of(
    params: str,
    cutoff_a: float | None,
    candidate_id: str,
    force_constants: Mapping[str, Any] | None = None,
) -> Phonopy:
    """Return phonopy's object, fitted to the forces in a parameter file of phono3py.

    Parameters
    ----------
    force_constants
        Those of a result that the forces alone do not determine; nothing is fitted then.

    Raises
    ------
    ScreenError
        When the forces cannot be fitted.
    """
    from workflows.lattice_dynamics.recorded_forces import recorded_phonon

    phonon: Phonopy = _fitted(recorded_phonon, params, cutoff_a, candidate_id, force_constants)
    return phonon


def bands_of(phonon: Phonopy, points: int) -> BandStructure:
    """Return phonopy's bands along seekpath's path, with so many q-points on each segment."""
    from workflows.lattice_dynamics.harmonic import band_structure

    return band_structure(phonon, points)


def phono3py_of(
    params: str,
    cutoff_a: float | None,
    candidate_id: str,
    force_constants: Mapping[str, Any] | None = None,
) -> Phono3py:
    """Return phono3py's object, as `phonopy_of` returns phonopy's."""
    from workflows.lattice_dynamics.recorded_forces import recorded_model

    model: Phono3py = _fitted(recorded_model, params, cutoff_a, candidate_id, force_constants)
    return model


def _fitted(
    fit: Callable[..., Any],
    params: str,
    cutoff_a: float | None,
    candidate_id: str,
    force_constants: Mapping[str, Any] | None,
) -> Any:
    try:
        return fit(io.StringIO(params), cutoff_a=cutoff_a, force_constants=force_constants)
    except ValueError as error:
        raise ScreenError(
            f"candidate '{candidate_id}': its forces cannot be fitted: {error}"
        ) from None


def _arrays(lists: list[Any]) -> list[NDArray[np.float64]]:
    return [np.asarray(values, dtype=float) for values in lists]
