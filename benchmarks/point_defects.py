"""Vacancies and antisite pairs of an engine: two supercells, beside first-principles values.

    python benchmarks/point_defects.py --engine emt --crystals Cu Al
    python benchmarks/point_defects.py --engine sevennet-0 --crystals MgO LiFePO4

Cu, Al and MgO: the lowest neutral vacancy of each element.  LiFePO4: the nearest Li-Fe pairs that
have exchanged their places.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PUBLISHED: dict[str, dict[str, Any]] = {
    # ChemSusChem 16, e202201821 (2023), table 6: -6.71 eV for putting O into the vacancy (DFT).
    "MgO": {"O": 6.71},
    # M. S. Islam et al., Chem. Mater. 17, 5085 (2005), interatomic potentials, and K. Hoang and M.
    # Johannes, Chem. Mater. 23, 3003 (2011), PBE+U.  From memory: not looked up again.
    "LiFePO4": {"Fe-Li": [0.74, 0.51]},
}
NEAREST_PAIRS = 3


def crystal(name: str) -> Any:
    """Return the primitive cell of a crystal."""
    from pymatgen.core import Lattice, Structure

    if name == "LiFePO4":
        from screening.machine.shipped_configs import data_file

        return Structure.from_file(str(data_file("data/LiFePO4.cif")))
    cubic = {
        "Cu": (3.61, ["Cu"], [[0, 0, 0]]),
        "Al": (4.05, ["Al"], [[0, 0, 0]]),
        "MgO": (4.21, ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    }
    edge_a, species, sites = cubic[name]
    made = Structure.from_spacegroup("Fm-3m", Lattice.cubic(edge_a), species, sites)
    return made.get_primitive_structure()


def compute(name: str, engine_name: str) -> dict[str, Any]:
    """Run the flow of one crystal and return its rows."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.targets.engines import build_engine, engine_config
    from workflows.point_defects.exchange_pairs import ExchangePairMaker
    from workflows.point_defects.recipe import ExchangePairRecipe
    from workflows.point_defects.vacancies import VacancyMaker

    engine = build_engine(engine_config(engine_name))
    recipe = ExchangePairRecipe(
        elements=(("Li", "Fe"),), nearest=NEAREST_PAIRS, image_distance_a=9.0, max_atoms=120
    )
    maker: Any = (
        ExchangePairMaker(engine, recipe=recipe) if name == "LiFePO4" else VacancyMaker(engine)
    )
    flow = maker.make(crystal(name))
    store = JobStore(MemoryStore())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run_locally(flow, store=store, ensure_success=True, log=False)
    found = store.get_output(flow.output.uuid, which="last", load=True)
    rows = [
        {
            "defect": defect.get("element") or "-".join(defect["elements"]),
            "distance_a": defect.get("distance_a"),
            "energy_ev": [cell["energy_ev"] for cell in defect["cells"]],
            "atoms": [cell["atoms"] for cell in defect["cells"]],
            "largest_displacement_a": defect["cells"][0]["largest_displacement_a"],
        }
        for defect in found.get("vacancies") or found["pairs"]
    ]
    return {
        "crystal": name,
        "engine": engine_name,
        "defects": rows,
        "published_ev": PUBLISHED.get(name, {}),
        "references": found.get("references", []),
        "force_calls": found["cost"],
        "wall_s": round(found["wall_s"], 1),
        "versions": found["provenance"]["versions"],
    }


def main() -> None:
    """Compute, print a table, keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", default="emt")
    parser.add_argument("--crystals", nargs="+", default=["Cu", "Al"])
    arguments = parser.parse_args()
    for name in arguments.crystals:
        row = compute(name, arguments.engine)
        for defect in row["defects"]:
            said = ", ".join(
                f"{energy:.3f} eV in {atoms} atoms"
                for energy, atoms in zip(defect["energy_ev"], defect["atoms"], strict=True)
            )
            apart = f" at {defect['distance_a']:.2f} Å" if defect["distance_a"] else ""
            published = row["published_ev"].get(defect["defect"])
            beside = f"; published {published} eV" if published else ""
            print(f"{name} {defect['defect']}{apart}: {said}{beside}")
        print(f"  {row['force_calls']:.0f} force calls, {row['wall_s']} s")
        path = RESULTS / f"point_defects-{name}-{arguments.engine}.json"
        path.write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
