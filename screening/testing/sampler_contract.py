"""What every sampler must do, as tests that its author inherits."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from screening.choosing.config import SamplerConfig, build_sampler
from screening.choosing.observations import Observations, Proposal
from screening.choosing.samplers import SAMPLERS, Sampler, reason_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

IDS = [f"c{number:02d}" for number in range(40)]
FEATURES = np.random.default_rng(3).normal(size=(40, 5))
VALUES = (FEATURES**2).sum(1)


def observations(
    valued: int = 0,
    infeasible: int = 0,
    pending: int = 0,
    features: Floats = FEATURES,
    values: Floats = VALUES,
    **more: Any,
) -> Observations:
    """Return the first candidates as having a value, the next as infeasible, then as pending."""
    stops = np.cumsum([valued, infeasible, pending])
    failed, running = slice(stops[0], stops[1]), slice(stops[1], stops[2])
    return Observations(
        ids=IDS[:valued],
        features=features[:valued],
        values=values[:valued],
        infeasible_ids=IDS[failed],
        infeasible_features=features[failed],
        pending_ids=IDS[running],
        pending_features=features[running],
        **more,
    )


class SamplerContract:
    """Inherit from this in a test file, and say which sampler is meant::

        from screening.testing.sampler_contract import SamplerContract

        class TestMySampler(SamplerContract):
            @pytest.fixture
            def kind(self):
                return "my_package.samplers:MySampler"

    pytest then runs every test below.  The surrogate is one that costs nothing; override
    `options` to give the sampler others, or settings of its own.
    """

    @pytest.fixture
    def kind(self) -> str:
        """Return the sampler's name or import path."""
        raise NotImplementedError("override the fixture 'kind'")

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        """Return what its options are told."""
        return {"initial": 3, "surrogate": {"kind": "screening.testing.nearest_value:NearestValue"}}

    @pytest.fixture
    def sampler(self, kind: str, options: dict[str, Any]) -> Sampler:
        """Return the sampler."""
        return build_sampler(SamplerConfig.model_validate({"kind": kind, **options}))

    def test_the_plug_in_describes_itself(self, kind: str) -> None:
        plug_in = SAMPLERS.load(kind)
        assert plug_in.name
        assert plug_in.help.endswith(".")
        assert issubclass(plug_in.Options, SamplerConfig)
        assert plug_in.reasons

    def test_an_unknown_option_is_refused(self, kind: str) -> None:
        with pytest.raises(ValidationError):
            SamplerConfig.model_validate({"kind": kind, "no_such_option": 1})

    def test_its_options_survive_storing(self, kind: str, options: dict[str, Any]) -> None:
        config = SamplerConfig.model_validate({"kind": kind, **options})
        assert SamplerConfig.model_validate(config.model_dump(mode="json")) == config

    @pytest.mark.parametrize("n", [1, 4, 50])
    @pytest.mark.parametrize("known", [(0, 0, 0), (0, 12, 0), (1, 1, 1), (9, 0, 3), (20, 9, 9)])
    def test_picks_are_distinct_and_new(
        self, sampler: Sampler, n: int, known: tuple[int, int, int]
    ) -> None:
        picks = _ids(sampler.propose(observations(*known), IDS, FEATURES, n, 0))
        assert len(set(picks)) == len(picks) == min(n, 40 - sum(known))
        assert set(picks) <= set(IDS[sum(known) :])

    @pytest.mark.parametrize("known", [(0, 0, 0), (9, 2, 3)])
    def test_the_same_seed_gives_the_same_picks_in_any_order(
        self, sampler: Sampler, known: tuple[int, int, int]
    ) -> None:
        seen = observations(*known)
        first = sampler.propose(seen, IDS, FEATURES, 3, 5)
        assert sampler.propose(seen, IDS, FEATURES, 3, 5) == first
        order = np.random.default_rng(1).permutation(40)
        shuffled = sampler.propose(seen, [IDS[i] for i in order], FEATURES[order], 3, 5)
        assert shuffled == first
        order = order[order < known[0]]
        seen = dataclasses.replace(
            seen,
            ids=[IDS[i] for i in order],
            features=FEATURES[order],
            values=VALUES[order],
        )
        assert sampler.propose(seen, IDS, FEATURES, 3, 5) == first

    @pytest.mark.parametrize(
        "spoilt", ["some NaN", "an infinity", "constant", "a column of NaN", "duplicates"]
    )
    def test_any_features_will_do(self, sampler: Sampler, spoilt: str) -> None:
        features = FEATURES.copy()
        if spoilt == "some NaN":
            features[::3, 1] = np.nan
        elif spoilt == "an infinity":
            features[4, 0] = np.inf
        elif spoilt == "constant":
            features[:] = 1.0
        elif spoilt == "a column of NaN":
            features[:, 2] = np.nan
        else:
            features[1::2] = features[::2]
        for known in ((0, 0, 0), (6, 2, 2)):
            seen = observations(*known, features=features)
            picks = _ids(sampler.propose(seen, IDS, features, 4, 0))
            assert len(set(picks)) == 4
            assert not set(picks) & set(IDS[: sum(known)])

    def test_equal_values_will_do(self, sampler: Sampler) -> None:
        seen = observations(8, values=np.ones(40))
        assert len(sampler.propose(seen, IDS, FEATURES, 2, 0)) == 2

    def test_error_bars_may_be_known_unknown_and_nil(self, sampler: Sampler) -> None:
        errors = np.array([0.1, np.nan, 0.0, 0.2, 0.1, np.nan])
        seen = observations(6, value_std=errors)
        assert len(sampler.propose(seen, IDS, FEATURES, 2, 0)) == 2

    def test_a_pool_of_one_and_of_none(self, sampler: Sampler) -> None:
        for count in (0, 1, 39):
            pool = slice(count, count + 1)
            picks = _ids(sampler.propose(observations(count), IDS[pool], FEATURES[pool], 5, 0))
            assert picks == [IDS[count]]
        assert sampler.propose(observations(40), IDS, FEATURES, 5, 0) == []
        assert sampler.propose(observations(3), [], np.empty((0, 5)), 5, 0) == []

    def test_repeated_ids_are_one_candidate(self, sampler: Sampler) -> None:
        rows = FEATURES[[0, 1, 0, 1]]
        picks = _ids(sampler.propose(observations(), ["a", "b", "a", "b"], rows, 9, 0))
        assert sorted(picks) == ["a", "b"]

    @pytest.mark.parametrize("n_known", [0, 1, 6])
    @pytest.mark.parametrize("every", [1, 3])
    def test_a_prior_may_be_there_for_some(
        self, sampler: Sampler, n_known: int, every: int
    ) -> None:
        prior = {IDS[i]: float(VALUES[i]) for i in range(0, 40, every)}
        proposals = sampler.propose(observations(n_known, prior=prior), IDS, FEATURES, 4, 0)
        assert len(set(_ids(proposals))) == 4

    def test_nothing_that_it_is_told_is_changed(self, sampler: Sampler) -> None:
        seen, features = observations(6, 2, 2), FEATURES.copy()
        for array in (seen.features, seen.values, features):
            array.setflags(write=False)
        ids = list(IDS)
        sampler.propose(seen, ids, features, 3, 0)
        assert ids == IDS

    def test_proposals_explain_themselves(self, kind: str, sampler: Sampler) -> None:
        prior = {key: float(value) for key, value in zip(IDS, VALUES, strict=True)}
        for seen in (observations(), observations(9, 2, 1), observations(0, prior=prior)):
            for proposal in sampler.propose(seen, IDS, FEATURES, 3, 0):
                assert reason_text(kind, proposal.reason) != proposal.reason
                assert 0 <= proposal.fitted_on <= len(seen.ids)
                assert set(proposal.neighbours) <= set(seen.ids)
                chance = proposal.probability_feasible
                assert chance is None or 0 <= chance <= 1
                for number in (
                    proposal.predicted_mean,
                    proposal.predicted_std,
                    proposal.acquisition,
                ):
                    assert number is None or math.isfinite(number)


def _ids(proposals: list[Proposal]) -> list[str]:
    return [proposal.candidate_id for proposal in proposals]
