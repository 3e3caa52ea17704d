"""Antisite pairs: relaxed crystal → supercells in which two atoms exchange → lowest energy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from jobflow import Flow, Response, job
from pymatgen.core import Element

from workflows.documents import RelaxationDocument
from workflows.errors import CannotCompute
from workflows.point_defects import cells
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
from workflows.point_defects.documents import ExchangedPair, ExchangePairDocument
from workflows.point_defects.recipe import ExchangePairRecipe
from workflows.relaxation import RelaxationMaker
from workflows.target import TargetInputs

if TYPE_CHECKING:
    from pymatgen.core import Structure

FARTHEST_PAIR_A = 7.0
"""Atoms farther apart are not looked at as pairs."""


class ExchangePairInputs(TargetInputs):
    """What a source may state of a crystal whose atoms exchange."""

    working_ion: str | None = None
    """Symbol of the ion of an electrode: only its exchanges are looked at, where the recipe names
    no elements.  Those of metals that share a sublattice are orderings and no defects."""


NO_PAIR_INPUTS = ExchangePairInputs()


@dataclass
class ExchangePairMaker(PointDefectMaker):
    """Maker of the whole flow of antisite pairs of one crystal.

    Parameters
    ----------
    engine
        What computes energies, forces and stresses in every step.
    recipe
        Supercells, elements, tolerances.
    """

    name: str = "exchange pairs"
    recipe: ExchangePairRecipe = field(default_factory=ExchangePairRecipe)
    inputs_model: ClassVar[type[TargetInputs]] = ExchangePairInputs

    def refusal(
        self, structure: Structure, inputs: ExchangePairInputs = NO_PAIR_INPUTS
    ) -> str | None:
        """Return why `make` cannot take a crystal, or None."""
        symbols = set(symbols_of(structure))
        if len(symbols) == 1:
            return "it holds one element: no two can exchange their places"
        for pair in self.recipe.elements or ():
            if absent := sorted(set(pair) - symbols):
                return f"it holds no {', '.join(absent)} to exchange"
        if not self._pairs(structure, self._elements(structure, inputs)):
            return f"no two of those elements are within {FARTHEST_PAIR_A:g} Å of each other"
        return None

    def make(self, structure: Structure, inputs: ExchangePairInputs = NO_PAIR_INPUTS) -> Flow:
        """Return the flow; its output is an `ExchangePairDocument`.

        Raises
        ------
        CannotCompute
            When it cannot be computed; see `refusal`.
        """
        self.check(structure, inputs)
        crystal = RelaxationMaker(self.engine, "relax crystal", self.recipe.crystal).make(structure)
        document = self.defects(crystal.output, self._elements(structure, inputs))
        return Flow(
            [crystal, document],
            output=document.output,
            name=f"{self.name} {structure.reduced_formula}",
        )

    @job(output_schema=ExchangePairDocument)
    def defects(
        self,
        crystal: RelaxationDocument,
        elements: list[tuple[str, str]],
        relaxed: list[RelaxationDocument] | None = None,
    ) -> ExchangePairDocument | Response[ExchangePairDocument]:
        """Queue the relaxation of all supercells; with their outcome put the document together.

        Parameters
        ----------
        elements
            That exchange.
        relaxed
            Perfect supercells, the same rattled, and exchange pairs; None queues them.
        """
        if crystal.lost:
            return ExchangePairDocument(
                outcome="unstable", reason=crystal.lost, **self.common(crystal, [], {})
            )
        conventional = self.conventional(crystal.structure)
        supercells = self.supercells(crystal.structure)
        distinct = self._pairs(conventional, elements)
        defects = planned(supercells, distinct, cells.with_exchange)
        largest = len(supercells[0].structure)
        if not any(len(defect.supercell.structure) == largest for defect in defects):
            raise CannotCompute(
                f"{conventional.reduced_formula}: a supercell of {largest} atoms holds no pair "
                "apart from its images; raise max_atoms or image_distance_a"
            )
        if relaxed is None:
            return queued(
                self.engine,
                self.recipe,
                supercells,
                defects,
                lambda outputs: self.defects(crystal, elements, outputs),
            )
        if reason := why_distorted(supercells, relaxed):
            common = self.common(crystal, supercells, {"supercells": relaxed})
            return ExchangePairDocument(outcome="unstable", reason=reason, **common)
        found = energies(supercells, defects, relaxed, lambda _: 0.0)
        pairs = [
            ExchangedPair(
                elements=(
                    symbol_of(conventional, pair.first),
                    symbol_of(conventional, pair.second),
                ),
                sites=(pair.first, pair.second),
                distance_a=pair.distance_a,
                cells=found.get(pair, []),
                **value_and_error(found.get(pair, []), largest),
            )
            for pair in distinct
        ]
        lost = [
            f"{'-'.join(pair.elements)} at {pair.distance_a:.2f} Å: {cell.lost}"
            for pair in pairs
            for cell in pair.cells
            if cell.lost
        ]
        common = {
            **self.common(crystal, supercells, {"supercells": relaxed}),
            "pairs": pairs,
            "lost_defects": "; ".join(lost),
        }
        valued = [each for each in pairs if each.formation_energy_ev is not None]
        if not valued:
            return ExchangePairDocument(outcome="unstable", reason="; ".join(lost), **common)
        lowest = min(valued, key=lambda each: each.formation_energy_ev or 0.0)
        if lowest.formation_energy_error_ev is None and not common["no_error_reason"]:
            common["no_error_reason"] = "the smaller supercell does not hold the pair"
        return ExchangePairDocument(
            outcome="computed",
            exchange_pair_energy_ev=lowest.formation_energy_ev,
            exchange_pair_energy_error_ev=lowest.formation_energy_error_ev,
            exchanged_elements="-".join(lowest.elements),
            exchange_distance_a=lowest.distance_a,
            **common,
        )

    def _pairs(self, structure: Structure, elements: Sequence[tuple[str, str]]) -> list[cells.Pair]:
        return cells.distinct_pairs(structure, elements, self.recipe.nearest, FARTHEST_PAIR_A)

    def _elements(self, structure: Structure, inputs: ExchangePairInputs) -> list[tuple[str, str]]:
        """Return the pairs of elements that exchange."""
        if self.recipe.elements is not None:
            return list(self.recipe.elements)
        symbols = symbols_of(structure)
        metals = [symbol for symbol in symbols if Element(symbol).is_metal]
        ion = inputs.working_ion
        if ion in metals and len(metals) > 1:
            return [(ion, metal) for metal in metals if metal != ion]
        return list(itertools.combinations(metals if len(metals) > 1 else symbols, 2))

    def estimate_cost(self, structure: Structure) -> float:
        """Return about how many force calls `make` will need: 40 a pair in each supercell."""
        pairs = self._pairs(structure, self._elements(structure, NO_PAIR_INPUTS))
        calls = 1 + RELAXATION_CALLS * (1 + len(pairs))
        return 20 + len(self.supercells(structure)) * calls
