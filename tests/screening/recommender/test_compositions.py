from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from screening.recommender.compositions import (
    ANIONS,
    MAX_COUNT,
    anion_of,
    of_formulas,
    unpacked,
)

METALS = ("Li", "Na", "Mg", "Al", "Fe", "La", "U", "P", "S")


@st.composite
def formulas(draw):
    anion = draw(st.sampled_from(ANIONS))
    cations = draw(st.lists(st.sampled_from(METALS), min_size=1, max_size=4, unique=True))
    elements = [element for element in cations if element != anion] + [anion]
    counts = draw(
        st.lists(st.integers(1, MAX_COUNT), min_size=len(elements), max_size=len(elements))
    )
    divisor = math.gcd(*counts)
    amounts = {el: count // divisor for el, count in zip(elements, counts, strict=True)}
    return dict(sorted(amounts.items()))


@given(formulas())
def test_keys_hold_all_of_a_composition(formula):
    found, rows = of_formulas([formula], len(formula)) if len(formula) > 1 else (None, [])
    if not len(rows):
        return
    again = unpacked(found.keys, found.kind)
    assert np.array_equal(again.numbers, found.numbers)
    assert np.array_equal(again.counts, found.counts)
    written = "".join(f"{el}{n if n > 1 else ''}" for el, n in formula.items())
    assert found.formulas() == [written]


def test_the_anion_is_the_first_that_can_be_one():
    assert anion_of({"Li", "P", "O"}) == "O"
    assert anion_of({"Li", "P"}) == "P"
    assert anion_of({"Li", "Fe"}) is None


def test_contexts_are_equal_where_all_but_one_element_is():
    found, _ = of_formulas(
        [{"Li": 1, "Fe": 1, "S": 2}, {"Na": 1, "Fe": 1, "S": 2}, {"Na": 1, "Fe": 1, "Se": 2}], 3
    )
    # Na and Fe stand in another order than Li and Fe only if their coefficients say so.
    sets = [{int(found.contexts(place)[row]) for place in (0, 1)} for row in range(3)]
    assert sets[0] & sets[1]
    assert not sets[0] & sets[2]
    anion = found.contexts(2)
    assert anion[1] == anion[2] != anion[0]
