"""The program itself: its name, its help, what there is to choose from; without a database."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import pytest

from screening.choosing.samplers import SAMPLERS
from screening.cli.plugins import POINTS
from screening.cli.program import app
from screening.exports import FORMS
from screening.machine import plugins
from screening.targets.objectives import candidate_figures
from screening.views.campaign_figures import FIGURES


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the program in this process, called by a path; return what it printed."""

    def run(*arguments: str, program: str = "matscreen") -> str:
        monkeypatch.setattr("sys.argv", [f"/somewhere/bin/{program}", *arguments])
        # As a script, and not by ``python -m``, as pytest may have been called.
        monkeypatch.setattr(sys.modules["__main__"], "__package__", None, raising=False)
        with pytest.raises(SystemExit) as ended:
            app()
        assert not ended.value.code
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("program", ["screen", "matscreen"])
def test_the_usage_has_the_name_that_was_called(run, program):
    assert run("--help", program=program).startswith(f"Usage: {program} [OPTIONS] COMMAND")
    assert run("rank", "--help", program=program).startswith(f"Usage: {program} rank [OPTIONS]")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("replay", SAMPLERS.names()),
        ("export", FORMS.names()),
        ("plot", list(candidate_figures())),
        ("plot", FIGURES.names()),
    ],
)
def test_the_help_of_an_option_names_what_there_is(run, command, names):
    # Names may be broken at the end of a line.
    text = "".join(run(command, "--help").split())
    assert len(names) > 1
    assert ",".join(names) in text
    assert "<screening." not in text


def test_every_extension_point_is_listed(run):
    rows = json.loads(run("plugins", "--format", "json"))
    assert {row["point"] for row in rows} == set(POINTS)
    assert all(row["name"] and row["help"] and row["from"] for row in rows)
    [crystal] = [
        row for row in rows if (row["point"], row["name"]) == ("candidate-kinds", "crystal")
    ]
    assert crystal["from"] == "matscreen"
    assert crystal["path"] == "screening.candidates.crystal_kind:CRYSTAL"


def test_plug_ins_of_other_packages_say_where_they_come_from(run, monkeypatch):
    group = "matscreen.candidate_kinds"
    offered = [
        EntryPoint("oligomer", "chains.kinds:OLIGOMER", group),
        EntryPoint("salt", "screening.candidates.crystal_kind:CRYSTAL", group),
    ]
    of_kinds = {entry.name: entry.value for entry in offered}
    monkeypatch.setattr(
        plugins, "_offered", lambda group, _: of_kinds if "candidate" in group else {}
    )
    rows = json.loads(run("plugins", "candidate-kinds", "--format", "json"))
    names = [row["name"] for row in rows]
    assert names == ["crystal", "polymer", "family", "ordering", "alloy", "oligomer", "salt"]
    oligomer = rows[names.index("oligomer")]
    assert oligomer["from"] == "chains"
    assert "cannot be imported" in oligomer["help"]
    assert "oligomer" in run("plugins", "candidate-kinds")
