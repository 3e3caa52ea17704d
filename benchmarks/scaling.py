"""What many candidates and many workers would ask of the database.

    python benchmarks/scaling.py [--pool 2000] [--candidates 40] [--seconds 30 600 3600]

A campaign of the toy objective is run on the embedded server, and every message to it is recorded:
its command, what it looks for, and how long the answer took.  From this record, in one run:

1. messages for each candidate, and by which index the server finds what they look for (its own
   explanation);
2. what documents and indexes take on disk, for each candidate and for a million;
3. a simulation: workers of which each sends a candidate's messages in their order, computes, and
   begins again, at a server that answers a given number of messages at once.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import heapq
import io
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import loop_overhead
import numpy as np
from pymongo import monitoring

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from screening.store.database import Database

FILTERS = {"find": "filter", "count": "query", "distinct": "query", "findAndModify": "query"}
IGNORED = {"hello", "ismaster", "ping", "endSessions", "buildInfo", "getMore", "killCursors"}
WORKERS = (100, 1000, 5000)
AT_ONCE = (1, 8)
"""Messages that a server answers at the same time: the embedded one, and one with eight cores."""
WARM_UP = 16
"""Candidates that `loop_overhead.warm_up` computes."""
JOBS = 6
"""Jobs of each worker that are simulated on average; the first half of the time does not count."""


@dataclass(frozen=True)
class Message:
    """What was asked of the server, and how long it took to answer."""

    command: str
    collection: str
    filter: dict[str, Any]
    keys: tuple[str, ...]
    seconds: float


class Recorder(monitoring.CommandListener):
    """Keeps all messages while it is told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.on = False
        self._open: dict[int, tuple[str, str, dict[str, Any]]] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep what is asked."""
        if not self.on or event.command_name in IGNORED:
            return
        command = event.command
        name = event.command_name
        collection = command.get(name)
        wanted = dict(command.get(FILTERS.get(name, ""), {}))
        for part, key in (("updates", "q"), ("deletes", "q")):
            if part in command:
                wanted = dict(command[part][0][key])
        if name == "aggregate":
            first = command["pipeline"][0] if command["pipeline"] else {}
            wanted = dict(first.get("$match", {}))
        self._open[event.request_id] = name, str(collection), wanted

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Keep how long it took."""
        if event.request_id in self._open:
            name, collection, wanted = self._open.pop(event.request_id)
            keys = tuple(sorted(wanted))
            seconds = event.duration_micros / 1e6
            self.messages.append(Message(name, collection, wanted, keys, seconds))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Forget it."""
        self._open.pop(event.request_id, None)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record."""
        self.on = True
        try:
            yield
        finally:
            self.on = False


def main() -> None:
    """Run, and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--seconds", type=float, nargs="+", default=[30.0, 600.0, 3600.0])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    recorder = Recorder()
    monitoring.register(recorder)
    with loop_overhead.toy_database() as (database, folder):
        from screening.running.worker import work

        with contextlib.redirect_stdout(io.StringIO()):
            loop_overhead.warm_up(database, folder)
        campaign = loop_overhead.new_campaign(
            database,
            "scaled",
            loop_overhead.many(options.pool, "scaled"),
            budget=options.candidates,
            batch_size=4,
            sampler={"kind": "expected-improvement"},
        )
        with recorder.recording(), contextlib.redirect_stdout(io.StringIO()):
            work(database, campaign.name, folder / "jobs")
        messages = recorder.messages
        tell_messages(database, messages, options.candidates)
        tell_sizes(database, options.pool, options.candidates)
    tell_simulation([each.seconds for each in messages], options.candidates, options.seconds)


def tell_messages(database: Database, messages: Sequence[Message], candidates: int) -> None:
    """Print what is asked, how often, and how the server finds it."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Message]] = collections.defaultdict(list)
    for message in messages:
        groups[message.command, message.collection, message.keys].append(message)
    print(
        f"{len(messages) / candidates:.1f} messages a candidate, "
        f"{1000 * sum(each.seconds for each in messages) / candidates:.1f} ms of answers"
    )
    print("\n| command | collection | looks for | a candidate | each | found by |")
    print("|---|---|---|---|---|---|")
    for (command, collection, keys), group in sorted(
        groups.items(), key=lambda item: -len(item[1])
    ):
        mean_ms = 1000 * np.mean([each.seconds for each in group])
        print(
            f"| {command} | {collection} | {', '.join(keys)} | {len(group) / candidates:.2f} "
            f"| {mean_ms:.1f} ms | {found_by(database, group[0])} |"
        )


def found_by(database: Database, message: Message) -> str:
    """Return the index by which a server can find what a message looks for.

    Conditions are explained one by one: of several the embedded server explains none, though it
    uses an index for one of them, unless there is an ``$or`` beside it.
    """
    if not message.filter:
        return "" if message.command == "insert" else "all of the collection"
    for key, value in message.filter.items():
        found = database.candidates.database.command(
            {
                "explain": {"find": message.collection, "filter": {key: value}},
                "verbosity": "queryPlanner",
            }
        )
        plan = found["queryPlanner"]["winningPlan"]
        while plan:
            if "indexName" in plan:
                return str(plan["indexName"])
            plan = plan.get("inputStage")
    return "**reads the whole collection**"


def tell_sizes(database: Database, pool: int, computed: int) -> None:
    """Print what documents and their indexes take."""
    from screening.campaigns.indexes import indexes

    print("\n| collection | documents | each | indexes, each | of a million candidates |")
    print("|---|---|---|---|---|")
    stored = set(database.candidates.database.list_collection_names())
    for name in sorted(stored & {*indexes(), "job_outputs", "job_blobs.chunks"}):
        stats = database.candidates.database.command({"collStats": name})
        count = stats["count"]
        if not count:
            continue
        # Crystals are stored of the whole pool, the rest of those that were computed.  What has
        # been run to warm up is in the same collections.
        of = pool + WARM_UP if name == "candidates" else computed + WARM_UP
        size, index = stats["size"] / count, stats["totalIndexSize"] / count
        total_gb = 1e6 * (count / of) * (size + index) / 1e9
        print(f"| {name} | {count} | {size:.0f} B | {index:.0f} B | {total_gb:.1f} GB |")


def tell_simulation(seconds: Sequence[float], candidates: int, jobs_s: Sequence[float]) -> None:
    """Print what workers would wait for the server."""
    mine = len(seconds) // candidates
    print("\n| workers | a job | at once | server busy | a message waits | workers wait |")
    print("|---|---|---|---|---|---|")
    for at_once in AT_ONCE:
        for workers in WORKERS:
            for job_s in jobs_s:
                busy, wait_ms, lost = simulated(np.array(seconds), mine, workers, job_s, at_once)
                print(
                    f"| {workers} | {job_s:.0f} s | {at_once} | {100 * busy:.0f} % "
                    f"| {wait_ms:.1f} ms | {100 * lost:.1f} % |"
                )


def simulated(
    seconds: Any, messages: int, workers: int, job_s: float, at_once: int
) -> tuple[float, float, float]:
    """Return the server's busy share, the mean wait of a message (ms), and the workers' share.

    Jobs take an exponentially distributed time, the answers what was recorded, drawn at random;
    messages are answered in the order they come.  Of the simulated time the second half counts.
    """
    generator = np.random.default_rng(0)
    service = generator.choice(seconds, 2**16)
    jobs = generator.exponential(job_s, 2**16)
    # What is left of an exponentially distributed time is distributed like the whole.
    events = [(float(generator.exponential(job_s)), worker) for worker in range(workers)]
    heapq.heapify(events)
    free_at = [0.0] * at_once
    left = [messages] * workers
    answered = 0
    most = JOBS * workers * messages
    counted: list[tuple[float, float, float]] = []
    while answered < most:
        now, worker = heapq.heappop(events)
        begins = max(now, free_at[0])
        takes = float(service[answered % len(service)])
        heapq.heapreplace(free_at, begins + takes)
        answered += 1
        if answered > most // 2:
            counted.append((now, begins - now, takes))
        left[worker] -= 1
        then = begins + takes
        if not left[worker]:
            left[worker] = messages
            then += float(jobs[answered % len(jobs)])
        heapq.heappush(events, (then, worker))
    times, waits, answers = np.array(counted).T
    span = times[-1] - times[0]
    busy = answers.sum() / (span * at_once)
    return busy, 1000 * waits.mean(), (waits + answers).sum() / (span * workers)


if __name__ == "__main__":
    main()
