"""Plane-wave cut-off that each of GPAW's PAW data sets needs for forces.

    python benchmarks/gpaw_cutoffs.py [--elements Na Cl …] [--write]

For every element that `gpaw-data` has a PBE data set for: two atoms in a body-centred cubic cell
with bonds of 1.1 times twice the covalent radius, the second one off its site by 6 % of the bond.
The cut-off is the lowest of a series from which on every force is within 1 % (of the largest force)
of that at 1,000 eV.  `--write` puts the table where the engine reads it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

SERIES_EV = (300, 350, 400, 500, 600, 800)
REFERENCE_EV = 1000
TOLERANCE = 0.01
RESULTS = Path(__file__).parent / "results" / "gpaw_cutoffs.json"
TABLE = Path(__file__).parents[1] / "workflows" / "dft" / "gpaw_cutoffs.json"


def elements() -> list[str]:
    """Return the elements with a PBE data set, by atomic number."""
    from ase.data import atomic_numbers
    from gpaw.setup_data import search_for_file

    found = []
    for symbol, number in atomic_numbers.items():
        if number == 0:
            continue
        try:
            search_for_file(f"{symbol}.PBE")
        except FileNotFoundError:
            continue
        found.append(symbol)
    return sorted(found, key=lambda symbol: atomic_numbers[symbol])


def forces(symbol: str, cutoff_ev: float) -> Any:
    """Return the forces in eV/Å on the test cell."""
    import numpy as np
    from ase import Atoms
    from ase.data import atomic_numbers, covalent_radii
    from gpaw import GPAW

    bond = 2.2 * covalent_radii[atomic_numbers[symbol]]
    edge = bond * 2 / np.sqrt(3)
    atoms = Atoms(2 * [symbol], scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=3 * [edge])
    atoms.pbc = True
    atoms.positions[1] += 0.06 * bond * np.array([0.8, 0.5, 0.33])
    atoms.calc = GPAW(
        mode={"name": "pw", "ecut": cutoff_ev},
        xc="PBE",
        kpts={"size": (2, 2, 2), "gamma": True},
        occupations={"name": "fermi-dirac", "width": 0.2},
        convergence={"density": 1e-4, "forces": 2e-3},
        maxiter=200,
        txt=None,
    )
    return atoms.get_forces()


def measure(symbol: str) -> dict[str, Any]:
    """Return the relative force error at each cut-off and the lowest good one."""
    import numpy as np

    started = time.perf_counter()
    reference = forces(symbol, REFERENCE_EV)
    scale = float(np.abs(reference).max())
    errors = {}
    # From the top: below the first cut-off that is clearly not enough nothing needs computing.
    for cutoff in reversed(SERIES_EV):
        error = float(np.abs(forces(symbol, cutoff) - reference).max()) / scale
        errors[cutoff] = round(error, 5)
        if error > 3 * TOLERANCE:
            break
    good = REFERENCE_EV
    for cutoff in reversed(SERIES_EV):
        if cutoff not in errors or errors[cutoff] > TOLERANCE:
            break
        good = cutoff
    return {
        "cutoff_ev": good,
        "largest_force_ev_per_a": scale,
        "relative_error": errors,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Measure, keep each row as it comes, print the table."""
    from importlib.metadata import version

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--elements", nargs="*")
    parser.add_argument("--write", action="store_true", help="write the engine's table")
    arguments = parser.parse_args()
    rows: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    wanted = arguments.elements or elements()
    for symbol in wanted:
        if symbol not in rows or "error" in rows[symbol]:
            try:
                rows[symbol] = measure(symbol)
            except Exception as error:  # one element must not end the survey: the row says why
                rows[symbol] = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
        print(symbol, rows[symbol].get("cutoff_ev", rows[symbol].get("error")), flush=True)
    if arguments.write:
        table = {symbol: row["cutoff_ev"] for symbol, row in rows.items() if "cutoff_ev" in row}
        content = {
            "source": "python benchmarks/gpaw_cutoffs.py --write",
            "versions": {name: version(name) for name in ("gpaw", "gpaw-data")},
            "tolerance": TOLERANCE,
            "cutoff_ev": table,
        }
        TABLE.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
