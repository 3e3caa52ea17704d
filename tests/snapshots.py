"""Snapshots of toy campaigns made from plain values, without a database.

The objective ``toy`` must be known: tests that build them use the fixture of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from campaign_fixtures import toy_candidates, toy_content

from screening.campaigns.config import CampaignConfig
from screening.campaigns.results import as_seen
from screening.campaigns.snapshot import PoolRow, Snapshot
from screening.campaigns.stages import EngineStage
from screening.machine.clock import now
from screening.targets.engines import EngineConfig, parse_engine

VALUE = "kappa_300k_w_per_m_k"
ENGINES = ("emt", "better", "best")
"""Engines of fidelity 0, 1 and 2."""


def ids(pool: int = 8) -> list[str]:
    """Return the ids of the first toy crystals, sorted."""
    return sorted(candidate.candidate_id for candidate in toy_candidates()[:pool])


def snapshot_of(
    *,
    pool: int = 8,
    results: Mapping[str, Any] | None = None,
    confirmed: Iterable[Mapping[str, Any]] = (),
    picks: Mapping[str, Any] | None = None,
    confirmation_picks: Mapping[str, str] | None = None,
    prior: Mapping[str, float] | None = None,
    status: str = "active",
    promoted: bool = False,
    running: int = 0,
    **changes: Any,
) -> Snapshot:
    """Return what a campaign of the first `pool` toy crystals knows.

    Parameters
    ----------
    results
        By candidate id, values or fields of result documents, of the engine that explores.
    confirmed
        The same of each better engine, the less good one first.
    picks, confirmation_picks
        By candidate id, states or fields of pick documents, in the order of their numbers.
    prior
        By candidate id, on the model's scale.
    changes
        Of the campaign's YAML.
    """
    config = CampaignConfig.model_validate(toy_content(**changes))
    candidates = {candidate.candidate_id: candidate for candidate in toy_candidates()[:pool]}
    rows = {
        key: PoolRow(
            candidate.formula,
            {
                "formula": candidate.formula,
                "space_group_number": candidate.space_group_number,
            },
            candidate.origins[0].material_id,
        )
        for key, candidate in candidates.items()
    }
    found = [results or {}, *confirmed]
    stages = [
        EngineStage(_engine(name, fidelity), f"recipe of {name}")
        for fidelity, name in enumerate(ENGINES[: len(found)])
    ]
    return Snapshot(
        name="toy-1",
        config=config,
        objective=config.resolved_objective(),
        status=status,  # type: ignore[arg-type]
        promoted=promoted,
        stages=stages,
        picks=[
            _pick(key, number, pick, "emt")
            for number, (key, pick) in enumerate((picks or {}).items(), start=1)
        ],
        confirmation_picks=[
            _pick(key, number, pick, "better")
            for number, (key, pick) in enumerate((confirmation_picks or {}).items(), start=1)
        ],
        running=running,
        results={
            stage.engine.name: as_seen(
                config,
                {key: _result(key, fields, stage.engine.name) for key, fields in known.items()},
                rows,
            )
            for stage, known in zip(stages, found, strict=True)
        },
        pool=rows,
        features={key: candidates[key].features or [] for key in sorted(candidates)},
        prior=prior,
        read_at=now(),
    )


def _engine(name: str, fidelity: int) -> EngineConfig:
    content = {"name": name, "fidelity": fidelity, "calculator": "ase.calculators.emt.EMT"}
    return parse_engine({"kind": "ase", **content}, "a test")


def _result(key: str, fields: Any, engine: str) -> dict[str, Any]:
    given = fields if isinstance(fields, Mapping) else {VALUE: fields}
    return {"candidate_id": key, "engine": engine, "outcome": "computed", **given}


def _pick(key: str, number: int, fields: Any, engine: str) -> dict[str, Any]:
    given = fields if isinstance(fields, Mapping) else {"state": fields}
    common = {"engine": engine, "number": number, "round": (number + 1) // 2}
    return {
        "candidate_id": key,
        "predicted_mean": None,
        "attempts": 1,
        "lost": 0,
        **common,
        **given,
    }
