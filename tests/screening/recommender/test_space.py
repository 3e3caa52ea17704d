from __future__ import annotations

import itertools

import numpy as np
import pytest

from screening.recommender.compositions import atomic_numbers, of_formulas, symbols
from screening.recommender.known import KnownList
from screening.recommender.space import BALANCES, balances, enumerated
from screening.recommender.states import FULL_CHARGE


def rule_of(formula, domain):
    found, _ = of_formulas([formula], len(formula))
    rule = int(balances(found, domain.states)[0])
    return BALANCES[rule] if rule < len(BALANCES) else None


@pytest.mark.parametrize(
    ("formula", "rule"),
    [
        ({"Li": 1, "Co": 1, "O": 2}, "whole states"),
        ({"Li": 1, "Fe": 1, "P": 1, "O": 4}, "whole states"),
        ({"K": 1, "Fe": 2, "S": 3}, "mixed valence"),
        ({"Fe": 1, "S": 2}, "bonded anions"),
        ({"La": 1, "Fe": 4, "P": 12}, "bonded anions"),
        ({"Na": 5, "S": 1}, "metal-rich"),
        ({"Na": 1, "F": 3}, None),
    ],
)
def test_charges_are_balanced_by_the_strictest_rule(formula, rule, domain):
    assert rule_of(formula, domain) == rule


def test_whole_states_agree_with_trying_all(domain, families):
    space = enumerated(families, 3, domain)
    drawn = space.compositions(np.arange(0, len(space), 97))
    rules = balances(drawn, domain.states)
    rows = zip(drawn.numbers.tolist(), drawn.counts.tolist(), rules.tolist(), strict=True)
    for numbers, counts, rule in rows:
        taken = -FULL_CHARGE[symbols()[numbers[-1]]] * counts[-1]
        states = [domain.states.of[number] for number in numbers[:-1]]
        sums = {
            sum(q * n for q, n in zip(charges, counts[:-1], strict=True))
            for charges in itertools.product(*states)
        }
        assert (taken in sums) == (rule == 0)


def test_the_space_holds_new_balanced_compositions_once(domain, families):
    space = enumerated(families, 3, domain)
    known, _ = families.of_kind(3)
    assert (np.diff(space.keys) > 0).all()
    assert not np.isin(space.keys, known.keys).any()
    compositions = space.compositions()
    assert domain.holds(compositions).all()
    assert (np.gcd.reduce(compositions.counts, axis=1) == 1).all()
    assert np.array_equal(balances(compositions, domain.states), space.balances)
    wanted, _ = of_formulas([{"Li": 1, "Nd": 1, "S": 2}, {"Ag": 1, "Al": 1, "S": 2}], 3)
    assert np.isin(wanted.keys, np.concatenate([space.keys, known.keys])).all()


def test_of_two_anions_the_first_is_the_anion(domain, families):
    space = enumerated(families, 3, domain)
    compositions = space.compositions()
    sulfides = compositions.numbers[:, -1] == atomic_numbers()["S"]
    assert sulfides.any()
    assert not np.isin(compositions.numbers[sulfides, :-1], [atomic_numbers()["O"]]).any()


def test_without_anything_known_there_is_no_space(domain):
    nothing = KnownList("nothing", [], np.empty(0, np.int16))
    assert len(enumerated(nothing, 3, domain)) == 0


def test_four_elements_need_known_parts(domain):
    formulas = [
        {"Li": 1, "Fe": 1, "P": 1, "O": 4},
        {"Na": 1, "Mn": 1, "P": 1, "O": 4},
    ]
    known = KnownList("phosphates", formulas * 1, np.zeros(2, np.int16))
    names = enumerated(known, 4, domain).compositions().formulas()
    assert "MnLiO4P" not in names
    assert "LiMnO4P" in names
    assert len(set(names)) == len(names)
