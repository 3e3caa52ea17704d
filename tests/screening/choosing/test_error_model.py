"""Bias and spread of an engine's error, learned from a table and tried on families left out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from screening.choosing.error_model import MOST_WIDENED, ErrorModel

FAMILIES = 12


def table(seed=0, n=240, slope=0.0, bias=0.2, spread=0.1, outliers=0):
    """Return a table of known bias and spread."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n, 3))
    std = spread * np.ones(n) if np.isscalar(spread) else spread(features)
    errors = bias + slope * features[:, 0] + std * generator.normal(size=n)
    errors[:outliers] += 3.0
    families = [f"family {i % FAMILIES}" for i in range(n)]
    return SimpleNamespace(
        features=features,
        errors=errors,
        families=families,
        likeness=features[:, :2],
        known_std=np.full(n, 0.02),
        unstable=np.zeros(n, dtype=bool),
        shortfall=np.zeros(n),
    )


def asked(model, features, **changes):
    n = len(features)
    arguments = {
        "likeness": features[:, :2],
        "known_std": np.full(n, 0.02),
        "unstable": np.zeros(n, dtype=bool),
        "shortfall": np.zeros(n),
        "families": [""] * n,
    }
    return model(features, **(arguments | changes))


def fitted(**changes):
    return ErrorModel.fit(**vars(table(**changes)))


def test_bias_and_spread_are_those_of_the_table():
    found = asked(fitted(slope=0.3), np.array([[0.0, 0, 0], [1, 0, 0], [-1, 0, 0]]))
    assert found.bias == pytest.approx([0.2, 0.5, -0.1], abs=0.05)
    assert found.std == pytest.approx(0.1, rel=0.3)


def test_outliers_do_not_move_the_bias():
    found = asked(fitted(outliers=12), np.zeros((1, 3)))
    assert found.bias[0] == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("outliers", [0, 14])
def test_error_bars_hold_for_other_crystals(outliers):
    model = fitted(slope=0.2, outliers=outliers)
    new = table(seed=1, slope=0.2, n=600, outliers=35 if outliers else 0)
    found = asked(model, new.features)
    total = np.abs(new.errors) / found.total_std
    assert 0.60 <= (total <= 1).mean() <= 0.76
    assert (total <= 2).mean() >= 0.92
    own = np.abs(new.errors - found.bias) / found.std
    assert 0.60 <= (own <= 1).mean() <= 0.76


def test_spread_follows_what_it_depends_on():
    model = fitted(spread=lambda features: 0.1 * np.exp(0.5 * features[:, 1]))
    calm, wild = asked(model, np.array([[0.0, -1.5, 0], [0, 1.5, 0]])).std
    assert wild > 2 * calm


def test_a_correction_that_helps_no_family_left_out_is_not_made():
    found = asked(fitted(bias=0.0, spread=0.3), np.array([[2.0, 2, 2]]))
    assert found.bias[0] == 0.0


def test_a_crystal_unlike_the_table_is_said_to_be_and_gets_a_wider_bar():
    model = fitted()
    near, far = np.zeros((1, 3)), np.full((1, 3), 40.0)
    alike, unlike = asked(model, near), asked(model, near, likeness=far[:, :2])
    assert not alike.extrapolated[0]
    assert unlike.extrapolated[0]
    assert unlike.std[0] == pytest.approx(MOST_WIDENED * alike.std[0])
    assert unlike.total_std[0] > alike.total_std[0]


def test_bias_goes_no_further_than_the_table():
    given = table(slope=0.5)
    found = asked(ErrorModel.fit(**vars(given)), np.array([[50.0, 0, 0]]))
    assert found.bias[0] == pytest.approx(given.errors.max())


def test_a_crystal_of_the_table_is_judged_without_its_family():
    given = table(n=120)
    own = np.array([family == "family 3" for family in given.families])
    given.errors[own] += 5.0
    model = ErrorModel.fit(**vars(given))
    here = given.features[own]
    found = asked(model, here, families=["family 3"] * len(here))
    other = table(n=120)
    rest = ErrorModel.fit(
        **{
            name: [each for each, mine in zip(value, own, strict=True) if not mine]
            if isinstance(value, list)
            else value[~own]
            for name, value in vars(other).items()
        }
    )
    assert found.bias == pytest.approx(asked(rest, here).bias, abs=1e-9)


def test_unstable_crystals_have_a_shift_and_a_wider_spread_of_their_own():
    given = table()
    given.unstable[:6] = True
    given.errors[:6] += 1.0
    model = ErrorModel.fit(**vars(given))
    stable, unstable = asked(
        model, np.zeros((2, 3)), unstable=np.array([False, True]), likeness=np.zeros((2, 2))
    ).bias
    assert stable == pytest.approx(0.2, abs=0.05)
    assert 0.6 < unstable - stable < 1.0
    wide = asked(model, np.zeros((2, 3)), unstable=np.array([False, True])).std
    assert wide[1] > 1.5 * wide[0]


def test_an_error_bar_wider_than_the_tables_is_added():
    model = fitted()
    point = np.zeros((1, 3))
    usual, wide = asked(model, point), asked(model, point, known_std=np.array([0.5]))
    assert wide.std[0] == pytest.approx(np.sqrt(usual.std[0] ** 2 + 0.5**2 - 0.02**2))
    assert wide.total_std[0] > 0.5


def test_what_is_not_known_counts_as_average():
    model = fitted(slope=0.3)
    missing = asked(model, np.array([[np.nan, 0, 0]]), likeness=np.zeros((1, 2)))
    assert missing.bias[0] == pytest.approx(0.2, abs=0.05)


def test_a_small_table_is_refused():
    with pytest.raises(
        ValueError, match="needs 10 rows of stable crystals in 3 families, not 5 in 5"
    ):
        fitted(n=5)


def test_values_far_below_their_likes_are_expected_to_be_higher_and_are_less_sure():
    given = table(n=240, bias=0.1)
    generator = np.random.default_rng(2)
    given.shortfall[:40] = 0.6
    # Half of the suspect values are wrong.
    given.errors[:20] += generator.normal(0.6, 0.1, size=20)
    order = generator.permutation(240)
    given.families = [given.families[place] for place in order]
    model = ErrorModel.fit(**vars(given))
    fine, low = (asked(model, np.zeros((1, 3)), shortfall=np.array([each])) for each in (0, 0.6))
    assert fine.bias[0] == pytest.approx(0.1, abs=0.05)
    assert low.bias[0] == pytest.approx(0.4, abs=0.1)
    assert low.std[0] > 2 * fine.std[0]
    assert low.total_std[0] > 2 * fine.total_std[0]
