"""The guides' extensions are a package outside this one, and cost the places that they say."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaign_fixtures import write_cifs
from doc_pages import fences, names_in, rows_after

from screening.cli.plugins import POINTS
from screening.machine import plugins
from screening.machine.plugins import imported

PAGE = "docs/extending.md"
AT_MOST = {
    "an engine": 1,
    "a source": 2,
    "a target": 3,
    "a curve of it": 2,
    "a figure of a campaign": 3,
    "a sampler": 2,
    "a surrogate": 2,
    "an export form": 2,
}
PLACES = {
    match[1]: (f"docs/{match[2]}", stated, names_in(places))
    for link, stated, places in rows_after(PAGE, "<!-- places -->")
    if (match := re.match(r"\[(.+)\]\(([^)#]+)", link))
}
"""By what is added: the page of its guide, the number of places, and the places."""


class Lab:
    """A package in a folder on the path of imports, installed as far as its entry points go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offered: dict[str, dict[str, str]] = {}

    def add(self, what: str) -> None:
        """Write the places of one extension as its guide shows them, and no others."""
        page, _, places = PLACES[what]
        shown = fences("python", "yaml", "toml", page=page)
        files = [place for place in places if f"file: {place}" in {each.label for each in shown}]
        for place in places:
            if place in files:
                [fence] = [fence for fence in shown if fence.label == f"file: {place}"]
                (self.folder / place).parent.mkdir(exist_ok=True)
                (self.folder / place).write_text(fence.text, "utf-8")
                continue
            modules = [file.removesuffix(".py").replace("/", ".") for file in files]
            [row] = [
                fence.text.partition("\n")[2]
                for fence in shown
                if fence.label == f"row: {place}" and any(name in fence.text for name in modules)
            ]
            self._add_row(place, row)
        self.forget()

    def _add_row(self, place: str, row: str) -> None:
        if place != "pyproject.toml":
            path = self.folder / place
            opened, _, rest = path.read_text("utf-8").rpartition(")")
            path.write_text(f"{opened}    {row.strip()},\n){rest}", "utf-8")
            return
        for group, entries in tomllib.loads(row)["project"]["entry-points"].items():
            self._offered.setdefault(group, {}).update(entries)
        # What an installer writes.
        installed = self.folder / "lab-0.1.dist-info"
        installed.mkdir(exist_ok=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 0.1\n")
        lines = [
            line
            for group, entries in self._offered.items()
            for line in (f"[{group}]", *(f"{name} = {path}" for name, path in entries.items()))
        ]
        (installed / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def forget(self) -> None:
        """Do what a new process does: see what is there now."""
        plugins._offered.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
            del sys.modules[name]
        sys.path_importer_cache.clear()


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files change within a second
    monkeypatch.syspath_prepend(tmp_path)
    yield lab
    lab.forget()


@pytest.mark.parametrize("what", AT_MOST)
def test_an_extension_takes_as_many_places_as_the_table_says(what, lab):
    _, stated, places = PLACES[what]
    assert int(stated) == len(places) <= AT_MOST[what]
    if what == "a curve of it":
        lab.add("a target")  # whose objective gets a row
    lab.add(what)


def test_the_table_has_every_extension():
    assert set(PLACES) == set(AT_MOST)


def test_the_page_lists_every_extension_point():
    rows = rows_after(PAGE, "<!-- points -->")
    assert sorted(names_in(row[0])[0] for row in rows) == sorted(
        imported(path).group for path in POINTS.values()
    )
    for _, what_it_is, _, _, suite in rows:
        assert imported(names_in(what_it_is)[0])
        if not suite.startswith("none"):
            assert imported(f"screening.testing.{names_in(suite)[0]}")


def test_an_engine_is_a_yaml(lab, tmp_path):
    from pymatgen.core import Lattice, Structure

    from screening.targets.engines import build_engine, engine_config, require_engine

    lab.add("an engine")
    config = engine_config(str(tmp_path / "lab" / "argon.yaml"))
    require_engine(config)
    argon = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.26), ["Ar"], [[0, 0, 0]])
    argon.translate_sites([0], [0.1, 0, 0], frac_coords=False)
    [forces] = build_engine(config).forces([argon])
    assert forces[0][0] < -1e-3  # back to where it was


def test_a_source_by_its_name(lab, screen, tmp_path):
    lab.add("a source")
    # Of all engines that know these elements, the one that loads soonest.
    engine = tmp_path / "soon.yaml"
    engine.write_text("{name: soon, calculator: ase.calculators.lj.LennardJones}")
    target = ("submit", "--target", "low-kappa-slack", "--engine", engine, "--dry-run")
    answer = screen(*target, "--source", "oxides")
    assert answer.status == 0, answer.err
    assert "2 entries read, 2 candidates" in answer.out + answer.err
    refused = screen(*target, "--source", "oxides:more")
    assert refused.status == 2
    assert "drop it" in refused.err


def test_a_sampler_and_a_surrogate_by_their_names(lab):
    from screening.choosing.config import SamplerConfig, build_sampler
    from screening.testing.sampler_contract import FEATURES, IDS, observations

    lab.add("a sampler")
    lab.add("a surrogate")
    stated = {
        "kind": "low-quantile",
        "quantile": 0.05,
        "initial": 3,
        "surrogate": {"kind": "mean"},
    }
    sampler = build_sampler(SamplerConfig.model_validate(stated))
    seen = observations(10)
    proposals = sampler.propose(seen, list(IDS), FEATURES, 3, seed=1)
    assert [proposal.reason for proposal in proposals] == ["low-quantile"] * 3
    means = [proposal.predicted_mean for proposal in proposals]
    assert means == pytest.approx([np.mean(seen.values)] * 3)


@pytest.fixture
def volumes(lab, screen, database, work, tmp_path) -> Any:
    """A campaign of the guide's target, computed by the toy engine emt."""
    from screening.campaigns.campaign import Campaign

    lab.add("a target")
    crystals = write_cifs(tmp_path / "crystals", 1)
    target = ("--target", tmp_path / "lab" / "volume.yaml", "--engine", "emt")
    answer = screen("submit", *target, "--source", crystals, "--budget", 1, "--name", "volumes")
    assert answer.status == 0, answer.err
    lab.forget()  # a worker is another process, and knows what the database says
    campaign = Campaign.open(database, "volumes")
    work(campaign)
    return campaign


def test_a_target_its_curve_a_figure_and_a_form(volumes, lab, screen, tmp_path):
    assert volumes.config.model_dump()["objective"] == "lab.objectives:VOLUME"
    ranking = screen("rank", "volumes", "--format", "json")
    assert ranking.status == 0, ranking.err
    [row] = json.loads(ranking.out)
    assert row["formula"] == "Al"
    assert 10 < row["volume_a3_per_atom"] < 25
    assert screen("show", "Al").out.count("volume = ") == 1

    for what, words, wanted in (
        ("a curve of it", ("plot", "Al", "--kind", "relaxation"), "out.svg"),
        ("a figure of a campaign", ("plot", "volumes", "--kind", "success"), "out.svg"),
        ("an export form", ("export", "volumes", "--as", "ids"), "out.txt"),
    ):
        before = screen(*words, "-o", wanted)
        assert before.status == 2, f"{what} is there before it is added"
        lab.add(what)
        answer = screen(*words, "-o", wanted)
        assert answer.status == 0, answer.err
        assert (tmp_path / wanted).stat().st_size > 0
        (tmp_path / wanted).unlink()
