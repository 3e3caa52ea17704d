"""A campaign on a real Slurm while everything that can break is broken.

    python tests/integration/slurm_node.py python benchmarks/chaos.py [--faults N] [--seed N]

A toy campaign of 60 candidates under three queue jobs, and a list of faults in random order, one
every few seconds: workers and queue jobs killed, `scancel`, walltimes that end, the database server
killed and started again, outputs truncated, the disk full.  The campaign is submitted and launched
once, and `screen launch --daemon` keeps jobs queued.  Each fault lets a few candidates more finish,
and the last ones wait for the last fault, so that none comes too late on a fast machine.
Afterwards the books are checked.  Needs root, for the small file system that is filled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))
from killable_server import KillableServer  # noqa: E402
from toy_flow import allow, diary, finished  # noqa: E402

NAME = "chaos"
BUDGET = 60
FAULTS = {
    "worker killed (kill -9)": 10,
    "queue job killed (kill -9 of its driver)": 4,
    "queue job cancelled (scancel)": 4,
    "queue job killed at its walltime": 4,
    "database server killed and started again": 5,
    "output truncated while its job runs": 6,
    "disk full for 4 s or more": 3,
}
DISK_MB = 24
MAX_RELAUNCHED = 20
LATEST = 9
"""Candidates that cannot finish before all faults are made."""
MEANWHILE = 3
"""Candidates let finish while the server is away or the disk full: their results have to wait."""


class Trouble:
    """What makes trouble, and how often it did.

    Parameters
    ----------
    folder
        The user's, with the campaign's ``.screen`` on a small file system.
    """

    def __init__(self, folder: Path, server: KillableServer, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.ends: dict[str, str] = {}
        """How jobs ended whose walltime was made shorter."""
        self._folder = folder
        self._server = server
        self._random = random.Random(seed)
        self._allowed = 0
        self._ways: dict[str, Callable[[], bool]] = {
            "worker killed (kill -9)": lambda: self._kill("screening.running.worker"),
            "queue job killed (kill -9 of its driver)": lambda: self._kill(
                "screening.queues.driver"
            ),
            "queue job cancelled (scancel)": self._cancel,
            "queue job killed at its walltime": self._shorten,
            "database server killed and started again": self._restart,
            "output truncated while its job runs": self._truncate,
            "disk full for 4 s or more": self._fill,
        }

    def make(self, what: str) -> bool:
        """Make one kind of trouble; return whether there was something to break."""
        made = self._ways[what]()
        self.done[what] += made
        return made

    def let_finish(self, count: int) -> None:
        """Let so many candidates finish, all in all."""
        self._allowed = max(self._allowed, count)
        allow(self._folder, self._allowed)

    def _let_some_finish(self) -> None:
        """Let a few candidates run into trouble; return when one did, or none can."""
        before = finished(self._folder)
        self.let_finish(min(before + MEANWHILE, BUDGET - LATEST))
        deadline = time.monotonic() + 10
        while finished(self._folder) == before and time.monotonic() < deadline:
            time.sleep(0.1)

    def _kill(self, module: str) -> bool:
        import psutil

        found = [
            process
            for process in psutil.process_iter(["cmdline"])
            if {module, NAME} <= set(process.info["cmdline"] or [])
        ]
        if not found:
            return False
        try:
            self._random.choice(found).kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def _jobs(self) -> list[str]:
        """Return the queue jobs that have run for a minute, the shortest walltime there is."""
        listed = subprocess.run(
            ["squeue", "-h", "-t", "RUNNING", "-n", f"screen-{NAME}", "-o", "%i %M"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        # Elapsed time as minutes:seconds.
        return [line.split()[0] for line in listed if not line.split()[1].startswith("0:")]

    def _cancel(self) -> bool:
        jobs = self._jobs()
        return bool(jobs) and _ran("scancel", self._random.choice(jobs))

    def _shorten(self) -> bool:
        # Its workers do not know of it: Slurm kills them at work.
        jobs = self._jobs()
        if not jobs:
            return False
        job = self._random.choice(jobs)
        if not _ran("scontrol", "update", f"JobId={job}", "TimeLimit=1"):
            return False
        # Slurm looks about twice a minute; until then no other fault may end the job.
        while (state := _state_of(job)) in ("RUNNING", "COMPLETING"):
            time.sleep(1)
        self.ends[job] = state
        return True

    def _restart(self) -> bool:
        self._server.kill()
        self._let_some_finish()
        time.sleep(self._random.uniform(1, 8))
        self._server.start()
        return True

    def _truncate(self) -> bool:
        # A step that ended takes its output away, one that was killed leaves it.
        jobs = self._folder / ".screen" / "jobs" / NAME
        running = [each for each in jobs.glob("*/*.out") if _is_at_work(each)]
        if not running:
            return False
        self._random.choice(running).write_text("energy")
        return True

    def _fill(self) -> bool:
        ballast = self._folder / ".screen" / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        self._let_some_finish()
        time.sleep(4)
        ballast.unlink()
        return True


def _state_of(job: str) -> str:
    """Return Slurm's word for the state of a job."""
    command = ["scontrol", "show", "job", "-o", job]
    told = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    state = re.search(r"JobState=(\w+)", told)
    return state[1] if state else "forgotten"


def _is_at_work(output: Path) -> bool:
    """Return whether the worker lives that writes an output; its job's folder has its number."""
    import psutil

    return psutil.pid_exists(int(output.parent.name.split("-")[2]))


def _ran(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def main() -> None:
    """Run the campaign, make trouble, check the books, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faults", type=int, default=sum(FAULTS.values()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=3600, help="seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        (folder / ".screen").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "chaos", folder / ".screen"]
        subprocess.run(mount, check=True)
        server = KillableServer(folder / "database")
        try:
            run(folder, server, options)
        finally:
            server.kill()
            subprocess.run(["umount", "--lazy", folder / ".screen"], check=True)


def run(folder: Path, server: KillableServer, options: argparse.Namespace) -> None:
    """Submit, launch, break, wait, check."""
    # Nothing of this may get into a database that people use.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SCREEN_")}
    environment = {
        **kept,
        "SCREEN_MONGODB_URI": server.uri,
        "PYTHONPATH": os.pathsep.join(
            [str(TESTS / "toy_site"), str(TESTS), os.environ.get("PYTHONPATH", "")]
        ),
    }

    def screen(*arguments: str) -> subprocess.Popen[bytes]:
        log = (folder / "screen.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "screening", *arguments],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )

    write_campaign(folder)
    started = time.time()
    if screen("submit", "--target", "toy.yaml", "--name", NAME).wait() != 0:
        sys.exit((folder / "screen.log").read_text())
    daemon = screen("launch", NAME, "--queue", "queue.yaml", "--daemon")
    trouble = Trouble(folder, server, options.seed)
    generator = random.Random(options.seed)
    plan = [what for what, count in FAULTS.items() for _ in range(count)]
    generator.shuffle(plan)
    plan = plan[: options.faults]
    planned = len(plan)
    relaunched = 0
    while time.time() - started < options.timeout:
        made = planned - len(plan)
        trouble.let_finish((BUDGET - LATEST) * (made + 1) // (planned + 1) if plan else 2 * BUDGET)
        time.sleep(generator.uniform(1.5, 4))
        if plan and trouble.make(plan[0]):
            plan.pop(0)
        elif plan:
            plan.append(plan.pop(0))
        if daemon.poll() is not None:
            # As a person would who looks after the campaign; it ends with the campaign, too.
            if not plan and is_exhausted(server.uri):
                break
            relaunched += 1
            if relaunched > MAX_RELAUNCHED:
                sys.exit((folder / "screen.log").read_text())
            daemon = screen("launch", NAME, "--daemon")
    daemon.kill()
    tell(folder, server.uri, trouble, relaunched, time.time() - started)


def write_campaign(folder: Path) -> None:
    """Write crystals, the campaign and the queue."""
    from pymatgen.core import Lattice, Structure

    lattice_a = {"Al": 4.05, "Cu": 3.62, "Ag": 4.09, "Au": 4.08, "Ni": 3.52, "Pd": 3.89, "Pt": 3.92}
    crystals = folder / "crystals"
    crystals.mkdir()
    for one, a in lattice_a.items():
        for other, b in lattice_a.items():
            if one != other:
                structure = Structure.from_spacegroup(
                    "Pm-3m",
                    Lattice.cubic((a + 3 * b) / 4),
                    [one, other],
                    [[0, 0, 0], [0.5, 0.5, 0]],
                )
            else:
                structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [one], [[0, 0, 0]])
            structure.to(str(crystals / f"{structure.reduced_formula}.cif"))
            if one < other:
                structure = Structure.from_spacegroup(
                    "Pm-3m", Lattice.cubic((a + b) / 2 * 0.8), [one, other], [[0, 0, 0], [0.5] * 3]
                )
                structure.to(str(crystals / f"{structure.reduced_formula}.cif"))
    campaign = {
        "target": "toy",
        "objective": "toy",
        "engine": "emt",
        "sources": ["crystals"],
        "sampler": {"kind": "random"},
        "budget": BUDGET,
        "batch_size": 9,
        "refill_below": 9,
        "max_attempts": 4,
        "recipe": {
            "folder": str(folder),
            "steps": 2,
            "seconds": 1.5,
            "output": True,
            "gated": True,
        },
    }
    queue = {
        "q_type": "SLURM",
        "max_jobs": 3,
        "poll_s": 2,
        "walltime": "1:00:00",
        "reserve_s": 600,
        "idle_s": 600,
        "environment": ["PYTHONPATH"],
    }
    # JSON is YAML.
    (folder / "toy.yaml").write_text(json.dumps(campaign))
    (folder / "queue.yaml").write_text(json.dumps(queue))


def opened(uri: str) -> Any:
    """Return the campaign, once the database answers."""
    import toy_objective

    from screening.campaigns.campaign import Campaign
    from screening.store.database import Database
    from screening.store.database_retry import with_retry

    toy_objective.register()
    return with_retry(Campaign.open, Database(uri, "screen"), NAME)


def is_exhausted(uri: str) -> bool:
    """Return whether the campaign has nothing more to do."""
    from screening.store.database_retry import with_retry

    return bool(with_retry(opened(uri).is_exhausted))


def tell(folder: Path, uri: str, made: Trouble, relaunched: int, seconds: float) -> None:
    """Check the books and print the table; exit with status 1 when they do not balance."""
    campaign = opened(uri)
    picks = campaign.picks()
    states = Counter(pick["state"] for pick in picks)
    results = campaign.results()
    written = diary(folder)
    ended = Counter({formula: n for (event, formula), n in written.items() if event == "end"})
    started = sum(n for (event, _), n in written.items() if event == "start")
    formula = {
        each["_id"]: each["formula"]
        for each in campaign.database.candidates.find({}, {"formula": 1})
    }
    computed = {key for key, each in results.items() if each["outcome"] == "computed"}
    lost = [name for name in ended if name not in {formula[key] for key in computed}]
    checks = {
        f"picks (budget {BUDGET})": (len(picks), len(picks) == BUDGET),
        "numbers of the budget used once": (
            len({pick["number"] for pick in picks}),
            sorted(pick["number"] for pick in picks) == list(range(1, BUDGET + 1)),
        ),
        "candidates with an outcome": (
            sum(n for state, n in states.items() if state in ("computed", "failed")),
            set(states) <= {"computed", "failed"},
        ),
        "computed": (states["computed"], states["computed"] == len(computed)),
        "failed": (states["failed"], states["failed"] == 0),
        "computed to the end, and no result": (len(lost), not lost),
        "computed to the end twice": (
            sum(n - 1 for n in ended.values()),
            all(n == 1 for n in ended.values()),
        ),
        "results waiting in the outbox": (
            waiting := len(list((folder / ".screen").rglob("*.result"))),
            waiting == 0,
        ),
        "jobs left in the queue of FireWorks": (
            left := campaign.database.launchpad.fireworks.count_documents({}),
            left == 0,
        ),
    }
    print("\n| fault | times |\n|---|---|")
    for what, count in made.done.items():
        print(f"| {what} | {count} |")
    print(f"| all | {made.done.total()} |")
    print(
        f"\nHow Slurm says that jobs at their walltime ended: {dict(Counter(made.ends.values()))}"
    )
    print("\n| afterwards | | |\n|---|---|---|")
    for what, (number, fine) in checks.items():
        print(f"| {what} | {number} | {'as it should be' if fine else 'WRONG'} |")
    tries = sum(pick["attempts"] for pick in picks)
    losses = sum(pick["lost"] for pick in picks)
    print(
        f"\n{seconds:.0f} s; {started} steps started for {2 * BUDGET} that were needed; "
        f"{losses} runs lost and run again, {tries - BUDGET} tried again after an error; "
        f"launched again {relaunched} times"
    )
    for pick in picks:
        if pick["state"] != "computed":
            print(
                {
                    key: pick.get(key)
                    for key in ("candidate_id", "state", "attempts", "lost", "error")
                }
            )
    if not all(fine for _, fine in checks.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
