"""Symmetry-adapted coordinates of second- and third-order force constants, and their forces.

symfc finds the basis.  Its solvers need at least as many equations as unknowns; few snapshots give
fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from symfc import Symfc


@dataclass(frozen=True)
class OrderBasis:
    """Basis of the force constants of one order: Φ = C E c with coordinates c.

    Every Φ of it obeys the space group, the symmetry under permutation of its indices and the
    acoustic sum rule.

    Parameters
    ----------
    order
        2 or 3.
    atoms
        Of the supercell.
    compression
        C, sparse, shape (n · atomsᵒ⁻¹ · 3ᵒ, compressed), with o the order and n the atoms of the
        primitive cell: from compressed to compact force constants.
    vectors
        E, shape (compressed, unknowns).
    translations
        Shape (translations, atoms): the atom on which each lattice translation puts each atom.
    primitive_atoms
        Atom of the supercell that stands for each one of the primitive cell, shape (n,).
    """

    order: int
    atoms: int
    compression: Any
    vectors: NDArray[np.float64]
    translations: NDArray[np.int64]
    primitive_atoms: NDArray[np.int64]

    @property
    def unknowns(self) -> int:
        """Number of coordinates."""
        return int(self.vectors.shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of compact force constants: (n, atoms, 3, 3) or (n, atoms, atoms, 3, 3, 3)."""
        return (
            len(self.primitive_atoms),
            *(self.atoms,) * (self.order - 1),
            *(3,) * self.order,
        )

    def force_constants(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return compact force constants in eV/Åᵒ; coordinates are in the same unit."""
        compact = self.compression @ (self.vectors @ coordinates)
        return np.array(compact, dtype="double", order="C").reshape(self.shape)

    def coordinates(self, force_constants: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the coordinates of compact force constants, of those outside the basis the
        projection."""
        # The basis is orthonormal over all translations of the compact force constants.
        compressed = self.compression.T @ np.asarray(force_constants).ravel()
        return np.asarray(len(self.translations) * (self.vectors.T @ compressed))

    def precision(self, spread: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the precision of the coordinates, shape (unknowns, unknowns).

        It is that of force constants whose elements scatter independently, as far as symmetry and
        sum rules let them, and whose variances are on average those that were asked for.

        Parameters
        ----------
        spread
            Standard deviation of the elements of each pair or triplet of atoms, shape (n, atoms)
            or (n, atoms, atoms), in eV/Åᵒ.
        """
        from scipy.sparse import diags_array

        weights = np.repeat(1 / np.asarray(spread).ravel() ** 2, 3**self.order)
        compressed = self.compression.T @ (diags_array(weights) @ self.compression)
        precision = self.vectors.T @ (compressed @ self.vectors)
        # Symmetry makes few unknowns of many elements, each of which would count as known anew.
        return np.asarray(precision * self.unknowns / np.prod(self.shape))

    def forces(self, displacements: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the forces that each coordinate makes, shape (equations, unknowns).

        Parameters
        ----------
        displacements
            Shape (snapshots, atoms, 3), Å.

        Returns
        -------
        ndarray
            Equations are in the order of `equations`.
        """
        snapshots = len(displacements)
        copies = snapshots * len(self.translations)
        # An atom's force in a snapshot is that of its primitive atom in a shifted snapshot.
        shifted = displacements[:, self.translations].reshape(copies, self.atoms, 3)
        if self.order == 2:
            terms = -shifted.reshape(copies, -1)
        else:
            terms = -0.5 * np.einsum("sjb,skc->sjkbc", shifted, shifted).reshape(copies, -1)
        primitive = len(self.primitive_atoms)
        rows = np.arange(np.prod(self.shape)).reshape(
            primitive, self.atoms ** (self.order - 1), 3, 3 ** (self.order - 1)
        )
        found = np.empty((copies, primitive, 3, self.compression.shape[1]))
        for atom in range(primitive):
            for axis in range(3):
                part = self.compression[rows[atom, :, axis].ravel()]
                found[:, atom, axis] = terms @ part
        return np.asarray(found.reshape(-1, self.compression.shape[1]) @ self.vectors)


@dataclass(frozen=True)
class ForceConstantBasis:
    """Bases of second- and third-order force constants of one supercell."""

    second: OrderBasis
    third: OrderBasis

    @cached_property
    def _targets(self) -> NDArray[np.int64]:
        # The atom that each (translation, primitive atom) is, in the order of the equations.
        return np.asarray(self.second.translations[:, self.second.primitive_atoms]).ravel()

    def equations(self, forces: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return forces of shape (snapshots, atoms, 3) as the right-hand side, in eV/Å.

        The order is that of snapshot, translation, primitive atom, Cartesian axis.
        """
        return np.asarray(forces)[:, self._targets].ravel()

    def forces(
        self,
        displacements: NDArray[np.float64],
        second: NDArray[np.float64],
        third: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the forces that coordinates make, shape (snapshots, atoms, 3), eV/Å."""
        right = (
            self.second.forces(displacements) @ second + self.third.forces(displacements) @ third
        )
        found = np.empty_like(displacements)
        found[:, self._targets] = right.reshape(len(displacements), -1, 3)
        return found


def symfc_with_basis(model: Phono3py, cutoff_a: float | None = None) -> Symfc:
    """Return symfc's solver for the third-order supercell of a model, its bases found.

    Parameters
    ----------
    cutoff_a
        Triplets with atoms farther apart than this have no third-order force constants.
    """
    from symfc import Symfc
    from symfc.utils.utils import SymfcAtoms

    supercell = model.supercell
    solver = Symfc(
        SymfcAtoms(
            cell=supercell.cell,
            scaled_positions=supercell.scaled_positions,
            numbers=supercell.numbers,
        ),
        spacegroup_operations=model.symmetry.symmetry_operations,
        cutoff=None if cutoff_a is None else {3: cutoff_a},
    )
    solver.compute_basis_set(orders=[2, 3])
    return solver


def force_constant_basis(model: Phono3py, cutoff_a: float | None = None) -> ForceConstantBasis:
    """Return the bases of the force constants in the third-order supercell of a model.

    Parameters
    ----------
    cutoff_a
        See `symfc_with_basis`.
    """
    solver = symfc_with_basis(model, cutoff_a)
    atoms = len(model.supercell)

    def order_basis(order: int) -> OrderBasis:
        found = solver.basis_set[order]
        return OrderBasis(
            order=order,
            atoms=atoms,
            compression=found.compact_compression_matrix.tocsr(),
            vectors=np.asarray(found.basis_set),
            translations=np.asarray(found.translation_permutations),
            primitive_atoms=np.asarray(found.p2s_map),
        )

    return ForceConstantBasis(order_basis(2), order_basis(3))
