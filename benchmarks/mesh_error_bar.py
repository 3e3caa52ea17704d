"""Does the error bar of the q-mesh contain κ on a much denser mesh?

    python benchmarks/mesh_error_bar.py [--names Cu NaCl …]

For seven metals of ASE's effective-medium theory (as crystals, not as heat conductors: only the
lattice part is asked for) and for phono3py's recorded first-principles forces of NaCl, MgO and Si:
the value and error bar that a result document would state, from the shipped mesh series, and κ on
a mesh with up to twice the divisions of the densest one: 23×23×23 for metals, 17×17×17 for the
others.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "mesh_error_bar.json"
FORCES = Path(__file__).parents[1] / "tests" / "data" / "dft_forces"
RECORDED = {
    "NaCl": "phono3py_params_NaCl222.yaml.xz",
    "MgO": "phono3py_params_MgO-222rd-444rd.yaml.xz",
    "Si": "phono3py_params_Si-111-222-fd.yaml.xz",
}
METALS_A = {"Al": 4.0, "Cu": 3.6, "Ag": 4.1, "Au": 4.1, "Ni": 3.5, "Pd": 3.9, "Pt": 3.9}


def model_of(name: str) -> Any:
    """Return a Phono3py object that is ready for κ."""
    from pymatgen.core import Lattice, Structure

    from screening.targets.engines import build_engine, engine_config
    from workflows.lattice_dynamics import harmonic, third_order, transport
    from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
    from workflows.lattice_dynamics.recorded_forces import recorded_model
    from workflows.recipes import RelaxationRecipe, ThirdOrderRecipe

    if name in RECORDED:
        return recorded_model(FORCES / RECORDED[name])
    engine = build_engine(engine_config("emt"))
    start = Structure.from_spacegroup("Fm-3m", Lattice.cubic(METALS_A[name]), [name], [[0, 0, 0]])
    relaxed = engine.relax(start.get_primitive_structure(), RelaxationRecipe()).structure
    cell, centring = conventional_cell(relaxed)
    matrix = supercell_matrix(cell, 9.5, 128)
    phonon = harmonic.harmonic_model(cell, centring, matrix, 0.01)
    harmonic.set_harmonic_forces(phonon, engine.forces(harmonic.harmonic_supercells(phonon)))
    smaller = supercell_matrix(cell, 9.5, 64)
    plan = third_order.plan_third_order(cell, centring, smaller, ThirdOrderRecipe())
    third_order.set_third_order_forces(
        plan, engine.forces(third_order.third_order_supercells(plan))
    )
    return transport.transport_model(
        cell, centring, phonon, plan, third_order.fit_third_order(plan)
    )


def check(name: str, before: dict[str, Any] | None) -> dict[str, Any]:
    """Return one row.

    Parameters
    ----------
    before
        An earlier row, whose value on the dense mesh is good for this one too.
    """
    from workflows.lattice_dynamics import transport
    from workflows.lattice_dynamics.meshes import mesh_series
    from workflows.recipes import TransportRecipe

    model = model_of(name)
    started = time.perf_counter()
    series = mesh_series(model, TransportRecipe())
    kappas = [
        transport.conductivity(model, mesh, [300.0]).isotropic_w_per_m_k(300.0) for mesh in series
    ]
    limit = transport.extrapolate(series, kappas)
    # As dense as an hour allows.
    most = 23 if len(model.primitive) == 1 else 17
    dense = [min(2 * n + 1, most) for n in series[-1]]
    if before is not None and list(before["dense_mesh"]) == dense:
        reference = before["dense_kappa_300k_w_per_m_k"]
    else:
        reference = transport.conductivity(model, dense, [300.0]).isotropic_w_per_m_k(300.0)
    return {
        "name": name,
        "meshes": series,
        "series_kappa_300k_w_per_m_k": kappas,
        "kappa_300k_w_per_m_k": limit.kappa_w_per_m_k,
        "kappa_300k_mesh_error_w_per_m_k": limit.error_w_per_m_k,
        "dense_mesh": dense,
        "dense_kappa_300k_w_per_m_k": reference,
        "inside": abs(reference - limit.kappa_w_per_m_k) <= limit.error_w_per_m_k,
        "wall_s": time.perf_counter() - started,
    }


def table_row(row: dict[str, Any]) -> str:
    """Return one line of the table."""

    def size(mesh: Any) -> str:
        return "×".join(map(str, mesh))

    value, error = row["kappa_300k_w_per_m_k"], row["kappa_300k_mesh_error_w_per_m_k"]
    return (
        f"| {row['name']} | {size(row['meshes'][-1])} | {value:.4g} ± {error:.2g} W/m/K "
        f"| {size(row['dense_mesh'])} | {row['dense_kappa_300k_w_per_m_k']:.4g} W/m/K "
        f"| {'yes' if row['inside'] else 'no'} |"
    )


def main() -> None:
    """Compute, keep each row as it comes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--names", nargs="*", default=[*METALS_A, *RECORDED])
    arguments = parser.parse_args()
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    rows: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    print(
        "| crystal | densest mesh | κ | mesh | κ | inside |\n|---|---|---|---|---|---|", flush=True
    )
    for name in arguments.names:
        if "series_kappa_300k_w_per_m_k" not in rows.get(name, {}):
            rows[name] = check(name, rows.get(name))
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
        print(table_row(rows[name]), flush=True)
    inside = sum(rows[name]["inside"] for name in arguments.names)
    print(f"\n{inside} of {len(arguments.names)} inside")


if __name__ == "__main__":
    main()
