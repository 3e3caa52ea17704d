"""Spectral function of random Cu-Au: 32-atom special quasi-random structures, unfolded.

    python benchmarks/spectral_function.py [--engine emt] [--supercells 3] [--plot FILE]

Supercells are 2 × 2 × 2 cubes, decorated at random with the shortest pairs' correlations nearest to
those of the random alloy, of `TRIES` for each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
GOLD = 8
"""Of 32 atoms."""
TRIES = 4000
SHELLS = 3
"""Of pairs that are made random."""


def quasi_random(seed: int) -> Any:
    """Return a decoration of the 32-atom cube; the sites are those of the lattice."""
    from pymatgen.core import Lattice, Structure

    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.74), ["Cu"], [[0, 0, 0]])
    cube = copper * 2
    distances_a = np.round(cube.distance_matrix, 3)
    shells = [distances_a == each for each in np.unique(distances_a)[1 : SHELLS + 1]]
    rng = np.random.default_rng(seed)
    best, decoration = np.inf, np.zeros(len(cube))
    fraction = GOLD / len(cube)
    for _ in range(TRIES):
        gold = np.zeros(len(cube))
        gold[rng.permutation(len(cube))[:GOLD]] = 1
        off = gold - fraction
        correlations = [off @ shell @ off / shell.sum() for shell in shells]
        # Of a finite random cell at fixed composition, not zero.
        wanted = -fraction * (1 - fraction) / (len(cube) - 1)
        miss = float(np.abs(np.array(correlations) - wanted).sum())
        if miss < best:
            best, decoration = miss, gold
    for site in np.flatnonzero(decoration):
        cube[int(site)] = "Au"
    return cube


def main() -> None:
    """Compute, print, keep the numbers and the picture."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.targets.engines import build_engine, engine_config
    from workflows.recipes import SpectralFunctionRecipe
    from workflows.spectral_function import SpectralFunctionMaker, SpectralInputs

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", default="emt")
    parser.add_argument("--supercells", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    first, *others = [quasi_random(seed) for seed in range(arguments.supercells)]
    maker = SpectralFunctionMaker(
        build_engine(engine_config(arguments.engine)), recipe=SpectralFunctionRecipe(max_atoms=32)
    )
    flow = maker.make(first, SpectralInputs(approximants=tuple(others)))
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    started, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run_locally(flow, store=store, ensure_success=True, log=False)
    found = store.get_output(flow.output.uuid, which="last", load=True)
    kept = (
        "formula", "outcome", "spectral_width_thz", "spectral_width_error_thz", "supercells",
        "supercell_atoms", "parent_space_group_number", "min_frequency_thz", "max_frequency_thz",
        "weight_error", "cost", "costs", "volume_a3_per_atom",
    )  # fmt: skip
    row = {field: found[field] for field in kept}
    row["costs"] = [{**cost, "wall_s": round(cost["wall_s"], 2)} for cost in row["costs"]]
    row["engine"] = arguments.engine
    row["wall_s"] = round(time.perf_counter() - started, 1)
    row["cpu_s"] = round(time.process_time() - cpu, 1)
    print(json.dumps({k: v for k, v in row.items() if k != "costs"}, indent=1))
    path = RESULTS / f"spectral_function-Cu3Au-{arguments.engine}.json"
    path.write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if arguments.plot:
        from screening.figures.spectral_function import spectral_figure
        from screening.figures.style import save
        from screening.views.spectral_curves import spectral_function

        [view] = spectral_function(found)
        save(spectral_figure(view, 85.0), arguments.plot, f"{row['formula']}, {arguments.engine}")


if __name__ == "__main__":
    main()
