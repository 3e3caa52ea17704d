"""Elastic constants of an engine, beside measured ones, for Si, MgO, NaCl and wurtzite GaN.

    python benchmarks/elastic_constants.py [--engine NAME] [--strains 0.002 0.005 …]

Measured constants give their own Debye temperature and Slack's κ by the same formulas.  More than
one strain shows how far the constants depend on it.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COMPONENTS = {"C11": (0, 0), "C12": (0, 1), "C13": (0, 2), "C33": (2, 2), "C44": (3, 3)}
MEASURED_GPA: dict[str, dict[str, float]] = {
    # H. J. McSkimin and P. Andreatch, J. Appl. Phys. 35, 2161 (1964), 298 K.
    "Si": {"C11": 165.8, "C12": 63.9, "C44": 79.6},
    # Y. Sumino, I. Ohno, T. Goto and M. Kumazawa, J. Phys. Earth 24, 263 (1976), 293 K.
    "MgO": {"C11": 297.8, "C12": 97.0, "C44": 156.3},
    # W. C. Overton and R. T. Swim, Phys. Rev. 84, 758 (1951), extrapolated to 0 K.
    "NaCl": {"C11": 57.5, "C12": 9.9, "C44": 13.3},
    # A. Polian, M. Grimsditch and I. Grzegory, J. Appl. Phys. 79, 3343 (1996), 300 K.
    "GaN": {"C11": 390.0, "C12": 145.0, "C13": 106.0, "C33": 398.0, "C44": 105.0},
}


def crystals() -> dict[str, Any]:
    """Return the four crystals, primitive, hexagonal axis along z."""
    from pymatgen.core import Lattice, Structure

    third, origin = [1 / 3, 2 / 3, 0], [0, 0, 0]
    made = {
        "Si": ("Fd-3m", Lattice.cubic(5.43), ["Si"], [origin]),
        "MgO": ("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [origin, [0.5] * 3]),
        "NaCl": ("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [origin, [0.5] * 3]),
        "GaN": ("P6_3mc", Lattice.hexagonal(3.19, 5.19), ["Ga", "N"], [third, [*third[:2], 0.377]]),
    }
    return {
        name: Structure.from_spacegroup(*each).get_primitive_structure()
        for name, each in made.items()
    }


def compute(name: str, structure: Any, engine_name: str, strain_fraction: float) -> dict[str, Any]:
    """Run the flow of one crystal and return its row."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.targets.engines import build_engine, engine_config
    from workflows.elasticity import ElasticityMaker
    from workflows.recipes import ElasticityRecipe

    recipe = ElasticityRecipe(strain_fraction=strain_fraction)
    flow = ElasticityMaker(build_engine(engine_config(engine_name)), recipe=recipe).make(structure)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    result = store.get_output(flow.output.uuid, which="last")
    kept = ("bulk_modulus_gpa", "shear_modulus_gpa", "debye_temperature_k")
    return {
        "crystal": name,
        "strain_fraction": strain_fraction,
        **{each: result["elastic_tensor_gpa"][i][j] for each, (i, j) in COMPONENTS.items()},
        **{key: result[key] for key in (*kept, "slack_kappa_300k_w_per_m_k")},
        "force_calls": result["cost"],
        "versions": result["provenance"]["versions"],
    }


def measured(name: str, structure: Any) -> dict[str, Any]:
    """Return the row of the measured constants."""
    import numpy as np
    from pymatgen.analysis.elasticity import ElasticTensor

    from workflows.elasticity import derived_fields

    known = MEASURED_GPA[name]
    c11, c12, c44 = known["C11"], known["C12"], known["C44"]
    c13, c33 = known.get("C13", c12), known.get("C33", c11)
    tensor = np.diag([c11, c11, c33, c44, c44, (c11 - c12) / 2 if "C13" in known else c44])
    tensor[0, 1] = tensor[1, 0] = c12
    tensor[:2, 2] = tensor[2, :2] = c13
    return {
        "crystal": name,
        "strain_fraction": None,
        **{each: tensor[i, j] for each, (i, j) in COMPONENTS.items()},
        **derived_fields(ElasticTensor.from_voigt(tensor), structure, len(structure)),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table, constants and moduli in GPa."""
    lines = [
        f"| crystal | strain | {' | '.join(COMPONENTS)} | K | G | θ_D | Slack's κ(300 K) |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        strain = "measured" if row["strain_fraction"] is None else row["strain_fraction"]
        numbers = [row[key] for key in (*COMPONENTS, "bulk_modulus_gpa", "shear_modulus_gpa")]
        lines.append(
            f"| {row['crystal']} | {strain} | {' | '.join(f'{each:.1f}' for each in numbers)} "
            f"| {row['debye_temperature_k']:.0f} K "
            f"| {row['slack_kappa_300k_w_per_m_k']:.3g} W/m/K |"
        )
    return "\n".join(lines)


def main() -> None:
    """Compute, print, and keep the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--strains", type=float, nargs="*", default=[0.002, 0.005, 0.01, 0.02])
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    for name, structure in crystals().items():
        rows += [compute(name, structure, options.engine, each) for each in options.strains]
        rows.append(measured(name, structure))
    path = RESULTS / f"elastic_constants-{Path(options.engine).stem}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
