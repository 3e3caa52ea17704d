"""OPTIMADE against its reference server, and against a server that misbehaves on order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from optimade_server import REASON, SALT, Answer, entry

from screening.candidates.stated_facts import contradiction
from screening.messages.errors import ScreenError
from screening.sources import SourceError, open_source

pytest.importorskip("optimade", reason=REASON)
pytestmark = pytest.mark.usefixtures("directory")


# ------------------------------------------------------------------------ the reference server


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Iterator[str]:
    """Base URL of optimade-python-tools' own server with its test data of 17 structures."""
    for module in ("uvicorn", "fastapi", "mongomock"):
        pytest.importorskip(module, reason="pip install 'optimade[server]'")
    folder = tmp_path_factory.mktemp("optimade")
    config = {
        "database_backend": "mongomock",
        "insert_test_data": True,
        "log_dir": str(folder),
        # Names that the test data, once the Materials Project's, have for OPTIMADE's fields.
        "aliases": {
            "structures": {
                "id": "task_id",
                "chemical_formula_descriptive": "pretty_formula",
                "chemical_formula_reduced": "pretty_formula",
                "chemical_formula_anonymous": "formula_anonymous",
            }
        },
        "provider_fields": {"structures": ["chemsys", "volume"]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "optimade.server.main:app", "--port", "0"],
        stderr=(folder / "log").open("w"),
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OPTIMADE_CONFIG_FILE": str(folder / "config.json")},
        cwd=folder,
    )
    try:
        end = time.monotonic() + 300
        while not (found := re.search(r"http://127.0.0.1:\d+", (folder / "log").read_text())):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        yield found[0]
    finally:
        server.terminate()
        server.wait(300)


def test_whole_database_in_pages(reference, directory):
    source = open_source(f"optimade:{reference}?page_limit=5")
    found = list(source.records())
    assert len({r.material_id for r in found}) == 17
    assert all(r.content is not None and r.error is None for r in found)
    [folder] = (directory / "optimade").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        f"page-000{number}.json.gz" for number in (1, 2, 3, 4)
    ]
    assert list(source.records()) == found


def test_filter_and_properties(reference):
    found = list(open_source(f'optimade:{reference}/v1?filter=elements HAS "Na"').records())
    everything = list(open_source(f"optimade:{reference}").records())
    assert 0 < len(found) < len(everything)
    assert {r.material_id for r in found} < {r.material_id for r in everything}
    assert all("Na" in r.content.symbol_set for r in found if r.content)
    assert any(r.content for r in found)
    [encoded] = {
        tuple(r.material_id for r in open_source(f"optimade:{reference}{query}").records())
        for query in (
            "?filter=nelements%3D8%20OR%20nelements%3D7",
            "?filter=nelements=7 OR nelements=8",
        )
    }
    assert encoded
    stated = {name for r in everything for name in r.properties}
    assert {"id", "nelements", "last_modified"} <= stated
    assert any(name.startswith("_exmpl_") for name in stated)
    assert all(r.location.startswith(f"{reference}/v1/structures/") for r in everything)


def test_filter_the_server_does_not_understand(reference):
    source = open_source(f'optimade:{reference}?filter=elements HASS "Na"')
    with pytest.raises(
        SourceError, match=r"answers 400: Unable to parse filter.*correct the filter"
    ):
        list(source.records())


def test_page_larger_than_the_server_allows(reference):
    with pytest.raises(SourceError, match=r"403: Max allowed page_limit is 500.*&page_limit="):
        list(open_source(f"optimade:{reference}?page_limit=501").records())


def test_not_a_base_url(reference):
    with pytest.raises(SourceError, match=r"answers 404.*stands before /v1/structures"):
        list(open_source(f"optimade:{reference}/elsewhere").records())


# ------------------------------------------------------------------------------------- entries


def test_good_entry(script):
    script.pages([entry("a/1", _x_gap=1.5, _x_tags=["t"], _x_none=None, other=3)])
    [record] = open_source(f"optimade:{script.url}").records()
    assert record.error is None
    assert record.content.reduced_formula == "NaCl"
    assert record.content.volume == pytest.approx(2 * 2.82**3)
    assert record.location == f"{script.url}/v1/structures/a%2F1"
    assert record.properties == {
        "id": "a/1",
        "chemical_formula_reduced": "ClNa",
        "nelements": 2,
        "last_modified": "2023-01-01T00:00:00Z",
        "_x_gap": 1.5,
    }


def test_a_space_group_that_the_atoms_do_not_have_is_not_believed():
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.messages.refusal import RefusedError
    from screening.sources.optimade import _record

    sites = {
        "lattice_vectors": [[0, 2.82, 3.1], [2.82, 0, 3.1], [2.82, 2.82, 0]],
        "cartesian_site_positions": [[0, 0, 0], [2.82, 2.82, 3.1]],
    }

    def read(found):
        record = _record(found, "there", 1)
        origin = Origin(source="optimade:there", material_id="x", properties=record.properties)
        return CRYSTAL.read(record.content, origin)

    read(entry("cubic", space_group_it_number=225))
    read(entry("long", space_group_it_number=139, **sites))
    with pytest.raises(RefusedError, match="states space group 225"):
        read(entry("wrong", space_group_it_number=225, **sites))


def test_disorder_is_for_the_pipeline_to_refuse(script):
    species = [
        {"name": "Na", "chemical_symbols": ["Na", "vacancy"], "concentration": [0.5, 0.5]},
        SALT["species"][1],
    ]
    script.pages([entry("a", species=species, structure_features=["disorder"])])
    [record] = open_source(f"optimade:{script.url}").records()
    assert record.error is None
    assert not record.content.is_ordered


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "not a JSON object with 'id'"),
        ({"id": 3, "attributes": {}}, "not a JSON object with 'id'"),
        ({"id": "x", "type": "structures"}, "not a JSON object with 'id'"),
        (entry("x", lattice_vectors=None), "states no lattice_vectors"),
        (entry("x", cartesian_site_positions=[[0, 0]]), "cannot be converted"),
        (entry("x", nsites=3), "cannot be converted"),
        (entry("x", species_at_sites=["Na", "Zz"]), "cannot be converted"),
        (
            entry("x", dimension_types=[1, 1, 0], nperiodic_dimensions=2),
            "not periodic in three dimensions",
        ),
        (entry("x", structure_features=["site_attachments"]), "have no positions"),
        (entry("x", structure_features=["assemblies"]), "exclude each other"),
        (entry("x", chemical_formula_reduced="ClH2Na"), "atoms make NaCl where .* says ClH2Na"),
    ],
)
def test_bad_entry_is_a_readable_record(script, bad, reason, recwarn, capfd):
    script.pages([bad, entry("good")])
    found = list(open_source(f"optimade:{script.url}").records())
    assert found[0].content is None
    assert re.search(reason, found[0].error)
    assert "\n" not in found[0].error
    assert found[1].content is not None
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------ providers


def test_unknown_provider(script, monkeypatch):
    # The shipped list is the library's answer where no list can be fetched.
    monkeypatch.setattr("optimade.utils.PROVIDER_LIST_URLS", [f"{script.url}/providers"])
    script.answers["/providers"] = [Answer(b"no list")]
    with pytest.raises(
        SourceError, match=r"OPTIMADE knows no provider 'oqdm'.*did you mean 'oqmd'"
    ):
        list(open_source("optimade:oqdm").records())


def test_provider_by_its_index(script, monkeypatch):
    def link(name: str, **attributes: Any) -> dict[str, Any]:
        stated = {"name": name, "description": "", "homepage": None} | attributes
        return {"id": name, "type": "links", "attributes": stated}

    def child(name: str, url: str) -> dict[str, Any]:
        return link(name, base_url=url, link_type="child")

    providers = [
        link(
            name, base_url=f"{script.url}/{name}" if name != "none" else None, link_type="external"
        )
        for name in ("one", "two", "none", "gone", "file")
    ]
    monkeypatch.setattr("optimade.utils.PROVIDER_LIST_URLS", [f"{script.url}/providers"])
    script.answers["/providers"] = [Answer({"data": providers})]
    indexes = {
        "one": [child("db", f"{script.url}/db"), link("root", base_url=None, link_type="root")],
        "two": [child("db", f"{script.url}/db"), child("more", f"{script.url}/more")],
        "file": [child("db", "ftp://h.org/")],
    }
    for name, links in indexes.items():
        script.answers[f"/{name}/v1/links"] = [Answer({"data": links})]
    script.answers["/gone/v1/links"] = [Answer({}, 500)]
    script.answers["/db/v1/structures"] = [Answer({"data": [entry("a")]})]

    found = [r.material_id for r in open_source("optimade:one?max=1").records()]
    assert found == ["a"]
    before = len(script.asked)
    assert len(list(open_source("optimade:one").records())) == 1
    assert len(script.asked) == before  # not even the list of providers
    for name, reason in [
        ("two", r"has 2 databases; give a base URL instead: http.*/db, http.*/more"),
        ("none", "has no OPTIMADE server"),
        ("gone", "Invalid response.*try again later"),
        ("file", r"gives 'ftp://h.org', which is no http URL"),
    ]:
        with pytest.raises(SourceError, match=reason):
            list(open_source(f"optimade:{name}").records())


# --------------------------------------------------------------------------------------- specs


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "give a provider"),
        ("?max=3", "give a provider"),
        ("ftp://h.org", "no http or https URL"),
        ("file:///etc/passwd", "no http or https URL"),
        ("http://", "no http or https URL"),
        ("http://user:secret@h.org", "must not hold a password"),
        ("cod?filtre=x", "field 'filtre' is unknown; did you mean 'filter'"),
        ("cod?max=0", "field 'max'"),
        ("cod?max=1&max=2", "'max' is given twice"),
        ("cod?page_limit=100000", "field 'page_limit'"),
    ],
)
def test_unusable_specs(spec, reason):
    with pytest.raises(ScreenError, match=reason) as raised:
        open_source(f"optimade:{spec}")
    assert "secret" not in str(raised.value)


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optimade", None)
    with pytest.raises(SourceError, match=r"pip install 'matscreen\[optimade\]'"):
        open_source("optimade:cod")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"dimension_types": None}, None),
        ({"nsites": None}, None),
        ({"dimension_types": None, "nperiodic_dimensions": None}, "in which dimensions"),
        ({"dimension_types": None, "nperiodic_dimensions": 2}, "in which dimensions"),
    ],
)
def test_what_a_server_need_not_state(script, changes, error):
    """The specification lets a server leave out nearly everything."""
    script.pages([entry("a", **changes)])
    (record,) = open_source(f"optimade:{script.url}").records()
    if error is None:
        assert record.content is not None
        assert len(record.content) == 2
    else:
        assert error in str(record.error)


def test_the_space_group_of_an_entry_is_compared(script):
    script.pages([entry("a", space_group_it_number=186)])
    (record,) = open_source(f"optimade:{script.url}").records()
    assert "space group 186" in str(contradiction(record.content, record.properties, 225))
