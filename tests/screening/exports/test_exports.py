"""Exports: read again by the programs they are for, whole or not there, with what they cite."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from recorded_results import recorded_document

from screening.exports import FORMS
from screening.machine import shipped_configs as shipped
from screening.machine.plugins import imported
from screening.results.result import Result
from screening.targets.objectives import OBJECTIVES
from screening.testing.export_form_contract import ExportFormContract

ROOT = Path(__file__).parents[3]


@pytest.fixture
def export(at_silicon, screen, monkeypatch):
    """Run ``matscreen export`` on the campaign of recorded forces."""
    monkeypatch.setenv("SCREEN_DATABASE", at_silicon.database.name)
    return lambda form, *more: screen("export", "recorded-1", *more, "--as", form)


@pytest.fixture
def value(at_silicon):
    [computed] = [each for each in at_silicon.results().values() if each["outcome"] == "computed"]
    return computed["kappa_300k_w_per_m_k"]


def refused(answer, *parts):
    assert (answer.status, answer.out) == (2, ""), answer
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in answer.err
    for part in parts:
        assert part in last


# ----------------------------------------------------------------------------------- structures


def test_cif_is_read_again_and_says_what_it_is(export, tmp_path, value):
    from pymatgen.core import Structure

    answer = export("cif", "-o", "cifs")
    assert answer.status == 0, answer.err
    [path] = (tmp_path / "cifs").glob("*.cif")
    assert Structure.from_file(path).reduced_formula == "Si"
    text = path.read_text()
    assert f"data_{path.stem}\n" in text
    assert f"_matscreen_kappa_300k_w_per_m_k {value!r}\n" in text
    assert "_matscreen_campaign 'recorded-1'" in text
    assert "_matscreen_engine 'vasp-standard'" in text
    manifest = json.loads((tmp_path / "cifs" / "export.json").read_text())
    assert manifest["candidates"] == [path.stem]


def test_extended_xyz_has_its_facts_in_every_frame(export, tmp_path, value):
    from ase.io import read

    assert export("extxyz", "--predicted", "-o", "all.xyz").status == 0
    frames = read(tmp_path / "all.xyz", ":")
    assert [frame.get_chemical_formula() for frame in frames] == ["Si2", "AsGa"]
    assert frames[0].info["kappa_300k_w_per_m_k"] == pytest.approx(value)
    assert [bool(frame.info["relaxed"]) for frame in frames] == [True, False]
    assert frames[1].info["outcome"] == "predicted"
    assert all(frame.pbc.all() for frame in frames)


def test_optimade_is_what_its_own_models_accept(export, tmp_path, value):
    models = pytest.importorskip("optimade.models")
    assert export("optimade", "--predicted", "-o", "entries.json").status == 0
    content = json.loads((tmp_path / "entries.json").read_text())
    response = models.StructureResponseMany.model_validate(content)
    assert [each.attributes.chemical_formula_reduced for each in response.data] == ["Si", "AsGa"]
    silicon, arsenide = content["data"]
    assert silicon["attributes"]["_matscreen_kappa_300k_w_per_m_k"] == pytest.approx(value)
    assert silicon["attributes"]["last_modified"] is not None
    assert arsenide["attributes"]["_matscreen_relaxed"] is False
    defined = content["meta"]["_matscreen_properties"]
    assert defined["_matscreen_kappa_300k_w_per_m_k"]["unit"] == "W/m/K"


def test_candidates_can_be_named(export, tmp_path):
    assert export("cif", "GaAs", "mp-Ge", "--predicted", "-o", "two").status == 0
    names = sorted(path.name.split("-")[0] for path in (tmp_path / "two").glob("*.cif"))
    assert names == ["GaAs", "Ge"]
    refused(export("cif", "GaAs", "-o", "three"), "GaAs", "not computed", "--predicted")
    refused(export("cif", "GaAz", "-o", "three"), "'GaAz'", "did you mean 'GaAs'?")
    assert not (tmp_path / "three").exists()


# --------------------------------------------------------------------------------------- tables


def test_csv_is_the_ranking_with_a_dictionary(export, screen, tmp_path):
    assert export("csv", "-o", "ranking.csv").status == 0
    rows = list(csv.DictReader((tmp_path / "ranking.csv").open()))
    ranked = json.loads(screen("rank", "recorded-1", "--format", "json").out)
    assert [row["candidate_id"] for row in rows] == [row["candidate_id"] for row in ranked]
    assert list(rows[0]) == list(ranked[0])
    dictionary = json.loads((tmp_path / "ranking.csv.dictionary.json").read_text())
    assert [each["name"] for each in dictionary["columns"]] == list(rows[0])
    units = {each["name"]: each["unit"] for each in dictionary["columns"]}
    assert units["kappa_300k_w_per_m_k"] == "W/m/K"
    assert units["space_group_number"] == ""
    assert all(each["meaning"] and each["source"] for each in dictionary["columns"])


def test_parquet_keeps_numbers_and_dictionary(export, tmp_path, value):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert export("parquet", "--top", "2", "-o", "ranking.parquet").status == 0
    table = parquet.read_table(tmp_path / "ranking.parquet")
    assert table.num_rows == 2
    assert table.column("kappa_300k_w_per_m_k")[0].as_py() == value
    said = json.loads(table.schema.metadata[b"matscreen_dictionary"])
    assert [each["name"] for each in said["columns"]] == table.column_names


def test_without_pyarrow_parquet_says_what_to_do(export, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(export("parquet", "-o", "ranking.parquet"), "needs pyarrow", "--as csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_documents_explain_what_is_ranked(name):
    objective = OBJECTIVES.load(name)
    fields = imported(objective.document).model_fields
    for field in filter(None, (objective.value_field, objective.error_field)):
        # A derived one is no part of the document: it has the objective's label and its help.
        assert field in objective.derived_fields or fields[field].description


# ------------------------------------------------------------------------------------- phono3py


def reproduced(folder: Path, elsewhere: Path) -> tuple[np.ndarray, np.ndarray]:
    """Run the line of ``run.sh`` where only the exported files are; return stored and found κ."""
    import shutil

    import h5py

    elsewhere.mkdir()
    for name in ("phono3py_params.yaml", "fc2.hdf5", "fc3.hdf5", "run.sh"):
        shutil.copy(folder / name, elsewhere)
    scripts = str(Path(sys.executable).parent)
    subprocess.run(
        ["/bin/sh", str(elsewhere / "run.sh")],
        check=True,
        capture_output=True,
        env={"PATH": f"{scripts}:/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    [path] = elsewhere.glob("kappa-m*.hdf5")
    assert (folder / path.name).exists()
    with h5py.File(path) as file:
        index = int(np.argmin(np.abs(file["temperature"][:] - 300)))
        return file["kappa"][index]


def check_reproduction(campaign, folder: Path, elsewhere: Path) -> None:
    result = Result.of(campaign, folder.name)
    stored = np.array(
        result.document["kappa_tensor_w_per_m_k"][result.document["temperatures_k"].index(300.0)]
    )
    found = reproduced(folder, elsewhere)
    np.testing.assert_allclose(found, stored, atol=0.005 * stored[:3].max())


def test_phono3py_gives_the_stored_kappa_again(export, at_silicon, tmp_path):
    import phonopy

    answer = export("phono3py", "--top", "1", "-o", "forces")
    assert answer.status == 0, answer.err
    assert "differs" not in answer.err
    [folder] = [path for path in (tmp_path / "forces").iterdir() if path.is_dir()]
    check_reproduction(at_silicon, folder, tmp_path / "elsewhere")
    phonon = phonopy.load(folder / "phonopy_params.yaml", log_level=0)
    again = phonopy.load(
        folder / "phonopy_params.yaml",
        force_constants_filename=folder / "FORCE_CONSTANTS",
        log_level=0,
    )
    for each in (phonon, again):
        each.run_qpoints([[0, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(phonon.qpoints.frequencies, again.qpoints.frequencies, atol=1e-3)
    stored = Result.of(at_silicon, folder.name).phono3py_params
    assert (folder / "phono3py_params.yaml").read_text() == stored
    line = (folder / "run.sh").read_text().splitlines()[-1]
    assert line in (folder / "README.md").read_text()
    assert "--isotope" in line
    refused(export("phono3py", "GaAs", "-o", "more"), "GaAs", "not computed")
    refused(export("phono3py", "Ge", "-o", "more"), "Ge", "no κ on a q-mesh")
    assert not (tmp_path / "more").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("record", "divisions", "cutoff_a"),
    [
        # Born charges, finite displacements.
        ("phono3py_params_NaCl222.yaml.xz", (7, 9, 11), None),
        # Born charges, random displacements with a cut-off, two supercells.
        ("phono3py_params_MgO-222rd-444rd.yaml.xz", (7, 9), 4.0),
        ("phono3py_params_Si-111-222-fd.yaml.xz", (9, 11, 15), None),
    ],
)
def test_dense_meshes_are_reproduced(
    record, divisions, cutoff_a, store_recorded, screen, server_uri, tmp_path, monkeypatch
):
    campaign = store_recorded([recorded_document(record, divisions, cutoff_a=cutoff_a)])
    monkeypatch.setenv("SCREEN_DATABASE", campaign.database.name)
    answer = screen("export", "recorded-1", "--as", "phono3py", "-o", "forces")
    assert answer.status == 0, answer.err
    assert "differs" not in answer.err
    [folder] = [path for path in (tmp_path / "forces").iterdir() if path.is_dir()]
    assert (folder / "BORN").exists() == (cutoff_a is not None or "NaCl" in record)
    check_reproduction(campaign, folder, tmp_path / "elsewhere")


# ------------------------------------------------------------------------- whole or not at all


def test_what_is_there_is_replaced_only_by_force(export, tmp_path):
    assert export("csv", "-o", "ranking.csv").status == 0
    before = (tmp_path / "ranking.csv").read_text()
    (tmp_path / "ranking.csv").write_text("mine")
    refused(export("csv", "-o", "ranking.csv"), "exists already", "--force")
    assert (tmp_path / "ranking.csv").read_text() == "mine"
    assert export("csv", "-o", "ranking.csv", "--force").status == 0
    assert (tmp_path / "ranking.csv").read_text() == before


def test_folders_of_others_are_never_replaced(export, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years")
    refused(export("cif", "-o", "thesis"), "exists already")
    refused(export("cif", "-o", "thesis", "--force"), "no export wrote")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years"
    assert export("cif", "-o", "own").status == 0
    (tmp_path / "own" / "old.cif").write_text("old")
    assert export("cif", "-o", "own", "--force").status == 0
    assert not (tmp_path / "own" / "old.cif").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "thesis"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--as", "pdf", "-o", "x"], ["export form 'pdf'", "sdf"]),
        (["--as", "csv", "-o", "nowhere/x.csv"], ["there is no folder"]),
        (["--as", "csv", "-o", "."], ["is a folder"]),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    at_silicon, screen, monkeypatch, tmp_path, arguments, parts
):
    monkeypatch.setenv("SCREEN_DATABASE", at_silicon.database.name)
    refused(screen("export", "recorded-1", *arguments), *parts)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_leaves_nothing(export, tmp_path, monkeypatch):
    def broken(selection):
        raise RuntimeError("in the middle")

    monkeypatch.setattr("screening.exports.citations.bibtex", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        export("cif", "-o", "cifs")
    assert list(tmp_path.iterdir()) == []


def test_a_campaign_without_results_says_so(screen, new_campaign):
    new_campaign(pool=3)
    refused(screen("export", "toy-1", "--as", "cif", "-o", "x"), "'toy-1'", "--predicted")


# ------------------------------------------------------------------------------------ citations


def cited(text: str) -> set[str]:
    return set(re.findall(r"^@article{(\w+),", text, re.M))


def test_exports_cite_what_their_results_build_on(export, tmp_path):
    assert export("csv", "-o", "ranking.csv").status == 0
    text = (tmp_path / "ranking.csv.CITATIONS.bib").read_text()
    assert {
        "kresse_vasp_1996",
        "perdew_pbe_1996",
        "togo_phono3py_2015",
        "tamura_isotopes_1983",
        "simoncelli_unified_2019",
        "jain_materials_project_2013",
        "togo_spglib_2024",
    } <= cited(text)
    # Finite displacements without Born charges, and no other engine.
    absent = {"seko_symfc_2024", "gonze_nac_1997", "park_sevennet_2024", "chaput_direct_2013"}
    assert not absent & cited(text)
    assert "% engine vasp-standard" in text


def test_the_references_are_complete_and_all_are_used():
    known = yaml.safe_load(shipped.data_file("citations.yaml").read_text("utf-8"))
    for key, reference in known["references"].items():
        assert {"author", "title", "journal", "year", "doi"} <= set(reference), key
        assert re.fullmatch(r"10\.\d{4,5}/\S+", reference["doi"]), key
        assert key.rpartition("_")[2] == str(reference["year"]), key

    def leaves(node):
        if isinstance(node, str):
            yield node
        else:
            for child in node.values() if isinstance(node, dict) else node:
                yield from leaves(child)

    used = {leaf for name, part in known.items() if name != "references" for leaf in leaves(part)}
    assert used == set(known["references"])
    assert set(known["objectives"]) <= set(OBJECTIVES.names())


def test_references_agree_with_those_of_the_project():
    known = yaml.safe_load(shipped.data_file("citations.yaml").read_text("utf-8"))["references"]
    own = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["references"]
    by_doi = {each["doi"]: each for each in known.values()}
    shared = [each for each in own if each["doi"] in by_doi]
    assert len(shared) >= 8
    for each in shared:
        mine = by_doi[each["doi"]]
        stated = (each["year"], str(each["volume"]), each["journal"])
        assert (mine["year"], str(mine["volume"]), mine["journal"]) == stated


def test_the_guide_lists_every_form():
    guide = (ROOT / "docs" / "how-to" / "exports.md").read_text("utf-8")
    listed = re.findall(r"^\| `([a-z0-9]+)`", guide.partition("## phono3py")[0], re.M)
    listed += ["parquet"] if "`csv`, `parquet`" in guide else []
    assert sorted(listed) == sorted(FORMS.names())


class TestFormOfTheGuide(ExportFormContract):
    @pytest.fixture
    def form(self):
        guide = (ROOT / "docs" / "how-to" / "exports.md").read_text("utf-8")
        namespace = {}
        exec(re.search(r"```python\n(.*?)```", guide, re.S)[1], namespace)
        return namespace["FORM"]

    @pytest.fixture
    def campaign(self, silicon):
        return silicon


class TestContract(ExportFormContract):
    @pytest.fixture(
        # Of polymers: tests/screening/test_polymer_campaign.py.
        params=[name for name in FORMS.names() if FORMS.load(name).kinds in (None, ("crystal",))]
    )
    def form(self, request):
        return FORMS.load(request.param)

    @pytest.fixture
    def campaign(self, silicon):
        return silicon
