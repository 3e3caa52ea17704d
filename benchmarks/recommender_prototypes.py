"""How often the true crystal is among the proposed ones: a time split of the shipped library.

    python benchmarks/recommender_prototypes.py [LIBRARY] [--since 2005] [--matched 150]

Members known until the year make the library; members reported later are asked for. A label is
right if space group and the orbits of each element are; of a sample the substituted crystals are
compared with the true ones by pymatgen's StructureMatcher, which scales volumes.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import re
import warnings

import numpy as np

from screening.recommender.compositions import of_formulas
from screening.recommender.known import shipped_list
from screening.recommender.likeness import learnt_likeness
from screening.recommender.prototypes import Library, _prototype, shipped_library

CONFIDENCES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("library", nargs="?")
    arguments.add_argument("--since", type=int, default=2005)
    arguments.add_argument("--crystals", help="The file the library was made from.")
    arguments.add_argument("--matched", type=int, default=150)
    asked = arguments.parse_args()
    if asked.library:
        with gzip.open(asked.library, "rt") as lines:
            library = Library(_prototype(json.loads(line)) for line in lines)
    else:
        library = shipped_library()
    known = shipped_list()
    pairs = list(zip(known.formulas, known.years.tolist(), strict=True))
    years = {frozenset(formula.items()): year for formula, year in pairs}
    old = library.known_in({key for key, year in years.items() if year <= asked.since})
    likeness = learnt_likeness(known.until(asked.since))
    truth: dict[frozenset, set] = {}
    for prototype in library:
        for member in prototype.members:
            key = frozenset(zip(member, prototype.counts, strict=True))
            if years[key] > asked.since:
                orbits = tuple(sorted(zip(member, prototype.sites, strict=True)))
                truth.setdefault(key, set()).add((prototype.space_group, orbits))
    print(f"{len(library)} prototypes, {len(old)} known until {asked.since}; {len(truth)} later")
    rows, proposed = [], {}
    for key in sorted(truth, key=sorted):
        formula = dict(key)
        composition, _ = of_formulas([formula], len(formula))
        if not len(composition):
            continue
        found = old.proposals(composition, likeness, 5)
        proposed[key] = found
        for place in range(5):
            right = place < len(found) and found[place].label in truth[key]
            votes = found[place].votes if place < len(found) else 0.0
            share = found[place].share if place < len(found) else 0.0
            confidence = found[place].confidence if place < len(found) else 0.0
            rows.append((len(formula), place, right, votes, share, confidence))
    table = np.array(rows, dtype=float)
    for kind in (0, 2, 3, 4, 5):
        part = table if not kind else table[table[:, 0] == kind]
        if len(part):
            right = part[:, 2].reshape(-1, 5)
            within = [100 * right[:, :n].any(axis=1).mean() for n in (1, 3, 5)]
            shown = ", ".join(f"{value:.1f} %" for value in within)
            print(f"{kind or 'all'} elements: {len(right)} compounds; first, <= 3, <= 5: {shown}")
    # The confidence was fitted to every other compound: the rest is asked.
    rest = table.reshape(-1, 5, table.shape[1])[1::2].reshape(-1, table.shape[1])
    print("confidence: proposals of the compounds it was not fitted to, mean, part that is right")
    for low, high in itertools.pairwise(CONFIDENCES):
        inside = (rest[:, 5] > low) & (rest[:, 5] <= high)
        if inside.any():
            mean, right = rest[inside, 5].mean(), rest[inside, 2].mean()
            print(f"  {low}-{high}: {inside.sum()}, {100 * mean:.1f} %, {100 * right:.1f} %")
    if asked.crystals:
        _matched(asked, proposed, truth)


def _matched(asked, proposed, truth) -> None:
    """Compare substituted crystals with the true ones."""
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from recommender_library import MOST_EV_PER_ATOM, crystal

    generator = np.random.default_rng(0)
    keys = sorted(proposed, key=sorted)
    sample = {keys[at] for at in generator.choice(len(keys), asked.matched, replace=False)}
    matcher = StructureMatcher()
    true: dict[frozenset, list] = {}
    with gzip.open(asked.crystals, "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            energy = entry.get("energy_above_hull_ev_per_atom")
            if energy is None or energy > MOST_EV_PER_ATOM:
                continue
            formula = re.search(r"_chemical_formula_sum\s+'?([^'\n]+)", entry["cif"])
            parts = {el: int(n or 1) for el, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula[1])}
            divisor = np.gcd.reduce(list(parts.values()))
            key = frozenset((el, int(n // divisor)) for el, n in parts.items())
            if key in sample:
                true.setdefault(key, []).append(crystal(entry["cif"]))
    first = within = labelled = both = 0
    for key in sorted(sample, key=sorted):
        found = []
        for each in proposed[key]:
            made = each.prototype.structure(each.elements, each.member)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(any(matcher.fit(made, other) for other in true[key]))
        first += bool(found[:1] and found[0])
        within += any(found)
        right = bool(proposed[key]) and proposed[key][0].label in truth[key]
        labelled += right
        both += right and found[0]
    n = len(sample)
    print(f"first labels right: {labelled}, of these matched: {both}")
    print(
        f"StructureMatcher, {n} compounds: first {100 * first / n:.1f} %, "
        f"<= 5 {100 * within / n:.1f} %"
    )


if __name__ == "__main__":
    main()
