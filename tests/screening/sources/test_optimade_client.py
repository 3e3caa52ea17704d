"""Pages of a server of OPTIMADE that misbehaves: waited for, kept, and told when incomplete."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys

import pytest
from optimade_server import REASON, Answer, Script, entry

from screening.sources import SourceError, open_source, optimade_client

pytest.importorskip("optimade", reason=REASON)
pytestmark = pytest.mark.usefixtures("directory")


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
    monkeypatch.setattr(optimade_client, "TRIES", 2)
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
    pages = optimade_client.Pages("x", None, str)
    link = pages._same_host("https://h.org/v1/structures", "http://h.org/v1/structures?page=2")
    assert link == "https://h.org/v1/structures?page=2"


def test_page_that_never_ends(script, monkeypatch):
    monkeypatch.setattr(optimade_client, "LARGEST_PAGE_BYTES", 2**20)
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
    monkeypatch.setattr(optimade_client, "TRIES", 1)
    script.server.shutdown()
    script.server.server_close()
    with pytest.raises(SourceError, match=r"cannot be reached .*run the command again later"):
        names(script)


def test_folder_that_cannot_be_written(script, directory):
    script.pages([entry("a")])
    directory.write_text("a file")
    with pytest.raises(SourceError, match=r"cannot be kept in .*set SCREEN_DIRECTORY"):
        names(script)
