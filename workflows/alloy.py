"""κ of random alloys: force constants of both end members → virtual crystal → κ.

The end members of many compositions are the same two crystals.  Their force constants are computed
once: the flow of an end member ends with a job whose uuid is made from all that shapes its
result, and a flow that finds the output of this job in the job store does not compute it again.
Where two workers begin at once both compute it, and either result will do.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import CURRENT_JOB, Flow, Job, JobConfig, Maker, Response, job

from workflows.alloy_documents import AlloyConductivityDocument
from workflows.conductivity import ThermalConductivityMaker
from workflows.document_parts import StepCost, total_cost
from workflows.documents import MeshConductivity
from workflows.errors import CannotCompute
from workflows.lattice_dynamics.alloy_conductivity import solve_alloy
from workflows.lattice_dynamics.cells import (
    conventional_cell,
    length_of_multiples,
    supercell_multiples,
)
from workflows.lattice_dynamics.recorded_forces import recorded_model
from workflows.lattice_dynamics.virtual_crystal import (
    force_constant_difference,
    virtual_crystal,
)
from workflows.recipes import AlloyConductivityRecipe
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phono3py import Phono3py
    from pymatgen.core import Structure

    from workflows.alloy_composition import AlloyComposition
    from workflows.document_parts import Provenance
    from workflows.engines import Engine
    from workflows.recipes import EndMemberRecipe, PhononRecipe, ThirdOrderRecipe

DIGITS = 6
"""Of lengths in Å and of fractional coordinates, to which two end members are one."""
LEFT_OUT = (
    "disorder of the force constants (the end members' differ by {difference:.0%} of their mean), "
    "displacements around unlike atoms, and short-range order"
)


def end_member_uuid(maker: ThermalConductivityMaker, structure: Structure) -> str:
    """Return the uuid under which the result of an end member is known: made from its content.

    Crystal, engine, recipe, and versions of the packages that shape a number.
    """
    content = {
        "species": [site.specie.symbol for site in structure],
        "lattice_a": np.round(structure.lattice.matrix, DIGITS).tolist(),
        "positions": np.round(structure.frac_coords, DIGITS).tolist(),
        "maker": json.loads(json.dumps(maker.as_dict(), default=lambda part: part.as_dict())),
        "versions": maker.engine.provenance().versions,
    }
    text = json.dumps(content, sort_keys=True)
    return str(uuid.UUID(hashlib.sha256(text.encode()).hexdigest()[:32]))


@job
def known_as(outcome: str, document_uuid: str) -> dict[str, str]:
    """Say where the result of an end member is; this job has the uuid that it is looked for by."""
    return {"outcome": outcome, "uuid": document_uuid}


def _stored(store: Any, known: str) -> str | None:
    """Return the uuid of the result of an end member, None where the store has none."""
    if store.query_one({"uuid": known}) is None:
        return None
    found = str(store.get_output(known, which="last")["uuid"])
    return None if store.query_one({"uuid": found}) is None else found


@job(config=JobConfig(expose_store=True))
def end_members(
    makers: list[ThermalConductivityMaker], structures: list[Structure]
) -> Response[dict[str, list[str]]]:
    """Compute those end members that the job store does not know.

    Returns
    -------
    dict
        ``known``, uuids that all are found by, and ``computed_here``, formulas of those that were
        not there.
    """
    all_known, missing = [], []
    flows: list[Flow | Job] = []
    for maker, structure in zip(makers, structures, strict=True):
        known = end_member_uuid(maker, structure)
        all_known.append(known)
        if _stored(CURRENT_JOB.store, known) is not None:
            continue
        flow: Any = maker.make(structure)
        last = known_as(flow.output.outcome, flow.output.uuid)
        last.set_uuid(known)
        flows.append(Flow([flow, last], name=f"end member {structure.reduced_formula}"))
        missing.append(structure.reduced_formula)
    output = {"known": all_known, "computed_here": missing}
    if not flows:
        return Response(output=output)
    return Response(output=output, detour=Flow(flows))


@dataclass
class AlloyConductivityMaker(TargetDefaults, Maker):
    """Maker of the flow for one composition of two crystals.

    Parameters
    ----------
    engine
        What computes energies, forces and stresses of the end members.
    recipe
        Settings of their flows, and the meshes of the alloy.
    """

    engine: Engine
    name: str = "alloy conductivity"
    recipe: AlloyConductivityRecipe = field(default_factory=AlloyConductivityRecipe)

    def refusal(self, content: AlloyComposition, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take an alloy, or None."""
        try:
            makers = self._makers(content)
        except ValueError:
            return "supercells of one shape cannot be made of both end members"
        for maker, structure in zip(makers, _both(content), strict=True):
            if reason := maker.refusal(structure):
                return f"of its end member {structure.reduced_formula}: {reason}"
        return None

    def make(self, content: AlloyComposition, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is an `AlloyConductivityDocument`."""
        makers, structures = self._makers(content), _both(content)
        asked = end_members(makers, structures)
        found = self.document(
            asked.output,
            content.formula,
            list(content.exchanged),
            content.fraction,
        )
        return Flow([asked, found], output=found.output, name=f"{self.name} {content.formula}")

    @job(output_schema=AlloyConductivityDocument, config=JobConfig(expose_store=True))
    def document(
        self,
        asked: dict[str, list[str]],
        formula: str,
        exchanged: list[str],
        fraction: float,
    ) -> AlloyConductivityDocument:
        """Compute κ of the alloy from the results of its end members.

        Parameters
        ----------
        asked
            Output of `end_members`.
        exchanged
            Element of the first, and that of the second on the same sites.
        """
        ends = [_end_member(CURRENT_JOB.store, each) for each in asked["known"]]
        here, provenance = asked["computed_here"], self.engine.provenance()
        return alloy_document(ends, here, formula, exchanged, fraction, self.recipe, provenance)

    def estimate_cost(self, content: AlloyComposition) -> float:
        """Return about how many force calls both end members take, unless they are known."""
        pairs = zip(self._makers(content), _both(content), strict=True)
        return sum(maker.estimate_cost(structure) for maker, structure in pairs)

    def _makers(self, content: AlloyComposition) -> list[ThermalConductivityMaker]:
        """Return the Makers of both end members, with supercells of one shape."""
        cells = [conventional_cell(structure)[0] for structure in _both(content)]
        lengths = [cell.lattice.abc for cell in cells]
        a, b, c = (float(edge) for edge in np.mean(lengths, axis=0))
        recipe = self.recipe.end_members

        def fixed(
            part: PhononRecipe | ThirdOrderRecipe, own: tuple[float, float, float]
        ) -> dict[str, Any]:
            multiples = supercell_multiples(
                (a, b, c), len(cells[0]), part.min_length_a, part.max_atoms
            )
            return {
                "min_length_a": round(length_of_multiples(own, multiples), DIGITS),
                "max_atoms": int(np.prod(multiples)) * len(cells[0]),
            }

        def recipe_of(own: tuple[float, float, float]) -> EndMemberRecipe:
            return recipe.model_copy(
                update={
                    "phonons": recipe.phonons.model_copy(update=fixed(recipe.phonons, own)),
                    "third_order": recipe.third_order.model_copy(
                        update=fixed(recipe.third_order, own)
                    ),
                }
            )

        return [ThermalConductivityMaker(self.engine, recipe=recipe_of(own)) for own in lengths]


def _both(content: AlloyComposition) -> list[Structure]:
    return [content.first, content.second]


def _end_member(store: Any, known: str) -> dict[str, Any]:
    """Return the document of an end member, large values included."""
    found = _stored(store, known)
    if found is None:
        raise CannotCompute(
            "the result of an end member is gone from the job store; retry the candidate"
        )
    document: dict[str, Any] = store.get_output(found, which="last", load=True)
    return document


def alloy_document(
    ends: Sequence[dict[str, Any]],
    computed_here: Sequence[str],
    formula: str,
    exchanged: Sequence[str],
    fraction: float,
    recipe: AlloyConductivityRecipe,
    provenance: Provenance,
) -> AlloyConductivityDocument:
    """Return the document of an alloy from those of its end members; see the Maker."""
    started = time.perf_counter()
    formulas = [end["formula"] for end in ends]
    reused = [name for name in formulas if name not in computed_here]
    costs = [
        StepCost.of_force_calls(f"end member {end['formula']}", end["cost"], end["wall_s"])
        if end["formula"] in computed_here
        else StepCost.of_force_calls(f"end member {end['formula']}, computed before", 0, 0.0)
        for end in ends
    ]
    fields: dict[str, Any] = {
        "formula": formula,
        "end_members": formulas,
        "fraction": fraction,
        "end_member_kappas_300k_w_per_m_k": [end.get("kappa_300k_w_per_m_k") for end in ends],
        "reused_end_members": reused,
        "provenance": provenance,
    }
    lost = [end for end in ends if end["outcome"] != "computed"]
    if lost:
        reasons = [f"end member {end['formula']}: {end['reason']}" for end in lost]
        return AlloyConductivityDocument(
            outcome="unstable", reason="; ".join(reasons), **fields, **total_cost(costs)
        )
    models = [_model(end) for end in ends]
    _check_sites(models, exchanged)
    transport = recipe.end_members.transport
    crystal = virtual_crystal(models[0], models[1], fraction, isotopes=transport.isotopes)
    solved = solve_alloy(crystal, transport, recipe.dense_mesh_factors)
    kappa = solved.limit.kappa_w_per_m_k
    fit_error = _fit_error(ends, fraction)
    errors = [solved.limit.error_w_per_m_k, solved.rate_error_w_per_m_k]
    if fit_error is not None:
        errors.append(fit_error * kappa)
    difference = force_constant_difference(models[0], models[1])
    edges_a = [(end["volume_a3_per_atom"]) ** (1 / 3) for end in ends]
    costs.append(StepCost.of_force_calls("transport", 0, time.perf_counter() - started))
    cell = crystal.model.primitive
    return AlloyConductivityDocument(
        outcome="computed",
        **fields,
        alloy_kappa_300k_w_per_m_k=kappa,
        alloy_kappa_300k_error_w_per_m_k=float(np.linalg.norm(errors)),
        dense_mesh_error_w_per_m_k=solved.limit.error_w_per_m_k,
        rate_mesh_error_w_per_m_k=solved.rate_error_w_per_m_k,
        fit_error_w_per_m_k=None if fit_error is None else fit_error * kappa,
        left_out=LEFT_OUT.format(difference=difference),
        kappa_below_end_members_fraction=1
        - kappa / min(end["kappa_300k_w_per_m_k"] for end in ends),
        mass_variance=float(crystal.mass_variances.max()),
        force_constant_difference_fraction=difference,
        relaxed_lattice_mismatch_fraction=abs(edges_a[1] - edges_a[0]) / float(np.mean(edges_a)),
        volume_a3_per_atom=float(cell.volume) / len(cell),
        nac=crystal.model.nac_params is not None,
        dense_meshes=[
            MeshConductivity(mesh=mesh, kappa_300k_w_per_m_k=value, wall_s=wall_s)
            for mesh, value, wall_s in solved.dense
        ],
        rate_mesh=solved.rate_mesh,
        **total_cost(costs),
    )


def _model(end: dict[str, Any]) -> Phono3py:
    """Return an end member ready for κ."""
    return recorded_model(
        io.StringIO(end["phono3py_params"]),
        cutoff_a=end.get("third_order_cutoff_a"),
        force_constants=end.get("force_constants"),
    )


def _check_sites(models: Sequence[Phono3py], exchanged: Sequence[str]) -> None:
    """Raise `CannotCompute` where sites of the two are not those that belong together."""
    pairs = zip(models[0].unitcell.symbols, models[1].unitcell.symbols, strict=True)
    for pair in pairs:
        if pair[0] != pair[1] and list(pair) != list(exchanged):
            raise CannotCompute(
                f"the sites of the two end members are not in one order: {pair[0]} meets {pair[1]}"
            )


def _fit_error(ends: Sequence[dict[str, Any]], fraction: float) -> float | None:
    """Return the relative error of κ that the fits of both leave, as if each scaled its share."""
    shares = []
    for end, share in zip(ends, (1 - fraction, fraction), strict=True):
        error = end.get("kappa_300k_fit_error_w_per_m_k")
        if error is not None:
            shares.append(share * error / end["kappa_300k_w_per_m_k"])
    return float(np.linalg.norm(shares)) if shares else None
