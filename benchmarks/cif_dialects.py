"""Real crystals, rewritten as CIFs of many dialects: are they read as what they were?

    python benchmarks/cif_dialects.py structures.jsonl.gz --structures 1000 --workers 2

The crystals are the CIFs of Debian's ``libavogadro-data``, where it is installed, and entries of a
file of JSON lines with ``cif``, evenly spread over space groups.  Each is written by spglib's
tables (``tests/cif_writing.py``), in its standard setting and in another one, and read again.  A
crystal is right when the same atoms are at the same places of the same cell, or when it becomes the
same candidate with as many atoms in the primitive cell.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from cif_writing import DIALECTS, Crystal, in_setting, other_setting

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal import crystal_from_structure
from screening.messages.refusal import RefusedError
from screening.sources.cif import CifBlock, crystal_blocks
from screening.sources.record import EntryError

OTHER_SETTING = (
    "all that there is",
    "operations only",
    "symbol only",
    "symbol without its setting",
    "full symbol",
    "Hall symbol only",
    "three digits",
    "all atoms, identity and symbol",
)
"""Dialects that the crystal is written in once more, in another setting of its group."""
LARGEST = 150
"""Atoms in the cell that is written."""
SAME_PLACE_A = 0.02


def of_avogadro() -> list[tuple[str, str]]:
    """Return names and texts of Debian's CIFs."""
    listed = subprocess.run(["dpkg", "-L", "libavogadro-data"], capture_output=True, text=True)
    paths = [Path(line) for line in listed.stdout.split("\n") if line.endswith(".cif")]
    return [(path.name, path.read_text(errors="replace")) for path in sorted(paths)]


def of_lines(path: Path, number: int) -> list[tuple[str, str]]:
    """Return names and texts of entries, in turn from each space group that a search finds."""
    import spglib
    from pymatgen.io.cif import CifParser

    content = path.read_bytes()
    unpacked = gzip.decompress(content) if path.suffix == ".gz" else content
    entries = [json.loads(line) for line in unpacked.splitlines()]
    random.Random(0).shuffle(entries)
    groups: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for entry in entries[: 8 * number]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structure = CifParser.from_str(entry["cif"]).parse_structures(primitive=False)[0]
            if len(structure) > LARGEST or not structure.is_ordered:
                continue
            cell = structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers
            found = spglib.get_symmetry_dataset(cell, symprec=0.01)
        if found is not None:
            groups[found.number].append((entry["material_id"], entry["cif"]))
    chosen: list[tuple[str, str]] = []
    while len(chosen) < number and any(groups.values()):
        for kept in groups.values():
            if kept and len(chosen) < number:
                chosen.append(kept.pop())
    return chosen


def original(text: str):
    """Return the crystal of a text by pymatgen, which these files are no trouble for, or None."""
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            [structure] = CifParser.from_str(text).parse_structures(primitive=False)
        except Exception:  # it raises anything
            return None
    if not structure.is_ordered or not 1 <= len(structure) <= LARGEST:
        return None
    structure.remove_oxidation_states()
    return structure


def candidate(structure) -> Candidate:
    """Return a structure's candidate."""
    return crystal_from_structure(structure, Origin(source="benchmark", material_id="x"))


def tried(named: tuple[str, str]) -> tuple[str, list[tuple[str, str, str]], float]:
    """Return what became of a crystal in each dialect, and the seconds that reading took."""
    warnings.simplefilter("ignore")
    name, text = named
    structure = original(text)
    if structure is None:
        return name, [], 0.0
    try:
        crystal = in_setting(structure)
        wanted = candidate(crystal.structure)
    except (RefusedError, ValueError, TypeError, AttributeError):
        return name, [], 0.0
    try:
        other = other_setting(crystal, random.Random(name))
    except ValueError:
        other = None
    found, seconds = [], 0.0
    for dialect, write in DIALECTS.items():
        for written in (crystal, other if dialect in OTHER_SETTING else None):
            if written is None:
                continue
            content = write(written)
            started = time.process_time()
            outcome, said = read(content, written, wanted)
            seconds += time.process_time() - started
            where = dialect if written is crystal else f"{dialect}, another setting"
            found.append((where, outcome, said))
    return name, found, seconds


def read(content: str, written: Crystal, wanted: Candidate) -> tuple[str, str]:
    """Return ``right``, ``refused`` or ``wrong``, and what was said."""
    try:
        [block] = crystal_blocks(content)
        structure = CifBlock(block).structure()
        if _in_place(structure, written):
            return "right", ""
        became = candidate(structure)
    except (EntryError, RefusedError) as refused:
        return "refused", str(refused)
    same = became.candidate_id == wanted.candidate_id or became.is_same(wanted)
    if same and became.n_sites == wanted.n_sites:
        return "right", ""
    return "wrong", f"{became.candidate_id} of {became.n_sites} atoms, not {wanted.candidate_id}"


def _in_place(structure, written: Crystal) -> bool:
    if len(structure) != len(written.elements):
        return False
    if not np.allclose(structure.lattice.parameters, written.lattice.parameters, atol=1e-3):
        return False
    steps = structure.frac_coords[:, None] - written.positions[None]
    steps -= np.rint(steps)
    apart = np.linalg.norm(steps @ structure.lattice.matrix, axis=2)
    nearest = apart.argmin(axis=1)
    symbols = [site.specie.symbol for site in structure]
    return (
        len(set(nearest.tolist())) == len(symbols)
        and float(apart.min(axis=1).max()) < SAME_PLACE_A
        and all(written.elements[k] == s for k, s in zip(nearest, symbols, strict=True))
    )


def main() -> None:
    """Print how often each dialect was right, refused (with the reasons) and wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lines", type=Path, help="JSON lines with material_id and cif")
    parser.add_argument("--structures", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    crystals = of_avogadro() + of_lines(arguments.lines, arguments.structures)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[tuple[str, str]] = Counter()
    n_used, seconds = 0, 0.0
    with ProcessPoolExecutor(arguments.workers) as pool:
        for name, found, spent in pool.map(tried, crystals, chunksize=4):
            n_used += bool(found)
            seconds += spent
            for dialect, outcome, said in found:
                counts[dialect][outcome] += 1
                if outcome == "wrong":
                    print(f"WRONG {name}, {dialect}: {said}", flush=True)
                elif outcome == "refused":
                    kind = re.sub(r"'[^']*'|[A-Z][A-Za-z0-9()]*\b|-?\d[\d./:]*", "…", said)
                    reasons[dialect, kind[:90]] += 1
    print(f"{len(crystals)} crystals, of which {n_used} are ordered and at most {LARGEST} atoms")
    print("| dialect | right | refused | wrong |\n|---|---|---|---|")
    for dialect, outcomes in counts.items():
        print(f"| {dialect} | {outcomes['right']} | {outcomes['refused']} | {outcomes['wrong']} |")
    total = sum(counts.values(), Counter())
    print(f"| all | {total['right']} | {total['refused']} | {total['wrong']} |")
    for (dialect, kind), count in reasons.most_common():
        print(f"{count:6d}  {dialect}: {kind}")
    print(f"{1000 * seconds / max(1, sum(total.values())):.1f} ms a CIF, the comparison included")


if __name__ == "__main__":
    main()
