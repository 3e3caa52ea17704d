"""The samplers that ship: the contract of all, and what is particular to each."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from screening.choosing.config import SamplerConfig, build_sampler
from screening.choosing.observations import Observations
from screening.choosing.samplers import SAMPLERS, reason_text
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from screening.testing.sampler_contract import (
    FEATURES,
    IDS,
    VALUES,
    SamplerContract,
    observations,
)

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "choosing.md"
GENERAL = [kind for kind in SAMPLERS.names() if kind != "convex-hull"]
"""Samplers for any objective; that for hulls has a file of its own."""
CHEAP = {"kind": "screening.testing.nearest_value:NearestValue"}


def propose(seen, n, kind="expected-improvement", features=FEATURES, ids=IDS, seed=0, **options):
    sampler = build_sampler(SamplerConfig.model_validate({"kind": kind, **options}))
    return sampler.propose(seen, list(ids), features, n, seed)


class TestBuiltIn(SamplerContract):
    @pytest.fixture(params=GENERAL)
    def kind(self, request):
        return request.param

    def test_the_seed_matters_at_the_start(self, sampler):
        picks = {
            sampler.propose(observations(), IDS, FEATURES, 1, seed)[0].candidate_id
            for seed in range(8)
        }
        assert len(picks) > 3


@pytest.fixture
def sampler_of_the_page(monkeypatch):
    """The sampler that the documentation writes."""
    module = types.ModuleType("sampler_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    example = re.search(r"```python\n(.*?class LowQuantile.*?)```", PAGE.read_text("utf-8"), re.S)
    exec(example[1], module.__dict__)
    return f"{module.__name__}:LowQuantile"


class TestDocumented(SamplerContract):
    @pytest.fixture
    def kind(self, sampler_of_the_page):
        return sampler_of_the_page


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(GENERAL),
    known=st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 6)),
    n=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
def test_picks_are_distinct_new_and_repeatable(kind, known, n, seed):
    seen = observations(*known)
    first = propose(seen, n, kind, seed=seed, surrogate=CHEAP)
    picked = [proposal.candidate_id for proposal in first]
    assert len(set(picked)) == len(picked) == min(n, 40 - sum(known))
    assert not set(picked) & set(IDS[: sum(known)])
    order = np.random.default_rng(seed).permutation(40)
    ids = [IDS[i] for i in order]
    assert propose(seen, n, kind, FEATURES[order], ids, seed, surrogate=CHEAP) == first


def test_everything_failed_so_far():
    for kind in GENERAL:
        proposals = propose(observations(0, infeasible=12), 4, kind)
        assert {proposal.reason for proposal in proposals} <= {"space-filling", "random"}
        assert len(proposals) == 4


@pytest.mark.parametrize("kind", ["expected-improvement", "greedy"])
def test_model_finds_the_lowest_sooner_than_chance(kind):
    picked: list[int] = []
    for _ in range(16):
        seen = Observations(
            [IDS[i] for i in picked], FEATURES[picked], FEATURES[picked] @ [1, 1, 0, 0, 0]
        )
        [choice] = propose(seen, 1, kind)
        picked.append(IDS.index(choice.candidate_id))
    assert int((FEATURES @ [1, 1, 0, 0, 0]).argmin()) in picked


def test_initial_picks_count_failures_and_pending():
    assert [c.reason for c in propose(observations(2, 1, 1), 3)] == [
        *("space-filling", "expected-improvement", "expected-improvement")
    ]
    assert [c.reason for c in propose(observations(1, 2, 2), 1)] == ["space-filling"]


def test_space_filling_spreads():
    clusters = np.repeat(np.eye(4) * 100, 10, axis=0) + 1e-3 * FEATURES[:, :4]
    chosen = propose(observations(), 4, features=clusters)
    assert {IDS.index(c.candidate_id) // 10 for c in chosen} == {0, 1, 2, 3}


def test_choices_explain_themselves():
    choices = propose(observations(10, infeasible=2), 3)
    best = choices[0]
    assert (best.reason, best.rank, best.fitted_on) == ("expected-improvement", 1, 10)
    assert best.predicted_std > 0
    assert 0 < best.probability_feasible < 1
    assert best.acquisition >= max(c.acquisition for c in choices[1:])
    assert len({c.rank for c in choices}) == 3
    [spread] = propose(observations(), 1)
    assert (spread.predicted_mean, spread.acquisition, spread.rank) == (None, None, None)


def test_pending_candidates_push_the_next_pick_away():
    # Two equally promising places; one of them is being computed already.
    line = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 7.0, 8.0, 1.02, 6.98])[:, None]
    ids = [f"x{i}" for i in range(9)]
    values = np.abs(line[:, 0] - 4.0) * -1.0
    seen = Observations(ids[2:5], line[2:5], values[2:5])
    free = propose(seen, 1, ids=ids, features=line, initial=1)[0].candidate_id
    i = ids.index(free)
    seen = Observations(
        ids[2:5], line[2:5], values[2:5], pending_ids=[free], pending_features=line[i : i + 1]
    )
    following = propose(seen, 1, ids=ids, features=line, initial=1)[0].candidate_id
    assert (line[ids.index(following)] < 4) != (line[i] < 4)


def test_infeasible_region_is_avoided():
    side = FEATURES[:, :2].copy()
    side[:, 0] = np.where(np.arange(40) % 2, 5.0, -5.0)
    values = np.ones(40) + 0.01 * VALUES
    bad = [i for i in range(12) if i % 2]
    good = [i for i in range(12) if not i % 2]
    seen = Observations(
        [IDS[i] for i in good],
        side[good],
        values[good],
        infeasible_ids=[IDS[i] for i in bad],
        infeasible_features=side[bad],
    )
    assert all(IDS.index(c.candidate_id) % 2 == 0 for c in propose(seen, 3, "greedy", side))


def test_config_and_values_are_checked():
    for wrong in ({"kind": "magic"}, {"kind": 3}, {"initial": 0}, {"xi": -1}, {"batch": 3}):
        with pytest.raises(ValidationError):
            SamplerConfig.model_validate(wrong)
    with pytest.raises(ValueError, match="not finite"):
        Observations(["a"], np.ones((1, 2)), np.array([np.nan]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"inital": 3}, "field 'inital' is unknown; did you mean 'initial'?"),
        ({"kind": "greedy", "xi": 0.3}, "field 'xi' is unknown; known: initial, kind, surrogate"),
        ({"kind": "gredy"}, "sampler 'gredy': unknown; did you mean 'greedy'?"),
        ({"kind": "no_such:Thing"}, "sampler 'no_such:Thing': cannot be imported"),
        ({"surrogate": {"kind": "gausian-process"}}, "did you mean 'gaussian-process'?"),
    ],
)
def test_a_wrong_option_is_named_with_what_was_meant(wrong, said):
    with pytest.raises(ScreenError) as raised:
        validated(SamplerConfig, wrong, "the sampler")
    assert said in str(raised.value)


@pytest.mark.parametrize("taken_away", [{"cost_exponent": 1.0}, {"kind": "random", "xi": 0.3}])
def test_options_that_a_sampler_has_not_are_refused(taken_away):
    with pytest.raises(ValidationError):
        SamplerConfig.model_validate({"kind": "expected-improvement", "initial": 4, **taken_away})


def test_a_sampler_of_another_package_is_found_by_its_path():
    path = "screening.choosing.random_sampler:RandomSampler"
    assert {proposal.reason for proposal in propose(observations(), 3, path)} == {"random"}
    assert reason_text(path, "random") == "drawn at random"
    assert reason_text("greedy", "promoted") == "promoted"


def test_a_prior_decides_until_there_are_values():
    prior = {key: float(-i) for i, key in enumerate(IDS)}
    choices = propose(observations(prior=prior), 3)
    assert [proposal.candidate_id for proposal in choices] == ["c39", "c38", "c37"]
    assert {proposal.reason for proposal in choices} == {"prior"}


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_good_prior_finds_the_best_at_once(seed):
    noise = np.random.default_rng(seed).normal(scale=0.05, size=40)
    prior = {key: float(VALUES[i] + noise[i]) for i, key in enumerate(IDS)}
    chosen = [
        proposal.candidate_id for proposal in propose(observations(4, prior=prior), 3, seed=seed)
    ]
    assert IDS[int(VALUES[4:].argmin()) + 4] in chosen


@settings(max_examples=5, deadline=None)
@given(known=st.sets(st.sampled_from(IDS)), n=st.integers(0, 8))
def test_a_prior_may_be_there_for_some_only(known, n):
    prior = {key: float(VALUES[IDS.index(key)]) for key in known}
    chosen = propose(observations(n, prior=prior), 4)
    assert len({proposal.candidate_id for proposal in chosen}) == 4
    assert all(np.isfinite(proposal.predicted_mean or 0) for proposal in chosen)


def test_a_prior_that_is_shifted_everywhere_is_corrected():
    """What matters is by how much it is wrong, which four results tell."""
    prior = {key: float(VALUES[i] + 7) for i, key in enumerate(IDS)}
    [choice] = propose(observations(4, prior=prior), 1)
    assert choice.predicted_mean == pytest.approx(VALUES[IDS.index(choice.candidate_id)], abs=0.2)
