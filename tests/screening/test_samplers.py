from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from screening.choosing.observations import Observations
from screening.choosing.samplers import SAMPLERS, SamplerConfig, build_sampler
from screening.choosing.surrogates import SurrogateConfig

RNG = np.random.default_rng(3)
IDS = [f"c{i:02d}" for i in range(40)]
FEATURES = RNG.normal(size=(40, 5))
VALUES = (FEATURES**2).sum(1)


def observations(n=0, infeasible=0, pending=0, values=VALUES, features=FEATURES, **more):
    """Take the first n candidates as observed, the next as infeasible, the next as pending."""
    stops = np.cumsum([n, infeasible, pending])
    failed, running = slice(stops[0], stops[1]), slice(stops[1], stops[2])
    return Observations(
        ids=IDS[:n],
        features=features[:n],
        values=values[:n],
        infeasible_ids=IDS[failed],
        infeasible_features=features[failed],
        pending_ids=IDS[running],
        pending_features=features[running],
        **more,
    )


def propose(seen, n, kind="expected-improvement", features=FEATURES, ids=IDS, seed=0, **config):
    sampler = build_sampler(SamplerConfig(kind=kind, **config))
    return sampler.propose(seen, list(ids), features, n, seed)


@pytest.mark.parametrize("kind", sorted(SAMPLERS))
class TestContract:
    """What every sampler of the table must do."""

    @settings(max_examples=8, deadline=None)
    @given(
        counts=st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 6)),
        n=st.integers(1, 45),
        spoil=st.sampled_from(["nothing", "nan", "constant", "nan column", "equal values"]),
        seed=st.integers(0, 2**31),
    )
    def test_distinct_new_and_repeatable(self, kind, counts, n, spoil, seed):
        features, values = FEATURES.copy(), VALUES
        if spoil == "nan":
            features[::3, 1] = np.nan
        elif spoil == "constant":
            features[:] = 1.0
        elif spoil == "nan column":
            features[:, 2] = np.nan
        elif spoil == "equal values":
            values = np.ones(40)
        if n > 3 and kind != "random":
            counts = (30, 3, 4)  # a batch refits for each pick: keep it small, but overfull
        seen = observations(*counts, values=values, features=features)
        first = propose(seen, n, kind, features, seed=seed)
        picked = [choice.candidate_id for choice in first]
        assert len(set(picked)) == len(picked) == min(n, 40 - sum(counts))
        assert not set(picked) & set(IDS[: sum(counts)])

        order = np.random.default_rng(seed).permutation(40)
        shuffled = propose(seen, n, kind, features[order], [IDS[i] for i in order], seed=seed)
        assert shuffled == first

    def test_pool_of_one_and_none(self, kind):
        for n_seen in (0, 1, 39):
            pool = slice(n_seen, n_seen + 1)
            seen = observations(n_seen)
            [choice] = propose(seen, 5, kind, FEATURES[pool], IDS[pool])
            assert choice.candidate_id == IDS[n_seen]
        assert propose(observations(40), 5, kind) == []
        assert propose(observations(3), 5, kind, np.empty((0, 5)), []) == []

    def test_everything_failed_so_far(self, kind):
        choices = propose(observations(0, infeasible=12), 4, kind)
        assert {c.reason for c in choices} <= {"space-filling", "random"}
        assert len(choices) == 4

    def test_repeated_ids_are_one_candidate(self, kind):
        choices = propose(observations(), 9, kind, FEATURES[[0, 1, 0, 1]], ["a", "b", "a", "b"])
        assert sorted(c.candidate_id for c in choices) == ["a", "b"]

    def test_seed_matters_at_the_start(self, kind):
        first = {propose(observations(), 1, kind, seed=seed)[0].candidate_id for seed in range(8)}
        assert len(first) > 3


@pytest.mark.parametrize("kind", ["expected-improvement", "greedy"])
@pytest.mark.parametrize("surrogate", ["gaussian-process", "random-forest"])
def test_model_finds_the_lowest_sooner_than_chance(kind, surrogate):
    config = {"kind": kind, "surrogate": SurrogateConfig(kind=surrogate, n_trees=30)}
    picked: list[int] = []
    for _ in range(16):
        seen = Observations(
            [IDS[i] for i in picked], FEATURES[picked], FEATURES[picked] @ [1, 1, 0, 0, 0]
        )
        [choice] = propose(seen, 1, **config)
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
    for wrong in ({"kind": "magic"}, {"initial": 0}, {"xi": -1}, {"batch": 3}):
        with pytest.raises(ValidationError):
            SamplerConfig.model_validate(wrong)
    with pytest.raises(ValueError, match="not finite"):
        Observations(["a"], np.ones((1, 2)), np.array([np.nan]))


def test_a_prior_decides_until_there_are_values():
    prior = {key: float(-i) for i, key in enumerate(IDS)}
    choices = propose(observations(prior=prior), 3)
    assert [each.candidate_id for each in choices] == ["c39", "c38", "c37"]
    assert {each.reason for each in choices} == {"prior"}


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_good_prior_finds_the_best_at_once(seed):
    noise = np.random.default_rng(seed).normal(scale=0.05, size=40)
    prior = {key: float(VALUES[i] + noise[i]) for i, key in enumerate(IDS)}
    chosen = [each.candidate_id for each in propose(observations(n=4, prior=prior), 3, seed=seed)]
    assert IDS[int(VALUES[4:].argmin()) + 4] in chosen


@settings(max_examples=10, deadline=None)
@given(known=st.sets(st.sampled_from(IDS)), n=st.integers(0, 8))
def test_a_prior_may_be_there_for_some_only(known, n):
    prior = {key: float(VALUES[IDS.index(key)]) for key in known}
    chosen = propose(observations(n=n, prior=prior), 4)
    assert len({each.candidate_id for each in chosen}) == 4
    assert all(np.isfinite(each.predicted_mean or 0) for each in chosen)


def test_a_prior_that_is_shifted_everywhere_is_corrected():
    """What matters is by how much it is wrong, which four results tell."""
    prior = {key: float(VALUES[i] + 7) for i, key in enumerate(IDS)}
    [choice] = propose(observations(n=4, prior=prior), 1)
    assert choice.predicted_mean == pytest.approx(VALUES[IDS.index(choice.candidate_id)], abs=0.2)


def test_improvement_a_force_call_prefers_the_cheap():
    def cost(ids):
        return np.array([1.0 if key in cheap else 100.0 for key in ids])

    seen = observations(n=10)
    first = propose(seen, 1)[0].candidate_id
    cheap = {key for key in IDS if key != first}
    sampler = build_sampler(SamplerConfig(cost_exponent=1.0))
    [choice] = sampler.propose(seen, IDS, FEATURES, 1, 0, cost)
    assert choice.candidate_id != first
    [same] = build_sampler(SamplerConfig()).propose(seen, IDS, FEATURES, 1, 0, cost)
    assert same.candidate_id == first
    with pytest.raises(ValidationError, match="needs a kind of improvement"):
        SamplerConfig(kind="greedy", cost_exponent=1.0)
