"""Pages of a ranking: the rows of `matscreen rank`, sorted, searched and cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from screening.campaigns.config import SecondObjective
from screening.messages.errors import ScreenError
from screening.ranking import cache
from screening.ranking.cache import cached_ranking
from screening.targets.objectives import OBJECTIVES
from screening.views import ranking as ranking_module
from screening.views.ranking import bounds, find_row, ranking_page


@pytest.fixture
def campaign(computed):
    return computed


def ids(page):
    return [row.candidate_id for row in page.rows]


def test_pages_are_the_ranking(campaign, monkeypatch):
    rows, total = cached_ranking(campaign)
    whole = ranking_page(campaign, limit=100)
    assert whole.total == total == 25
    assert ids(whole) == [row.candidate_id for row in rows]
    assert [row.rank for row in whole.rows] == list(range(1, 26))
    pages = [ranking_page(campaign, offset=offset, limit=10) for offset in (0, 10, 20, 30)]
    assert [len(each.rows) for each in pages] == [10, 10, 5, 0]
    assert [key for each in pages for key in ids(each)] == ids(whole)
    assert {each.total for each in pages} == {25}


def test_the_first_page_reads_no_more_than_it_shows(campaign, monkeypatch):
    asked = []

    def watching(campaign, top=None):
        asked.append(top)
        return cached_ranking(campaign, top)

    monkeypatch.setattr(ranking_module, "cached_ranking", watching)
    ranking_page(campaign, offset=5, limit=5)
    assert asked == [10]


def test_a_prediction_has_its_bounds(campaign):
    page = ranking_page(campaign, outcome="predicted", limit=3)
    rows = {row.candidate_id: row for row in cached_ranking(campaign)[0]}
    for row in page.rows:
        std = rows[row.candidate_id].predicted_std
        assert row.predicted_low == pytest.approx(row.predicted_value / 10**std)
        assert row.predicted_high == pytest.approx(row.predicted_value * 10**std)
    computed = ranking_page(campaign, outcome="computed", limit=1).rows[0]
    assert computed.value_error == pytest.approx(0.1)


def test_bounds_are_in_order_where_large_is_good():
    upwards = replace(OBJECTIVES.load("lattice-thermal-conductivity"), direction="maximize")
    low, high = bounds(upwards, upwards.to_model(10.0), 0.5)
    assert (low, high) == pytest.approx((10 / 10**0.5, 10 * 10**0.5))


@pytest.mark.parametrize("sort", ["value", "predicted_value", "space_group_number", "label"])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_leaves_nothing_for_the_end(campaign, sort, descending):
    values = [
        row.facts[sort] if sort in row.facts else getattr(row, sort)
        for row in ranking_page(campaign, limit=100, sort=sort, descending=descending).rows
    ]
    known = [each for each in values if each is not None]
    assert known == sorted(known, reverse=descending)
    assert values == known + [None] * (25 - len(known))


def test_sorting_by_a_field_beside(campaign, monkeypatch):
    also = SecondObjective(field="max_frequency_thz", direction="maximize")
    config = campaign.config.model_copy(update={"second_objective": also})
    rows = [
        replace(
            row, shown_fields={"max_frequency_thz": None if row.rank == 3 else row.rank % 5 / 2}
        )
        for row in cached_ranking(campaign)[0]
    ]
    monkeypatch.setattr(campaign, "config", config)
    monkeypatch.setattr(ranking_module, "cached_ranking", lambda *_: (rows, len(rows)))
    page = ranking_page(campaign, sort="max_frequency_thz", descending=True)
    values = [row.shown_fields["max_frequency_thz"] for row in page.rows]
    assert values[-1] is None
    assert values[:-1] == sorted(values[:-1], reverse=True)
    # What is alike stays in the order of the ranking.
    assert [row.rank for row in page.rows][:5] == [4, 9, 14, 19, 24]


def test_the_whole_ranking_upside_down(campaign):
    up, down = (ranking_page(campaign, limit=100, descending=each) for each in (False, True))
    assert ids(down) == ids(up)[::-1]


def test_searching(campaign):
    rows = ranking_page(campaign, limit=100).rows

    def found(search):
        page = ranking_page(campaign, limit=100, search=search)
        assert page.total == len(page.rows)
        return {row.label for row in page.rows}

    assert found("  ") == {row.label for row in rows}
    assert found("aL3aG") == {"Al3Ag"}
    assert found("toy-Cu") == {row.label for row in rows if row.material_id.startswith("toy-Cu")}
    assert found("Ag,Cu") == {"Cu3Ag"}
    assert found("Cu, ") == {row.label for row in rows if "Cu" in row.label}
    assert found("no such crystal") == set()
    assert found(rows[3].candidate_id) == {rows[3].label}


def test_outcome_and_search_go_together(campaign):
    both = ranking_page(campaign, search="Cu,Ag").rows
    assert "Cu3Ag" in {row.label for row in both}
    for outcome in {row.outcome for row in both} | {"predicted", "computed"}:
        page = ranking_page(campaign, outcome=outcome, search="Cu,Ag")
        assert ids(page) == [row.candidate_id for row in both if row.outcome == outcome]
    assert [row.label for row in ranking_page(campaign, outcome="unstable").rows] == ["Cu3Pt"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sort": "valu"}, "did you mean 'value'"),
        ({"outcome": "comptued"}, "did you mean 'computed'"),
        ({"search": "Pb,Xx"}, "'Xx'"),
        ({"offset": -1}, "offset -1"),
        ({"limit": -5}, "limit -5"),
    ],
)
def test_what_is_unknown_is_said(campaign, wrong, said):
    with pytest.raises(ScreenError, match=said):
        ranking_page(campaign, **wrong)


def test_one_row_is_found_wherever_it_stands(campaign, monkeypatch):
    monkeypatch.setattr(cache, "PIECE", 3)
    monkeypatch.setattr(ranking_module, "PIECE", 3)
    cache.forget(campaign)
    for row in cached_ranking(campaign)[0]:
        assert find_row(campaign, row.candidate_id) == row
    with pytest.raises(ScreenError, match="'Xx-1-0' is not in the pool of 'toy-1'"):
        find_row(campaign, "Xx-1-0")
