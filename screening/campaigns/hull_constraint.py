"""A bound on the energy above the hull as a constraint of campaigns that compute something else.

The energy above the hull is that of campaigns of `energy-above-hull` with the same engine and the
recipe's defaults, as the target ``stable-compound`` has them.  A candidate of which it is not known
breaks the constraint: it is never taken for stable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.campaigns.competing_rows import competing_rows
from screening.campaigns.snapshot import PoolRow
from screening.messages.refusal import Refusal
from screening.messages.stderr import counted
from screening.targets.objectives import ENERGY_ABOVE_HULL, VERDICT

if TYPE_CHECKING:
    from screening.campaigns.config import CampaignConfig
    from screening.intake.ingest import Pool
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig

FIELD = ENERGY_ABOVE_HULL.value_field
BORROWED = (FIELD, *(shown.field for shown in VERDICT), "missing_competitors_count")
"""Fields that results of other objectives get, where a constraint asks."""


def is_asked(config: CampaignConfig) -> bool:
    """Return whether a campaign of another objective bounds the energy above the hull."""
    return FIELD in config.constraints and config.objective != ENERGY_ABOVE_HULL.name


def hull_key(config: CampaignConfig, engine: EngineConfig) -> dict[str, str]:
    """Return the fields that the energies of an engine share, as `result_key` does."""
    energies = config.model_copy(update={"objective": ENERGY_ABOVE_HULL.name, "recipe": {}})
    return {
        "objective": ENERGY_ABOVE_HULL.name,
        "recipe_hash": energies.recipe_hash(engine.fingerprint()),
    }


def hull_campaigns(database: Database, config: CampaignConfig, engine: EngineConfig) -> list[str]:
    """Return the campaigns with competitors whose energies those of `hull_fields` are."""
    key = hull_key(config, engine)
    query = {
        **{"config.objective": key["objective"], "recipe_hash": key["recipe_hash"]},
        **{"config.competitors.0": {"$exists": True}, "status": {"$ne": "submitting"}},
    }
    return sorted(str(found["_id"]) for found in database.campaigns.find(query, {"_id": 1}))


def hull_fields(
    database: Database, config: CampaignConfig, engine: EngineConfig
) -> dict[str, dict[str, Any]]:
    """Return `BORROWED` of all crystals whose energy the engine has computed, by candidate id."""
    from screening.targets.stability import stability

    wanted = dict.fromkeys(("candidate_id", "outcome", *ENERGY_ABOVE_HULL.derive_from), 1)
    energies = {
        document["candidate_id"]: document
        for document in database.results.find(hull_key(config, engine), wanted)
    }
    rows = {key: PoolRow(label=document["formula"]) for key, document in energies.items()}
    for name in hull_campaigns(database, config, engine):
        rows |= competing_rows(database, name, config.kind())
    return {
        key: {field: found[field] for field in BORROWED}
        for key, found in stability(energies, rows).items()
    }


def leave_out_unstable(
    database: Database, config: CampaignConfig, engine: EngineConfig, pool: Pool
) -> None:
    """Refuse the candidates of a pool that break the bound, or of which nothing is known.

    What meets it by a lower bound only, as known competitors have no energy, is a remark of the
    pool.
    """
    from screening.intake.ingest import Refused

    known = hull_fields(database, config, engine)
    bound = config.constraints[FIELD]
    incomplete: list[str] = []
    for key in list(pool.candidates):
        fields = known.get(key, {})
        value = fields.get(FIELD)
        if value is None:
            reason = Refusal.of(
                "its energy above the hull is not known by engine '{engine}': compute it first "
                "with --target stable-compound, and name its competitors",
                engine=engine.name,
            )
        elif bound.violation(FIELD, value) is None:
            if fields["missing_competitors"]:
                incomplete.append(key)
            continue
        else:
            reason = Refusal.of(
                "its energy above the hull is {value} eV/atom by engine '{engine}' "
                "({verdict}: {into})",
                value=round(value, 4),
                engine=engine.name,
                verdict=fields["stability_verdict"],
                into=fields["decomposes_into"],
            )
        origin = pool.candidates[key].origins[0]
        pool.refused.append(Refused(origin.source, origin.material_id, reason))
        pool.inputs.pop(key, None)
        del pool.candidates[key]
    if incomplete:
        first = incomplete[0]
        pool.remarks.append(
            f"of {len(incomplete)} of {counted(len(pool.candidates), 'candidate')} the energy "
            "above the hull is a lower bound, as known competitors have no energy; first: "
            f"{first}, without {known[first]['missing_competitors']}"
        )
