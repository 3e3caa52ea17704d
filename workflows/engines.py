"""Engines: what computes energies, forces and stresses.

An engine is data (a name, an import path, arguments, the elements it knows) plus the two things
a flow asks of it: relax a cell, and give forces for a list of supercells.  A new kind of engine is
one class with this protocol.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from monty.json import MSONable

from workflows.document_parts import Provenance
from workflows.errors import EngineError
from workflows.single_point import SinglePoint
from workflows.versions import package_versions

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure

    from workflows.documents import DielectricDocument, RelaxationDocument
    from workflows.few_shot_documents import ForceConvergenceDocument
    from workflows.recipes import ForceConvergenceRecipe, RelaxationRecipe


@runtime_checkable
class Engine(Protocol):
    """What a flow needs from a calculator.

    Attributes
    ----------
    name
        The name users type and documents record.
    inline_supercells
        Lists of at most this many supercells are computed inside the job that needs them.
        Longer lists become jobs of this size, so that a restart repeats at most one of them;
        0 gives every supercell its own job (DFT).
    gives_dielectric
        Whether `dielectric` can be asked for.
    compares_cells
        Whether stresses of cells that differ by a small strain can be subtracted.  Not where
        k-points are chosen by the cell: their number may jump between the two.
    prior
        A potential that says beforehand about what this engine will find; None without one.
    checks_convergence
        Whether its forces depend on numerical settings whose convergence can be checked, and
        `force_convergence` can be asked for.
    """

    name: str
    inline_supercells: int
    gives_dielectric: bool
    compares_cells: bool
    prior: Engine | None
    checks_convergence: bool

    def supported_elements(self) -> frozenset[str] | None:
        """Return the chemical symbols that this engine takes; None where it takes any."""

    def missing(self) -> str | None:
        """Return what must be installed before this engine can run, or None."""

    def relax(
        self,
        structure: Structure,
        recipe: RelaxationRecipe,
        *,
        fixed_cell: bool = False,
        comparable_energy: bool = False,
    ) -> RelaxationDocument:
        """Relax cell and positions, or positions alone, under the crystal's own symmetry.

        Parameters
        ----------
        comparable_energy
            Whether the energy is to go together with those of other crystals, of other elements
            too; not in a given cell.
        """

    def why_incomparable(self, structure: Structure) -> str | None:
        """Return why the energy of a crystal does not go together with those of others, or None."""

    def forces(self, supercells: Sequence[Structure]) -> list[NDArray[np.float64]]:
        """Return the forces on every supercell, each of shape (atoms, 3), in eV/Å."""

    def label_cutoff_ev(self, elements: Collection[str]) -> float | None:
        """Return the plane-wave cut-off of single points that know no other elements, or None."""

    def single_points(
        self, cells: Sequence[Structure], elements: Collection[str] | None = None
    ) -> list[SinglePoint]:
        """Return energy, forces and stress of cells as they are given.

        Parameters
        ----------
        elements
            Chemical symbols of all cells that these are compared with, which get one basis; None
            takes those of these cells.
        """

    def dielectric(self, structure: Structure) -> DielectricDocument:
        """Return Born charges and ε∞ of a relaxed primitive cell, or why there are none."""

    def force_convergence(
        self,
        conventional: Structure,
        multiples: tuple[int, int, int],
        recipe: ForceConvergenceRecipe,
    ) -> ForceConvergenceDocument:
        """Return how far forces on supercells of a conventional cell are converged."""

    def with_settings(self, changes: dict[str, Any]) -> Self:
        """Return the same engine with some of its numerical settings changed."""

    def provenance(self) -> Provenance:
        """Return the engine's identity for the result document."""


@dataclass
class AseEngine(MSONable):
    """Any ASE calculator that runs inside the worker's process.

    Parameters
    ----------
    name
        Name of the engine.
    calculator
        Import path of a calculator class or factory, ``package.module.Callable``.
    arguments
        Keyword arguments of that callable.
    elements
        Chemical symbols the calculator knows; None where it takes any.
    distributions
        Distributions whose versions are recorded, the calculator's own first.
    install_hint
        What to type when the calculator's package is missing.
    inline_supercells, prior
        See `Engine`.
    """

    name: str
    calculator: str
    arguments: dict[str, Any] = field(default_factory=dict)
    elements: list[str] | None = None
    distributions: list[str] = field(default_factory=lambda: ["ase"])
    install_hint: str = ""
    inline_supercells: int = 64
    prior: Engine | None = None
    _indicator: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    gives_dielectric: ClassVar[bool] = False
    compares_cells: ClassVar[bool] = True
    checks_convergence: ClassVar[bool] = False

    def supported_elements(self) -> frozenset[str] | None:
        """Return the chemical symbols that this engine takes; None where it takes any."""
        return None if self.elements is None else frozenset(self.elements)

    def missing(self) -> str | None:
        """Return what must be installed before this engine can run, or None."""
        package = self.calculator.split(".", 1)[0]
        # Calculators of this project wrap packages that need not be there.
        absent = [] if package != "workflows" else self.distributions
        absent = [each for each in absent if not package_versions([each])]
        if importlib.util.find_spec(package) is None:
            absent = [package]
        if not absent:
            return None
        return f"Python package '{absent[0]}' is not installed; {self.install_hint}".rstrip("; ")

    def incapable(self) -> str | None:
        """Return what the calculator lacks, or None; loads it, which may take seconds."""
        try:
            calculator = self._calculator()
        except Exception as error:  # a factory raises whatever it likes
            return f"its calculator cannot be made: {type(error).__name__}: {error}"
        known = getattr(calculator, "implemented_properties", None)
        lacking = [] if known is None else sorted({"energy", "forces", "stress"} - set(known))
        if not lacking:
            return None
        return f"calculator '{self.calculator}' computes no {' and no '.join(lacking)}"

    def relax(
        self,
        structure: Structure,
        recipe: RelaxationRecipe,
        *,
        fixed_cell: bool = False,
        comparable_energy: bool = False,
    ) -> RelaxationDocument:
        """Relax cell and positions, or positions alone, under the crystal's own symmetry.

        All energies of a potential go together.

        Raises
        ------
        EngineError
            When forces and stress are not below tolerance within `recipe.max_steps`.
        """
        from workflows.ase_relaxation import relax_with

        calculator = self._calculator()
        document = relax_with(
            calculator, structure, recipe, self.provenance(), fixed_cell=fixed_cell
        )
        self._note_indicator(calculator)
        document.provenance = self.provenance()
        return document

    def why_incomparable(self, structure: Structure) -> str | None:
        """Return None: a potential has one zero of energy for all crystals."""
        return None

    def forces(self, supercells: Sequence[Structure]) -> list[NDArray[np.float64]]:
        """Return the forces on every supercell, each of shape (atoms, 3), in eV/Å."""
        from pymatgen.io.ase import AseAtomsAdaptor

        calculator = self._calculator()
        forces = []
        for supercell in supercells:
            atoms = AseAtomsAdaptor.get_atoms(supercell)
            atoms.calc = calculator
            forces.append(checked_force(self.name, supercell, atoms.get_forces()))
        self._note_indicator(calculator)
        return forces

    def label_cutoff_ev(self, elements: Collection[str]) -> None:
        """Return None: potentials have no plane waves."""

    def single_points(
        self, cells: Sequence[Structure], elements: Collection[str] | None = None
    ) -> list[SinglePoint]:
        """Return energy, forces and stress of cells as they are given."""
        from pymatgen.io.ase import AseAtomsAdaptor

        points = []
        for cell in cells:
            atoms = AseAtomsAdaptor.get_atoms(cell)
            atoms.calc = self._calculator()
            forces = checked_force(self.name, cell, atoms.get_forces())
            points.append(
                SinglePoint(float(atoms.get_potential_energy()), forces, atoms.get_stress())
            )
        return points

    def dielectric(self, structure: Structure) -> DielectricDocument:
        """Raise `EngineError`: potentials know no electrons."""
        raise EngineError(f"engine '{self.name}' gives no Born charges")

    def force_convergence(
        self,
        conventional: Structure,
        multiples: tuple[int, int, int],
        recipe: ForceConvergenceRecipe,
    ) -> ForceConvergenceDocument:
        """Raise `EngineError`: potentials have neither k-points nor a cut-off."""
        raise EngineError(f"engine '{self.name}' has no settings whose convergence can be checked")

    def with_settings(self, changes: dict[str, Any]) -> Self:
        """Return this engine where nothing is to be changed.

        Raises
        ------
        EngineError
            When there is: potentials have no such settings.
        """
        if changes:
            raise EngineError(f"engine '{self.name}' has no settings {', '.join(sorted(changes))}")
        return self

    def provenance(self) -> Provenance:
        """Return the engine's identity for the result document."""
        return Provenance(
            engine=self.name,
            calculator=self.calculator,
            arguments=self.arguments,
            versions=package_versions(
                (*self.distributions, "ase", "phonopy", "phono3py", "symfc", "numpy")
            ),
            hostname=platform.node(),
            indicator=self._indicator or None,
        )

    def _note_indicator(self, calculator: Any) -> None:
        """Take over what a calculator that knows its domain says of the cells since it was asked.

        A worker's calculator is that of all its jobs, and this engine is of one.
        """
        read = getattr(calculator, "read_indicator", None)
        for name, value in ({} if read is None else read()).items():
            self._indicator[name] = max(value, self._indicator.get(name, value))

    def new_calculator(self) -> Calculator:
        """Return a calculator of its own, that remembers one molecule from call to call."""
        return _new_calculator(self.calculator, self.arguments)

    def _calculator(self) -> Calculator:
        return _load_calculator(self.calculator, json.dumps(self.arguments, sort_keys=True))


@functools.lru_cache(maxsize=2)
def _load_calculator(path: str, arguments_json: str) -> Calculator:
    # A worker keeps its calculator: loading a potential takes longer than many force calls.
    return _new_calculator(path, json.loads(arguments_json))


def _new_calculator(path: str, arguments: dict[str, Any]) -> Calculator:
    module_name, _, attribute = path.rpartition(".")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"calculator '{path}' cannot be loaded ({error}); see `matscreen doctor`"
        ) from error
    calculator: Calculator = factory(**arguments)
    return calculator


def supercells_are_dear(engine: Engine) -> bool:
    """Return whether forces on a supercell take an engine minutes or more, as first principles."""
    return engine.inline_supercells == 0


def checked_force(engine_name: str, supercell: Structure, force: ArrayLike) -> NDArray[np.float64]:
    """Return the forces on a supercell, shape (atoms, 3).

    Raises
    ------
    EngineError
        When they are of another shape or hold what is no number.
    """
    checked = np.asarray(force, dtype=np.float64)
    if checked.shape != (len(supercell), 3) or not np.isfinite(checked).all():
        raise EngineError(
            f"{supercell.reduced_formula}: '{engine_name}' returned a force that is no number"
        )
    return checked
