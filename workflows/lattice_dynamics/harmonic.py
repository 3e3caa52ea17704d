"""Harmonic phonons: force constants, the stability gate, density of states and bands."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from workflows.documents import DielectricDocument, SpectrumDocument
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    Centring,
    phonopy_cell,
    pymatgen_cell,
    q_mesh,
)
from workflows.lattice_dynamics.dielectric_tensors import symmetrised
from workflows.lattice_dynamics.parameter_files import phonopy_record

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy
    from phonopy.phonon.band_structure import BandStructure
    from phonopy.structure.atoms import PhonopyAtoms
    from pymatgen.core import Structure


def harmonic_model(
    structure: Structure,
    centring: Centring,
    supercell_matrix: NDArray[np.int64],
    distance_a: float,
) -> Phonopy:
    """Return a Phonopy object with symmetry-reduced displacements and no forces yet.

    Parameters
    ----------
    structure, centring
        Conventional cell and its centring, from `conventional_cell`.
    supercell_matrix
        Shape (3, 3), from the conventional cell to the supercell.
    distance_a
        Length of each displacement in Å.
    """
    from phonopy import Phonopy

    phonon = Phonopy(
        phonopy_cell(structure),
        supercell_matrix=supercell_matrix,
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )
    phonon.generate_displacements(distance=distance_a)
    return phonon


def harmonic_supercells(phonon: Phonopy) -> list[Structure]:
    """Return the displaced supercells whose forces `set_harmonic_forces` wants, in order."""
    return [pymatgen_cell(cell) for cell in phonon.supercells_with_displacements or []]


def set_harmonic_forces(phonon: Phonopy, forces: Sequence[NDArray[np.float64]]) -> float:
    """Fit the second-order force constants to `forces`, and symmetrise them.

    Returns
    -------
    float
        Acoustic sum rule violation before symmetrisation: the largest |Σ_j Φ(i, j)| in eV/Å².
    """
    phonon.forces = np.asarray(forces)
    phonon.produce_force_constants()
    drift = np.abs(np.asarray(phonon.force_constants).sum(axis=1)).max()
    phonon.symmetrize_force_constants()
    return float(drift)


def add_dielectric(phonon: Phonopy, dielectric: DielectricDocument | None) -> None:
    """Give a model Born charges and ε∞, so that the non-analytical correction is applied.

    The document's cell may be any cell of the crystal in any orientation.  Without charges nothing
    is changed.

    Raises
    ------
    CannotCompute
        When the tensors cannot be carried over; see `dielectric_tensors.symmetrised`.
    """
    from phonopy.physical_units import get_physical_units

    if dielectric is None or dielectric.born_charges_e is None:
        return
    borns, epsilon = symmetrised(dielectric, phonon.primitive)
    units = get_physical_units()
    phonon.nac_params = {
        "born": borns,
        "dielectric": epsilon,
        "factor": units.Hartree * units.Bohr,
    }


def symmetric_mesh(
    model: Phonopy | Phono3py, length_a: float, parity: Literal["odd", "even"] | None = None
) -> tuple[int, int, int]:
    """Return the `q_mesh` of a model's primitive cell that keeps its point group."""
    return q_mesh(
        model.primitive.cell,
        length_a,
        rotations=model.primitive_symmetry.pointgroup_operations,
        parity=parity,
    )


@dataclass(frozen=True)
class Stability:
    """Extreme frequencies on a q-mesh; imaginary modes are negative."""

    mesh: tuple[int, int, int]
    min_frequency_thz: float
    max_frequency_thz: float


def stability(phonon: Phonopy, mesh_length_a: float) -> Stability:
    """Return the extreme frequencies on a Γ-centred q-mesh of the given length.

    The three acoustic modes at Γ, zero but for round-off, are left out.
    """
    # Even divisions: only they contain the zone boundary, where soft modes usually sit.
    return stability_on(phonon, symmetric_mesh(phonon, mesh_length_a, parity="even"))


def stability_on(phonon: Phonopy, mesh: tuple[int, int, int]) -> Stability:
    """Return the extreme frequencies on a Γ-centred q-mesh, acoustic modes at Γ left out."""
    result = phonon.run_mesh(mesh, is_gamma_center=True)
    frequencies = np.array(result.frequencies)
    at_gamma = np.flatnonzero((np.abs(result.qpoints) < 1e-8).all(axis=1))
    for index in at_gamma:
        acoustic = np.argsort(np.abs(frequencies[index]))[:3]
        frequencies[index, acoustic] = np.nan
    return Stability(mesh, float(np.nanmin(frequencies)), float(np.nanmax(frequencies)))


def spectrum(phonon: Phonopy, mesh_length_a: float, points: int = 51) -> SpectrumDocument:
    """Return density of states and bands along seekpath's path.

    Parameters
    ----------
    mesh_length_a
        Length that sets the density-of-states mesh.
    points
        q-points on each segment of the path.
    """
    phonon.run_mesh(symmetric_mesh(phonon, mesh_length_a), is_gamma_center=True)
    dos = phonon.run_total_dos()
    bands = band_structure(phonon, points)
    return SpectrumDocument(
        dos_frequency_thz=_rounded(dos.frequency_points),
        dos_per_thz=_rounded(np.asarray(dos.dos)),
        band_distance_per_a=[_rounded(segment) for segment in bands.distances],
        band_frequency_thz=[
            [_rounded(point) for point in segment] for segment in bands.frequencies
        ],
        band_labels=segment_labels(bands.labels or [], bands.path_connections),
    )


def band_structure(phonon: Phonopy, points: int = 51) -> BandStructure:
    """Return phonopy's bands along seekpath's path, so many q-points on each segment."""
    path, labels, connections = band_path(phonon.primitive, points)
    return phonon.run_band_structure(path, path_connections=connections, labels=labels)


def band_path(
    primitive: PhonopyAtoms, points: int
) -> tuple[list[NDArray[np.float64]], list[str], list[bool]]:
    """Return seekpath's path through the Brillouin zone.

    Returns
    -------
    path : list of ndarray, shape (points, 3)
        q-points of each segment, in the reciprocal basis of `primitive`.
    labels : list of str
        As phonopy has them: one for each end, where segments meet one for both.
    connections : list of bool
        Whether the next segment goes on where this one ends.
    """
    import seekpath
    from phonopy.phonon.band_structure import get_band_qpoints_by_seekpath

    _, labels, connections = get_band_qpoints_by_seekpath(primitive, points)
    # phonopy takes the q-points for those of its cell.  They are of seekpath's own primitive cell,
    # which is another one for triclinic and some monoclinic crystals.
    along = seekpath.get_path_orig_cell(primitive.totuple())
    places = along["point_coords"]
    path = [np.linspace(places[start], places[end], points) for start, end in along["path"]]
    return path, labels, connections


def phonopy_params(phonon: Phonopy) -> str:
    """Return phonopy's parameter file: cells, displacements, forces, Born charges."""
    return str(phonon.to_phonopy_yaml(settings={"force_sets": True, "displacements": True}))


def load_phonopy_params(params: str) -> Phonopy:
    """Return the Phonopy object that `phonopy_params` describes, force constants included."""
    from phonopy import Phonopy

    # phonopy.load would also take a BORN or FORCE_CONSTANTS of the working directory.
    record = phonopy_record(io.StringIO(params))
    phonon = Phonopy(
        record.unitcell,
        supercell_matrix=record.supercell_matrix,
        primitive_matrix=record.primitive_matrix,
        symprec=SYMPREC_A,
        log_level=0,
    )
    phonon.nac_params = record.nac_params
    phonon.dataset = record.dataset
    fit_compact(phonon)
    return phonon


def fit_compact(phonon: Phonopy) -> None:
    """Fit compact force constants to a model's finite displacements, and symmetrise them.

    κ is computed from these, and read back from what is stored in the same way: to the last digit,
    because round-off moves it (see ``test_round_off_moves_kappa_little``).
    """
    phonon.produce_force_constants(calculate_full_force_constants=False)
    phonon.symmetrize_force_constants()


def _rounded(values: NDArray[np.float64]) -> list[float]:
    # Five decimals of a THz are far below any engine's error and keep the documents small.
    return [float(value) for value in np.round(np.asarray(values), 5)]


def segment_labels(labels: list[str], connections: list[bool]) -> list[tuple[str, str]]:
    """Return the two end labels of every segment; phonopy lists a shared end only once."""
    segments = []
    position = 0
    for connected in connections:
        segments.append((labels[position], labels[position + 1]))
        position += 1 if connected else 2
    return segments
