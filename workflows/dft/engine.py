"""DFT programs as engines: one process a calculation, retried with safer settings."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.units import GPa
from monty.json import MSONable

from workflows.ase_relaxation import relax_with
from workflows.dft import convergence
from workflows.dft.comparable import why_incomparable
from workflows.dft.execution import ProgramFailure, scratch_folder
from workflows.dft.programs import Metal, Program, load_program
from workflows.dft.settings import MAGNETIC_MOMENT_MU_B, DftSettings, KMesh, Purpose
from workflows.document_parts import Provenance
from workflows.documents import DielectricDocument, RelaxationDocument
from workflows.engines import Engine, checked_force
from workflows.errors import EngineError
from workflows.few_shot_documents import ForceConvergenceDocument
from workflows.primitive_cells import reduction_of
from workflows.single_point import SinglePoint
from workflows.versions import package_versions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.recipes import ForceConvergenceRecipe, RelaxationRecipe


Result = TypeVar("Result")
CUTOFF_FACTOR = 1.25
"""From one cut-off for relaxation to the next."""
MOST_RAISES = 3
"""Of the cut-off for relaxation: up to twice the first one."""


@dataclass
class DftEngine(MSONable):
    """A DFT program that runs as a process of its own, one process a supercell.

    Parameters
    ----------
    name
        Name of the engine.
    program
        Row of `workflows.dft.programs.PROGRAMS`.
    settings
        Fields of the program's `Settings`.
    retries
        Changes of the settings for a second, third, … attempt after a run that crashed or did
        not converge; see `workflows.dft.settings.SAFE_TO_CHANGE`.
    timeout_h
        Time limit of one calculation.
    force_floor_ev_per_a, stress_floor_gpa
        Noise of the program: relaxation asks for no smaller forces and stress.
    elements
        Chemical symbols to take; None takes all that have a pseudopotential.
    stress_convergence_gpa
        Largest change of the stress of a relaxed cell by the next higher cut-off.
    inline_supercells, prior
        See `workflows.engines.Engine`.
    """

    name: str
    program: str
    settings: dict[str, Any] = field(default_factory=dict)
    retries: list[dict[str, Any]] = field(default_factory=list)
    timeout_h: float = 24.0
    force_floor_ev_per_a: float = 1e-3
    stress_floor_gpa: float = 0.05
    stress_convergence_gpa: float = 0.05
    elements: list[str] | None = None
    inline_supercells: int = 0
    prior: Engine | None = None
    gives_dielectric: ClassVar[bool] = True
    compares_cells: ClassVar[bool] = False
    checks_convergence: ClassVar[bool] = True

    def supported_elements(self) -> frozenset[str]:
        """Return the elements with a pseudopotential and a cut-off, as far as spin allows."""
        settings = self._settings()
        known = self._program().known_elements(settings)
        if settings.spin == "off":
            known = known.difference(MAGNETIC_MOMENT_MU_B)
        return frozenset(known if self.elements is None else known & set(self.elements))

    def missing(self) -> str | None:
        """Return what must be installed before this engine can run, or None."""
        missing = self._program().missing()
        if missing is None and self.prior is not None and (lacking := self.prior.missing()):
            return f"for its prior '{self.prior.name}': {lacking}; or set prior: null"
        return missing

    def relax(
        self,
        structure: Structure,
        recipe: RelaxationRecipe,
        *,
        fixed_cell: bool = False,
        comparable_energy: bool = False,
    ) -> RelaxationDocument:
        """Relax cell and positions, or positions alone, under the crystal's own symmetry.

        The stress of the relaxed cell is computed again with the next higher cut-off.  Where it
        changes by more than `stress_convergence_gpa` that one is taken, and the cell relaxed on: a
        basis that is too small squeezes soft crystals by per cents, and no force tells.

        A comparable energy is computed again with one basis for all crystals of this engine,
        whatever basis the cell needed: only then energies can be subtracted.  Else, and in a given
        cell, it is that of the last step; the document says which cut-off it has.

        Raises
        ------
        EngineError
            When a calculation fails for good, the cell does not relax, or its stress does not
            converge.
        """
        started = time.perf_counter()
        document = self._relaxed(structure, recipe, structure, fixed_cell=fixed_cell)
        engine, raises = self, 0
        while not fixed_cell and not document.lost:
            better = engine.with_settings(
                {"relaxation_cutoff_ev": CUTOFF_FACTOR * engine.relaxation_cutoff_ev(structure)}
            )
            before_ev = engine.relaxation_cutoff_ev(structure)
            if better.relaxation_cutoff_ev(structure) <= before_ev:
                raise EngineError(
                    f"{structure.reduced_formula}: '{self.name}' keeps its cut-off of "
                    f"{before_ev:.0f} eV whatever relaxation_cutoff_ev says, so that the stress "
                    "cannot be checked; state it by relaxation_cutoff_ev alone"
                )
            change_gpa = better.stress_change_gpa(document)
            document.cost.cost += 1
            if change_gpa <= self.stress_convergence_gpa:
                document.stress_convergence_gpa = change_gpa
                document.relaxation_cutoff_ev = engine.relaxation_cutoff_ev(structure)
                break
            if raises == MOST_RAISES:
                raise EngineError(
                    f"{structure.reduced_formula}: the stress changes by {change_gpa:.2g} GPa from "
                    f"a cut-off of {engine.relaxation_cutoff_ev(structure):.0f} to "
                    f"{better.relaxation_cutoff_ev(structure):.0f} eV, and "
                    f"{self.stress_convergence_gpa:g} is allowed; state a higher "
                    "relaxation_cutoff_ev"
                )
            raises += 1
            spent = document.cost
            engine = better
            document = engine._relaxed(document.structure, recipe, structure)
            document.cost.cost += spent.cost
        if not document.lost:
            compared = comparable_energy and not fixed_cell
            engine._state_basis(document, self._energy_basis() if compared else None)
        # Of all calculations, those that check and those that compare too.
        document.cost.wall_s = time.perf_counter() - started
        return document

    def why_incomparable(self, structure: Structure) -> str | None:
        """Return why the energy of a crystal does not go together with those of others, or None."""
        settings = self._settings()
        needed_ev = self.relaxation_cutoff_ev(structure)
        if settings.energy_cutoff_ev is not None and settings.energy_cutoff_ev < needed_ev:
            return (
                f"its elements want a cut-off of {needed_ev:.0f} eV, and all energies of engine "
                f"'{self.name}' have energy_cutoff_ev, {settings.energy_cutoff_ev:.0f} eV; state "
                "a higher one"
            )
        return why_incomparable(structure, settings)

    def _energy_basis(self) -> dict[str, float]:
        """Return the settings that give all crystals of this engine one basis.

        They depend on nothing but its settings and potentials, which its fingerprint holds: the
        energies of any two campaigns go together.
        """
        settings = self._settings()
        program = self._program()
        basis = program.relaxation_basis(program.known_elements(settings), settings)
        if settings.energy_cutoff_ev is not None:
            basis["relaxation_cutoff_ev"] = settings.energy_cutoff_ev
        return basis

    def _state_basis(self, document: RelaxationDocument, wanted: dict[str, float] | None) -> None:
        """Write into a relaxation which basis its energy has; compute it again for another one."""
        settings = self._settings()
        relaxed = document.structure
        symbols = {element.symbol for element in relaxed.composition.elements}
        engine = self
        if wanted is not None and wanted != self._program().relaxation_basis(symbols, settings):
            engine = self.with_settings(wanted)
            # The same calculation for every cell of a crystal.
            reduction = reduction_of(relaxed)
            cell = relaxed if reduction is None else reduction.primitive
            point = engine.single_point(cell, "relaxation")
            document.energy_ev_per_atom = point.energy_ev / len(cell)
            document.cost.cost += 1
        document.energy_cutoff_ev = engine.relaxation_cutoff_ev(relaxed)
        document.spin_polarised = settings.is_spin_polarised(relaxed)
        document.hubbard_u_ev = settings.hubbard_u(relaxed)

    def relaxation_cutoff_ev(self, structure: Structure) -> float:
        """Return the plane-wave cut-off for relaxing a crystal."""
        return self._program().cutoff_ev(structure, self._settings(), "relaxation")

    def stress_change_gpa(self, relaxed: RelaxationDocument) -> float:
        """Return how far the stress of a relaxed cell is from what this engine finds for it.

        The largest change of a component.

        Raises
        ------
        EngineError
            When one of the two has no stress.
        """
        found = self.single_point(relaxed.structure, "relaxation").stress_ev_per_a3
        if found is None or relaxed.stress_gpa is None:
            raise EngineError(
                f"{relaxed.structure.reduced_formula}: '{self.name}' gave no stress, so that the "
                "cell cannot be known to be relaxed; let its program compute it"
            )
        return float(np.abs(found / GPa - np.array(relaxed.stress_gpa)).max())

    def _relaxed(
        self,
        structure: Structure,
        recipe: RelaxationRecipe,
        initial: Structure,
        *,
        fixed_cell: bool = False,
    ) -> RelaxationDocument:
        started_from = structure
        program = self._program()
        steps = 0
        if not fixed_cell:
            # What the program does itself in one run is not asked of it step by step; ASE only
            # checks the outcome, and goes on from there where it is not good enough.
            tolerance = max(recipe.force_tolerance_ev_per_a, self.force_floor_ev_per_a)
            started_from, steps = self._attempt(
                structure,
                lambda *run: program.relax(structure, *run, force_tolerance_ev_per_a=tolerance),
            )
        document = relax_with(
            _ProgramCalculator(self),
            started_from,
            recipe,
            self.provenance(),
            fixed_cell=fixed_cell,
            force_floor_ev_per_a=self.force_floor_ev_per_a,
            stress_floor_gpa=self.stress_floor_gpa,
            initial=initial,
        )
        document.steps += steps
        document.cost.cost += steps
        return document

    def forces(self, supercells: Sequence[Structure]) -> list[NDArray[np.float64]]:
        """Return the forces on every supercell, each of shape (atoms, 3), in eV/Å.

        Raises
        ------
        EngineError
            When all attempts failed; the end of the program's output is its cause.
        """
        return [
            checked_force(
                self.name, supercell, self.single_point(supercell, "forces").forces_ev_per_a
            )
            for supercell in supercells
        ]

    def label_cutoff_ev(self, elements: Collection[str]) -> float | None:
        """Return the plane-wave cut-off of `single_points`; None where the program's own is all."""
        return self._label_basis(elements).get("relaxation_cutoff_ev")

    def single_points(
        self, cells: Sequence[Structure], elements: Collection[str] | None = None
    ) -> list[SinglePoint]:
        """Return energy, forces and stress of cells as they are given, all with one basis.

        Parameters
        ----------
        elements
            Chemical symbols of all cells that these are compared with; None takes those of these.
        """
        if elements is None:
            elements = {site.specie.symbol for cell in cells for site in cell}
        basis = self._label_basis(elements)
        engine = self.with_settings(basis)
        cutoff_ev = basis.get("relaxation_cutoff_ev")
        return [
            replace(engine.single_point(cell, "relaxation"), cutoff_ev=cutoff_ev) for cell in cells
        ]

    def _label_basis(self, elements: Collection[str]) -> dict[str, float]:
        """Return the settings of labels: a step above what relaxations of the elements begin with.

        No relaxation raises the cut-off of labels where their stress asks for it.
        """
        settings = self._settings()
        basis = self._program().relaxation_basis(elements, settings)
        if settings.energy_cutoff_ev is not None:
            basis["relaxation_cutoff_ev"] = settings.energy_cutoff_ev
        elif "relaxation_cutoff_ev" in basis:
            basis["relaxation_cutoff_ev"] *= CUTOFF_FACTOR
        return basis

    def single_point(
        self, structure: Structure, purpose: Purpose, mesh: KMesh | None = None
    ) -> SinglePoint:
        """Return one self-consistent calculation, retried with safer settings.

        Parameters
        ----------
        mesh
            K-mesh of this calculation, in place of what the settings give the cell.
        """
        return self._attempt(
            structure,
            lambda settings, folder, timeout_s: self._program().single_point(
                structure, settings, purpose, folder, timeout_s, mesh
            ),
        )

    def cutoff_ev(self, structure: Structure) -> float:
        """Return the plane-wave cut-off for forces on a crystal, whatever it comes from."""
        return self._program().cutoff_ev(structure, self._settings(), "forces")

    def k_spacing_per_a(self) -> float:
        """Return the largest distance of k-points in supercells, in 1/Å, 2π included."""
        return self._settings().k_spacing("forces")

    def force_convergence(
        self,
        conventional: Structure,
        multiples: tuple[int, int, int],
        recipe: ForceConvergenceRecipe,
    ) -> ForceConvergenceDocument:
        """Return how far forces on supercells of a conventional cell are converged.

        See `workflows.dft.convergence.force_convergence`.
        """
        return convergence.force_convergence(self, conventional, multiples, recipe)

    def with_settings(self, changes: dict[str, Any]) -> Self:
        """Return the same engine with some fields of the program's settings changed.

        Raises
        ------
        pydantic.ValidationError
            When they are no settings of the program.
        """
        self._settings(changes)
        return replace(self, settings={**self.settings, **changes})

    def dielectric(self, structure: Structure) -> DielectricDocument:
        """Return Born charges and ε∞ of a relaxed primitive cell, or why there are none."""
        started = time.perf_counter()
        document = DielectricDocument(structure=structure, source=self.name)
        try:
            found = self._attempt(
                structure, lambda *run: self._program().dielectric(structure, *run)
            )
        except Metal as metal:
            document.reason = f"no gap: {metal}"
        except EngineError as error:
            # A correction that cannot be had must not cost the number it would correct.
            document.reason = str(error)
        else:
            document.born_charges_e = found.born_charges.tolist()
            document.dielectric_tensor = found.dielectric_tensor.tolist()
        document.wall_s = time.perf_counter() - started
        return document

    def provenance(self) -> Provenance:
        """Return the engine's identity for the result document."""
        return Provenance(
            engine=self.name,
            calculator=self.program,
            arguments=self._settings().model_dump(mode="json"),
            versions={
                **package_versions(("ase", "phonopy", "phono3py", "symfc", "numpy")),
                **self._program().versions(),
            },
            hostname=platform.node(),
        )

    def _attempt(
        self, structure: Structure, run: Callable[[DftSettings, Path, float], Result]
    ) -> Result:
        failures: list[ProgramFailure] = []
        for changes in ({}, *self.retries):
            settings = self._settings(changes)
            with scratch_folder() as folder:
                try:
                    return run(settings, folder, self.timeout_h * 3600)
                except ProgramFailure as failure:
                    failures.append(failure)
        reasons = "; ".join(failure.reason for failure in failures)
        # From the last failure, so that the end of its output stands in the stored traceback.
        raise EngineError(
            f"{structure.reduced_formula}: '{self.name}' failed {len(failures)} times: {reasons}"
        ) from failures[-1]

    def _settings(self, changes: dict[str, Any] | None = None) -> DftSettings:
        return self._program().Settings.model_validate({**self.settings, **(changes or {})})

    def _program(self) -> Program:
        return load_program(self.program)


class _ProgramCalculator(Calculator):
    """An engine's single points as an ASE calculator, for ASE's optimisers."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - ASE's own attribute

    def __init__(self, engine: DftEngine) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.engine = engine

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        """Run one single point."""
        from pymatgen.io.ase import AseAtomsAdaptor

        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        bare: Any = atoms.copy()
        bare.set_constraint()
        point = self.engine.single_point(AseAtomsAdaptor.get_structure(bare), "relaxation")
        self.results = {
            "energy": point.energy_ev,
            "forces": point.forces_ev_per_a,
            "stress": point.stress_ev_per_a3,
        }
