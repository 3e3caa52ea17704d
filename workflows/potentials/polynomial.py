"""Polynomial potentials: rows of features from pypolymlp, energies and forces from its fast code.

A. Seko, J. Appl. Phys. 133, 011101 (2023): the energy of an atom is a polynomial of invariants of
the density of its neighbours.  Energy, forces and stress are linear in the coefficients, so that
everything that is said about a fit follows from rows of features.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.errors import CannotCompute

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.potentials.recipe import PolynomialRecipe

N_CELL_ROWS = 7
"""Rows of a cell as a whole, before the rows of forces: its energy and six virials."""
ASE_ORDER = [0, 1, 2, 4, 5, 3]
"""Where ASE's xx, yy, zz, yz, xz, xy stand in pypolymlp's xx, yy, zz, xy, yz, zx."""


@dataclass(frozen=True)
class PolynomialModel:
    """Which polynomial of which invariants, for which elements.

    Parameters
    ----------
    elements
        Chemical symbols, sorted.
    recipe
        Cut-off, radial functions, order.
    """

    elements: tuple[str, ...]
    recipe: PolynomialRecipe

    @property
    def angular_momenta(self) -> tuple[int, ...]:
        """Largest l of the invariants of each order, from the second on."""
        if self.recipe.angular_momenta is not None:
            return self.recipe.angular_momenta
        return (4, 4) if len(self.elements) <= 2 else (4,)

    @cached_property
    def parameters(self) -> Any:
        """The same as pypolymlp's own object."""
        from pypolymlp.core.params_utils import set_all_params

        recipe, angular_momenta = self.recipe, self.angular_momenta
        n_radial = recipe.radial_functions
        return set_all_params(
            elements=self.elements,
            include_force=True,
            include_stress=True,
            cutoff=recipe.cutoff_a,
            model_type=recipe.model_type,
            max_p=recipe.max_power,
            feature_type="gtinv" if angular_momenta else "pair",
            gaussian_params2=(0.0, recipe.cutoff_a - 1.0, n_radial),
            gtinv_order=len(angular_momenta) + 1,
            gtinv_maxl=angular_momenta,
        )

    def rows(self, structure: Structure) -> NDArray[np.float64]:
        """Return the features of a cell, shape (7 + 3 × atoms, features).

        The first row times the coefficients is the energy in eV, the next six are the virials
        (stress × volume, ASE's order and sign, eV), the rest are the forces of the first atom, of
        the second, … in eV/Å.
        """
        from pypolymlp.core.params import PolymlpParams
        from pypolymlp.mlp_dev.core.features import Features

        features = Features(
            PolymlpParams(self.parameters),
            structures=[polymlp_structure(structure, self.elements)],
            print_memory=False,
        )
        rows: NDArray[np.float64] = np.array(features.x)
        # pypolymlp's is the derivative of −E by the strain.
        rows[1:N_CELL_ROWS] = -rows[1:N_CELL_ROWS][ASE_ORDER]
        return rows

    def evaluator(self, coefficients: NDArray[np.float64]) -> Evaluator:
        """Return what computes energies and forces with coefficients, shape (features,)."""
        return Evaluator(self, coefficients)

    def as_yaml(self, coefficients: NDArray[np.float64], offsets_ev: NDArray[np.float64]) -> str:
        """Return the content of a ``polymlp.yaml``, as pypolymlp and its LAMMPS module read it."""
        from copy import deepcopy

        from pypolymlp.core.io_polymlp_yaml import save_mlp_yaml

        parameters = deepcopy(self.parameters)
        parameters.atomic_energy = tuple(float(offset) for offset in offsets_ev)
        # It changes how NumPy prints, and only writes to a path.
        with tempfile.TemporaryDirectory() as folder, np.printoptions():
            path = Path(folder, "polymlp.yaml")
            save_mlp_yaml(parameters, coefficients, np.ones(len(coefficients)), filename=str(path))
            return path.read_text()


class Evaluator:
    """Energy, forces and virials of one set of coefficients, without rows of features."""

    def __init__(self, model: PolynomialModel, coefficients: NDArray[np.float64]) -> None:
        from pypolymlp.cxx.lib import libmlpcpp

        self._model = model
        self._fast = libmlpcpp.PotentialPropertiesFast(
            model.parameters.as_dict(), np.asarray(coefficients, dtype=np.float64)
        )

    def __call__(self, cell: Any) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Return energy (eV), forces (eV/Å, shape (atoms, 3)) and virials (eV, shape (6,)).

        Parameters
        ----------
        cell
            What `polymlp_structure` makes.
        """
        self._fast.eval(cell.axis, cell.axis @ cell.positions, cell.types, False)
        virials = -np.array(self._fast.get_s())[ASE_ORDER]
        return float(self._fast.get_e()), np.array(self._fast.get_f()), virials


def polymlp_structure(structure: Structure, elements: tuple[str, ...]) -> Any:
    """Return a cell as pypolymlp takes it, atoms in their order.

    Raises
    ------
    CannotCompute
        When it holds another element.
    """
    from pypolymlp.core.data_format import PolymlpStructure

    symbols = [site.specie.symbol for site in structure]
    if unknown := sorted(set(symbols).difference(elements)):
        raise CannotCompute(
            f"{structure.reduced_formula}: the potential knows {', '.join(elements)} and not "
            f"{', '.join(unknown)}"
        )
    types = [elements.index(symbol) for symbol in symbols]
    return PolymlpStructure(
        axis=np.array(structure.lattice.matrix).T,
        positions=np.array(structure.frac_coords).T,
        n_atoms=[types.count(kind) for kind in range(len(elements))],
        elements=symbols,
        types=types,
    )
