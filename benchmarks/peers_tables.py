"""Public tables of known values that benchmarks of the optimiser share, with features.

| name | what is looked for | candidates | from |
|---|---|---|---|
| kappa | least κ at 300 K, log | 103 crystals | `phonondb-103`, shipped |
| glass | largest κ at 300 K, log | 911 polymers | RadonPy's table, shipped |
| gap | largest band gap | 1,056 dielectrics | I. Petousis et al., Sci. Data 4, 160134 (2017) |
| index | largest refractive index, log | the same 1,056 | likewise |
| piezo | largest piezoelectric modulus | 938 crystals | de Jong, Sci. Data 2, 150053 (2015) |
| mp-gap | largest band gap | 1,475 of the insulators of MP-20 | Materials Project, CC BY 4.0 |

The last four are read from a folder: `dielectric_constant.csv` and `piezoelectric_tensor.csv` as
the repository of matminer had them (commits c24f193e and 407440c0~1), `structures_mp.jsonl.gz`
with `cif`, `dataset` and `band_gap_ev`.
"""

from __future__ import annotations

import ast
import csv
import gzip
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NAMES = ("kappa", "glass", "gap", "index", "piezo", "mp-gap")


class Table(NamedTuple):
    """Features, shape (n, d), and values, shape (n,), on the model's scale: lower is better."""

    name: str
    features: np.ndarray
    values: np.ndarray


def read(name: str, data: Path | None, cache: Path) -> Table:
    """Return a table; features are computed once and kept in `cache`."""
    kept = cache / f"{name}.npz"
    if not kept.exists():
        features, values = _described(name, data)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, features=features, values=values)
    found = np.load(kept)
    return Table(name, found["features"], found["values"])


def _described(name: str, data: Path | None) -> tuple[np.ndarray, np.ndarray]:
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.sources import open_source
    from screening.studies.known_values import read_table
    from screening.targets.scale import Scale

    if name == "glass":
        return _glasses()
    if name == "kappa":
        records: Iterable[Any] = open_source("phonondb-103").records()
        key, scale = "kappa_300k_with_nac_w_per_m_k", Scale(logarithmic=True)
    else:
        if data is None:
            sys.exit(f"table {name}: --data names the folder that holds it")
        records = _records({"index": "gap"}.get(name, name), data)
        key, scale = "value", Scale(direction="maximize")
        if name == "index":
            key, scale = "n", Scale(direction="maximize", logarithmic=True)
    table = read_table(records, key, kind=CRYSTAL, scale=scale)
    return table.features, table.values


def _glasses() -> tuple[np.ndarray, np.ndarray]:
    from screening.learned.shipped_tables import computed_glasses
    from screening.molecules.polymer_features import features

    glasses = computed_glasses()
    described = np.array([features(glass.smiles) for glass in glasses])
    kappa = np.array([glass.kappa_w_per_m_k for glass in glasses])
    return described, -np.log10(kappa)


def _records(name: str, data: Path) -> Iterator[Any]:
    from pymatgen.core.structure import Structure
    from pymatgen.io.vasp import Poscar

    from screening.sources import SourceRecord

    def record(material_id: str, structure: Structure, **stated: float) -> SourceRecord:
        return SourceRecord(material_id, structure, None, material_id, {**stated})

    if name == "gap":
        for row in _rows(data / "dielectric_constant.csv"):
            meta = ast.literal_eval(row["meta"])
            crystal = Poscar.from_str(meta["poscar"]).structure
            stated = {"value": float(row["band_gap"]), "n": float(row["n"])}
            yield record(meta["material_id"], crystal, **stated)
    elif name == "piezo":
        # Its first column, a running number, has no name: the others are named one too early.
        for row in _rows(data / "piezoelectric_tensor.csv"):
            crystal = Poscar.from_str(row["formula"]).structure
            yield record(row[None][0], crystal, value=float(row["meta"]))
    else:
        lines = gzip.decompress((data / "structures_mp.jsonl.gz").read_bytes()).splitlines()
        entries = [json.loads(line) for line in lines]
        gapped = [
            entry
            for entry in entries
            if entry["dataset"].startswith("mp_20") and entry.get("band_gap_ev", 0) > 0.05
        ]
        for i in np.random.default_rng(0).permutation(len(gapped))[:1500]:
            crystal = Structure.from_str(gapped[i]["cif"], fmt="cif")
            yield record(gapped[i]["material_id"], crystal, value=gapped[i]["band_gap_ev"])


def _rows(file: Path) -> Iterator[Any]:
    csv.field_size_limit(10**9)
    lines = itertools.dropwhile(lambda line: line.startswith("#"), file.open(newline=""))
    return iter(csv.DictReader(lines))
