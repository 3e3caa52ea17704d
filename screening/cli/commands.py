"""What each command does, between the command line and the campaign."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.campaigns.campaign import SUBMITTED, Campaign
from screening.campaigns.config import CampaignConfig, load_campaign_config
from screening.campaigns.indexes import indexes
from screening.campaigns.names import check_name_is_free, new_name
from screening.campaigns.progress import progress_of
from screening.campaigns.snapshot import Status
from screening.campaigns.stages import check_confirming
from screening.candidates.find import find_candidate
from screening.cli import console
from screening.machine.settings import Settings
from screening.machine.text_files import user_path
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say
from screening.messages.validation import check_choice, validated
from screening.store.database import Database, open_database

if TYPE_CHECKING:
    from screening.intake.ingest import Pool
    from screening.targets.engines import EngineConfig

MAX_LIBRARY_SITES = 200
"""Atoms in the primitive cell of what a library's ranking takes, unless its filters say more."""
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
    from screening.campaigns.flows import refusal
    from screening.intake.ingest import ingest
    from screening.running.local_workers import usable_cores
    from screening.sources import open_source
    from screening.targets.engines import engine_config, require_engine

    config = load_campaign_config(target, overrides)
    engine = engine_config(config.engine)
    require_engine(engine)
    confirming = None
    if config.confirm is not None:
        confirming = engine_config(config.confirm.engine)
        check_confirming(engine, confirming)
        require_engine(confirming)
    sources = [open_source(spec) for spec in config.sources]
    settings = Settings()
    with open_database(settings) as database:
        database.prepare(indexes())
        name = name or new_name(database, config.target)
        check_name_is_free(database, name)
        if config.prior is not None:
            Campaign.prior_of(database, config)
        with console.counting("reading crystals") as count:
            pool = ingest(
                sources,
                config.filters,
                engine,
                database,
                on_entry=count,
                unfit=lambda candidate: refusal(candidate, config, engine),
                workers=usable_cores(),
            )
        console.pool(pool, engine.name, kept=not dry_run)
        if not pool.candidates:
            read = counted(len(pool.refused), "entry", "entries")
            raise ScreenError(f"no candidate is left of {read}; see the reasons above")
        unknown = _not_computed_yet(database, config, engine, pool)
        plan = _plan(config, engine, len(pool.candidates), len(unknown))
        if dry_run:
            say(plan)
            _estimate(pool, unknown, config, engine)
            return
        from screening.running.advance import advance

        campaign = Campaign.create(database, name, config, engine, pool, confirming)
        advance(campaign)
        say(f"campaign '{name}': {plan}")
        if campaign.is_exhausted():
            say(f"next: screen rank {name}")
        elif wait:
            _work(campaign, settings, workers)
        else:
            say(f"next: screen work {name}")


def work(name: str | None, workers: int | None) -> None:
    """Work a campaign's queue to its end."""
    settings = Settings()
    with open_database(settings, must_exist=True) as database:
        _work(Campaign.open(database, name), settings, workers)


def status(name: str | None, *, as_json: bool) -> None:
    """Print how far a campaign is."""
    from screening.campaigns.throughput import throughput_of
    from screening.campaigns.worker_presence import worker_presence
    from screening.queues.queue_jobs import queue_state

    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        snapshot = campaign.snapshot(rows=False, features=False)
        progress = progress_of(snapshot)
        jobs = queue_state(campaign)
        goes_on = progress.status == "active" and not progress.exhausted
        # Of queue jobs the scheduler knows.
        there = worker_presence(campaign) if goes_on and jobs is None else None
        throughput = throughput_of(snapshot, progress)
        console.status(campaign, progress, throughput, jobs, there, as_json=as_json)


def rank(
    name: str | None,
    top: int | None,
    where: dict[str, Any] | None,
    format: str,
    *,
    pareto: bool = False,
    predicted: bool = False,
    bound: float | None = None,
) -> None:
    """Print the ranking, or only the Pareto front of two objectives, or what is predicted."""
    from screening.campaigns.prediction_cache import calibration
    from screening.campaigns.predictions import count_values
    from screening.ranking.build import ranking
    from screening.ranking.cache import cached_ranking
    from screening.ranking.entries import proposals
    from screening.ranking.filter import check_fields, check_filter

    check_filter(where)
    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        selected = where or pareto or predicted
        if where:
            check_fields(campaign, where)
            rows = ranking(campaign, where)
            total = len(rows)
        else:
            rows, total = cached_ranking(campaign, None if selected else top)
        if pareto and campaign.config.second_objective is None:
            raise ScreenError(
                f"--pareto: campaign '{campaign.name}' has one objective; a second one is named "
                "in its YAML under 'second_objective'"
            )
        if pareto:
            rows = [row for row in rows if row.on_front]
            total = len(rows)
        if predicted:
            objective = campaign.objective
            if bound is not None and not math.isfinite(bound):
                raise ScreenError(f"--bound: give a number, not {bound:g}")
            if bound is not None and objective.logarithmic and bound <= 0:
                raise ScreenError(f"--bound: {objective.label} is above 0, not {bound:g}")
            everyone, rows = rows, proposals(rows, bound, objective.to_model)
            total = len(rows)
            if campaign.config.second_objective is not None:
                raise ScreenError(
                    f"--predicted: campaign '{campaign.name}' has two objectives, whose "
                    "predictions are on no scale of their own"
                )
            if rows:
                values = count_values(campaign.snapshot(rows=False, features=False))
                console.calibration(campaign, calibration(campaign), values)
            elif any(row.outcome == "predicted" for row in everyone):
                say("nothing is predicted yet: a model needs two results with a value")
            else:
                say("nothing is left to predict: no candidate without a result")
        console.ranking(campaign, rows[:top], total, format, bound)


def report(name: str | None, output: Path, top: int | None, *, force: bool) -> None:
    """Write a campaign's report."""
    from screening.pages.report import check_replaceable, write_report

    output = user_path(output, "--output")
    check_replaceable(output, force=force)
    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        with console.counting("candidates read") as on_candidate:
            written = write_report(output, campaign, top=top, on_candidate=on_candidate)
        details = counted(written.computed, "computed candidate")
        if written.predicted:
            details += f" and {written.predicted} predicted"
        left_out = f", {written.left_out} more left out for size" if written.left_out else ""
        say(
            f"{output}: campaign '{campaign.name}', details of {details}{left_out}, "
            f"{written.size_mb:.1f} MB; open it in a browser"
        )


def replay(
    pool: str,
    value_key: str,
    sampler: dict[str, Any],
    *,
    maximize: bool,
    log: bool,
    batch_size: int,
    seeds: int,
    top_fraction: float,
    prior_key: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Replay a sampler on a table of crystals, and print what it took."""
    from screening.choosing.samplers import SAMPLERS, SamplerConfig
    from screening.choosing.surrogates import SURROGATES
    from screening.running.local_workers import usable_cores
    from screening.sources import open_source
    from screening.sources.record import remarks_of
    from screening.studies.replay import read_table, report

    check_choice("--sampler", sampler.get("kind"), SAMPLERS)
    check_choice("--surrogate", sampler.get("surrogate", {}).get("kind"), SURROGATES)
    config = validated(SamplerConfig, sampler, "the sampler")
    workers = workers or usable_cores()
    source = open_source(pool)
    with console.counting("entries read") as on_entry:
        table = read_table(
            source.records(),
            value_key,
            maximize=maximize,
            log=log,
            prior_key=prior_key,
            workers=workers,
            on_entry=on_entry,
        )
    console.remarks(remarks_of(source))
    if config.initial >= len(table.values) and prior_key is None:
        raise ScreenError(
            f"--initial {config.initial}: there are {len(table.values)} crystals, and all would be "
            "drawn at random"
        )
    with console.counting("replays") as on_run:
        found = report(
            table,
            config,
            seeds=seeds,
            batch_size=batch_size,
            top_fraction=top_fraction,
            workers=workers,
            on_run=on_run,
        )
    if as_json:
        console.print_json(found)
    else:
        console.replay(found, maximize=maximize)


def predict(
    training: str,
    value_key: str,
    pool: str,
    *,
    maximize: bool,
    log: bool,
    bound: float | None,
    filters: str | None,
    top: int | None,
    surrogate: str | None,
    workers: int | None,
    format: str,
) -> None:
    """Rank a library by a model fitted to a table, and print the best."""
    import yaml

    from screening.choosing.surrogates import SURROGATES, SurrogateConfig
    from screening.intake.filters import FilterConfig
    from screening.intake.filters import refusal as filtered
    from screening.intake.parsed_entries import readings
    from screening.running.local_workers import usable_cores
    from screening.sources import open_source
    from screening.sources.record import entries_of, remarks_of
    from screening.studies.library import rank_library, read_library
    from screening.studies.replay import on_model_scale, read_table

    check_choice("--surrogate", surrogate, SURROGATES)
    config = SurrogateConfig.model_validate({} if surrogate is None else {"kind": surrogate})
    try:
        wanted = yaml.safe_load(filters or "{}")
    except yaml.YAMLError:
        wanted = None
    if not isinstance(wanted, dict):
        raise ScreenError("--filters: expected YAML as 'experimental: true'")
    chosen = validated(FilterConfig, {"max_sites": MAX_LIBRARY_SITES, **wanted}, "--filters")
    scaled_bound = None if bound is None else on_model_scale(bound, maximize=maximize, log=log)
    if bound is not None and scaled_bound is None:
        raise ScreenError(f"--bound: give a number{' above 0' if log else ''}, not {bound:g}")
    workers = workers or usable_cores()
    source = open_source(pool)
    known = open_source(training)
    table = read_table(known.records(), value_key, maximize=maximize, log=log, workers=workers)
    worthless = partial(filtered, config=chosen)
    with (
        open_database(Settings()) as database,
        console.counting("crystals read") as on_entry,
    ):
        library = read_library(
            readings(entries_of(source), source.spec, database, worthless, workers),
            worthless,
            on_entry,
        )
    library.remarks.extend([*remarks_of(known), *remarks_of(source)])
    if not library.facts:
        console.remarks(library.remarks)
        said = "; ".join(f"{each.count} × {each.reason}" for each in library.refused)
        raise ScreenError(f"source '{pool}': no crystal is left: {said}")
    rows, calibrated = rank_library(table, library, config, bound=scaled_bound)
    console.predicted_library(
        rows[:top],
        library,
        table,
        calibrated,
        value_key,
        maximize=maximize,
        log=log,
        bound=bound,
        format=format,
    )


def clean(*, older_than_h: float, dry_run: bool) -> None:
    """Remove large values that nothing refers to."""
    from screening.store.unreferenced_blobs import find_garbage, remove_garbage

    with open_database(Settings(), must_exist=True) as database:
        garbage = find_garbage(database, older_than_h)
        found = f"{len(garbage.ids)} of {counted(garbage.total, 'blob')}"
        size = f"{garbage.size_mb:.1f} MB"
        if dry_run:
            say(f"{found} ({size}) could be removed")
            return
        remove_garbage(database, garbage)
        say(f"{found} ({size}) removed: nothing referred to them")


def show(key: str, *, as_json: bool) -> None:
    """Print all that is known about one candidate."""
    with open_database(Settings(), must_exist=True) as database:
        document = find_candidate(database, key)
        key = document["_id"]
        picks = list(database.picks.find({"candidate_id": key}, sort=[("claimed_at", 1)]))
        results = list(database.results.find({"candidate_id": key}))
        results.sort(key=lambda result: -int(result.get("fidelity") or 0))
        by_whom = {pick["campaign"] for pick in picks}
        campaigns = [Campaign.open(database, each) for each in sorted(by_whom)]
        objectives = {each.name: each.objective for each in campaigns}
        broken = {}
        for campaign in campaigns:
            judged = campaign.result(key)
            if judged is not None and judged["outcome"] == "infeasible":
                broken[campaign.name] = str(judged["reason"])
        for pick, campaign in ((p, c) for p in picks for c in campaigns if c.name == p["campaign"]):
            pick["neighbours"] = _with_values(campaign, pick.get("neighbours", []))
        places = [
            place
            for campaign in _campaigns_with(database, document)
            if (place := _place(campaign, key)) is not None
        ]
        console.candidate(document, picks, results, objectives, broken, places, as_json=as_json)


def _campaigns_with(database: Database, document: Mapping[str, Any]) -> list[Campaign]:
    """Return the campaigns whose pool a candidate is in, but for those being submitted."""
    query = {"_id": {"$in": document.get("campaigns", [])}, **SUBMITTED}
    found = database.campaigns.find(query, sort=[("created_at", 1)])
    return [Campaign(database, each) for each in found]


def _place(campaign: Campaign, key: str) -> console.Place | None:
    """Return where a candidate stands in a campaign."""
    from screening.ranking.cache import cached_ranking

    rows, total = cached_ranking(campaign)
    row = next((row for row in rows if row.candidate_id == key), None)
    if row is None:
        return None
    expected = (campaign.prior() or {}).get(key)
    value = None if expected is None else campaign.objective.from_model(expected)
    return console.Place(campaign, row, total, value)


def plot(
    target: str, kind: str | None, output: Path, campaign: str | None, width_mm: float
) -> None:
    """Draw a figure of a candidate or a campaign into a file."""
    from screening.figures.plot import plot as draw

    output = user_path(output, "-o")
    with open_database(Settings(), must_exist=True) as database:
        plotted = draw(database, target, kind, output, campaign, width_mm)
    say(f"{output}: {plotted.kind} of {plotted.of}, campaign '{plotted.campaign}'")


def _with_values(campaign: Campaign, neighbours: list[str]) -> list[str]:
    """Return candidates with the values they have, for a person."""
    results, objective = campaign.results(), campaign.objective
    found = []
    for key in neighbours:
        value = results.get(key, {}).get(objective.value_field)
        said = "" if value is None else f" ({value:.3g} {objective.unit})".replace(" )", ")")
        found.append(f"{key}{said}")
    return found


def retry(name: str, key: str | None) -> None:
    """Queue failed candidates again."""
    from screening.running.advance import advance, requeue

    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        _refuse_cancelled(campaign)
        count = requeue(campaign, None if key is None else _failed_candidate(campaign, key))
        if not count:
            raise ScreenError(f"no candidate of campaign '{name}' has failed; nothing to retry")
        advance(campaign)
        queued = counted(count, "candidate")
        say(f"{queued} queued again; next: screen work {campaign.name}")


def promote(name: str | None, engine_name: str, top: int) -> None:
    """Send the best candidates of a campaign on to a better engine."""
    from screening.running.advance import advance
    from screening.running.advance import promote as queue
    from screening.targets.engines import engine_config, require_engine

    engine = engine_config(engine_name)
    require_engine(engine)
    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        _refuse_cancelled(campaign)
        stage = campaign.add_stage(engine)
        queued = queue(campaign, stage, top)
        advance(campaign)
        if not queued:
            raise ScreenError(
                f"campaign '{campaign.name}': none of its best {top} candidates is computed and "
                f"still to be done with '{engine.name}'"
            )
        say(
            f"{counted(len(queued), 'candidate')} queued with {engine.name}: "
            f"{', '.join(queued)}; next: screen work {campaign.name}"
        )


def set_status(name: str, wanted: Status) -> None:
    """Pause, resume or cancel a campaign."""
    with open_database(Settings(), must_exist=True) as database:
        campaign = Campaign.open(database, name)
        if wanted != "cancelled":
            _refuse_cancelled(campaign)
        campaign.set_status(wanted)
        if wanted == "cancelled":
            from screening.running.advance import drop_queued

            dropped = counted(drop_queued(campaign), "queued candidate")
            say(f"campaign '{name}' is cancelled; {dropped} dropped")
            return
        following = f"; next: screen work {name}" if wanted == "active" else ""
        say(f"campaign '{name}' is {wanted}{following}")


def _refuse_cancelled(campaign: Campaign) -> None:
    if campaign.status == "cancelled":
        raise ScreenError(
            f"campaign '{campaign.name}' is cancelled, which is final; submit a new one"
        )


def _work(campaign: Campaign, settings: Settings, workers: int | None) -> None:
    from screening.running.local_workers import default_workers, run_workers

    campaign.check_active()
    count = workers or settings.workers or default_workers(campaign.config.batch_size)
    try:
        with console.watching(campaign) as on_poll:
            run_workers(campaign, settings, count, on_poll)
    except KeyboardInterrupt:
        say(f"\nstopped; nothing is lost; go on with: screen work {campaign.name}")
        sys.exit(130)
    progress = campaign.progress()
    console.finished(campaign, progress)
    if progress.exhausted and progress.failed and progress.failed == progress.picked:
        say("not one candidate gave a result: all failed")
        sys.exit(1)


def _not_computed_yet(
    database: Database, config: CampaignConfig, engine: EngineConfig, pool: Pool
) -> list[str]:
    """Return the candidates that no earlier campaign has computed the same way, sorted."""
    same = {"objective": config.objective, "recipe_hash": config.recipe_hash(engine.fingerprint())}
    known = {
        each["candidate_id"]
        for each in database.results.find(same, {"candidate_id": 1, "inputs_hash": 1})
        if each.get("inputs_hash", "") == pool.inputs.get(each["candidate_id"], "")
    }
    return sorted(pool.candidates.keys() - known)


def _plan(config: CampaignConfig, engine: EngineConfig, total: int, unknown: int) -> str:
    """Say what a campaign will compute."""
    known, of_which = "", counted(total, "candidate")
    if unknown < total:
        known = f"{total - unknown} of {of_which} with a result from earlier campaigns; "
        of_which = f"the other {unknown}"
    if not unknown:
        return f"{known}nothing is left to compute"
    confirm = config.confirm
    confirmed = f" and the best {confirm.top} with {confirm.engine}" if confirm else ""
    return (
        f"{known}{min(config.budget, unknown)} of {of_which} will be computed with "
        f"{engine.name}{confirmed}, {config.batch_size} at a time (budget {config.budget})"
    )


def _estimate(pool: Pool, ids: list[str], config: CampaignConfig, engine: EngineConfig) -> None:
    if not ids:
        say("nothing was submitted")
        return
    from screening.campaigns.flows import estimate_force_calls

    # Spread over the pool, so that small and large crystals both count.
    step = max(1, len(ids) // ESTIMATED_CANDIDATES)
    sample = ids[::step][:ESTIMATED_CANDIDATES]
    calls = [estimate_force_calls(pool.candidates[each], config, engine) for each in sample]
    computed = min(config.budget, len(ids))
    mean = sum(calls) / len(calls)
    candidates = counted(computed, "candidate")
    varied = min(calls) < max(calls)
    spread = f" ({min(calls)} to {max(calls)} in a sample of {len(calls)})" if varied else ""
    say(
        f"estimated force calls: {mean:.0f} a candidate{spread}, "
        f"{mean * computed:.0f} for {candidates}; nothing was submitted"
    )


def _failed_candidate(campaign: Campaign, key: str) -> str:
    """Return the id of a failed candidate of a campaign."""
    found: str = find_candidate(campaign.database, key, {"campaigns": campaign.name})["_id"]
    query = {"campaign": campaign.name, "candidate_id": found}
    states = [pick["state"] for pick in campaign.database.picks.find(query)]
    if not states:
        raise ScreenError(f"candidate '{found}' was not picked in campaign '{campaign.name}'")
    if "failed" not in states:
        raise ScreenError(
            f"candidate '{found}' has not failed in campaign '{campaign.name}' "
            f"(state: {', '.join(states)})"
        )
    return found
