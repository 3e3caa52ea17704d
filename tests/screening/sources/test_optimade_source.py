"""OPTIMADE against its reference server, and against a server that misbehaves on order."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from screening.candidates.consistency import contradiction
from screening.messages.errors import ScreenError
from screening.sources import SourceError, open_source
from screening.sources import optimade_client as optimade_pages

REASON = "pip install 'matscreen[optimade]'"
pytest.importorskip("optimade", reason=REASON)

SALT = {
    "elements": ["Cl", "Na"],
    "nelements": 2,
    "elements_ratios": [0.5, 0.5],
    "chemical_formula_descriptive": "NaCl",
    "chemical_formula_reduced": "ClNa",
    "chemical_formula_anonymous": "AB",
    "dimension_types": [1, 1, 1],
    "nperiodic_dimensions": 3,
    "lattice_vectors": [[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]],
    "cartesian_site_positions": [[0, 0, 0], [2.82, 2.82, 2.82]],
    "nsites": 2,
    "species": [
        {"name": "Na", "chemical_symbols": ["Na"], "concentration": [1.0]},
        {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0]},
    ],
    "species_at_sites": ["Na", "Cl"],
    "structure_features": [],
    "last_modified": "2023-01-01T00:00:00Z",
    "immutable_id": None,
}


def entry(name: str, **changes: Any) -> dict[str, Any]:
    return {"id": name, "type": "structures", "attributes": SALT | changes}


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREEN_DIRECTORY", str(tmp_path / "screen"))
    # A proxy of the machine's must not be asked for its own addresses.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "screen"


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


# -------------------------------------------------------------------- a server that misbehaves


@dataclass
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection before the body is whole."""


class Script:
    """A server on this machine that gives the answers it was told, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.times: list[float] = []
        self.open = threading.Event()
        self.closed_path: str | None = None
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.asked.append(self.path)
                script.times.append(time.monotonic())
                path = self.path.partition("?")[0]
                if path == script.closed_path:
                    script.open.wait(300)
                answers = script.answers[path]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                body = answer.body
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if answer.cut else data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def pages(self, *pages: list[Any]) -> None:
        """Serve pages of entries, each linked to the next."""
        paths = ["/v1/structures", *(f"/page/{number}" for number in range(2, len(pages) + 1))]
        for path, data, following in zip(paths, pages, [*paths[1:], None], strict=True):
            body: dict[str, Any] = {"data": data, "links": {"next": following}, "meta": {}}
            self.answers[path] = [Answer(body)]

    def first(self, *answers: Answer) -> None:
        """Give these before what is served at the first page."""
        self.answers["/v1/structures"] = [*answers, *self.answers.get("/v1/structures", [])]


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.open.set()
    script.server.shutdown()
    script.server.server_close()


def names(script: Script, query: str = "") -> list[str]:
    return [r.material_id for r in open_source(f"optimade:{script.url}{query}").records()]


THREE = ([entry("a"), entry("b")], [entry("c"), entry("d")], [entry("e")])


def test_records_come_as_pages_arrive_and_no_page_more_than_needed(script):
    script.pages(*THREE)
    records = open_source(f"optimade:{script.url}?max=4").records()
    assert next(records).material_id == "a"
    assert len(script.asked) == 1
    assert [r.material_id for r in records] == ["b", "c", "d"]
    assert len(script.asked) == 2
    assert names(script) == list("abcde")
    assert len(script.asked) == 3
    assert names(script, "?max=1") == ["a"]
    assert len(script.asked) == 3


def test_a_killed_download_goes_on(script, directory):
    script.pages(*THREE)
    script.closed_path = "/page/3"
    code = (
        "import sys; from screening.sources import open_source\n"
        "for record in open_source(sys.argv[1]).records(): print(record.material_id, flush=True)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, f"optimade:{script.url}"], stdout=subprocess.PIPE, text=True
    )
    with first:
        assert [first.stdout.readline().strip() for _ in range(4)] == list("abcd")
        first.send_signal(signal.SIGKILL)
    assert first.returncode == -signal.SIGKILL
    script.open.set()
    before = list(script.asked)
    assert names(script) == list("abcde")
    assert script.asked[len(before) :] == ["/page/3"]
    script.server.shutdown()
    assert names(script) == list("abcde")


def test_damaged_page_is_fetched_again(script, directory):
    script.pages(*THREE)
    names(script)
    [folder] = (directory / "optimade").iterdir()
    page = folder / "page-0002.json.gz"
    page.write_bytes(page.read_bytes()[:30])
    assert names(script) == list("abcde")
    assert script.asked[3:] == ["/page/2"]
    assert json.loads(gzip.decompress(page.read_bytes()))["next"] == f"{script.url}/page/3"


def test_each_query_has_its_own_pages(script):
    script.pages([entry("a")])
    names(script)
    names(script, '?filter=elements HAS "Na" AND _x_text="a&b"&max=3')
    assert len(script.asked) == 2
    assert script.asked[1].endswith(
        "filter=elements%20HAS%20%22Na%22%20AND%20_x_text%3D%22a%26b%22"
    )


@pytest.mark.parametrize("status", [429, 503])
def test_waits_as_long_as_the_server_says(script, status):
    script.pages([entry("a")])
    script.first(Answer({}, status, {"Retry-After": "1"}))
    assert names(script) == ["a"]
    assert script.times[1] - script.times[0] >= 1


def test_waits_until_a_date_and_over_broken_connections(script):
    script.pages([entry("a")])
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    script.first(Answer({}, 503, past), Answer({"data": []}, cut=True))
    assert names(script) == ["a"]
    assert len(script.asked) == 3


def test_pause_between_pages(script):
    script.pages(*THREE[:2])
    script.answers["/v1/structures"][0].body["meta"]["request_delay"] = 0.5
    names(script)
    assert script.times[1] - script.times[0] >= 0.5


def test_gives_up_on_a_busy_server(script, monkeypatch):
    monkeypatch.setattr(optimade_pages, "TRIES", 2)
    script.first(Answer({}, 429, {"Retry-After": "0"}))
    with pytest.raises(SourceError, match=r"answers 429; run the command again later"):
        names(script)
    assert len(script.asked) == 2


def test_does_not_wait_for_hours(script):
    script.first(Answer({}, 503, {"Retry-After": "7200"}))
    with pytest.raises(SourceError, match="asks to wait 7200 s"):
        names(script)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest",
        "http://localhost:{port}/page/2",
        "http://127.0.0.1:1/page/2",
        "http://user@127.0.0.1:{port}/page/2",
        "file:///etc/passwd",
        "//example.org/v1/structures",
        "http://127.0.0.1:none/page/2",
    ],
)
@pytest.mark.parametrize("how", ["link", "object", "redirect"])
def test_links_to_another_server_are_refused(script, link, how):
    link = link.format(port=script.server.server_port)
    following = {"href": link} if how == "object" else link
    answer = Answer({"data": [entry("a")], "links": {"next": following}})
    script.first(Answer({}, 302, {"Location": link}) if how == "redirect" else answer)
    with pytest.raises(SourceError, match="is another server; where you trust"):
        names(script)
    assert len(script.asked) == 1


@pytest.mark.parametrize("how", ["link", "redirect"])
def test_links_that_are_no_url(script, how):
    link = "http://[::1"
    answer = Answer({"data": [entry("a")], "links": {"next": link}})
    script.first(Answer({}, 302, {"Location": link}) if how == "redirect" else answer)
    with pytest.raises(SourceError, match=r"Invalid IPv6 URL|is another server"):
        names(script)


def test_redirect_within_the_server(script):
    script.pages([entry("a")])
    script.answers["/moved"] = script.answers["/v1/structures"]
    script.answers["/v1/structures"] = [Answer({}, 301, {"Location": "/moved"})]
    assert names(script) == ["a"]


def left_out(script: Script, query: str = "") -> tuple[list[str], list[str]]:
    source = open_source(f"optimade:{script.url}{query}")
    return [record.material_id for record in source.records()], source.remarks()


@pytest.mark.parametrize(
    ("changes", "entries", "reason"),
    [
        # What the bodies of the three pages say beside their entries.
        ([{}, {}, {"links": {"next": "/page/2"}}], "abcde", "link of page 3 goes back"),
        (
            [{}, {}, {"links": {"next": {"href": "/v1/structures"}}}],
            "abcdeab",
            "link of page 4 goes back",
        ),
        ([{}, {"data": "first", "links": {"next": "/page/3"}}, {}], "ababe", "page 2 repeats"),
        (
            [{}, {"links": {"next": None}, "meta": {"more_data_available": True}}, {}],
            "abcd",
            "page 2 says that more entries follow, and gives no link",
        ),
        (
            [{}, {"links": {}, "meta": {"more_data_available": True}}, {}],
            "abcd",
            "page 2 says that more entries follow, and gives no link",
        ),
        ([{}, {"data": []}, {}], "abe", None),
        ([{"data": []}, {"data": [], "links": {"next": {"href": "3"}}}, {}], "e", None),
        (
            [{}, {"data": [], "links": {"next": "/page/404"}}, {}],
            "ab",
            "page 2 is empty, and after",
        ),
        ([{}, {}, {"meta": {"data_returned": 7}}], "abcde", "that 7 entries match, and gave 5"),
        ([{}, {}, {"meta": {"data_returned": 1}}], "abcde", None),
        ([{}, {}, {"meta": {"data_returned": True, "data_available": "7"}}], "abcde", None),
        ([{}, {}, {"meta": {"data_returned": 1, "data_available": 9}}], "abcde", "9 entries match"),
        ([{"links": []}, {}, {}], "ab", None),
        ([{"links": {"next": {"href": None}}}, {}, {}], "ab", None),
        ([{"meta": None}, {"meta": []}, {"meta": {"more_data_available": False}}], "abcde", None),
    ],
)
def test_an_incomplete_list_is_told(script, changes, entries, reason):
    script.pages(*THREE)
    script.answers["/page/404"] = [Answer(b"", status=404)]
    script.answers["/3"] = script.answers["/page/3"]
    for answers, change in zip(list(script.answers.values()), changes, strict=False):
        body = answers[0].body
        body |= change | ({"data": THREE[0]} if change.get("data") == "first" else {})
    for _ in ("fetched", "kept"):
        names_read, remarks = left_out(script)
        assert "".join(names_read) == entries
        if reason is None:
            assert remarks == []
        else:
            [remark] = remarks
            assert f"the list is incomplete, {len(entries)} entries read: " in remark
            assert reason in remark
            assert "delete " in remark


def test_what_is_available_counts_for_a_whole_database_only(script):
    script.pages(*THREE)
    script.answers["/page/3"][0].body["meta"] = {"data_available": 9}
    assert left_out(script, "?filter=nelements=2") == (list("abcde"), [])
    # Nor does it where the user wants no more.
    assert left_out(script, "?max=2") == (list("ab"), [])
    assert len(left_out(script)[1]) == 1


def test_empty_pages_that_link_on_for_ever_end(script):
    script.pages([entry("a")], [], [], [], [], [])
    script.answers["/page/6"][0].body["links"]["next"] = "/page/7"
    assert left_out(script) == (["a"], [])
    assert len(script.asked) == 4
    for answers in script.answers.values():
        answers[0].body["meta"] = {"more_data_available": True}
    found, [remark] = left_out(script, "?filter=nelements>0")
    assert found == ["a"]
    assert "the last 3 pages are empty, and say that more entries follow" in remark


@pytest.mark.parametrize("link", [["/page/2"], {"href": ["/page/2"]}, 7])
def test_a_link_that_is_no_text(script, link):
    script.pages(*THREE)
    script.answers["/v1/structures"][0].body["links"]["next"] = link
    with pytest.raises(SourceError, match="its link to the next page is no text but"):
        names(script)


def test_link_as_http_of_a_server_reached_by_https():
    pages = optimade_pages.Pages("x", None, str)
    link = pages._same_host("https://h.org/v1/structures", "http://h.org/v1/structures?page=2")
    assert link == "https://h.org/v1/structures?page=2"


def test_page_that_never_ends(script, monkeypatch):
    monkeypatch.setattr(optimade_pages, "LARGEST_PAGE_BYTES", 2**20)
    packed = gzip.compress(b" " * 2**23)
    script.first(Answer(packed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(SourceError, match="more than 1 MiB; add &page_limit=10"):
        names(script)


@pytest.mark.parametrize("body", [b"<html>", b"\xff", [], {"data": {}}, {"meta": {}}])
def test_answers_that_are_no_optimade(script, body):
    script.first(Answer(body))
    with pytest.raises(SourceError, match="no list of entries in JSON; is it OPTIMADE"):
        names(script)


def test_what_a_server_says_cannot_write_to_the_terminal(script):
    script.first(Answer({"errors": [{"detail": "bad\x1b[2J\nfilter"}]}, 400))
    with pytest.raises(SourceError, match=r"answers 400: bad \[2J filter; correct"):
        names(script)


def test_unreachable_server(script, monkeypatch):
    monkeypatch.setattr(optimade_pages, "TRIES", 1)
    script.server.shutdown()
    script.server.server_close()
    with pytest.raises(SourceError, match=r"cannot be reached .*run the command again later"):
        names(script)


def test_folder_that_cannot_be_written(script, directory):
    script.pages([entry("a")])
    directory.write_text("a file")
    with pytest.raises(SourceError, match=r"cannot be kept in .*set SCREEN_DIRECTORY"):
        names(script)


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
    from screening.candidates.refusal import RefusedError
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
    assert found[0].structure is None
    assert re.search(reason, found[0].error)
    assert "\n" not in found[0].error
    assert found[1].structure is not None
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
