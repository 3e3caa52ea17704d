"""`matscreen plot`: which figure of what, and one sentence where there is none."""

from __future__ import annotations

import pytest
from view_fixtures import create, store

from screening.figures.plot import plot
from screening.messages.errors import ScreenError
from screening.ranking.cache import cached_ranking


@pytest.fixture
def draw(views_database, tmp_path):
    """Draw into an empty folder: ``draw(target, kind)``."""

    def draw(target, kind=None, name="figure.svg", campaign=None, width_mm=85.0):
        return plot(views_database, target, kind, tmp_path / name, campaign, width_mm)

    return draw


def key_of(campaign):
    return cached_ranking(campaign)[0][0].candidate_id


@pytest.mark.parametrize("kind", ["bands", "dos", "kappa", "accumulation", "meshes"])
def test_a_conductor(draw, silicon_alone, tmp_path, kind):
    plotted = draw("Si", kind)
    assert (plotted.kind, plotted.of, plotted.campaign) == (kind, key_of(silicon_alone), "silicon")
    assert f"{kind} of {key_of(silicon_alone)}, campaign silicon" in (
        tmp_path / "figure.svg"
    ).read_text("utf-8")


@pytest.mark.parametrize("name", ["figure.png", "figure.PDF", "figure.svg"])
def test_without_a_kind_what_there_is(draw, silicon_alone, electrode, tmp_path, name):
    assert draw("mp-0", campaign="silicon", name=name).kind == "bands"
    assert draw(key_of(electrode), name=name).kind == "volume-change"
    assert draw("electrode", name=name).kind == "progress"
    assert draw("electrode", "map", name=name).of == "electrode"
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"target": "Si", "kind": "progress"}, "a picture of a campaign; possible: bands, dos"),
        ({"target": "Si", "kind": "volume-change"}, "it has no volume-change; possible: bands"),
        ({"target": "silicon", "kind": "kappa"}, "a candidate; possible: progress, parity, map"),
        ({"target": "silicon", "kind": "parity"}, "no figure parity: No result that was predicted"),
        ({"target": "Si", "kind": "band"}, "--kind 'band': unknown; did you mean 'bands'"),
        ({"target": "silicon", "kind": "trade-off"}, "it has no trade-off; possible: progress"),
        ({"target": "silicn", "kind": "map"}, "campaign 'silicn': unknown; did you mean 'silic"),
        ({"target": "Sj"}, "candidate 'Sj': unknown"),
        ({"target": "silico"}, "nor is it a campaign: did you mean 'silicon'"),
        ({"target": "Si", "campaign": "electrode"}, "'Si' is not in the pool of campaign 'elec"),
        ({"target": "Si", "campaign": "other"}, "campaign 'other': unknown"),
        ({"target": "Si", "name": "figure.jpg"}, "ends in .png, .svg or .pdf"),
        ({"target": "Si", "width_mm": 20.0}, "between 70 and 400 mm, not 20"),
        ({"target": "Si", "width_mm": float("nan")}, "between 70 and 400 mm"),
    ],
)
def test_what_is_not_there_is_said(draw, silicon_alone, electrode, tmp_path, asked, said):
    with pytest.raises(ScreenError, match=said):
        draw(**asked)
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_computed(database, tmp_path, silicon_document):
    structure = silicon_document.structure
    campaign, pick = create(database, "new", "lattice-thermal-conductivity", structure)
    with pytest.raises(ScreenError, match="not computed yet in campaign 'new'"):
        plot(database, "Si", None, tmp_path / "a.png", None, 85.0)
    with pytest.raises(ScreenError, match="no figure progress: No candidate has ended"):
        plot(database, "new", None, tmp_path / "a.png", None, 85.0)
    assert plot(database, "new", "map", tmp_path / "a.png", None, 85.0).kind == "map"
    database.picks.update_one({"_id": pick["_id"]}, {"$set": {"state": "failed"}})
    campaign.touch()
    with pytest.raises(ScreenError, match="has failed in campaign 'new'"):
        plot(database, "Si", None, tmp_path / "b.png", None, 85.0)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_a_candidate_in_several_campaigns(database, tmp_path, silicon_document):
    def drawn(campaign=None):
        return plot(database, "Si", "dos", tmp_path / "a.svg", campaign, 85.0).campaign

    structure = silicon_document.structure
    first, pick = create(database, "first", "lattice-thermal-conductivity", structure)
    store(first, pick, silicon_document)
    # The second one has no result of its own, the third shares that of the first.
    create(database, "second", "electrode-volume-change", structure)
    assert drawn() == "first"
    create(database, "third", "lattice-thermal-conductivity", structure)
    assert drawn() == "third"
    recipe = {"third_order": {"min_length_a": 5}}
    other, pick = create(
        database, "fourth", "lattice-thermal-conductivity", structure, recipe=recipe
    )
    store(other, pick, silicon_document)
    with pytest.raises(ScreenError, match=r"several campaigns \(fourth, third, first\); choose"):
        drawn()
    assert drawn("first") == "first"


def test_the_command(screen, database, tmp_path, silicon_document):
    campaign, pick = create(
        database, "new", "lattice-thermal-conductivity", silicon_document.structure
    )
    store(campaign, pick, silicon_document)
    answer = screen("plot", "Si", "--kind", "kappa", "-o", "kappa.png")
    assert (answer.status, answer.out) == (0, "")
    assert answer.err == f"kappa.png: kappa of {key_of(campaign)}, campaign 'new'\n"
    assert (tmp_path / "kappa.png").read_bytes().startswith(b"\x89PNG")
    answer = screen("plot", "Si", "-o", "kappa.gif")
    assert answer.status == 2
    assert answer.err.startswith("error: -o kappa.gif")
    assert len(answer.err.splitlines()) == 1
