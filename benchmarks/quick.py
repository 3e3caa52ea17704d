"""Whether anything has become slower: a few minutes of each kind of work, beside fixed yardsticks.

    make bench-quick

Other work on a machine makes seconds worthless, and another machine has others.  Each figure is
therefore core time over that of a yardstick in the same run: plain FireWorks for a candidate's way
through the loop, a loop of plain Python for ranking and reading, matrices of numpy for κ.
"""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import loop_overhead
import numpy as np
from library_scale import FirstOf, refuse_nothing

if TYPE_CHECKING:
    from screening.store.database import Database

CANDIDATES, RESULTS, ENTRIES = 32, 4000, 103
MESH = (11, 11, 11)
USUAL = {
    "a candidate's way through the loop": 1.7,
    "rank for the first time": 1.3,
    "rank after a change": 0.2,
    "read crystals, with features": 10.0,
    "solve for κ": 8.5,
}
"""Ratios when this was written, on two shared x86-64 cores."""
SLOWER = 1.5
"""Times the usual ratio from which on a line says so: they differ by a fifth from run to run."""


def main() -> None:
    """Measure and print."""
    logging.disable(logging.WARNING)
    print("| what | core time | yardstick | ratio | usual |")
    print("|---|---|---|---|---|", flush=True)
    tell("solve for κ", solving(), core_time(numpy_yardstick))
    with loop_overhead.toy_database() as (database, folder):
        python = core_time(python_yardstick)
        tell("read crystals, with features", core_time(lambda: reading(database)), python)
        with contextlib.redirect_stdout(io.StringIO()):
            first, again = loop_overhead.ranking_latency(database, RESULTS)
        tell("rank for the first time", first, python)
        tell("rank after a change", again, python)
        with contextlib.redirect_stdout(io.StringIO()):
            loop_overhead.warm_up(database, folder, ["random"])
            plain = loop_overhead.plain_jobs(database, CANDIDATES, folder)
            way = loop_overhead.campaign_jobs(database, CANDIDATES, "random", folder, plain)
        tell("a candidate's way through the loop", way, plain)


def tell(what: str, seconds: float, yardstick: float) -> None:
    """Print a line of the table."""
    ratio = seconds / yardstick
    verdict = " slower" if ratio > SLOWER * USUAL[what] else ""
    print(
        f"| {what} | {seconds:.3f} s | {yardstick:.3f} s | {ratio:.2f} | {USUAL[what]}{verdict} |",
        flush=True,
    )


def core_time(function: Callable[[], object]) -> float:
    """Return the core seconds that a call takes, the server's among them."""
    start = loop_overhead.core_seconds()
    function()
    return loop_overhead.core_seconds() - start


def python_yardstick() -> int:
    """Fill, sort and read dictionaries."""
    total = 0
    for seed in range(5):
        rows = {f"{(i * 7919 + seed) % 100_003:06d}": {"value": i / 7} for i in range(50_000)}
        total += sum(rows[key]["value"] > 1 for key in sorted(rows))
    return total


def numpy_yardstick() -> float:
    """Multiply matrices and solve for their eigenvalues."""
    matrix = np.random.default_rng(0).normal(size=(300, 300))
    total = 0.0
    for _ in range(60):
        total += float(np.linalg.eigvalsh(matrix @ matrix.T)[0])
    return total


def reading(database: Database) -> None:
    """Read the crystals of PhononDB, as `matscreen submit` does."""
    from screening.candidates.crystal_filters import CrystalFilters
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.intake.ingest import ingest

    source = FirstOf("phonondb-103", ENTRIES)
    ingest([source], CRYSTAL, CrystalFilters(), database, refuse_nothing, workers=1)


def solving() -> float:
    """Return the core seconds of κ of copper by an embedded-atom potential, forces left out."""
    from pymatgen.core import Lattice, Structure

    from screening.targets.engines import build_engine, engine_config
    from workflows.lattice_dynamics import harmonic, third_order, transport
    from workflows.lattice_dynamics.cells import conventional_cell
    from workflows.recipes import ThirdOrderRecipe

    engine = build_engine(engine_config("emt"))
    crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    cell, centring = conventional_cell(crystal)
    matrix = 2 * np.eye(3, dtype=int)
    phonon = harmonic.harmonic_model(cell, centring, matrix, 0.01)
    harmonic.set_harmonic_forces(phonon, engine.forces(harmonic.harmonic_supercells(phonon)))
    plan = third_order.plan_third_order(cell, centring, matrix, ThirdOrderRecipe())
    forces = engine.forces(third_order.third_order_supercells(plan))
    third_order.set_third_order_forces(plan, forces)
    start = time.process_time()
    fit = third_order.fit_third_order(plan)
    model = transport.transport_model(cell, centring, phonon, plan, fit)
    transport.conductivity(model, MESH, [300.0])
    return time.process_time() - start


if __name__ == "__main__":
    main()
