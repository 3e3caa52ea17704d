"""What each command does, between the command line and the campaign."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from screening import console
from screening.campaign import (
    Campaign,
    Status,
    check_confirming,
    check_name_is_free,
    new_name,
)
from screening.config import CampaignConfig, load_campaign_config
from screening.errors import ScreenError
from screening.settings import Settings
from screening.store.database import Database, open_database

if TYPE_CHECKING:
    from screening.engine_catalog import EngineConfig
    from screening.ingest import Pool

ESTIMATED_CANDIDATES = 5
"""Candidates whose force calls a dry run counts, to estimate the budget's."""


def submit(
    target: str,
    overrides: dict[str, Any],
    name: str | None,
    *,
    wait: bool,
    workers: int | None,
    dry_run: bool,
) -> None:
    """Check everything, read the sources, then store the campaign and queue its first batch."""
    from screening.engine_catalog import build_engine, engine_config
    from screening.ingest import ingest
    from screening.sources import open_source

    config = load_campaign_config(target, overrides)
    engine = engine_config(config.engine)
    build_engine(engine)
    confirming = None
    if config.confirm is not None:
        confirming = engine_config(config.confirm.engine)
        check_confirming(engine, confirming)
        build_engine(confirming)
    sources = [open_source(spec) for spec in config.sources]
    settings = Settings()
    with open_database(settings) as database:
        database.prepare()
        name = name or new_name(database, config.target)
        check_name_is_free(database, name)
        with console.counting("reading crystals") as count:
            pool = ingest(sources, config.filters, engine, database, on_entry=count)
        console.pool(pool)
        if not pool.candidates:
            raise ScreenError(
                f"no candidate is left of {len(pool.refused)} entries; see the reasons above"
            )
        if dry_run:
            _estimate(pool, config, engine)
            return
        from screening.loop import advance

        campaign = Campaign.create(database, name, config, engine, pool, confirming)
        advance(campaign)
        console.say(
            f"campaign '{name}': {min(config.budget, len(pool.candidates))} of "
            f"{len(pool.candidates)} candidates will be computed with {engine.name}, "
            f"{config.batch_size} at a time"
        )
        if wait:
            _work(campaign, settings, workers)
        else:
            console.say(f"next: screen work {name}")


def work(name: str | None, workers: int | None) -> None:
    """Work a campaign's queue to its end."""
    settings = Settings()
    with open_database(settings) as database:
        _work(Campaign.open(database, name), settings, workers)


def status(name: str | None, *, as_json: bool) -> None:
    """Print how far a campaign is."""
    with open_database(Settings()) as database:
        campaign = Campaign.open(database, name)
        console.status(campaign, campaign.progress(), as_json=as_json)


def rank(name: str | None, top: int | None, where: dict[str, Any] | None, format: str) -> None:
    """Print the ranking."""
    from screening.leaderboard import check_filter, ranking

    check_filter(where)
    with open_database(Settings()) as database:
        campaign = Campaign.open(database, name)
        rows = ranking(campaign, where)
        console.ranking(campaign, rows[:top], len(rows), format)


def show(key: str, *, as_json: bool) -> None:
    """Print all that is known about one candidate."""
    with open_database(Settings()) as database:
        document = _find_candidate(database, key)
        key = document["_id"]
        picks = list(database.picks.find({"candidate_id": key}, sort=[("claimed_at", 1)]))
        results = list(database.results.find({"candidate_id": key}))
        console.candidate(document, picks, results, as_json=as_json)


def retry(name: str, candidate_id: str | None) -> None:
    """Queue failed candidates again."""
    from screening.loop import advance, requeue

    with open_database(Settings()) as database:
        campaign = Campaign.open(database, name)
        _refuse_cancelled(campaign)
        count = requeue(campaign, candidate_id)
        if not count:
            what = f"candidate '{candidate_id}'" if candidate_id else "no candidate"
            raise ScreenError(f"{what} of campaign '{name}' has failed; nothing to retry")
        advance(campaign)
        console.say(f"{count} candidates queued again; next: screen work {campaign.name}")


def promote(name: str | None, engine_name: str, top: int) -> None:
    """Send the best candidates of a campaign on to a better engine."""
    from screening.engine_catalog import build_engine, engine_config
    from screening.loop import promote as queue

    engine = engine_config(engine_name)
    build_engine(engine)
    with open_database(Settings()) as database:
        campaign = Campaign.open(database, name)
        _refuse_cancelled(campaign)
        level = campaign.add_level(engine)
        queued = queue(campaign, level, top)
        if not queued:
            raise ScreenError(
                f"campaign '{campaign.name}': none of its best {top} candidates is measured and "
                f"still to be done with '{engine.name}'"
            )
        console.say(
            f"{len(queued)} candidates queued with {engine.name}: {', '.join(queued)}; "
            f"next: screen work {campaign.name}"
        )


def set_status(name: str, wanted: Status) -> None:
    """Pause, resume or cancel a campaign."""
    with open_database(Settings()) as database:
        campaign = Campaign.open(database, name)
        if wanted != "cancelled":
            _refuse_cancelled(campaign)
        campaign.set_status(wanted)
        if wanted == "cancelled":
            from screening.loop import drop_queued

            dropped = drop_queued(campaign)
            console.say(f"campaign '{name}' is cancelled; {dropped} queued candidates dropped")
            return
        following = f"; next: screen work {name}" if wanted == "active" else ""
        console.say(f"campaign '{name}' is {wanted}{following}")


def _refuse_cancelled(campaign: Campaign) -> None:
    if campaign.status == "cancelled":
        raise ScreenError(
            f"campaign '{campaign.name}' is cancelled, which is final; submit a new one"
        )


def _work(campaign: Campaign, settings: Settings, workers: int | None) -> None:
    from screening.workforce import default_workers, run_workers

    if (status := campaign.status) != "active":
        remedy = f"; go on with: screen resume {campaign.name}" if status == "paused" else ""
        raise ScreenError(f"campaign '{campaign.name}' is {status}{remedy}")
    count = workers or settings.workers or default_workers(campaign.config.batch_size)
    try:
        with console.watching(campaign) as on_poll:
            run_workers(campaign, settings, count, on_poll)
    except KeyboardInterrupt:
        console.say(f"\nstopped; nothing is lost; go on with: screen work {campaign.name}")
        sys.exit(130)
    console.finished(campaign)


def _estimate(pool: Pool, config: CampaignConfig, engine: EngineConfig) -> None:
    from screening.candidate_flow import estimate_force_calls

    # Spread over the pool, so that small and large crystals both count.
    ids = sorted(pool.candidates)
    step = max(1, len(ids) // ESTIMATED_CANDIDATES)
    sample = ids[::step][:ESTIMATED_CANDIDATES]
    calls = [estimate_force_calls(pool.candidates[each], config, engine) for each in sample]
    computed = min(config.budget, len(ids))
    mean = sum(calls) / len(calls)
    console.say(
        f"estimated force calls: {mean:.0f} a candidate ({min(calls)} to {max(calls)} in a sample "
        f"of {len(calls)}), {mean * computed:.0f} for {computed} candidates; nothing was submitted"
    )


def _find_candidate(database: Database, key: str) -> dict[str, Any]:
    matches = list(
        database.candidates.find(
            {"$or": [{"_id": key}, {"origins.material_id": key}, {"formula": key}]}
        ).limit(20)
    )
    if not matches:
        raise ScreenError(f"candidate '{key}': unknown; `screen rank` lists the candidate_ids")
    if len(matches) > 1:
        ids = ", ".join(sorted(each["_id"] for each in matches))
        raise ScreenError(f"candidate '{key}': {len(matches)} crystals fit; give one of {ids}")
    return dict(matches[0])
