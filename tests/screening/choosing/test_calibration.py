"""How good a model is said to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from screening.choosing.calibration import _rank_correlation

FEW = st.integers(-3, 3).map(float)
"""Small numbers, so that many are equal."""


@given(st.lists(st.tuples(FEW, FEW), min_size=2, max_size=20))
def test_the_rank_correlation_is_that_of_scipy(pairs):
    predictions, values = np.array(pairs).T
    if np.ptp(predictions) and np.ptp(values):
        wanted = spearmanr(predictions, values).statistic
        assert _rank_correlation(predictions, values) == pytest.approx(wanted, abs=1e-12)
    else:
        assert _rank_correlation(predictions, values) == 0.0
