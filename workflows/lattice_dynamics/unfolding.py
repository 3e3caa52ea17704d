"""Phonons of a decorated supercell, unfolded into the Brillouin zone of the lattice behind it.

phonopy's unfolding: P. B. Allen, T. Berlijn, D. A. Casavant and J. M. Soler, Phys. Rev. B 87,
085322 (2013).  A mode J of the supercell, at the wave vector that q folds onto, has a weight
w_J(q): how
much of it is a wave of wave vector q.  The weights of all modes add up to three times the
atoms of the lattice's primitive cell, and A(q, ω) = Σ_J w_J(q) δ(ω − ω_J).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Element, Structure

from workflows.lattice_dynamics.cells import phonopy_cell
from workflows.lattice_dynamics.harmonic import band_path, segment_labels
from workflows.primitive_cells import reduction_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from phonopy import Phonopy

    from workflows.primitive_cells import Reduction


@dataclass(frozen=True)
class UnfoldedModes:
    """Modes of a supercell along a path through the lattice's Brillouin zone.

    Attributes
    ----------
    frequency_thz, weight : ndarray
        Shape (points, modes); imaginary frequencies are negative.
    """

    frequency_thz: NDArray[np.float64]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A path through the Brillouin zone of a lattice.

    Attributes
    ----------
    qpoints : list of ndarray, shape (points, 3)
        Of each segment, in the reciprocal basis of the primitive cell.
    labels : list of (str, str)
        Of both ends of each segment.
    distance_per_a : list of ndarray, shape (points,)
        Along the path, 2π not included.
    """

    qpoints: list[NDArray[np.float64]]
    labels: list[tuple[str, str]]
    distance_per_a: list[NDArray[np.float64]]


def sharing(
    structure: Structure, mixed: Sequence[Sequence[str]] | None
) -> tuple[tuple[str, ...], ...]:
    """Return which elements share a sublattice.

    Parameters
    ----------
    mixed
        Groups of elements; None takes all metals as one and all others as another.
    """
    if mixed is not None:
        return tuple(tuple(group) for group in mixed)
    symbols = sorted({element.symbol for element in structure.composition.elements})
    metals = tuple(symbol for symbol in symbols if Element(symbol).is_metal)
    others = tuple(symbol for symbol in symbols if symbol not in metals)
    return tuple(group for group in (metals, others) if group)


def parent_of(structure: Structure, mixed: Sequence[Sequence[str]] | None) -> Reduction | None:
    """Return the lattice behind a decorated supercell, and where its sites are in it.

    The primitive cell of the crystal in which elements that share a sublattice are one; None where
    that is no smaller, as for positions that are not those of the lattice.  The species of the
    primitive cell stand for the groups.
    """
    groups = sharing(structure, mixed)
    stands_for = {symbol: group[0] for group in groups for symbol in group}
    symbols = [stands_for.get(site.specie.symbol, site.specie.symbol) for site in structure]
    return reduction_of(Structure(structure.lattice, symbols, structure.frac_coords))


def path_of(parent: Reduction, points: int) -> Path:
    """Return seekpath's path through the Brillouin zone of a lattice."""
    qpoints, names, connections = band_path(phonopy_cell(parent.primitive), points)
    reciprocal = np.linalg.inv(parent.primitive.lattice.matrix).T
    distances, reached = [], 0.0
    for segment in qpoints:
        steps = np.linalg.norm(np.diff(segment, axis=0) @ reciprocal, axis=1)
        distances.append(reached + np.concatenate([[0.0], np.cumsum(steps)]))
        reached = float(distances[-1][-1])
    return Path(qpoints, segment_labels(names, connections), distances)


def unfold(phonon: Phonopy, parent: Reduction, qpoints: NDArray[np.float64]) -> UnfoldedModes:
    """Return the modes of a supercell and their weights at wave vectors of the lattice behind it.

    Parameters
    ----------
    phonon
        With force constants; its unit cell is the decorated one, sites in the order of `parent`.
        Its supercell may be a multiple of that.
    qpoints
        Shape (points, 3), in the reciprocal basis of the lattice's primitive cell.
    """
    from phonopy.unfolding.core import Unfolding

    # phonopy's matrices have lattice vectors as columns.
    repeats = np.asarray(phonon.supercell_matrix, dtype=np.int64)
    matrix = parent.multiples.T @ repeats
    of_unit = parent.primitive.frac_coords[parent.classes] + parent.offsets
    unit, supercell = phonon.unitcell, phonon.supercell
    copied = [supercell.u2u_map[index] for index in supercell.s2u_map]
    # Whole lattice vectors of the unit cell that each atom of the supercell is away from its copy.
    apart = (supercell.positions - unit.positions[copied]) @ np.linalg.inv(unit.cell)
    in_primitive = of_unit[copied] + np.rint(apart) @ parent.multiples
    ideal = in_primitive @ np.linalg.inv(matrix).T
    unfolding = Unfolding(phonon, matrix, ideal, list(range(len(supercell))), qpoints)
    unfolding.run()
    assert unfolding.frequencies is not None
    assert unfolding.unfolding_weights is not None
    return UnfoldedModes(unfolding.frequencies, unfolding.unfolding_weights)


def weight_error(modes: UnfoldedModes, parent: Reduction) -> float:
    """Return how far the weights at a wave vector are from three times the primitive atoms."""
    return float(np.abs(modes.weight.sum(axis=1) - 3 * len(parent.primitive)).max())


def branches(
    modes: UnfoldedModes, parent: Reduction
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean frequency and the width of each branch, both of shape (points, branches).

    The modes at a wave vector, in the order of their frequencies, are cut into pieces of weight
    one: the first is the lowest branch, and so on.  The width is the standard deviation of
    the frequency in a piece, in THz.  Of an ordered crystal each piece is one mode and has no
    width.  Where branches overlap a piece holds parts of several, and its width is a lower
    bound of theirs.
    """
    count = 3 * len(parent.primitive)
    means = np.zeros((len(modes.weight), count))
    widths = np.zeros_like(means)
    for point, (frequency, weight) in enumerate(
        zip(modes.frequency_thz, modes.weight, strict=True)
    ):
        order = np.argsort(frequency, kind="stable")
        ends = np.cumsum(weight[order])
        starts = ends - weight[order]
        for branch in range(count):
            share = np.minimum(ends, branch + 1) - np.maximum(starts, branch)
            share = np.maximum(share, 0)
            mean = share @ frequency[order] / share.sum()
            means[point, branch] = mean
            widths[point, branch] = np.sqrt(share @ (frequency[order] - mean) ** 2 / share.sum())
    return means, widths


def spectral_function(
    modes: Sequence[UnfoldedModes], frequency_thz: NDArray[np.float64], broadening_thz: float
) -> NDArray[np.float64]:
    """Return A(q, ω), the mean over supercells, shape (points, frequencies), in 1/THz.

    Parameters
    ----------
    modes
        Of each supercell, at the same wave vectors.
    frequency_thz
        Shape (frequencies,).
    broadening_thz
        Standard deviation of the Gaussian in the place of each δ.
    """
    norm = broadening_thz * np.sqrt(2 * np.pi) * len(modes)
    total = np.zeros((len(modes[0].weight), len(frequency_thz)))
    for of_supercell in modes:
        for point, (frequency, weight) in enumerate(
            zip(of_supercell.frequency_thz, of_supercell.weight, strict=True)
        ):
            away = (frequency_thz[:, None] - frequency[None]) / broadening_thz
            total[point] += np.exp(-(away**2) / 2) @ weight / norm
    return total
