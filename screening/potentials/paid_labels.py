"""Labels that campaigns have paid for already: cells with what an engine computed for them.

Of a result these are the displaced supercells of its phonons, the relaxed crystal, and the strained
cells of its elastic constants.  Only what one engine computed with one set of settings is taken:
labels of two kinds would teach a potential their difference as if it were physics.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.campaigns.campaign import Campaign
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted
from screening.store.fitted_potentials import large_value
from screening.targets.engines import build_engine

if TYPE_CHECKING:
    from screening.campaigns.stages import EngineStage
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig
    from workflows.potentials.frames import LabelledFrame

MOST_LABELS = 200
"""Labels that are taken, as many of each candidate as of any other: of one crystal's displaced
supercells the tenth teaches little, and each costs time in every round of the fit."""
MOST_FORCE_EV_PER_A = 1e-3
"""A relaxed cell counts as one without forces where the largest is no larger."""


@dataclass
class PaidLabels:
    """What was taken from campaigns, and what was not.

    Attributes
    ----------
    frames : list of LabelledFrame
    taken, left_out : Counter
        How many of each kind, and for each reason.
    """

    frames: list[LabelledFrame] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def said(self) -> str:
        """Return one sentence for people."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.taken.items()))
        text = f"{counted(len(self.frames), 'label')} taken over from campaigns"
        text += f" ({kinds})" if kinds else ""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        return f"{text}; left out: {reasons}" if reasons else text


def labels_of(
    database: Database, names: list[str], engine: EngineConfig, elements: frozenset[str]
) -> PaidLabels:
    """Return the labels in the results of campaigns that an engine has computed.

    Parameters
    ----------
    names
        Of the campaigns.
    engine
        The one that labels; results of others are not looked at.
    elements
        Chemical symbols of the family; cells with another one are left out.

    Raises
    ------
    ScreenError
        When a campaign is not there, or the engine has computed nothing for it.
    """
    found = PaidLabels()
    labelling = build_engine(engine)
    of_candidates: list[list[tuple[str, LabelledFrame]]] = []
    seen: set[str] = set()
    for name in names:
        campaign = Campaign.open(database, name)
        stages = _stages_of(campaign, engine)
        pool = campaign.snapshot(features=False).pool
        for stage in stages:
            query = {**campaign.result_key(stage), "output_uuid": {"$exists": True}}
            for result in database.results.find(query):
                if result["_id"] in seen or result["candidate_id"] not in pool:
                    continue
                seen.add(result["_id"])
                if elements and not elements.issuperset(result["elements"]):
                    found.left_out["results with other elements"] += 1
                    continue
                if raised := _raised(result):
                    found.left_out[f"results with raised settings ({raised})"] += 1
                    continue
                cutoff_ev = labelling.label_cutoff_ev(elements or result["elements"])
                labels = _labels(database, result, cutoff_ev, found.left_out)
                of_candidates.append(list(labels))
    if not seen:
        raise ScreenError(
            f"--labels-of {', '.join(names)}: '{engine.name}' has computed nothing there yet"
        )
    # The first of each candidate, then the second of each.
    in_turn = [
        label
        for turn in itertools.zip_longest(*of_candidates)
        for label in turn
        if label is not None
    ]
    for kind, frame in in_turn[:MOST_LABELS]:
        found.frames.append(frame)
        found.taken[kind] += 1
    if len(in_turn) > MOST_LABELS:
        found.left_out[f"beyond the {MOST_LABELS} that a fit takes"] += len(in_turn) - MOST_LABELS
    return found


def _stages_of(campaign: Campaign, engine: EngineConfig) -> list[EngineStage]:
    """Return the stages of a campaign whose engine computes the same numbers."""
    same = [
        stage for stage in campaign.stages if stage.engine.fingerprint() == engine.fingerprint()
    ]
    if not same:
        others = ", ".join(f"'{stage.engine.name}'" for stage in campaign.stages)
        raise ScreenError(
            f"--labels-of {campaign.name}: it was computed with {others}, whose energies are not "
            f"those of '{engine.name}'; name campaigns of '{engine.name}', or give another --label"
        )
    if campaign.objective.maker == "workflows.potentials.fitting.FittedPotentialMaker":
        raise ScreenError(
            f"--labels-of {campaign.name}: it has fitted a potential; take its labels over with "
            f"--after {campaign.name}"
        )
    return same


def _raised(result: Mapping[str, Any]) -> str:
    """Return which settings of the engine were raised for a result."""
    convergence = result.get("force_convergence") or {}
    return ", ".join(sorted(convergence.get("raised") or {}))


def _labels(
    database: Database,
    result: Mapping[str, Any],
    cutoff_ev: float | None,
    left_out: Counter[str],
) -> Iterator[tuple[str, LabelledFrame]]:
    """Yield the labels of one result with their kinds; those that teach most come first."""
    from workflows.documents import RelaxationDocument
    from workflows.lattice_dynamics.recorded_cells import recorded_cells
    from workflows.potentials.frames import LabelledFrame

    name = str(result["formula"])
    relaxed = [
        ("relaxed crystals", document)
        for document in _relaxations(database, str(result["output_uuid"]))
    ]
    if result.get("strained_cells") and not result.get("strained"):
        left_out["results whose strained cells an earlier version did not keep"] += 1
    relaxed += [
        ("strained cells", RelaxationDocument.model_validate(document))
        for document in result.get("strained") or []
    ]
    for kind, document in relaxed:
        if reason := _unusable(document, cutoff_ev):
            left_out[reason] += 1
            continue
        yield kind, _at_rest(document, f"{name}: {kind[:-1]}", cutoff_ev)
    if result.get("phono3py_params"):
        cells = recorded_cells(io.StringIO(str(large_value(database, result, "phono3py_params"))))
        for cell in sorted(cells, key=lambda cell: -cell.displaced_atoms):
            many = cell.displaced_atoms > 2
            yield (
                "snapshots" if many else "finite displacements",
                LabelledFrame(
                    structure=cell.structure,
                    origin=f"{name}: {'snapshot' if many else 'finite displacement'}",
                    forces_ev_per_a=cell.forces_ev_per_a.tolist(),
                ),
            )


def _relaxations(database: Database, output_uuid: str) -> Iterator[Any]:
    """Yield the relaxations of the flow that ended with an output."""
    from workflows.documents import RelaxationDocument

    last = database.job_outputs.find_one({"uuid": output_uuid}, {"hosts": 1})
    if not last or not last.get("hosts"):
        return
    # The outermost flow comes last.
    query = {"hosts": last["hosts"][-1], "output.@class": "RelaxationDocument"}
    for job in database.job_outputs.find(query, {"output": 1}):
        yield RelaxationDocument.model_validate(
            {key: job["output"].get(key) for key in RelaxationDocument.model_fields}
        )


def _unusable(document: Any, cutoff_ev: float | None) -> str:
    """Return why a relaxed cell is no label beside others of a cut-off, or nothing."""
    if document.lost or document.energy_ev_per_atom is None or document.stress_gpa is None:
        return "cells that relaxation lost"
    if (document.max_force_ev_per_a or 0.0) > MOST_FORCE_EV_PER_A:
        return f"cells relaxed to more than {MOST_FORCE_EV_PER_A:g} eV/Å"
    if document.energy_cutoff_ev != cutoff_ev:
        return "relaxed cells whose energy is of another cut-off than labels of the fit"
    return ""


def _at_rest(document: Any, origin: str, cutoff_ev: float | None) -> LabelledFrame:
    """Return a relaxed cell as a label: its forces are none, to `MOST_FORCE_EV_PER_A`.

    Its stress is left out where that was computed with another cut-off than its energy.
    """
    from ase.units import GPa

    from workflows.potentials.frames import LabelledFrame

    n_atoms = len(document.structure)
    same = document.relaxation_cutoff_ev == cutoff_ev
    return LabelledFrame(
        structure=document.structure,
        origin=origin,
        energy_ev=document.energy_ev_per_atom * n_atoms,
        forces_ev_per_a=np.zeros((n_atoms, 3)).tolist(),
        stress_ev_per_a3=(np.array(document.stress_gpa) * GPa).tolist() if same else None,
        cutoff_ev=cutoff_ev,
    )
