"""How far a campaign is, from what it knows."""

from __future__ import annotations

import datetime

import pytest
from snapshots import ids, snapshot_of

from screening.campaigns.progress import progress_of
from screening.campaigns.throughput import throughput_of
from screening.machine.clock import now

pytestmark = pytest.mark.usefixtures("toy")


def test_progress_counts_and_finds_the_best():
    keys = ids(12)
    states = ["computed", "computed", "computed", "unstable", "failed", "cancelled", "queued"]
    picks = {
        key: {"state": state, "wall_s": float(number)}
        for number, (key, state) in enumerate(zip(keys, states, strict=False), start=1)
    }
    results = dict(zip(keys, (5.0, 2.0, 3.0), strict=False))
    results[keys[-1]] = 0.1  # another campaign's, of a crystal of this pool
    results["elsewhere"] = 0.01
    progress = progress_of(snapshot_of(pool=12, budget=9, picks=picks, results=results))
    assert (progress.budget, progress.pool, progress.picked) == (9, 12, 7)
    assert (progress.computed, progress.unstable, progress.failed) == (3, 1, 1)
    assert (progress.cancelled, progress.queued, progress.running) == (1, 1, 0)
    assert progress.already_computed == 1
    assert progress.done == 6
    assert progress.rounds == 4
    assert (progress.best_value, progress.best_candidate) == (0.1, keys[-1])
    assert progress.mean_candidate_s == pytest.approx(4.0)
    assert not progress.exhausted


def test_the_best_of_a_maximisation_is_the_largest():
    results = dict(zip(ids(), (1.0, 2.0, 3.0), strict=False))
    assert progress_of(snapshot_of(results=results, direction="maximize")).best_value == 3.0


def test_a_value_that_makes_no_sense_is_nobodys_best():
    results = dict(zip(ids(), (-8.2, float("nan"), 4.0), strict=False))
    assert progress_of(snapshot_of(results=results)).best_value == 4.0


def test_a_new_campaign_is_not_exhausted():
    progress = progress_of(snapshot_of())
    assert not progress.exhausted
    assert (progress.done, progress.best_value, progress.mean_candidate_s) == (0, None, None)


CONFIRM = {"confirm": {"engine": "chgnet", "top": 2}}


@pytest.mark.parametrize(
    ("changes", "exhausted"),
    [
        ({"picks": ["failed"]}, False),
        ({"picks": ["failed", "queued"]}, False),
        ({"picks": ["failed", "unstable"]}, True),
        ({"picks": ["computed"], "known": 2}, True),
        ({"known": 3}, True),
        ({"known": 2}, False),
        ({"known": 3, **CONFIRM}, False),
        ({"known": 3, **CONFIRM, "promoted": True}, True),
        ({"known": 3, **CONFIRM, "promoted": True, "confirmation": "claimed"}, False),
    ],
)
def test_exhausted_when_nothing_is_in_flight_and_nothing_left(changes, exhausted):
    keys = ids(3)
    picks = dict(zip(keys, changes.pop("picks", []), strict=False))
    results = dict.fromkeys(keys[::-1][: changes.pop("known", 0)], 1.0)
    confirmation = changes.pop("confirmation", None)
    given = {} if confirmation is None else {"confirmation_picks": {keys[0]: confirmation}}
    snapshot = snapshot_of(pool=3, budget=2, picks=picks, results=results, **given, **changes)
    assert progress_of(snapshot).exhausted is exhausted


def test_the_end_is_expected_at_the_speed_of_late():
    hours = [now() - datetime.timedelta(hours=back) for back in (3, 2, 1)]
    finished = {
        key: {
            "state": "computed",
            "finished_at": at,
            "cost": 5,
            "cost_unit": "force calls",
            "lost": 1,
        }
        for key, at in zip(ids(), hours, strict=False)
    }
    picks = {**finished, ids()[3]: {"state": "queued", "attempts": 2}}
    snapshot = snapshot_of(budget=6, picks=picks, running=1)
    throughput = throughput_of(snapshot, progress_of(snapshot))
    assert throughput.candidates_per_hour == pytest.approx(2 / 3, abs=0.01)
    left = throughput.expected_end - snapshot.read_at
    assert left.total_seconds() == pytest.approx(4.5 * 3600, rel=0.01)
    assert (throughput.lost, throughput.retried, throughput.cost) == (3, 1, 15)
    halted = snapshot_of(budget=6, picks=picks)
    assert throughput_of(halted, progress_of(halted)).expected_end is None
