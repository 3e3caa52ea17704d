"""Stiffness of a polymer's chain: straight conformers → Hessians → compliance → speed of sound."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import CURRENT_JOB, Flow, Maker, Response, job

from workflows.chain_documents import (
    ChainConformer,
    ChainConformersDocument,
    ChainFlexibilityDocument,
    ChainStiffnessDocument,
)
from workflows.document_parts import StepCost, total_cost
from workflows.engines import AseEngine
from workflows.errors import CannotCompute
from workflows.recipes import ChainStiffnessRecipe
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from workflows.engines import Engine


def preparing_engine() -> AseEngine:
    """Return the engine that finds conformers and scans torsions, whichever stretches them."""
    return AseEngine(
        name="mmff94", calculator="workflows.chains.mmff.MMFF94", distributions=["rdkit", "ase"]
    )


@dataclass
class ChainConformersMaker(Maker):
    """Maker of one job: the straight conformers of a chain, by MMFF94.

    Parameters
    ----------
    recipe
        Starts, tension and tolerances.
    """

    name: str = "straight conformers"
    recipe: ChainStiffnessRecipe = field(default_factory=ChainStiffnessRecipe)

    @job(output_schema=ChainConformersDocument)
    def make(self, smiles: str) -> ChainConformersDocument:
        """Pull random conformers straight, let them go, and tell minima apart."""
        from workflows.chains.straight import straight_conformers

        started = time.perf_counter()
        engine = preparing_engine()
        found = straight_conformers(smiles, engine.new_calculator, self.recipe)
        return ChainConformersDocument(
            conformers=found.conformers,
            lost=found.lost,
            cost=StepCost.of_force_calls(
                "conformers", found.force_calls, time.perf_counter() - started
            ),
            provenance=engine.provenance(),
        )


@dataclass
class ChainStretchMaker(Maker):
    """Maker of the jobs that stretch the conformers of lowest energy with the engine.

    Parameters
    ----------
    engine
        What computes forces.
    recipe
        How many conformers, and tolerances.
    """

    engine: Engine
    name: str = "stretched conformers"
    recipe: ChainStiffnessRecipe = field(default_factory=ChainStiffnessRecipe)

    @job(output_schema=ChainConformersDocument)
    def make(
        self,
        smiles: str,
        found: ChainConformersDocument,
        chunks: list[ChainConformersDocument] | None = None,
    ) -> ChainConformersDocument | Response[ChainConformersDocument]:
        """Bring them to rest and stretch them here, or in jobs of their own with dear engines.

        Parameters
        ----------
        smiles
            Repeat unit.
        found
            Conformers of MMFF94.
        chunks
            Conformers computed by other jobs; None computes them here, or queues those jobs.
        """
        chosen = self._chosen(found.conformers)
        if chunks is None and len(chosen) > self.engine.inline_supercells:
            return self._queue(smiles, chosen, found)
        if chunks is None:
            chunks = [self.stretch(smiles, conformer) for conformer in chosen]
        from workflows.chains.straight import add_conformer

        conformers: list[ChainConformer] = []
        for chunk in chunks:
            for conformer in chunk.conformers:
                # Two minima of MMFF94 may be one of the engine.
                add_conformer(conformers, conformer)
        conformers.sort(key=lambda conformer: conformer.energy_ev)
        lost = next((chunk.lost for chunk in chunks if chunk.lost), found.lost)
        return ChainConformersDocument(
            conformers=conformers,
            lost=lost,
            cost=StepCost.of_force_calls(
                "stretched conformers",
                sum(chunk.cost.cost for chunk in chunks),
                sum(chunk.cost.wall_s for chunk in chunks),
            ),
            provenance=self.engine.provenance(),
        )

    def stretch(self, smiles: str, conformer: ChainConformer) -> ChainConformersDocument:
        """Return the engine's minimum near a conformer of MMFF94; none where there is none."""
        from workflows.chains.straight import engine_conformer

        started = time.perf_counter()
        found = engine_conformer(
            smiles,
            preparing_engine().new_calculator,
            _ase_engine(self.engine).new_calculator,
            conformer,
            self.recipe,
        )
        return ChainConformersDocument(
            conformers=found.conformers,
            lost=found.lost,
            cost=StepCost.of_force_calls(
                "stretched conformer", found.force_calls, time.perf_counter() - started
            ),
            provenance=self.engine.provenance(),
        )

    def _queue(
        self, smiles: str, chosen: Sequence[ChainConformer], found: ChainConformersDocument
    ) -> Response[ChainConformersDocument]:
        """Replace the running job by one for each conformer and one that collects them."""
        jobs = []
        for place, conformer in enumerate(chosen, 1):
            stretching = stretched_conformer(self, smiles, conformer)
            stretching.name = f"stretched conformer {place} of {len(chosen)}"
            jobs.append(stretching)
        finishing = self.make(smiles, found, [each.output for each in jobs])
        # jobflow would instead add a job that stores a reference, which fails the output schema.
        finishing.set_uuid(CURRENT_JOB.job.uuid)
        finishing.index = CURRENT_JOB.job.index + 1
        return Response(replace=Flow([*jobs, finishing], name=self.name))

    def _chosen(self, conformers: Sequence[ChainConformer]) -> list[ChainConformer]:
        from workflows.chains.averages import energy_under_tension_ev

        def energy_ev(conformer: ChainConformer) -> float:
            return energy_under_tension_ev(conformer, self.recipe)

        ordered = sorted(conformers, key=energy_ev)
        if not ordered:
            return []
        highest = energy_ev(ordered[0]) + self.recipe.energy_window_ev
        low = [conformer for conformer in ordered if energy_ev(conformer) <= highest]
        return low[: self.recipe.max_conformers]


@job(output_schema=ChainConformersDocument)
def stretched_conformer(
    maker: ChainStretchMaker, smiles: str, conformer: ChainConformer
) -> ChainConformersDocument:
    """Stretch one conformer in a job of its own."""
    return maker.stretch(smiles, conformer)


@dataclass
class ChainFlexibilityMaker(Maker):
    """Maker of one job: torsions of the backbone and the persistence length, by MMFF94.

    Parameters
    ----------
    recipe
        Temperature and points of the scans.
    """

    name: str = "torsions"
    recipe: ChainStiffnessRecipe = field(default_factory=ChainStiffnessRecipe)

    @job(output_schema=ChainFlexibilityDocument)
    def make(self, smiles: str, found: ChainConformersDocument) -> ChainFlexibilityDocument:
        """Scan the bonds that turn, and average over them and over the bending between them."""
        from workflows.chains.averages import energy_under_tension_ev
        from workflows.chains.straight import torsions_and_persistence

        started = time.perf_counter()
        fields = {}
        if found.conformers:
            # The one that counts most is the chain that is stretched out.
            straight = min(
                found.conformers, key=lambda each: energy_under_tension_ev(each, self.recipe)
            )
            fields = torsions_and_persistence(smiles, straight, self.recipe)
        wall_s = time.perf_counter() - started
        return ChainFlexibilityDocument(
            **fields, cost=StepCost.of_force_calls("torsions", 0, wall_s)
        )


@job(output_schema=ChainStiffnessDocument)
def chain_stiffness_document(
    smiles: str,
    recipe: ChainStiffnessRecipe,
    found: ChainConformersDocument,
    stretched: ChainConformersDocument,
    flexible: ChainFlexibilityDocument,
) -> ChainStiffnessDocument:
    """Average over conformers and put the values into the campaign's words."""
    from workflows.chains.averages import molar_mass_g_per_mol, stiffness_fields

    common = {
        "smiles": smiles,
        "molar_mass_g_per_mol": molar_mass_g_per_mol(smiles),
        **total_cost([found.cost, stretched.cost, flexible.cost]),
        "provenance": stretched.provenance,
    }
    if not stretched.conformers:
        return ChainStiffnessDocument(outcome="unstable", reason=stretched.lost, **common)
    return ChainStiffnessDocument(
        outcome="computed",
        conformers_lost=stretched.lost,
        **stiffness_fields(smiles, found.conformers, stretched.conformers, recipe),
        persistence_length_nm=flexible.persistence_length_nm,
        torsions=flexible.torsions,
        **common,
    )


@dataclass
class ChainStiffnessMaker(TargetDefaults, Maker):
    """Maker of the whole flow for one polymer.

    Parameters
    ----------
    engine
        What computes forces where a conformer is stretched: an ASE calculator of molecules.
    recipe
        Settings of all steps.
    """

    engine: Engine
    name: str = "chain stiffness"
    recipe: ChainStiffnessRecipe = field(default_factory=ChainStiffnessRecipe)

    def refusal(self, smiles: str, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a polymer, or None."""
        from workflows.chains.mmff import lacking
        from workflows.chains.oligomers import RepeatUnit

        if not isinstance(self.engine, AseEngine):
            return f"engine '{self.engine.name}' computes crystals, and no single chains"
        try:
            return lacking(RepeatUnit(smiles).oligomer(1))
        except CannotCompute as error:
            return str(error)

    def make(self, smiles: str, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is a `ChainStiffnessDocument`.

        Parameters
        ----------
        smiles
            Repeat unit, with two ``*``.

        Raises
        ------
        CannotCompute
            When it cannot be computed; see `refusal`.
        """
        self.check(smiles)
        conformers = ChainConformersMaker(recipe=self.recipe).make(smiles)
        stretched = ChainStretchMaker(self.engine, recipe=self.recipe).make(
            smiles, conformers.output
        )
        flexible = ChainFlexibilityMaker(recipe=self.recipe).make(smiles, conformers.output)
        document = chain_stiffness_document(
            smiles, self.recipe, conformers.output, stretched.output, flexible.output
        )
        return Flow(
            [conformers, stretched, flexible, document],
            output=document.output,
            name=f"{self.name} {smiles}",
        )

    def estimate_cost(self, smiles: str) -> float:
        """Return about how many force calls `make` will need, of an oligomer of one or two units.

        Each start is relaxed twice and has four Hessians, each conformer of the engine two.
        """
        from workflows.chains.oligomers import RepeatUnit

        second = 4 * 3 * len(RepeatUnit(smiles).atoms)
        starts = self.recipe.starts * (2 * 400 + 4 * second)
        return starts + self.recipe.max_conformers * (100 + 2 * second)


def _ase_engine(engine: Engine) -> AseEngine:
    if not isinstance(engine, AseEngine):
        raise CannotCompute(f"engine '{engine.name}' computes crystals, and no single chains")
    return engine
