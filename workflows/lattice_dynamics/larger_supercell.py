"""Second-order force constants of one supercell as those of a larger one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.lattice_dynamics.cells import SYMPREC_A

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


def changed_alike(
    phonon: Phonopy,
    smaller: Phonopy,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> Phonopy:
    """Return phonons whose force constants change as those of a smaller supercell do.

    With them goes what the smaller supercell cannot hold: the long range of `phonon` stays.  Its
    Born charges do, too.  The interaction of dipoles is in `before` and in `after`, and cancels in
    their difference.  Where `phonon` has the same supercell its force constants are `after`; where
    it has none that holds the smaller one, the phonons are those of the smaller one.

    Parameters
    ----------
    phonon
        Harmonic phonons, with compact force constants.
    smaller
        Model of the same conventional cell in a supercell that is repeated less often.
    before, after
        Force constants of that supercell, shape (primitive atoms, atoms, 3, 3), eV/Å².
    """
    wider = np.diag(phonon.supercell_matrix) - np.diag(smaller.supercell_matrix)
    larger = bool((wider >= 0).all() and wider.any())
    changed = _empty(phonon if larger else smaller)
    if larger:
        correction = CarryOver(smaller, changed)(after - before)
        changed.force_constants = np.asarray(phonon.force_constants) + correction
    else:
        changed.force_constants = after
    changed.nac_params = phonon.nac_params
    return changed


def _empty(phonon: Phonopy) -> Phonopy:
    """Return a model of the same supercell without forces."""
    from phonopy import Phonopy

    return Phonopy(
        phonon.unitcell,
        supercell_matrix=phonon.supercell_matrix,
        primitive_matrix=phonon.primitive_matrix,
        symprec=SYMPREC_A,
        log_level=0,
    )
