"""κ of a random alloy against its composition, by the virtual crystal with disordered masses.

    python benchmarks/alloy_conductivity.py Si Ge --engine sevennet-l3i5
    python benchmarks/alloy_conductivity.py Cu Au --engine emt --coarse 7 --meshes 21 27

Both elements in the crystal of the first (diamond or fcc).  Of Si-Ge, κ at 300 K in W/m/K is to be
compared with J. Garg, N. Bonini, B. Kozinsky and N. Marzari, Phys. Rev. Lett. 106, 045901 (2011)
(first principles), and B. Abeles, Phys. Rev. 131, 1906 (1963) (measured).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COMPOSITIONS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)


def crystal(symbol: str, like: str) -> Any:
    """Return the primitive cell of an element in the crystal of another, in its own volume."""
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    own, structure = bulk(symbol), AseAtomsAdaptor.get_structure(bulk(like))
    structure.replace_species({like: symbol})
    structure.scale_lattice(own.get_volume() / len(own) * len(structure))
    return structure


def end_member(structure: Any, engine: Any) -> tuple[Any, dict[str, Any]]:
    """Return the crystal ready for κ, and what the flow of `low-kappa` found for it."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from workflows.conductivity import ThermalConductivityMaker
    from workflows.lattice_dynamics.recorded_forces import recorded_model

    flow = ThermalConductivityMaker(engine).make(structure)
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_locally(flow, store=store, ensure_success=True, log=False)
        finally:
            os.chdir(before)
    found = store.get_output(flow.output.uuid, which="last", load=True)
    if found["outcome"] != "computed":
        raise SystemExit(f"{found['formula']}: {found['reason']}")
    return recorded_model(io.StringIO(found["phono3py_params"])), found


def main() -> None:
    """Compute, print a table, keep the rows."""
    from screening.targets.engines import build_engine, engine_config
    from workflows.lattice_dynamics.alloy_conductivity import (
        alloy_conductivity,
        dense_limit,
        three_phonon_rates,
    )
    from workflows.lattice_dynamics.virtual_crystal import virtual_crystal

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--engine", default="emt")
    parser.add_argument("--coarse", type=int, default=11)
    parser.add_argument("--meshes", type=int, nargs="+", default=[21, 27])
    arguments = parser.parse_args()
    engine = build_engine(engine_config(arguments.engine))
    ends = [
        end_member(crystal(symbol, arguments.first), engine)
        for symbol in (arguments.first, arguments.second)
    ]
    rows = []
    for fraction in (0.0, *COMPOSITIONS, 1.0):
        started = time.perf_counter()
        alloy = virtual_crystal(ends[0][0], ends[1][0], fraction)
        rates = three_phonon_rates(alloy.model, [arguments.coarse] * 3, 300.0)
        kappas = [alloy_conductivity(alloy, rates, [mesh] * 3, 300.0) for mesh in arguments.meshes]
        limit = dense_limit(arguments.meshes, kappas)
        rows.append(
            {
                "fraction": fraction,
                "kappa_w_per_m_k": round(limit.kappa_w_per_m_k, 3),
                "error_w_per_m_k": round(limit.error_w_per_m_k, 3),
                "on_meshes_w_per_m_k": [round(kappa, 3) for kappa in kappas],
                "wall_s": round(time.perf_counter() - started, 1),
            }
        )
        print(
            f"x = {fraction:.2f}: {limit.kappa_w_per_m_k:.2f} ± {limit.error_w_per_m_k:.2f} W/m/K; "
            + ", ".join(
                f"{mesh}³ {kappa:.2f}" for mesh, kappa in zip(arguments.meshes, kappas, strict=True)
            ),
            flush=True,
        )
    row = {
        "pair": [arguments.first, arguments.second],
        "engine": arguments.engine,
        "coarse": arguments.coarse,
        "meshes": arguments.meshes,
        "end_members_w_per_m_k": [found["kappa_300k_w_per_m_k"] for _, found in ends],
        "rows": rows,
    }
    name = f"alloy_conductivity-{arguments.first}-{arguments.second}-{arguments.engine}.json"
    (RESULTS / name).write_text(json.dumps(row, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
