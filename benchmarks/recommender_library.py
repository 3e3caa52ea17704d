"""Make `configs/data/prototypes.jsonl.gz` from a file of crystals in JSON lines.

    python benchmarks/recommender_library.py structures.jsonl.gz OUT.jsonl.gz

Each line has `cif`, and where known `energy_above_hull_ev_per_atom`. Taken are crystals whose
composition is in the shipped list of known ones, with an anion, within 0.05 eV an atom of the
hull, and of at most 48 atoms in the primitive cell.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import warnings

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from screening.recommender.compositions import anion_of
from screening.recommender.known import shipped_list
from screening.recommender.prototypes import prototype_of

MOST_EV_PER_ATOM = 0.05
MOST_ATOMS = 48
_CELL = re.compile(r"_cell_(?:length|angle)_\w+\s+([\d.]+)")
_SITE = re.compile(r"^\s*([A-Z][a-z]?)\S*\s+\S+\s+\d+\s+(\S+)\s+(\S+)\s+(\S+)\s+1\s*$", re.M)


def crystal(cif: str) -> Structure:
    """Read a CIF that pymatgen wrote, in P1, which takes its own parser ten times as long."""
    sites = _SITE.findall(cif)
    coordinates = np.array([site[1:] for site in sites], dtype=float)
    lattice = Lattice.from_parameters(*map(float, _CELL.findall(cif)))
    return Structure(lattice, [site[0] for site in sites], coordinates)


def main(source: str, target: str) -> None:
    """Write the library."""
    known = shipped_list()
    pairs = zip(known.formulas, known.years.tolist(), strict=True)
    years = {frozenset(formula.items()): year for formula, year in pairs}
    found: dict[tuple[object, ...], list[tuple[int, str, float, object]]] = {}
    n_read = n_taken = 0
    with gzip.open(source, "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            n_read += 1
            energy = entry.get("energy_above_hull_ev_per_atom")
            if energy is None or energy > MOST_EV_PER_ATOM:
                continue
            formula = re.search(r"_chemical_formula_sum\s+'?([^'\n]+)", entry["cif"])
            parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula[1])
            if anion_of(part[0] for part in parts) is None:
                continue
            structure = crystal(entry["cif"])
            if len(structure) > MOST_ATOMS or len(parts) > 5:
                continue
            amounts = structure.composition.reduced_composition.get_el_amt_dict()
            key = frozenset((element, int(amount)) for element, amount in amounts.items())
            if key not in years:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                prototype = prototype_of(structure)
            if prototype is None:
                continue
            n_taken += 1
            member = " ".join(prototype.members[0])
            found.setdefault(prototype.label, []).append(
                (years[key], member, energy, prototype.crystals[0])
            )
    with gzip.GzipFile(target, "wb", mtime=0) as out:
        for label in sorted(found, key=str):
            space_group, counts, sites = label
            # Of several crystals of a member with one label the most stable one.
            best = {row[1]: row for row in sorted(found[label], key=lambda row: -row[2])}
            rows = sorted(best.values(), key=lambda row: (row[0], row[1]))
            entry = {
                "space_group": space_group,
                "counts": counts,
                "sites": sites,
                "members": [row[1] for row in rows],
                "crystals": [row[3] for row in rows],
            }
            out.write((json.dumps(entry, separators=(",", ":")) + "\n").encode())
    print(f"{n_read} crystals read, {n_taken} taken, {len(found)} prototypes")


if __name__ == "__main__":
    main(*sys.argv[1:])
