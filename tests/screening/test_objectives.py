"""Objectives: the model scale and what fits on it."""

from __future__ import annotations

import math

import pytest

from screening.machine.plugins import imported
from screening.messages.errors import ScreenError
from screening.targets.objectives import OBJECTIVES, objective
from workflows.target import TargetMaker


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_row_names_things_that_exist(name):
    row = OBJECTIVES.load(name)
    assert row.name == name
    recipe = imported(row.recipe)()
    assert isinstance(imported(row.maker)(engine=None, recipe=recipe), TargetMaker)


@pytest.mark.parametrize("path", ["lab_of_tests.makers.Maker", "lab_of_tests.makers:Maker"])
def test_a_module_that_cannot_be_imported_says_what_is_missing(path, tmp_path, monkeypatch):
    (tmp_path / "lab_of_tests").mkdir()
    (tmp_path / "lab_of_tests" / "__init__.py").touch()
    (tmp_path / "lab_of_tests" / "makers.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        imported(path)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("logarithmic", [True, False])
def test_lower_is_better_on_the_model_scale(direction, logarithmic):
    from dataclasses import replace

    row = replace(objective("lattice-thermal-conductivity", direction), logarithmic=logarithmic)
    better, worse = (1.0, 50.0) if direction == "minimize" else (50.0, 1.0)
    assert row.to_model(better) < row.to_model(worse)
    for value in (better, worse):
        assert row.from_model(row.to_model(value)) == pytest.approx(value)


def test_an_error_bar_on_a_logarithmic_scale():
    row = objective("lattice-thermal-conductivity", "minimize")
    step = row.to_model(10.1) - row.to_model(10.0)
    assert row.std_to_model(10.0, 0.1) == pytest.approx(step, rel=0.01)
    assert row.std_to_model(10.0, None) == 0.0


@pytest.mark.parametrize(
    ("value", "outcome", "usable"),
    [
        (2.0, "computed", True),
        (0.0, "computed", False),
        (-1.0, "computed", False),
        (math.nan, "computed", False),
        (math.inf, "computed", False),
        (None, "computed", False),
        (2.0, "unstable", False),
    ],
)
def test_what_the_surrogate_can_use(value, outcome, usable):
    row = objective("lattice-thermal-conductivity", "minimize")
    result = {row.value_field: value, "outcome": outcome}
    assert row.is_usable(result) is usable


def test_an_unknown_objective_is_answered_with_the_known_ones():
    with pytest.raises(ScreenError, match=r"objective 'taste': unknown; known: .*conductivity"):
        objective("taste", "minimize")


def test_an_objective_by_import_path_is_known_by_it():
    named = objective("toy_objective:TOY", "maximize")
    assert (named.name, named.direction) == ("toy_objective:TOY", "maximize")
    with pytest.raises(ScreenError, match="'toy_objective:TASTE': cannot be imported"):
        objective("toy_objective:TASTE", "minimize")


def test_results_of_a_package_that_is_not_installed_are_still_shown():
    from screening.cli.show import _finding

    result = {"objective": "gone.targets:TASTE", "outcome": "computed", "engine": "emt"}
    assert _finding(result) == "computed, emt: no value"
