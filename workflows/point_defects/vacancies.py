"""Neutral vacancies: relaxed crystal and references of elements → supercells → lowest energy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Flow, Response, job

from workflows.documents import RelaxationDocument
from workflows.errors import CannotCompute
from workflows.point_defects import cells, references
from workflows.point_defects.defect_cells import (
    RELAXATION_CALLS,
    PointDefectMaker,
    energies,
    planned,
    queued,
    symbol_of,
    symbols_of,
    value_and_error,
    why_distorted,
)
from workflows.point_defects.documents import ElementReference, VacancyDocument, VacancySite
from workflows.point_defects.recipe import DefectRelaxationRecipe, VacancyRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import NO_INPUTS, TargetInputs

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass
class VacancyMaker(PointDefectMaker):
    """Maker of the whole flow of neutral vacancies of one crystal.

    Parameters
    ----------
    engine
        What computes energies, forces and stresses in every step.
    recipe
        Supercells, chemical potentials, tolerances.
    """

    name: str = "vacancies"
    recipe: VacancyRecipe = field(default_factory=VacancyRecipe)

    def refusal(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a crystal, or None."""
        if not self.engine.compares_cells:
            return (
                f"engine '{self.engine.name}' chooses its k-points by the cell and its spin by the "
                "elements: energies of the crystal, of elements and of molecules as O2 do not go "
                "together"
            )
        symbols = symbols_of(structure)
        unknown = sorted(self.recipe.chemical_potentials_ev.keys() - set(symbols))
        if unknown:
            return f"it holds no {', '.join(unknown)}, whose chemical potential the recipe states"
        if len(symbols) > 1 and (without := references.without_reference(symbols)):
            return (
                f"no crystal of the element {', '.join(without)} is known to take its energy from"
            )
        if len(structure) == 1 and self.recipe.max_atoms < 2:
            return "nothing would be left of it without an atom; raise max_atoms"
        return None

    def make(self, structure: Structure, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is a `VacancyDocument`.

        Raises
        ------
        CannotCompute
            When it cannot be computed; see `refusal`.
        """
        self.check(structure, inputs)
        crystal = RelaxationMaker(self.engine, "relax crystal", self.recipe.crystal).make(structure)
        elements = symbols_of(structure)
        jobs = []
        # An elemental crystal is its own reference.
        for symbol in elements if len(elements) > 1 else ():
            molecule = references.is_molecule(symbol)
            maker = RelaxationMaker(
                self.engine,
                f"relax {symbol}, reference",
                DefectRelaxationRecipe() if molecule else self.recipe.crystal,
                fixed_cell=molecule,
            )
            jobs.append(maker.make(references.reference_structure(symbol)))
        document = self.defects(crystal.output, [each.output for each in jobs])
        return Flow(
            [crystal, *jobs, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    @job(output_schema=VacancyDocument)
    def defects(
        self,
        crystal: RelaxationDocument,
        elements: list[RelaxationDocument],
        relaxed: list[RelaxationDocument] | None = None,
    ) -> VacancyDocument | Response[VacancyDocument]:
        """Queue the relaxation of all supercells; with their outcome put the document together.

        Parameters
        ----------
        elements
            References, by symbol in alphabetical order; of an elemental crystal none.
        relaxed
            Perfect supercells, the same rattled, and vacancies; None queues them.
        """
        if crystal.lost:
            return VacancyDocument(
                outcome="unstable",
                reason=crystal.lost,
                **self.common(crystal, [], {"references": elements}),
            )
        conventional = self.conventional(crystal.structure)
        supercells = self.supercells(crystal.structure)
        sites = cells.distinct_sites(conventional)
        defects = planned(supercells, list(sites), cells.with_vacancy)
        if relaxed is None:
            return queued(
                self.engine,
                self.recipe,
                supercells,
                defects,
                lambda outputs: self.defects(crystal, elements, outputs),
            )
        if reason := why_distorted(supercells, relaxed):
            return VacancyDocument(
                outcome="unstable",
                reason=reason,
                **self.common(crystal, supercells, {"references": elements, "supercells": relaxed}),
            )
        symbols = symbols_of(crystal.structure)
        known = self._references(crystal, dict(zip(symbols, elements, strict=False)))
        potentials = {
            each.element: each.energy_ev_per_atom + each.chemical_potential_ev for each in known
        }
        found = energies(
            supercells, defects, relaxed, lambda site: potentials[symbol_of(conventional, site)]
        )
        largest = len(supercells[0].structure)
        vacancies = [
            VacancySite(
                element=symbol_of(conventional, site),
                site=site,
                multiplicity=len(same),
                cells=found.get(site, []),
                **value_and_error(found.get(site, []), largest),
            )
            for site, same in sites.items()
        ]
        lost = [
            f"{vacancy.element} {vacancy.site}: {cell.lost}"
            for vacancy in vacancies
            for cell in vacancy.cells
            if cell.lost
        ]
        common = {
            **self.common(crystal, supercells, {"references": elements, "supercells": relaxed}),
            "vacancies": vacancies,
            "references": known,
            "lost_defects": "; ".join(lost),
        }
        valued = [each for each in vacancies if each.formation_energy_ev is not None]
        if not valued:
            return VacancyDocument(outcome="unstable", reason="; ".join(lost), **common)
        lowest = min(valued, key=lambda each: each.formation_energy_ev or 0.0)
        if lowest.formation_energy_error_ev is None and not common["no_error_reason"]:
            common["no_error_reason"] = "relaxation lost this vacancy in the smaller supercell"
        return VacancyDocument(
            outcome="computed",
            vacancy_formation_energy_ev=lowest.formation_energy_ev,
            vacancy_formation_energy_error_ev=lowest.formation_energy_error_ev,
            vacancy_element=lowest.element,
            **common,
        )

    def _references(
        self, crystal: RelaxationDocument, relaxed: dict[str, RelaxationDocument]
    ) -> list[ElementReference]:
        """Return what chemical potentials are counted from, by symbol in alphabetical order.

        Raises
        ------
        CannotCompute
            When the engine loses a crystal or molecule of an element.
        """
        symbols = symbols_of(crystal.structure)
        anions = not {"O", "F"}.isdisjoint(symbols)
        found = []
        for symbol in symbols:
            relaxation = relaxed.get(symbol, crystal)
            if relaxation.lost or relaxation.energy_ev_per_atom is None:
                raise CannotCompute(
                    f"reference of {symbol}: {relaxation.lost}; vacancies of {symbol} have no "
                    "energy without it"
                )
            itself = relaxation is crystal
            found.append(
                ElementReference(
                    element=symbol,
                    kind="the crystal itself"
                    if itself
                    else "molecule in a box"
                    if references.is_molecule(symbol)
                    else "elemental crystal",
                    energy_ev_per_atom=relaxation.energy_ev_per_atom,
                    space_group_number=None
                    if not itself and references.is_molecule(symbol)
                    else relaxation.space_group_number,
                    chemical_potential_ev=self.recipe.chemical_potentials_ev.get(symbol, 0.0),
                    limits="" if itself else references.limits_of(symbol, anions),
                )
            )
        return found

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need: 40 a vacancy in each supercell."""
        sites = len(cells.distinct_sites(structure))
        count = len(self.supercells(structure))
        calls = 1 + RELAXATION_CALLS * (1 + sites)
        return 20 * (1 + len(symbols_of(structure))) + count * calls
