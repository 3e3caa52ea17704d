"""κ of an amorphous polymer: grown chains → equilibrium → heat currents along three axes.

F. Müller-Plathe, J. Chem. Phys. 106, 6082 (1997): velocities are exchanged between a cold and a hot
slab; the heat that this carries, over the gradient of the temperature that follows, is κ.
Equilibrium by the 21 steps of G. S. Larsen, P. Lin, K. E. Hart and C. M. Colina, Macromolecules 44,
6944 (2011).  Hours to days on a node: a flow for clusters.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any, ClassVar

from jobflow import Flow, Maker, job

from workflows.amorphous.documents import (
    AmorphousCellDocument,
    AmorphousConductivityDocument,
    AxisConductivityDocument,
)
from workflows.amorphous.engine import RadonPyEngine
from workflows.amorphous.recipe import AmorphousConductivityRecipe
from workflows.document_parts import StepCost, total_cost
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

COST_UNIT = "atom nanoseconds"
"""Atoms times simulated time, in thousands."""
PACKING_NS = 2.0
"""Simulated by RadonPy before the compression."""


@job(data=["state"], output_schema=AmorphousCellDocument)
def build_cell(
    smiles: str, engine: RadonPyEngine, recipe: AmorphousConductivityRecipe
) -> AmorphousCellDocument:
    """Grow the chains and put them into a thin cell."""
    started = time.perf_counter()
    settings = recipe.model_dump(mode="json")
    found, state = engine.run("build", {**settings, "smiles": smiles})
    return AmorphousCellDocument(**found, state=state, cost=_cost("chains", 0, 0, started))


@job(data=["state"], output_schema=AmorphousCellDocument)
def equilibrate(
    cell: AmorphousCellDocument, engine: RadonPyEngine, recipe: AmorphousConductivityRecipe
) -> AmorphousCellDocument:
    """Bring the cell to equilibrium."""
    started = time.perf_counter()
    found, state = engine.run("equilibrate", recipe.model_dump(mode="json"), cell.state)
    simulated_ns = PACKING_NS + recipe.sampling_ns
    cost = _cost("equilibrium", cell.atoms, simulated_ns, started)
    return cell.model_copy(update={**found, "state": state, "cost": cost})


@job(output_schema=AxisConductivityDocument)
def conduct(
    cell: AmorphousCellDocument,
    axis: str,
    engine: RadonPyEngine,
    recipe: AmorphousConductivityRecipe,
) -> AxisConductivityDocument:
    """Send a heat current along an axis."""
    started = time.perf_counter()
    settings = {**recipe.model_dump(mode="json"), "axis": axis}
    found, _ = engine.run("conduct", settings, cell.state)
    simulated_ns = recipe.conduction_steps * recipe.conduction_time_step_fs * 1e-6
    cost = _cost(f"heat current along {axis}", cell.atoms * recipe.repeats, simulated_ns, started)
    return AxisConductivityDocument(**found, axis=axis, cost=cost)


@job(output_schema=AmorphousConductivityDocument)
def conductivity_document(
    smiles: str,
    grown: AmorphousCellDocument,
    cell: AmorphousCellDocument,
    axes: list[AxisConductivityDocument],
    engine: RadonPyEngine,
    recipe: AmorphousConductivityRecipe,
) -> AmorphousConductivityDocument:
    """Put all axes together."""
    reason = unsteady(cell, axes)
    kappa, error = (None, None) if reason else mean_over_axes(axes)
    return AmorphousConductivityDocument(
        outcome="unstable" if reason else "computed",
        reason=reason,
        smiles=smiles,
        amorphous_kappa_w_per_m_k=kappa,
        amorphous_kappa_error_w_per_m_k=error,
        temperature_k=recipe.temperature_k,
        density_g_per_cm3=cell.density_g_per_cm3,
        units_per_chain=cell.units_per_chain,
        atoms=cell.atoms,
        equilibrated=cell.equilibrated,
        axes=axes,
        **total_cost([grown.cost, cell.cost, *(axis.cost for axis in axes)]),
        provenance=engine.provenance(),
    )


def unsteady(cell: AmorphousCellDocument, axes: list[AxisConductivityDocument]) -> str:
    """Return why a run gives no number, by RadonPy's own checks; empty where it does."""
    if cell.equilibrated is False:
        return "the cell did not come to equilibrium; sampling_ns of the recipe gives it longer"
    for axis in axes:
        if not (math.isfinite(axis.kappa_w_per_m_k) and axis.kappa_w_per_m_k > 0):
            return f"no steady heat current along {axis.axis}"
        if not axis.gradients_are_linear:
            return (
                f"the temperature along {axis.axis} is no straight line; conduction_steps of the "
                "recipe gives it longer"
            )
    return ""


def mean_over_axes(axes: list[AxisConductivityDocument]) -> tuple[float, float]:
    """Return the mean of κ and its standard error, in W/m/K.

    Within an axis the two halves of the cell are two gradients of one current; half their
    difference and the error of the current are its error.  Between axes the spread counts, where
    it is larger.
    """
    values = [axis.kappa_w_per_m_k for axis in axes]
    within = []
    for axis in axes:
        left, right = axis.gradients_k_per_m
        halves = abs(left - right) / (left + right)
        within.append(axis.kappa_w_per_m_k * math.hypot(halves, axis.heat_current_relative_error))
    own = math.sqrt(sum(error**2 for error in within)) / len(axes)
    between = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return fmean(values), max(own, between)


def _cost(step: str, atoms: float, simulated_ns: float, started: float) -> StepCost:
    return StepCost(
        step=step,
        cost=atoms * simulated_ns / 1000,
        cost_unit=COST_UNIT,
        wall_s=time.perf_counter() - started,
    )


@dataclass
class AmorphousConductivityMaker(TargetDefaults, Maker):
    """Maker of the whole flow for one polymer.

    Parameters
    ----------
    engine
        Force field and molecular dynamics.
    recipe
        Sizes and times.
    """

    cost_unit: ClassVar[str] = COST_UNIT

    engine: RadonPyEngine
    name: str = "amorphous conductivity"
    recipe: AmorphousConductivityRecipe = field(default_factory=AmorphousConductivityRecipe)

    def refusal(self, smiles: str, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a polymer, or None."""
        # A campaign's YAML may name any engine.
        engine: Any = self.engine
        if isinstance(engine, RadonPyEngine):
            return None
        return f"engine '{engine.name}' grows no amorphous cells; radonpy-gaff2 does"

    def make(self, smiles: str, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow of a repeat unit; its output is an `AmorphousConductivityDocument`."""
        grown = build_cell(smiles, self.engine, self.recipe)
        cell = equilibrate(grown.output, self.engine, self.recipe)
        currents = [
            conduct(cell.output, axis, self.engine, self.recipe) for axis in self.recipe.axes
        ]
        document = conductivity_document(
            smiles,
            grown.output,
            cell.output,
            [current.output for current in currents],
            self.engine,
            self.recipe,
        )
        return Flow([grown, cell, *currents, document], output=document.output, name=self.name)

    def estimate_cost(self, smiles: str) -> float:
        """Return about how many atom nanoseconds it takes, in thousands."""
        recipe = self.recipe
        atoms = recipe.chains * recipe.atoms_per_chain
        conduction_ns = recipe.conduction_steps * recipe.conduction_time_step_fs * 1e-6
        conduction_ns *= recipe.repeats * len(recipe.axes)
        return atoms * (PACKING_NS + recipe.sampling_ns + conduction_ns) / 1000
