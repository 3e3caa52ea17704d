"""What vacancies and exchange pairs have in common: their supercells, relaxed, and energies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import CURRENT_JOB, Flow, Job, Maker, Response

from workflows.document_parts import StepCost, total_cost
from workflows.documents import RelaxationDocument
from workflows.errors import CannotCompute
from workflows.point_defects import cells
from workflows.point_defects.documents import DefectCell
from workflows.point_defects.recipe import PointDefectRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import TargetDefaults

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine

RELAXATION_CALLS = 40
"""About how many force calls it takes to relax a defect, or a rattled cell without one."""
DISTORTION_EV = 0.05
"""Of a whole supercell: relaxation leaves less.  A perfect crystal that falls by more when its
atoms may leave their symmetric places is at no minimum, and around a defect it would fall too."""


@dataclass(frozen=True)
class PlannedDefect:
    """A defect in one supercell, to be relaxed.

    Attributes
    ----------
    key : hashable
        Which defect it is, the same in all supercells: a site or a pair.
    start : Structure
        With the defect, at the sites of the perfect crystal.
    """

    key: Any
    supercell: cells.Supercell
    start: Structure


def planned(
    supercells: Sequence[cells.Supercell],
    keys: Sequence[Any],
    place: Callable[[cells.Supercell, Any], Structure | None],
) -> list[PlannedDefect]:
    """Return all defects in all supercells, larger supercell first, where they fit."""
    return [
        PlannedDefect(key, supercell, start)
        for supercell in supercells
        for key in keys
        if (start := place(supercell, key)) is not None
    ]


def queued(
    engine: Engine,
    recipe: PointDefectRecipe,
    supercells: Sequence[cells.Supercell],
    defects: Sequence[PlannedDefect],
    finish: Callable[[list[Any]], Job],
) -> Response[Any]:
    """Replace the running job by a job for each cell and one that finishes.

    Perfect cells come first as they are, then rattled as the defects are, and then the defects.

    Parameters
    ----------
    finish
        Called with the outputs of the jobs; returns the job that uses them.  It takes the identity
        of the running job, so that its output is what later jobs refer to.
    """
    starts = [supercell.structure for supercell in supercells]
    starts += [
        cells.rattled(defect.start, recipe.rattle_a, recipe.seed + number)
        for number, defect in enumerate(defects)
    ]
    rattled = [
        cells.rattled(start, recipe.rattle_a, recipe.seed + len(defects) + number)
        for number, start in enumerate(starts[: len(supercells)])
    ]
    starts[len(supercells) : len(supercells)] = rattled
    jobs = []
    for number, start in enumerate(starts):
        kind = "perfect" if number < 2 * len(supercells) else "defect"
        name = f"relax {kind} of {len(start)} atoms"
        maker = RelaxationMaker(engine, name, recipe.relaxation, fixed_cell=True)
        jobs.append(maker.make(start))
    finishing = finish([relaxing.output for relaxing in jobs])
    finishing.set_uuid(CURRENT_JOB.job.uuid)
    finishing.index = CURRENT_JOB.job.index + 1
    return Response(replace=Flow([*jobs, finishing], name="defects"))


def why_distorted(
    supercells: Sequence[cells.Supercell], relaxed: Sequence[RelaxationDocument]
) -> str:
    """Return how the perfect crystal leaves its symmetric places, empty where it does not.

    Parameters
    ----------
    relaxed
        Perfect supercells, the same rattled, then defects.

    Raises
    ------
    CannotCompute
        When a perfect supercell is lost, whose crystal was not.
    """
    count = len(supercells)
    for as_it_is, rattled in zip(relaxed[:count], relaxed[count : 2 * count], strict=True):
        energy, lower = as_it_is.energy_ev_per_atom, rattled.energy_ev_per_atom
        if as_it_is.lost or energy is None:
            raise CannotCompute(f"perfect supercell: {as_it_is.lost}")
        atoms = len(as_it_is.structure)
        where = f"in a supercell of {atoms} atoms without a defect"
        if rattled.lost or lower is None:
            return f"the crystal is no minimum of the engine: {where} it is {rattled.lost}"
        fall_ev = (energy - lower) * atoms
        if fall_ev > DISTORTION_EV:
            return (
                f"the crystal is no minimum of the engine: {where} it falls by {fall_ev:.2g} eV "
                "when its atoms may leave their symmetric places"
            )
    return ""


def energies(
    supercells: Sequence[cells.Supercell],
    defects: Sequence[PlannedDefect],
    relaxed: Sequence[RelaxationDocument],
    added_ev: Callable[[Any], float],
) -> dict[Any, list[DefectCell]]:
    """Return the formation energies of each defect, larger supercell first.

    Parameters
    ----------
    relaxed
        Perfect supercells, the same rattled, then defects; see `why_distorted`.
    added_ev
        Energy, by key, of the atoms that the defect took out.
    """
    count = len(supercells)
    perfect = {}
    for supercell, *both in zip(
        supercells, relaxed[:count], relaxed[count : 2 * count], strict=True
    ):
        known = [each.energy_ev_per_atom for each in both if each.energy_ev_per_atom is not None]
        perfect[id(supercell)] = min(known) * len(supercell.structure)
    found: dict[Any, list[DefectCell]] = {}
    for defect, relaxation in zip(defects, relaxed[2 * count :], strict=True):
        energy = relaxation.energy_ev_per_atom
        lost = bool(relaxation.lost) or energy is None
        found.setdefault(defect.key, []).append(
            DefectCell(
                atoms=len(defect.supercell.structure),
                image_distance_a=defect.supercell.image_distance_a,
                energy_ev=None
                if lost or energy is None
                else energy * len(defect.start)
                - perfect[id(defect.supercell)]
                + added_ev(defect.key),
                largest_displacement_a=None
                if lost
                else cells.largest_displacement_a(defect.start, relaxation.structure),
                lost=relaxation.lost,
            )
        )
    return found


def value_and_error(found: Sequence[DefectCell], largest_atoms: int) -> dict[str, float | None]:
    """Return the formation energy in the larger supercell, and its difference from the smaller."""
    values = [cell.energy_ev for cell in found if cell.atoms == largest_atoms]
    smaller = [cell.energy_ev for cell in found if cell.atoms != largest_atoms]
    value = values[0] if values else None
    other = smaller[0] if smaller else None
    error = None if value is None or other is None else abs(value - other)
    return {"formation_energy_ev": value, "formation_energy_error_ev": error}


@dataclass
class PointDefectMaker(TargetDefaults, Maker):
    """What the Makers of vacancies and of exchange pairs have in common."""

    engine: Engine
    name: str = "point defects"
    recipe: PointDefectRecipe = field(default_factory=PointDefectRecipe)

    def supercells(self, structure: Structure) -> list[cells.Supercell]:
        """Return the supercells of a crystal, larger first; see `cells.supercells`."""
        recipe = self.recipe
        conventional = self.conventional(structure)
        return cells.supercells(conventional, recipe.image_distance_a, recipe.max_atoms)

    def conventional(self, structure: Structure) -> Structure:
        """Return the conventional cell that supercells and documents are made of."""
        # What imports phonopy is left to where it is needed.
        from workflows.lattice_dynamics.cells import conventional_cell

        return conventional_cell(structure)[0]

    def common(
        self,
        crystal: RelaxationDocument,
        supercells: Sequence[cells.Supercell],
        relaxations: dict[str, Sequence[RelaxationDocument]],
    ) -> dict[str, Any]:
        """Return the fields of the document that every crystal has.

        Parameters
        ----------
        relaxations
            Those beside the crystal's own, by the name of the step that they were.
        """
        one = ""
        if len(supercells) == 1:
            one = (
                f"the supercell is one conventional cell, of {len(supercells[0].structure)} atoms: "
                "there is no smaller one to compare with"
            )
        steps = {"crystal": [crystal], **relaxations}
        lost = crystal.lost
        return {
            "formula": crystal.structure.reduced_formula,
            "structure": crystal.structure if lost else self.conventional(crystal.structure),
            "supercell_atoms": [len(supercell.structure) for supercell in supercells],
            "image_distance_a": supercells[0].image_distance_a if supercells else None,
            "no_error_reason": one,
            "volume_a3_per_atom": crystal.volume_a3_per_atom,
            **total_cost([_cost(step, of_step) for step, of_step in steps.items() if of_step]),
            "provenance": self.engine.provenance(),
        }


def _cost(step: str, relaxations: Sequence[RelaxationDocument]) -> StepCost:
    costs = [relaxation.cost for relaxation in relaxations]
    return StepCost.of_force_calls(
        step, sum(cost.cost for cost in costs), sum(cost.wall_s for cost in costs)
    )


def symbols_of(structure: Structure) -> list[str]:
    """Return the chemical symbols of a crystal in alphabetical order."""
    return sorted({element.symbol for element in structure.composition.elements})


def symbol_of(structure: Structure, site: int) -> str:
    """Return the chemical symbol on a site."""
    return str(structure[site].specie.symbol)
