from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
import html
import json
import re

import pytest
import sample_views

from screening.messages.errors import ScreenError
from screening.pages import linked_names, page_text, plotly_text, report

WRITTEN = datetime.datetime(2026, 11, 22, 12, 30, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def documents():
    return sample_views.documents()


@pytest.fixture(scope="module")
def source(documents):
    details = {
        row.candidate_id: report.packed(sample_views.candidate(row).model_dump_json())
        for row in documents.rows[:10]
    }
    return report.page(documents, details, written=WRITTEN)


def unpacked(text: str) -> str:
    return gzip.decompress(base64.b64decode(text)).decode()


def holder(source: str, attribute: str) -> str:
    return re.search(rf"<script [^>]*{attribute}[^>]*>([^<]*)</script>", source)[1]


def programs(source: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", source, re.S)


def test_a_report_holds_the_documents_and_needs_nothing_else(source, documents):
    assert source.startswith(report.MARK)
    content = json.loads(unpacked(holder(source, 'id="documents"')))
    assert content["overview"] == documents.overview.model_dump(mode="json")
    assert content["rows"] == [row.model_dump(mode="json") for row in documents.rows]
    assert 'data-written="22 November 2026, 12:30 UTC"' in source
    first = documents.rows[0]
    view = json.loads(unpacked(holder(source, f'data-candidate="{first.candidate_id}"')))
    assert view == sample_views.candidate(first).model_dump(mode="json")
    assert unpacked(holder(source, 'id="plotly"')) == plotly_text()
    assert len(programs(source)) == len([name for name in linked_names() if name.endswith("js")])
    assert not re.search(r'(?:src|href)="(?!#|data:,)', source)


def test_its_policy_lets_its_own_programs_run_and_nothing_else(source):
    rules = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', source)[1])
    allowed = set(re.findall(r"'sha256-([^']*)'", rules))
    wanted = [*programs(source), plotly_text()]
    assert allowed == {
        base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in wanted
    }
    (script,) = [rule for rule in rules.split("; ") if rule.startswith("script-src")]
    assert "unsafe" not in script
    assert "default-src 'none'" in rules


def test_foreign_text_reaches_the_file_packed_only(source):
    assert sample_views.HOSTILE not in source
    assert "hacked" not in source


def test_a_hostile_name_cannot_leave_its_attribute(documents):
    key = f'x" onload="hacked {sample_views.HOSTILE}'
    overview = documents.overview.model_copy(update={"name": sample_views.HOSTILE})
    changed = report.CampaignDocuments(**{**vars(documents), "overview": overview})
    source = report.page(changed, {key: report.packed("{}")}, written=WRITTEN)
    assert sample_views.HOSTILE not in source
    assert 'onload="hacked' not in source


def test_the_programs_can_be_put_into_a_page():
    for name in ("index.html", *linked_names()):
        text = page_text(name)
        assert "\r" not in text
        if name != "index.html":
            assert "<!--" not in text
            assert not re.search("</(script|style)", text, re.I)


def test_the_programs_set_text_and_never_markup():
    for name in linked_names():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", page_text(name)
        )


def test_equal_documents_make_equal_files(source, documents):
    details = {
        row.candidate_id: report.packed(sample_views.candidate(row).model_dump_json())
        for row in documents.rows[:10]
    }
    assert report.page(documents, details, written=WRITTEN) == source


def test_the_forms_in_the_pages_are_those_of_the_views():
    from pydantic import BaseModel

    from screening.views import forms as documents

    written = {
        name: re.findall(r"@property \{.*\} (\w+)", fields)
        for name, fields in re.findall(
            r"@typedef \{object\} (\w+)\n(.*?)\*/", page_text("view_types.js"), re.S
        )
    }
    models = {
        name: list(each.model_fields)
        for name, each in vars(documents).items()
        if isinstance(each, type) and issubclass(each, BaseModel) and each.model_fields
    }
    models.pop("BaseModel", None)
    assert written == models


# ------------------------------------------------------------------------------ what is taken in


def test_the_computed_come_first_and_then_the_best_predictions(documents):
    rows = documents.rows
    computed = [row for row in rows if row.outcome != "predicted"]
    predicted = [row for row in rows if row.outcome == "predicted"]
    assert len(computed) == 24
    assert report.detailed_rows(rows, None) == computed + predicted[: report.PREDICTED_DETAILS]
    assert report.detailed_rows(rows, 3) == computed[:3]
    assert report.detailed_rows(rows, 0) == []


def test_details_stop_where_the_file_would_become_too_large():
    assert list(report._up_to(9e-6, iter(["abc", "defg", "hi", "j"]))) == ["abc", "defg", "hi"]
    assert list(report._up_to(1e-6, iter(["abc"]))) == []


# ------------------------------------------------------------------------------------- the file


def test_a_report_replaces_a_report_and_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    report.check_replaceable(path, force=False)
    path.write_text(f"{report.MARK}…")
    report.check_replaceable(path, force=False)
    path.write_text("my notes")
    with pytest.raises(ScreenError, match="exists and is no report; give another name, or --force"):
        report.check_replaceable(path, force=False)
    report.check_replaceable(path, force=True)
    with pytest.raises(ScreenError, match="is a folder"):
        report.check_replaceable(tmp_path, force=True)
    with pytest.raises(ScreenError, match="there is no folder"):
        report.check_replaceable(tmp_path / "none" / "report.html", force=True)


def test_of_large_pools_all_that_was_computed_is_told(new_campaign, work, monkeypatch):
    campaign = new_campaign(pool=10, budget=5, recipe={"unstable": ["Cu", "Ag"]})
    work(campaign)
    whole = report.documents_of(campaign).rows
    computed = [row.candidate_id for row in whole if row.outcome != "predicted"]
    assert len(computed) == 5
    monkeypatch.setattr(report, "MAX_ROWS", 7)
    rows = report.documents_of(campaign).rows
    assert [row.rank for row in rows] == sorted(row.rank for row in rows)
    assert [row.candidate_id for row in rows if row.outcome != "predicted"] == computed
    best = [row.candidate_id for row in whole if row.outcome == "predicted"][:2]
    assert [row.candidate_id for row in rows if row.outcome == "predicted"] == best


def test_a_campaign_that_changes_meanwhile_is_read_again(new_campaign, work, monkeypatch):
    campaign = new_campaign(pool=5, budget=2)
    work(campaign)
    read, times = report._documents_now, []

    def read_while_it_changes(campaign):
        found = read(campaign)
        times.append(found)
        if len(times) == 1:
            campaign.touch()
        return found

    monkeypatch.setattr(report, "_documents_now", read_while_it_changes)
    assert report.documents_of(campaign) is times[1]
    assert len(times) == 2


def test_the_command_writes_a_campaign(new_campaign, work, screen, tmp_path):
    campaign = new_campaign(budget=4, recipe={"unstable": ["Cu"]})
    work(campaign)
    answer = screen("report", campaign.name, "-o", "out.html")
    assert answer.status == 0, answer.err
    source = (tmp_path / "out.html").read_text("utf-8")
    content = json.loads(unpacked(holder(source, 'id="documents"')))
    assert content["overview"]["name"] == campaign.name
    assert content["total"] == 8
    assert len(content["rows"]) == 8
    assert source.count('<script type="text/plain" data-candidate') == 8
    assert (
        f"campaign '{campaign.name}', details of 4 computed candidates and 4 predicted"
        in answer.err
    )

    (tmp_path / "notes.html").write_text("mine")
    refused = screen("report", "-o", "notes.html")
    assert refused.status == 2
    assert (tmp_path / "notes.html").read_text() == "mine"
    assert screen("report", "-o", "notes.html", "--force", "--top", "0").status == 0
    assert (
        "data-candidate=" not in (tmp_path / "notes.html").read_text("utf-8").split("<script>")[0]
    )
    assert screen("report", "nothing").status == 2
