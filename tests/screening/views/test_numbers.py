"""Numbers with few digits."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.views.numbers import rounded, short, shortened

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, max_size=20), st.integers(2, 7))
def test_rounding_many_is_as_near_as_rounding_each(values, digits):
    found = rounded(np.array(values), digits).tolist()
    for value, other in zip(values, found, strict=True):
        best = abs(Decimal(short(value, digits)) - Decimal(value))
        # A tie may go to the other side; the products of ties carry a last bit of round-off.
        assert abs(Decimal(other) - Decimal(value)) <= best * Decimal("1.000001")


@given(st.lists(numbers, max_size=20), st.integers(2, 7))
def test_no_number_has_more_digits_than_asked_for(values, digits):
    for value in rounded(np.array(values), digits).tolist():
        assert len(Decimal(repr(value)).normalize().as_tuple().digits) <= digits
        assert math.copysign(1, value) == 1 or value < 0


def test_rounding_keeps_the_shape_and_what_is_no_number():
    found = rounded(np.array([[1.23456, np.nan], [-np.inf, -0.0]]), 3)
    assert found.shape == (2, 2)
    assert found[0, 0] == 1.23
    assert math.isnan(found[0, 1])
    assert found[1, 0] == -math.inf
    assert math.copysign(1, found[1, 1]) == 1
    assert shortened([]) == []


@pytest.mark.parametrize(("value", "expected"), [(1e300, 1e300), (1.23456e-200, 1.2346e-200)])
def test_numbers_beyond_exact_powers_of_ten(value, expected):
    assert shortened([value]) == [expected]
