"""How long `screen --help` and `screen rank` take, and how much of it is the database's.

    python benchmarks/command_latency.py CAMPAIGN [--runs N]

Run it where the campaign's `.screen` folder is (or with SCREEN_MONGODB_URI set), on an idle
machine.  The embedded server is kept running meanwhile, so that its start does not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from screening.machine.settings import Settings
from screening.store.database import open_database


def wall_s(command: list[str], runs: int) -> list[float]:
    """Return the wall times of a command, after one run that does not count."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return times[1:]


def database_s(campaign_name: str) -> float:
    """Return the time MongoDB commands take in one ranking, by the driver's own clock."""
    from pymongo import monitoring

    spent: list[float] = []

    class Clock(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            pass

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            spent.append(event.duration_micros / 1e6)

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            spent.append(event.duration_micros / 1e6)

    monitoring.register(Clock())
    from screening.campaigns.campaign import Campaign
    from screening.ranking.build import ranking

    with open_database(Settings()) as database:
        spent.clear()
        ranking(Campaign.open(database, campaign_name))
    return sum(spent)


def main() -> None:
    """Measure and print medians with their range."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("campaign")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    program = [sys.executable, "-m", "screening"]
    print(f"load average {os.getloadavg()[0]:.2f} on {len(os.sched_getaffinity(0))} cores")
    with open_database(Settings()):
        for arguments in (["--help"], ["rank", options.campaign], ["status", options.campaign]):
            times = wall_s([*program, *arguments], options.runs)
            print(
                f"screen {' '.join(arguments)}: median {statistics.median(times):.2f} s "
                f"({min(times):.2f} to {max(times):.2f} s, {options.runs} runs)"
            )
        print(f"of `rank`, database commands: {database_s(options.campaign):.2f} s")


if __name__ == "__main__":
    main()
