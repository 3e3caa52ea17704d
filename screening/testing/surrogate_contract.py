"""What every surrogate must do, as tests that its author inherits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from screening.choosing.config import SurrogateConfig, build_surrogate
from screening.choosing.feature_scaling import FeatureScaling
from screening.choosing.surrogates import SURROGATES, Surrogate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POOL = np.random.default_rng(0).normal(size=(60, 6))
VALUES = POOL[:, 0] + 0.3 * POOL[:, 1] ** 2
SCALED = FeatureScaling.of(POOL)(POOL)


class SurrogateContract:
    """Inherit from this in a test file, and say which surrogate is meant::

        from screening.testing.surrogate_contract import SurrogateContract

        class TestMySurrogate(SurrogateContract):
            @pytest.fixture
            def kind(self):
                return "my_package.surrogates:MySurrogate"

    pytest then runs every test below.  Override `options` to give it settings of its own.
    """

    @pytest.fixture
    def kind(self) -> str:
        """Return the surrogate's name or import path."""
        raise NotImplementedError("override the fixture 'kind'")

    @pytest.fixture
    def options(self) -> dict[str, Any]:
        """Return what its options are told."""
        return {}

    @pytest.fixture
    def config(self, kind: str, options: dict[str, Any]) -> SurrogateConfig:
        """Return the options, checked."""
        return SurrogateConfig.model_validate({"kind": kind, **options})

    def test_the_plug_in_describes_itself(self, kind: str) -> None:
        plug_in = SURROGATES.load(kind)
        assert plug_in.name
        assert plug_in.help.endswith(".")
        assert issubclass(plug_in.Options, SurrogateConfig)

    def test_an_unknown_option_is_refused(self, kind: str) -> None:
        with pytest.raises(ValidationError):
            SurrogateConfig.model_validate({"kind": kind, "no_such_option": 1})

    def test_it_learns(self, config: SurrogateConfig) -> None:
        mean, std = _fitted(config).predict(SCALED[30:])
        assert mean.shape == std.shape == (30,)
        assert (std >= 0).all()
        assert np.corrcoef(mean, VALUES[30:])[0, 1] > 0.7
        assert np.abs(mean - VALUES[30:]).mean() < 0.7 * VALUES.std()

    def test_it_repeats_itself(self, config: SurrogateConfig) -> None:
        first, again = (_fitted(config).predict(SCALED) for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_each_candidate_is_predicted_by_itself(self, config: SurrogateConfig) -> None:
        surrogate = _fitted(config)
        mean, std = surrogate.predict(SCALED)
        alone = surrogate.predict(SCALED[[50, 7]])
        np.testing.assert_allclose(alone, (mean[[50, 7]], std[[50, 7]]), atol=1e-9)

    def test_it_follows_shift_and_scale(self, config: SurrogateConfig) -> None:
        mean, std = _fitted(config).predict(SCALED)
        moved, widened = _fitted(config, values=1e3 + 50 * VALUES).predict(SCALED)
        np.testing.assert_allclose(moved, 1e3 + 50 * mean, rtol=1e-2)
        assert np.corrcoef(widened, std)[0, 1] > 0.9
        assert widened.mean() == pytest.approx(50 * std.mean(), rel=0.1)

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_few_values_will_do(self, config: SurrogateConfig, count: int) -> None:
        assert np.isfinite(_fitted(config, count).predict(SCALED)).all()

    def test_equal_values_will_do(self, config: SurrogateConfig) -> None:
        mean, std = _fitted(config, values=np.full(60, 2.5)).predict(SCALED)
        np.testing.assert_allclose(mean, 2.5, atol=1e-6)
        assert np.isfinite(std).all()

    def test_repeated_and_constant_features_will_do(self, config: SurrogateConfig) -> None:
        for features in (np.repeat(SCALED[:15], 2, axis=0), np.zeros((30, 1))):
            surrogate = build_surrogate(config, 1)
            surrogate.fit(features, VALUES[:30], None)
            assert np.isfinite(surrogate.predict(features)).all()

    def test_a_noisy_result_counts_less(self, config: SurrogateConfig) -> None:
        values = VALUES.copy()
        values[7] += 10.0
        errors = np.full(30, 0.01)
        trusted, _ = _fitted(config, values=values, value_std=errors).predict(SCALED[7:8])
        errors[7] = 20.0
        doubted, _ = _fitted(config, values=values, value_std=errors).predict(SCALED[7:8])
        assert abs(doubted[0] - VALUES[7]) < abs(trusted[0] - VALUES[7])

    def test_an_unknown_error_bar_is_none(self, config: SurrogateConfig) -> None:
        unknown = _fitted(config, value_std=np.full(30, np.nan))
        np.testing.assert_array_equal(unknown.predict(SCALED), _fitted(config).predict(SCALED))

    def test_it_takes_in_more_values(self, config: SurrogateConfig) -> None:
        surrogate = _fitted(config, 10)
        before, _ = surrogate.predict(SCALED[40:])
        surrogate.update(SCALED[:40], VALUES[:40], None)
        after, _ = surrogate.predict(SCALED[40:])
        assert np.abs(after - VALUES[40:]).mean() < np.abs(before - VALUES[40:]).mean()
        assert surrogate.noise_std >= 0


def _fitted(
    config: SurrogateConfig,
    count: int = 30,
    values: Floats = VALUES,
    value_std: Floats | None = None,
) -> Surrogate:
    surrogate = build_surrogate(config, 1)
    surrogate.fit(SCALED[:count], values[:count], value_std)
    return surrogate
