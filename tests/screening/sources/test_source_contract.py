"""The contract of sources, kept by all that need no network and by the words of the tests."""

from __future__ import annotations

import json
import zipfile

import pytest
from pymatgen.core.structure import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.sources import open_source
from screening.testing.source_contract import SourceContract


def write_icsd(folder, crystal: Structure) -> str:
    path = folder / "export.cif"
    path.write_text(
        crystal.to(fmt="cif").replace("data_NaCl\n", "data_1-ICSD\n_database_code_ICSD 1\n")
    )
    return f"icsd:{path}"


def write_lines(folder, crystal: Structure) -> str:
    lines = [{"material_id": "a", "cif": crystal.to(fmt="cif"), "gap": 5.0}]
    lines.append({"material_id": "b", "structure": crystal.as_dict()})
    (folder / "a.jsonl").write_text("\n".join([*map(json.dumps, lines), "{"]))
    return str(folder / "a.jsonl")


def write_list(folder, crystal: Structure) -> str:
    content = [{"material_id": "a", "structure": crystal.as_dict()}, {"nothing": 1}]
    (folder / "a.json").write_text(json.dumps(content))
    return str(folder / "a.json")


def write_frames(folder, crystal: Structure) -> str:
    AseAtomsAdaptor.get_atoms(crystal).write(folder / "a.extxyz", format="extxyz")
    return str(folder / "a.extxyz")


def write_folder(folder, crystal: Structure) -> str:
    below = folder / "crystals"
    (below / "deep").mkdir(parents=True)
    crystal.to(str(below / "a.cif"))
    crystal.to(str(below / "deep" / "POSCAR"))
    (below / "notes.txt").write_text("not a crystal")
    return str(below)


def write_archive(folder, crystal: Structure) -> str:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("in/a.cif", crystal.to(fmt="cif"))
        archive.writestr("broken.cif", "data_x\n")
    return str(folder / "a.zip")


def write_units(folder, crystal: Structure) -> str:
    (folder / "a.smi").write_text("*CC* PE\n*CC(*)C\n*CC(*\n")
    return str(folder / "a.smi")


def write_table_of_units(folder, crystal: Structure) -> str:
    (folder / "a.csv").write_text("name,psmiles,tg_k\nPP,*CC(*)C,260\nPE,,\n")
    return str(folder / "a.csv")


def write_monomers(folder, crystal: Structure) -> str:
    smiles = ["O=C1OC(=O)c2cc3C(=O)OC(=O)c3cc12", "NCCCN", "NCCCCN", "OCCO", "NCC(O)CN"]
    entries = [{"name": f"m{n}", "smiles": text} for n, text in enumerate(smiles)]
    lists = [{"entries": entries}, {"role": "diamine", "entries": entries[:1]}]
    content = {"monomers": lists, "exclude": {"diamine": ["hydroxyl"]}}
    (folder / "mine.yaml").write_text(json.dumps(content))
    return f"polyimides:{folder / 'mine.yaml'}"


WRITTEN = [write_icsd, write_lines, write_list, write_frames, write_folder, write_archive]
WRITTEN += [write_units, write_table_of_units, write_monomers]
NAMED = [
    "phonondb-103",
    "known-crystals:chemsys=Li-Na-S,Na-S",
    "electrode-pairs",
    "substitutions:olivine",
    "toy_kind:DICTIONARY:sky:3,a",
]


class TestSources(SourceContract):
    @pytest.fixture(params=[*WRITTEN, *NAMED], ids=lambda made: getattr(made, "__name__", made))
    def source(self, request, tmp_path, rocksalt):
        spec = request.param
        return open_source(spec if isinstance(spec, str) else spec(tmp_path, rocksalt))
