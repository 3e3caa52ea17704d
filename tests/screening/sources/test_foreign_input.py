"""What comes from outside is data: no file, filter or stored campaign of others runs code here."""

from __future__ import annotations

import ast
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from screening.campaigns.config import CampaignConfig
from screening.campaigns.flows import refusal
from screening.candidates.candidate import Origin
from screening.candidates.crystal import bare_structure, crystal_from_structure
from screening.candidates.crystal_filters import CrystalFilters
from screening.machine import text_files
from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.targets.engines import parse_engine

ROOT = Path(__file__).parents[3]
LENNARD_JONES = {"name": "mine", "calculator": "ase.calculators.lj.LennardJones"}


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that leaves a file when it is imported, and a function of it."""
    sprung = tmp_path / "sprung"
    (tmp_path / "trap_module.py").write_text(
        f"from pathlib import Path\nPath({str(sprung)!r}).touch()\nclass Trap: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield {"@module": "trap_module", "@class": "Trap"}
    assert not sprung.exists(), "it was imported"


# ------------------------------------------------------------------------------------------- YAML


DANGEROUS = (
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "loadfn"),
    *(
        "PhonopyYaml().read",
        "Phono3pyYaml().read",
        "phonopy.load",
        "phono3py.load",
        "pickle.load",
        "pickle.loads",
    ),
    *("eval", "exec"),
)
"""Ends of names of functions that may build whatever object their input names."""


def test_nothing_is_read_with_what_builds_any_object():
    found = set()
    for package in ("screening", "workflows", "configs"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                called = f".{ast.unparse(node.func)}" if isinstance(node, ast.Call) else ""
                # RadonPy's name for starting LAMMPS, pypolymlp's for computing a cell.
                if called in (".run.exec", ".self._fast.eval"):
                    continue
                if called.endswith(tuple(f".{name}" for name in DANGEROUS)):
                    found.add((path.name, ast.unparse(node)))
    # With the loader of plain values.
    assert {name for name, _ in found} == {"parameter_files.py", "shipped_configs.py"}
    assert all(call.endswith("Loader=_SAFE_LOADER)") for _, call in found)
    from screening.machine import shipped_configs
    from workflows.lattice_dynamics import parameter_files

    for module in (parameter_files, shipped_configs):
        assert module._SAFE_LOADER.__name__ in ("CSafeLoader", "SafeLoader")


@pytest.mark.parametrize("command", ["submit", "predict"])
def test_objects_in_a_campaigns_yaml_are_refused(screen, tmp_path, command):
    sprung = tmp_path / "sprung"
    text = (
        f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{sprung}]]"
    )
    (tmp_path / "evil.yaml").write_text(f"target: {text}\n")
    arguments = {
        "submit": ["--target", tmp_path / "evil.yaml"],
        "predict": [
            *("--training", "phonondb-103", "--value-key", "x", "--pool", "phonondb-103"),
            *("--filters", text),
        ],
    }
    answer = screen(command, *arguments[command])
    assert answer.status == 2
    assert "YAML" in answer.err
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["phonopy_record", "phono3py_record"])
def test_objects_in_parameter_files_are_refused(tmp_path, name):
    """phonopy's and phono3py's own readers would build them."""
    from workflows.lattice_dynamics import parameter_files

    read = getattr(parameter_files, name)
    sprung = tmp_path / "sprung"
    for text in (
        f"!!python/object/apply:os.mkdir [{sprung}]",
        f"%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.mkdir [{sprung}]",
    ):
        (tmp_path / "params.yaml").write_text(text)
        for given in (io.StringIO(text), tmp_path / "params.yaml"):
            with pytest.raises(ValueError, match="no YAML of plain values"):
                read(given)
    with pytest.raises(ValueError, match="no fields"):
        read(io.StringIO("just text"))
    assert not sprung.exists()


# -------------------------------------------------------------------------------------- crystals


def test_objects_in_pymatgens_dictionaries_are_not_built(trap, tmp_path, rocksalt):
    """Wherever they stand, and however the dictionary comes in."""
    content = rocksalt.as_dict()
    content["properties"] = {"x": trap}
    content["lattice"]["x"] = trap
    for site in content["sites"]:
        site["properties"] = {"x": trap}
        site["label"] = "A"
    entry = {"material_id": "a", "structure": content, "extra": trap, **trap}
    charged = {"material_id": "b", "cif": rocksalt.to(fmt="cif"), "charged_structure": content}
    lines = [json.dumps(each) for each in (entry, charged)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    (tmp_path / "all.json").write_text(f"[{','.join(lines)}]")
    for name in ("all.jsonl", "all.json"):
        first, second = open_source(str(tmp_path / name)).records()
        assert first.content == rocksalt.copy(properties=None)
        assert second.inputs["charged"]["sites"]
    from screening.sources.materials_project import _record

    assert _record({"material_id": "mp-1", "structure": content}).content is not None
    # A document of the database, which others may have written.
    candidate = crystal_from_structure(rocksalt, Origin(source="x", material_id="x"))
    sites = [{**site, "properties": {"x": trap}} for site in candidate.structure["sites"]]
    stored = candidate.model_copy(update={"structure": {**candidate.structure, "sites": sites}})
    assert stored.content() == bare_structure(candidate.structure)


def test_objects_among_the_inputs_of_a_flow_are_not_built(trap, rocksalt):
    content = rocksalt.as_dict()
    for site in content["sites"]:
        site["properties"] = {"x": trap}
    charged = {**content, **trap}
    config = CampaignConfig.model_validate(
        {"target": "t", "objective": "electrode-volume-change", "engine": "emt"}
        | {"sources": ["x"], "budget": 1, "batch_size": 1}
    )

    def reason(**inputs):
        origin = Origin(source="x", material_id="x", inputs=inputs)
        candidate = crystal_from_structure(rocksalt, origin)
        return str(refusal(candidate, config, parse_engine(LENNARD_JONES, "mine")))

    assert "holds no less" in reason(charged=charged, working_ion="Na", unknown=trap)
    with pytest.raises(ValidationError, match="charged"):
        reason(charged=trap, working_ion="Na")
    with pytest.raises(ValidationError, match="oxidation_states"):
        reason(oxidation_states={"Na": trap}, working_ion="Na")


def test_a_cif_cannot_compute(tmp_path, rocksalt):
    """pymatgen once evaluated this tag (CVE-2024-23346)."""
    sprung = tmp_path / "sprung"
    code = "a,b,[d for d in ().__class__.__mro__[1].__getattribute__(*[().__class__.__mro__[1]]+"
    code += '["__sub" + "classes__"])() if d.__name__ == "BuiltinImporter"][0].load_module('
    code += f'"os").mkdir("{sprung}"),c'
    magnetic = f"_space_group_magn.transform_BNS_Pp_abc  '{code};0,0,0'\n"
    magnetic += (
        "_space_group_magn.number_BNS  62.448\n_space_group_magn.name_BNS  \"P  n'  m  a'  \"\n"
    )
    text = rocksalt.to(fmt="cif")
    (tmp_path / "evil.cif").write_text(text + magnetic)
    list(open_source(str(tmp_path / "evil.cif")).records())
    assert not sprung.exists()


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "LARGEST_TEXT", 10_000)
    monkeypatch.setattr(text_files, "LARGEST_LINE", 1_000)
    good = json.dumps({"material_id": "a", "cif": "data_"})
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(f"{good}\n".encode() + b" " * 10**6))
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(b" " * 10**6))
    _, bomb = open_source(str(tmp_path / "bomb.jsonl.gz")).records()
    assert "a line has more than 1000 characters" in bomb.error
    [bomb] = open_source(str(tmp_path / "bomb.json.gz")).records()
    assert "it has more than 10000 bytes, unpacked" in bomb.error
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in ("bomb.cif", "POSCAR", "bomb.xyz"):
            zipped.writestr(name, b" " * 10**6)
    bombs = list(open_source(str(tmp_path / "bomb.zip")).records())
    assert ["10000 bytes" in str(bomb.error) for bomb in bombs] == [True] * 3


# --------------------------------------------------------------------------- filters and engines


def test_filters_of_entries_know_no_operators():
    from screening.messages.validation import validated

    for content in ({"$where": "1"}, {"max_sites": {"$where": "1"}}, {"band_gap_ev": {"$expr": 1}}):
        with pytest.raises(ScreenError, match="--filters: field"):
            validated(CrystalFilters, content, "--filters")


def test_reading_a_campaign_of_somebody_else_imports_nothing_it_names(screen, new_campaign, trap):
    """Workers do: who writes to the database may run code on them, as SECURITY.md says."""
    campaign = new_campaign("theirs", pool=3)
    engine = {"name": "x", "kind": "ase", "calculator": "trap_module.Trap"}
    campaign.database.campaigns.update_one({}, {"$set": {"engine": engine}})
    key = next(iter(campaign.pool_features()))
    for arguments in (["status"], ["rank"], ["show", key], ["rank", "--predicted"]):
        answer = screen(*arguments)
        assert answer.status == 0, answer
