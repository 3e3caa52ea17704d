"""κ of a random alloy against its composition, by the virtual crystal with disordered masses.

    python benchmarks/alloy_conductivity.py Si Ge --engine sevennet-l3i5
    python benchmarks/alloy_conductivity.py Cu Au --engine emt

Both elements in the crystal of the first (diamond or fcc), by the flow of the target
`low-kappa-alloy`.  Of Si-Ge, κ at 300 K in W/m/K is to be compared with J. Garg, N. Bonini,
B. Kozinsky and N. Marzari, Phys. Rev. Lett. 106, 045901 (2011) (first principles), and B. Abeles,
Phys. Rev. 131, 1906 (1963) (measured).  Compositions that are in the file of rows are not computed
again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
"""Of the second element."""
KEPT = (
    *("formula", "fraction", "outcome", "reason", "alloy_kappa_300k_w_per_m_k"),
    *("alloy_kappa_300k_error_w_per_m_k", "dense_mesh_error_w_per_m_k"),
    *("rate_mesh_error_w_per_m_k", "fit_error_w_per_m_k", "end_member_kappas_300k_w_per_m_k"),
    *("mass_variance", "force_constant_difference_fraction", "relaxed_lattice_mismatch_fraction"),
    *("rate_mesh", "dense_meshes", "cost"),
)


def crystal(symbol: str, like: str) -> Any:
    """Return the primitive cell of an element in the crystal of another, in its own volume."""
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    own, structure = bulk(symbol), AseAtomsAdaptor.get_structure(bulk(like))
    structure.replace_species({like: symbol})
    structure.scale_lattice(own.get_volume() / len(own) * len(structure))
    return structure


def computed(maker: Any, alloy: Any, store: Any) -> dict[str, Any]:
    """Run the flow of one composition; the store keeps end members for the next."""
    from jobflow import run_locally

    flow = maker.make(alloy)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run_locally(flow, store=store, ensure_success=True, log=False)
    found = store.get_output(flow.output.uuid, which="last")
    row = {name: found.get(name) for name in KEPT}
    return {**row, "wall_s": round(time.perf_counter() - started, 1)}


def main() -> None:
    """Compute, print a table, keep the rows."""
    from jobflow import JobStore
    from maggma.stores import MemoryStore

    from screening.targets.engines import build_engine, engine_config
    from workflows.alloy import AlloyConductivityMaker
    from workflows.alloy_composition import AlloyComposition

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--engine", default="emt")
    parser.add_argument("--fractions", type=float, nargs="+", default=FRACTIONS)
    arguments = parser.parse_args()
    pair = (arguments.first, arguments.second)
    path = RESULTS / f"alloy_conductivity-{'-'.join(pair)}-{arguments.engine}.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    known = {row["fraction"] for row in rows}
    maker = AlloyConductivityMaker(build_engine(engine_config(arguments.engine)))
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    ends = [crystal(symbol, arguments.first) for symbol in pair]
    for fraction in arguments.fractions:
        if fraction not in known:
            rows.append(computed(maker, AlloyComposition(*ends, fraction), store))
            rows.sort(key=lambda row: row["fraction"])
            path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"| {pair[1]} | κ(300 K) / (W/m/K) | seconds |\n|---|---|---|")
    for row in rows:
        kappa = row["alloy_kappa_300k_w_per_m_k"]
        value = row["reason"] or row["outcome"]
        if kappa is not None:
            value = f"{kappa:.3g} ± {row['alloy_kappa_300k_error_w_per_m_k']:.2g}"
        print(f"| {row['fraction']:.0%} | {value} | {row['wall_s']:.0f} |")
    print("pure:", rows[0]["end_member_kappas_300k_w_per_m_k"])


if __name__ == "__main__":
    main()
