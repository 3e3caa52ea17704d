"""How long it takes to get a library the size of ICSD in, and to rank it.

    python benchmarks/library_scale.py FILE.jsonl.gz [--limit N] [--rows N]

Reads a file of crystals (JSON lines with ``cif`` or ``structure``) as `screen submit` does, with
features, into an embedded database of its own; says when each quarter was reached; reads it again;
stores a campaign of it, loads its features and predicts all of it from the 103 values of PhononDB;
and ranks as many rows as the library of Seko et al. had.  Prints the tables.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from screening.campaigns.indexes import indexes

if TYPE_CHECKING:
    from screening.candidates.candidate import Candidate
    from screening.intake.ingest import Pool
    from screening.sources import Source, SourceRecord
    from screening.sources.record import UnparsedEntry

SEKO_ROWS = 54_779
"""Crystals that A. Seko et al., Phys. Rev. Lett. 115, 205901 (2015), ranked."""
VALUE = "kappa_300k_with_nac_w_per_m_k"


def refuse_nothing(candidate: Candidate) -> None:
    """Let every candidate in."""


class FirstOf:
    """The first entries of a source."""

    def __init__(self, path: str, limit: int) -> None:
        from screening.sources import open_source

        self._source = open_source(path)
        self._limit = limit
        self.spec = self._source.spec

    def records(self) -> Iterator[SourceRecord]:
        """Yield them."""
        return itertools.islice(self._source.records(), self._limit)

    def entries(self) -> Iterator[SourceRecord | UnparsedEntry]:
        """Yield them unread, for other processes to read."""
        from screening.sources.record import entries_of

        return itertools.islice(entries_of(self._source), self._limit)


class Meter:
    """Wall time, processor time and peak memory of this program and its processes."""

    def __init__(self) -> None:
        self._me = psutil.Process()
        self.peak_mb: dict[str, float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            memory = {"all": 0.0}
            for process in [self._me, *self._me.children(recursive=True)]:
                try:
                    # Shared pages are counted once for each process: an upper bound.
                    used = process.memory_info().rss / 1e6
                    server = "screening.store.embedded_process" in process.cmdline()
                except psutil.Error:
                    continue
                memory["all"] += used
                part = "server" if server else "itself" if process == self._me else "readers"
                memory[part] = memory.get(part, 0.0) + used
            for part, used in memory.items():
                self.peak_mb[part] = max(self.peak_mb.get(part, 0.0), used)
            time.sleep(0.5)

    @contextmanager
    def measure(self, what: str) -> Iterator[None]:
        """Print a line of the table, and start a new peak."""
        self.peak_mb.clear()
        start = time.perf_counter()
        yield
        wall_s = time.perf_counter() - start
        time.sleep(0.6)
        peak = self.peak_mb
        print(
            f"| {what} | {wall_s:.1f} s | {peak.get('all', 0):.0f} MB "
            f"(itself {peak.get('itself', 0):.0f}, server {peak.get('server', 0):.0f}) |",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--limit", type=int, default=30_000)
    parser.add_argument("--rows", type=int, default=SEKO_ROWS)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SCREEN_DIRECTORY"] = folder
        # Nothing of this may get into a database that people use.
        for name in ("SCREEN_MONGODB_URI", "SCREEN_MONGODB_URI_FILE"):
            os.environ.pop(name, None)
        measure(options.file, options.limit, options.rows, options.workers, Path(folder))


def measure(path: str, limit: int, rows: int, workers: int, folder: Path) -> None:
    """Run every step on one database."""
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.campaigns.prediction_cache import predictions
    from screening.candidates.crystal_filters import CrystalFilters
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.choosing.config import SurrogateConfig
    from screening.intake.ingest import ingest
    from screening.intake.refusal_groups import summed_up
    from screening.machine.settings import Settings
    from screening.sources import open_source
    from screening.store.database import open_database
    from screening.studies.known_values import read_table
    from screening.studies.library import Library, rank_library
    from screening.targets.engines import engine_config
    from screening.targets.scale import Scale

    meter = Meter()
    engine = engine_config("sevennet-l3i5")
    filters = CrystalFilters(max_sites=1000)
    source = FirstOf(path, limit)
    marks: list[float] = []
    print("| step | wall time | peak memory |")
    print("|---|---|---|", flush=True)
    with open_database(Settings()) as database:
        database.prepare(indexes())

        def read() -> Pool:
            marks.clear()
            return ingest(
                [source],
                CRYSTAL,
                filters,
                database,
                refuse_nothing,
                lambda: marks.append(time.perf_counter()),
                workers=workers,
            )

        with meter.measure(f"ingest {limit} entries, with features"):
            start = time.perf_counter()
            read()
        first = [(n, marks[min(n, len(marks)) - 1] - start) for n in quarters(limit)]
        with meter.measure("ingest them again"):
            pool = read()
        found = len(pool.candidates)
        training = open_source("phonondb-103")
        table = read_table(
            training.records(),
            VALUE,
            kind=CRYSTAL,
            scale=Scale(logarithmic=True),
            workers=workers,
        )
        known = ingest([training], CRYSTAL, filters, database, refuse_nothing, workers=workers)
        config = CampaignConfig(
            target="library",
            objective="lattice-thermal-conductivity",
            engine=engine.name,
            sources=[path],
            budget=10,
            batch_size=5,
        )
        with meter.measure(f"store a campaign of {found} candidates"):
            campaign = Campaign.create(database, "library", config, engine, pool)
        other = Campaign.create(database, "known", config, engine, known)
        values = matched(known, training)
        database.results.insert_many(
            {
                "_id": key,
                **campaign.result_key(),
                "candidate_id": key,
                "engine": engine.name,
                "outcome": "computed",
                campaign.objective.value_field: value,
            }
            for key, value in values.items()
        )
        # The campaign's model learns from candidates of its pool.
        database.candidates.update_many(
            {"campaigns": other.name}, {"$addToSet": {"campaigns": campaign.name}}
        )
        with meter.measure("load the pool's features"):
            features = campaign.pool_features()
        with meter.measure(f"predict {len(features)} candidates from {len(values)} results"):
            predictions(campaign)
        with meter.measure("predictions again, kept"):
            predictions(campaign)
        matrix = np.array(list(features.values()), dtype=float)
    repeats = -(-rows // len(matrix))
    many = np.tile(matrix, (repeats, 1))[:rows]
    # Copies are moved a little, or equal rows would be easier than a real library's.
    many = many * np.random.default_rng(0).normal(1.0, 0.01, many.shape)
    library = Library([{"candidate_id": str(i)} for i in range(rows)], many, {}, 0)
    with meter.measure(f"rank {rows} rows by a model of {len(table.values)} values"):
        rank_library(table, library, SurrogateConfig(), bound=0.0)
    print("\n| entries | since the start | an entry |")
    print("|---|---|---|")
    for count, seconds in first:
        print(f"| {count} | {seconds:.0f} s | {1000 * seconds / count:.1f} ms |")
    size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    print(
        f"\n{found} candidates, {pool.duplicates} duplicates, {len(pool.refused)} refused; "
        f"{size / 1e6:.0f} MB on disk; {workers} processes"
    )
    reasons = summed_up((entry.location, entry.refusal) for entry in pool.refused)
    print(json.dumps({left_out.reason: left_out.count for left_out in reasons[:5]}, indent=1))


def matched(known: Pool, training: Source) -> dict[str, float]:
    """Return κ by candidate id."""
    by_name = {record.material_id: float(record.properties[VALUE]) for record in training.records()}
    return {
        candidate.candidate_id: by_name[candidate.origins[0].material_id]
        for candidate in known.candidates.values()
    }


def quarters(limit: int) -> list[int]:
    """Return the sixth, third, two thirds and all: 5, 10, 20 and 30 thousand of 30,000."""
    return [limit // 6, limit // 3, 2 * limit // 3, limit]


if __name__ == "__main__":
    main()
