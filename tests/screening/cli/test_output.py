"""What people see where it depends on the terminal or on how much there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from campaign_fixtures import toy_pool
from rich.console import Console

from screening.campaigns.flows import UNSUPPORTED
from screening.campaigns.throughput import throughput_of
from screening.cli import output
from screening.cli.fitted_table import Column
from screening.cli.intake import say_pool
from screening.cli.work import progress_line
from screening.intake.ingest import Refused
from screening.machine.clock import now
from screening.messages.refusal import Refusal
from screening.messages.stderr import counted
from screening.sources.record import same_entry


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (21, "21 entries")]
)
def test_numbers_have_their_plural(count, said):
    assert counted(count, "entry", "entries") == said


def test_many_refusals_are_summed_up(capsys):
    pool = toy_pool(1)
    symbols = ["Br", "Cd", "Cl", "F", "I", "K", "Li", "Na", "O", "Rb", "S"]
    pool.refused = [
        Refused("salt.cif", "", Refusal.of("it has {elements}", UNSUPPORTED, elements=[symbol]))
        for symbol in symbols * 3
    ]
    same = ("a.cif#2", "a.cif#3")
    pool.refused += [Refused(place, "", same_entry(f"x{place}")) for place in same]
    reasons = [Refusal.of(f"reason {letter}") for letter in "abcdefghijklmnopqrstu"]
    pool.refused += [Refused("b.cif", "", reason) for reason in reasons]
    pool.duplicates = 1
    say_pool(pool, "emt", kept=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "58 entries read, 1 candidate, 1 duplicate, 56 refused"
    assert lines[1] == (
        "  33 contain elements that engine 'emt' does not support "
        "(Br, Cd, Cl, F, I, K, Li, Na, O, Rb, …); first: salt.cif"
    )
    assert lines[2] == "  refused 2 ×: it is the same entry as …; first: a.cif#2"
    assert lines[3] == "  refused b.cif: reason a"
    assert lines[-1] == "  and 2 more reasons, kept with the campaign"
    say_pool(pool, "emt", kept=False)
    assert capsys.readouterr().err.splitlines()[-1] == "  and 2 more reasons"


@pytest.mark.parametrize(("width", "material"), [(80, False), (160, True)])
def test_a_narrow_ranking_keeps_the_ids(screen, new_campaign, work, monkeypatch, width, material):
    campaign = new_campaign("mine", pool=10, budget=3)
    work(campaign)
    monkeypatch.setattr(output, "stdout", lambda: Console(width=width))
    shown = screen("rank").out
    assert all(key in shown for key in campaign.pool_features())
    assert ("toy-Cu" in shown) is material
    assert max(map(len, shown.splitlines())) <= width


def test_brackets_in_foreign_names_are_brackets(capsys):
    columns = [Column("material", ["Fe[ii].cif", "x[/y]"])]
    output.print_fitting(columns, title="[bold]", caption="mine[0]")
    out = capsys.readouterr().out
    assert all(each in out for each in ("Fe[ii].cif", "x[/y]", "[bold]", "mine[0]"))


def test_the_terminal_has_the_time_left_that_status_has(new_campaign, work):
    campaign = new_campaign("mine", pool=8, budget=6, batch_size=3)
    work(campaign)
    progress = replace(campaign.progress(), exhausted=False, running=1, computed=3)
    snapshot = campaign.snapshot(rows=False, features=False)
    pace = throughput_of(snapshot, progress)
    assert pace.expected_end is not None
    left = (pace.expected_end - now()).total_seconds()
    assert pace.left_s == pytest.approx(left, abs=5)
    assert progress_line(campaign, progress, pace.left_s).endswith(
        f"about {output.duration(pace.left_s)} left"
    )
    assert replace(pace, expected_end=None).left_s is None
    # What takes longer than expected is not in the past.
    assert replace(pace, expected_end=campaign.created_at).left_s == 0
    assert "left" not in progress_line(campaign, progress)


def test_records_within_a_result_are_shown_by_both_names():
    from screening.cli.show import _plain_values

    record = {
        "snapshots": 4,
        "reason": "",
        "log_evidences": {"shape": 1.5},
        "steps": [{"snapshots": 1}],
        "blob": {"blob_uuid": "x", "store": "data"},
        "structure": {"@class": "Structure", "charge": 0},
    }
    assert list(_plain_values("few_shot", record)) == [
        ("few_shot.snapshots", 4),
        ("few_shot.log_evidences.shape", 1.5),
    ]
    assert list(_plain_values("cost", 2.0)) == [("cost", 2.0)]
