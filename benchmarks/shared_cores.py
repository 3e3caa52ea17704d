"""What a force call costs where two threads of one worker have to share a core.

    python benchmarks/shared_cores.py [--engine sevennet-0] [--atoms 8 20]

On a machine that has something else to do the kernel puts both threads of a worker on one core.
Here they are put there on purpose, once the engine is warm; OpenMP's threads then wait for each
other spinning (its default), asleep (``OMP_WAIT_POLICY=PASSIVE``, as workers have it), or there is
one thread alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

CASES = {
    "two threads, spinning": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "ACTIVE"},
    "two threads, asleep": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
CALLS = 3
DENSITY_A3 = 36.0
"""Volume an atom, in Å³."""


def force_calls(engine_name: str, atoms: int, *, one_core: bool) -> float:
    """Return the median time of a force call, in seconds, all threads on one core or not."""
    import numpy as np
    from pymatgen.core import Lattice, Structure

    from screening.targets.engines import build_engine, engine_config

    edge_a = (DENSITY_A3 * atoms) ** (1 / 3)
    generator = np.random.default_rng(0)
    engine = build_engine(engine_config(engine_name))
    species = ["K", "Te"] * (atoms // 2)
    cell = Structure(Lattice.cubic(edge_a), species, generator.random((atoms, 3)))
    engine.forces([cell])
    if one_core:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), {min(os.sched_getaffinity(0))})
    times_s = []
    for call in range(CALLS):
        # A cell that is not changed is not computed again.
        cell.perturb(0.01, seed=call)
        started = time.perf_counter()
        engine.forces([cell])
        times_s.append(time.perf_counter() - started)
    return statistics.median(times_s)


def main() -> None:
    """Run each case as a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", default="sevennet-0")
    parser.add_argument("--atoms", type=int, nargs="+", default=[8, 20])
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        rows = {
            atoms: [force_calls(arguments.engine, atoms, one_core=one) for one in (False, True)]
            for atoms in arguments.atoms
        }
        print(json.dumps(rows))
        return
    print("| atoms | threads | a core each | one core |\n|---|---|---|---|")
    for case, variables in CASES.items():
        words = [sys.executable, __file__, "--engine", arguments.engine, "--case", case, "--atoms"]
        for atoms in arguments.atoms:
            # Once its threads are on one core a process cannot show how it was before.
            done = subprocess.run(
                [*words, str(atoms)],
                env={**os.environ, **variables},
                check=True,
                capture_output=True,
                text=True,
            )
            apart_s, together_s = json.loads(done.stdout.splitlines()[-1])[str(atoms)]
            print(f"| {atoms} | {case} | {apart_s:.2f} s | {together_s:.2f} s |", flush=True)


if __name__ == "__main__":
    main()
