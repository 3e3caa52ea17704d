"""What becomes of disordered entries of a library: approximants, or a reason.

    python benchmarks/disordered_entries.py structures_mp.jsonl.gz [--entries N] [--seed N]

The file has one crystal a line, as the Materials Project states them (`material_id`, `cif`).
Experimentally known ones are made disordered: a part of the ions of one element is replaced by
ions of like charge, or taken out, at round or odd fractions.  Each is written as a CIF and read as
any entry is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

from screening.candidates.candidate import Origin
from screening.candidates.crystal_kind import CRYSTAL
from screening.messages.refusal import Refusal, RefusedError
from screening.sources import open_source

LIKE = [
    ["Li", "Na", "K", "Rb", "Cs"],
    ["Mg", "Ca", "Sr", "Ba", "Zn", "Cd", "Mn", "Fe", "Co", "Ni", "Cu"],
    ["Al", "Ga", "In", "Sc", "Y", "La", "Nd", "Gd", "Cr", "Fe", "V"],
    ["Si", "Ge", "Sn", "Ti", "Zr", "Hf"],
    ["P", "As", "V"],
    ["Nb", "Ta"],
    ["Mo", "W"],
    ["O", "S", "Se", "Te"],
    ["F", "Cl", "Br", "I"],
]
"""Ions that replace each other."""
FRACTIONS = [0.5, 0.25, 0.75, 0.333, 0.1, 0.2, 0.37, 0.05, 0.015]
VACANT = 0.15
"""Part of the entries that get a partly empty site instead of a mixed one."""
MOST_ATOMS = 20


def main() -> None:
    """Make the entries, read them, and count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--entries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # What pymatgen says of the rounding of the entries that these are made of.
    warnings.simplefilter("ignore")
    draw = random.Random(options.seed)
    with gzip.open(options.library, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    known = [row for row in rows if row.get("theoretical") is False]
    draw.shuffle(known)
    with tempfile.TemporaryDirectory() as folder:
        made = 0
        for row in known:
            if made == options.entries:
                break
            made += written(row, Path(folder), draw)
        counted(folder)


def written(row: dict[str, str], folder: Path, draw: random.Random) -> bool:
    """Write a disordered crystal as a CIF; return whether one could be made of the entry."""
    crystal = Structure.from_str(row["cif"], fmt="cif")
    symbols = {element.symbol for element in crystal.composition.elements}
    ways = [(host, group) for group in LIKE for host in sorted(symbols & set(group))]
    if not ways or len(crystal) > MOST_ATOMS or not crystal.is_ordered:
        return False
    host, group = draw.choice(ways)
    fraction = draw.choice(FRACTIONS)
    content = {host: 1 - fraction}
    if draw.random() >= VACANT:
        others = [symbol for symbol in group if symbol not in symbols]
        if not others:
            return False
        content[draw.choice(others)] = fraction
    crystal.replace_species({host: content})
    CifWriter(crystal, symprec=0.01).write_file(folder / f"{row['material_id']}.cif")
    return True


def counted(folder: str) -> None:
    """Read all entries as a campaign does, and print what became of them."""
    outcomes: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    numbers: Counter[int] = Counter()
    refusals: dict[str, list[Refusal]] = {}
    started = time.process_time()
    errors = []
    for record in open_source(folder).records():
        try:
            if record.refusal is not None:
                raise RefusedError(record.refusal)
            assert CRYSTAL.split is not None
            parts = CRYSTAL.split(record.content, record.properties)
            read = []
            for content, facts in parts:
                origin = Origin(source="s", material_id=record.material_id, properties=facts)
                read.append(CRYSTAL.read(content, origin))
        except RefusedError as error:
            outcomes["refused"] += 1
            refusals.setdefault(error.refusal.kind, []).append(error.refusal)
            continue
        outcomes["taken"] += 1
        methods[str(parts[0][1].get("approximant_method", "ordered"))] += 1
        numbers[len({candidate.candidate_id for candidate in read})] += 1
        errors.append(float(parts[0][1].get("occupation_error", 0.0)))
    seconds = time.process_time() - started
    print(f"{outcomes.total()} entries, {outcomes['taken']} taken, {outcomes['refused']} refused")
    print(f"{seconds / max(outcomes.total(), 1):.2f} s of processor time an entry")
    print("approximants by: " + ", ".join(f"{n} {name}" for name, n in methods.most_common()))
    print("approximants an entry: " + ", ".join(f"{k}: {n}" for k, n in sorted(numbers.items())))
    exact = sum(error < 1e-3 for error in errors)
    print(f"fractions exact in {exact}, off by at most {max(errors, default=0):.3f} in the others")
    for same in sorted(refusals.values(), key=len, reverse=True):
        print(f"{len(same)} refused, as: {same[0]}")


if __name__ == "__main__":
    main()
