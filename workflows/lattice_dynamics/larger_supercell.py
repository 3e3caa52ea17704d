"""Second-order force constants of one supercell as those of a larger one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.lattice_dynamics.third_order import as_phonopy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phonopy import Phonopy


class CarryOver:
    """Map of compact force constants of a supercell to those of a larger one.

    Those of a pair of atoms go to its shortest images, in equal parts where several are equally
    short, as phonopy's interpolation in q takes them.  Sum rules and symmetry are kept.

    Parameters
    ----------
    smaller, larger
        Models of the same conventional cell.
    """

    def __init__(self, smaller: Phonopy, larger: Phonopy) -> None:
        first_atoms, positions_a = larger.primitive.p2s_map, larger.supercell.positions
        lattice_a = larger.supercell.cell
        self._shape = (len(first_atoms), len(positions_a), 3, 3)
        # phonopy's vectors, from the first atom to the second, are in the primitive cell's basis.
        vectors, counts = smaller.primitive.get_smallest_vectors()
        pairs: list[tuple[int, int, int, float]] = []
        for second in range(len(smaller.supercell)):
            for first, first_atom in enumerate(first_atoms):
                count, start = counts[second, first]
                images_a = vectors[start : start + count] @ smaller.primitive.cell
                for image_a in positions_a[first_atom] + images_a:
                    apart = np.linalg.solve(lattice_a.T, (image_a - positions_a).T).T
                    distances_a = np.linalg.norm((apart - np.rint(apart)) @ lattice_a, axis=1)
                    pairs.append((first, second, int(np.argmin(distances_a)), 1.0 / count))
        columns = [np.array(column) for column in zip(*pairs, strict=True)]
        self._first, self._second, self._image = columns[:3]
        self._part = columns[3][:, None, None]

    def __call__(self, force_constants: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return compact force constants of the larger supercell.

        Parameters
        ----------
        force_constants
            Shape (primitive atoms, atoms of the smaller supercell, 3, 3), eV/Å².
        """
        found = np.zeros(self._shape)
        parts = self._part * force_constants[self._first, self._second]
        np.add.at(found, (self._first, self._image), parts)
        return found


class ChangedAlike:
    """Phonons whose force constants change as those of a smaller supercell do.

    With them goes what the smaller supercell cannot hold: the long range of `phonon` stays.  Its
    Born charges do, too.  The interaction of dipoles is in the smaller supercell's force constants
    before and after, and cancels in their difference.  Where `phonon` has the same supercell its
    force constants are those after; where it has none that holds the smaller one, the phonons are
    those of the smaller one.

    Parameters
    ----------
    phonon
        Harmonic phonons, with compact force constants.
    smaller
        Model of the same conventional cell in a supercell that is repeated less often.
    before
        Force constants of that supercell, shape (primitive atoms, atoms, 3, 3), eV/Å².
    """

    def __init__(self, phonon: Phonopy, smaller: Phonopy, before: NDArray[np.float64]) -> None:
        larger = repeats_more(phonon.supercell_matrix, smaller.supercell_matrix)
        self._phonon, self._before = phonon, before
        self._of = phonon if larger else smaller
        self._carry_over = CarryOver(smaller, phonon) if larger else None

    def force_constants(self, after: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return compact force constants where those of the smaller supercell are `after`."""
        if self._carry_over is None:
            return after
        return np.asarray(self._phonon.force_constants) + self._carry_over(after - self._before)

    def phonon(self, after: NDArray[np.float64]) -> Phonopy:
        """Return the phonons of these."""
        changed = as_phonopy(self._of)
        changed.force_constants = self.force_constants(after)
        changed.nac_params = self._phonon.nac_params
        return changed


def repeats_more(larger: NDArray[np.int64], smaller: NDArray[np.int64]) -> bool:
    """Return whether a supercell matrix repeats the same cell more often along some axes."""
    wider = np.diag(larger) - np.diag(smaller)
    return bool((wider >= 0).all() and wider.any())
