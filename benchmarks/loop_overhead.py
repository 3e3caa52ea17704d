"""What the loop costs beside the physics: submitting, claiming, a candidate's way, ranking.

    python benchmarks/loop_overhead.py [--pool N] [--candidates N] [--results N …]

The toy objective of the tests takes no time at all, so that what is measured is the overhead.
Plain jobflow and FireWorks do the same jobs on the same embedded database in the same run.  Core
seconds are those of this program and of the server: other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from screening.campaigns.indexes import indexes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from screening.campaigns.campaign import Campaign
    from screening.intake.ingest import Pool
    from screening.store.database import Database


SAMPLERS = ("random", "expected-improvement")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pool", type=int, default=10_000, help="0 leaves submitting out")
    parser.add_argument("--candidates", type=int, default=60, help="0 leaves jobs out")
    parser.add_argument("--results", type=int, nargs="*", default=[1000, 10_000, 100_000])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with toy_database() as (database, folder):
        print("| what | how many | time | core time | each, of a core |")
        print("|---|---|---|---|---|", flush=True)
        if options.pool:
            submitting(database, options.pool)
        if options.candidates:
            # What a worker loads once counts for neither side.
            with contextlib.redirect_stdout(io.StringIO()):
                warm_up(database, folder)
            plain = plain_jobs(database, options.candidates, folder)
            for sampler in SAMPLERS:
                campaign_jobs(database, options.candidates, sampler, folder, plain)
        for count in options.results:
            ranking_latency(database, count)


@contextlib.contextmanager
def toy_database() -> Iterator[tuple[Database, Path]]:
    """Yield an empty embedded database, the toy objective known, and the folder it is in."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SCREEN_DIRECTORY"] = folder
        # Nothing of this may get into a database that people use.
        for name in ("SCREEN_MONGODB_URI", "SCREEN_MONGODB_URI_FILE"):
            os.environ.pop(name, None)
        import toy_objective

        from screening.machine.settings import Settings
        from screening.store.database import open_database

        toy_objective.register()
        with open_database(Settings()) as database:
            database.prepare(indexes())
            yield database, Path(folder)


def timed(what: str, count: int, function: Callable[[], Any], beside: float | None = None) -> float:
    """Print a line of the table and return the core seconds for one."""
    start, core_start = time.perf_counter(), core_seconds()
    with contextlib.redirect_stdout(io.StringIO()):
        function()
    seconds, core = time.perf_counter() - start, core_seconds() - core_start
    ratio = "" if beside is None else f" ({core / count / beside:.2f} × plain)"
    print(
        f"| {what} | {count} | {seconds:.2f} s | {core:.2f} s | "
        f"{1000 * core / count:.2f} ms{ratio} |",
        flush=True,
    )
    return core / count


def core_seconds() -> float:
    """Return the processor time of this program and the processes it has started, the server."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def many(count: int, prefix: str) -> Pool:
    """Return toy crystals under names of their own, with features that differ a little."""
    from campaign_fixtures import toy_candidates

    from screening.intake.ingest import Pool

    crystals = toy_candidates()
    generator = np.random.default_rng(0)
    found = {}
    for i in range(count):
        crystal = crystals[i % len(crystals)]
        known = np.array(crystal.features, dtype=float)
        changed = known * generator.normal(1, 0.05, known.shape)
        key = f"{prefix}-{crystal.formula}-{i:06d}"
        found[key] = crystal.model_copy(update={"candidate_id": key, "features": changed.tolist()})
    return Pool(candidates=found)


def new_campaign(database: Database, name: str, pool: Pool, **changes: Any) -> Campaign:
    """Store a campaign of the toy objective."""
    from campaign_fixtures import toy_content

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.targets.engines import engine_config

    config = CampaignConfig.model_validate(toy_content(**changes))
    return Campaign.create(database, name, config, engine_config("emt"), pool)


def submitting(database: Database, count: int) -> None:
    """Time the way from a pool in memory to picks that are claimed, and a round of the loop."""
    from screening.running.advance import advance
    from screening.running.submission import QUEUE_DEPTH

    pool = many(count, "pool")
    made: list[Campaign] = []
    timed(
        "store a campaign's pool",
        count,
        lambda: made.append(new_campaign(database, "large", pool, budget=count, batch_size=count)),
    )
    timed(f"choose and claim them, queue {QUEUE_DEPTH}", count, lambda: advance(made[0]))
    timed("a round of the loop with nothing to do", 1, lambda: advance(made[0]))
    made[0].set_status("cancelled")


def plain_jobs(database: Database, count: int, folder: Path, prefix: str = "plain") -> float:
    """Time the same jobs as plain FireWorks workflows; return the core seconds for one."""
    # Opened first, so that FireWorks has the settings of this package on both sides.
    launchpad = own_launchpad(database)
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import launch_rocket
    from jobflow import SETTINGS
    from jobflow.managers.fireworks import flow_to_workflow
    from toy_flow import ToyMaker

    crystals = [each.content() for each in many(count, prefix).candidates.values()]
    SETTINGS.JOB_STORE = database.job_store

    def submit() -> None:
        for crystal in crystals:
            workflow = flow_to_workflow(ToyMaker().make(crystal), store=None)
            for firework in workflow.fws:
                firework.spec["plain"] = True
            launchpad.add_wf(workflow)

    def run() -> None:
        fworker = FWorker("plain", query={"spec.plain": True})
        with contextlib.chdir(folder):
            while launch_rocket(launchpad, fworker, strm_lvl="ERROR"):
                pass

    submitted = timed("plain FireWorks: submit", count, submit)
    return submitted + timed("plain FireWorks: claim, run, complete", count, run)


def warm_up(database: Database, folder: Path, samplers: Sequence[str] = SAMPLERS) -> None:
    """Run a few jobs of both kinds, and fit the surrogate."""
    plain_jobs(database, 4, folder, "warm-plain")
    for sampler in samplers:
        campaign_jobs(database, 8, sampler, folder, 1.0, "warm")


def own_launchpad(database: Database) -> LaunchPad:
    """Return a LaunchPad as FireWorks makes it, on the connection that is there already."""
    known = vars(database.launchpad)
    from fireworks import LaunchPad

    launchpad = LaunchPad.__new__(LaunchPad)
    vars(launchpad).update(known)
    return launchpad


def campaign_jobs(
    database: Database, count: int, sampler: str, folder: Path, plain: float, prefix: str = "jobs"
) -> float:
    """Time a campaign of as many candidates, chosen four at a time; return core seconds for one."""
    from screening.running.worker import work

    campaign = new_campaign(
        database,
        f"{prefix}-{sampler}",
        many(5 * count, f"{prefix}-{sampler}"),
        budget=count,
        batch_size=4,
        sampler={"kind": sampler},
    )
    return timed(
        f"campaign by {sampler}: choose, submit, run, store",
        count,
        lambda: work(database, campaign.name, folder / "jobs"),
        plain,
    )


def ranking_latency(database: Database, count: int) -> tuple[float, float]:
    """Time the ranking of a campaign with many results: at first, after changes, and as kept.

    Returns
    -------
    tuple
        Core seconds for the first one, and after a change by the same program.
    """
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.changes import result_log
    from screening.ranking.cache import cached_ranking

    campaign = new_campaign(
        database,
        f"ranked-{count}",
        many(count, f"r{count}"),
        budget=1,
        batch_size=1,
        recipe={"seconds": count / 1e9},
    )
    values = np.random.default_rng(0).lognormal(2, 1, count)
    ids = [
        each["_id"] for each in database.candidates.find({"campaigns": campaign.name}, {"_id": 1})
    ]
    for first in range(0, count, 2000):
        database.results.insert_many(
            {
                "_id": f"{key}/{campaign.name}",
                **campaign.result_key(),
                "candidate_id": key,
                "engine": "emt",
                "outcome": "computed",
                "kappa_300k_w_per_m_k": float(value),
                "kappa_300k_error_w_per_m_k": 0.1,
            }
            for key, value in list(zip(ids, values, strict=True))[first : first + 2000]
        )
    result_id = f"{ids[0]}/{campaign.name}"
    log = result_log(database, campaign.result_key())
    log.note([result_id])

    def changed(seen_by: Campaign) -> None:
        query, more = {"_id": result_id}, {"$mul": {"kappa_300k_w_per_m_k": 1.1}}
        database.results.update_one(query, more)
        log.note([result_id])
        cached_ranking(seen_by, 100)

    def opened() -> Campaign:
        return Campaign.open(database, campaign.name)

    first = timed("rank results for the first time", count, lambda: cached_ranking(campaign, 100))
    again = timed("after one has changed, by the same program", count, lambda: changed(campaign))
    timed("after one has changed, by a new program", count, lambda: changed(opened()))
    timed("top 100, nothing changed", count, lambda: cached_ranking(opened(), 100))
    timed("all rows, for the first time", count, lambda: cached_ranking(opened()))
    timed("all rows, nothing changed", count, lambda: cached_ranking(opened()))
    return count * first, count * again


if __name__ == "__main__":
    main()
