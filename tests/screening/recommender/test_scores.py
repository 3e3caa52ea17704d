from __future__ import annotations

import numpy as np
import pytest

from screening.messages.errors import ScreenError
from screening.recommender.chance import fitted_chances
from screening.recommender.compositions import atomic_numbers, of_formulas
from screening.recommender.factors import truncated, weighted
from screening.recommender.features import Knowledge
from screening.recommender.likeness import learnt_likeness
from screening.recommender.past import Reference
from screening.recommender.ranking import Question, nearest_relatives, ranked, recommended


def test_elements_of_a_family_are_alike(families):
    alike = learnt_likeness(families).cations
    number = atomic_numbers()
    assert alike[number["Na"], number["K"]] > alike[number["Na"], number["Al"]]
    assert alike[number["Y"], number["Er"]] > alike[number["Y"], number["Li"]]
    assert np.allclose(alike, alike.T)
    assert alike.max() <= 1 + 1e-6


def test_a_truncated_matrix_is_the_best_of_its_rank():
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(12, 40)).astype(np.float32)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    expected = (left[:, :3] * values[:3]) @ right[:3]
    assert np.allclose(truncated(matrix, 3), expected, atol=1e-4)


def test_the_weighted_factorisation_fills_the_blocks():
    # Two blocks, one cell of each left out.
    cells = [(row, column) for row in range(8) for column in range(10) if (row < 4) == (column < 5)]
    cells = [cell for cell in cells if cell not in {(1, 2), (6, 8)}]
    rows, columns = map(np.array, zip(*cells, strict=True))
    left, right = weighted(rows, columns, (8, 10), rank=2)
    filled = left @ right[:-1].T
    assert filled[1, 2] > 3 * abs(filled[1, 8])
    assert filled[6, 8] > 3 * abs(filled[6, 2])
    again = weighted(rows, columns, (8, 10), rank=2)
    assert np.array_equal(left, again[0])


def test_features_do_not_depend_on_other_rows(families, domain):
    knowledge = Knowledge(families, 3, 2009, domain.states)
    formulas = [{"Li": 1, "Nd": 1, "S": 2}, {"Cs": 1, "La": 1, "Te": 2}, {"K": 2, "Ti": 1, "O": 3}]
    all_of_them, _ = of_formulas(formulas, 3)
    rules = np.zeros(3, np.uint8)
    names, together = knowledge.features(all_of_them, rules)
    assert together.shape == (3, len(names)) == (3, len(set(names)))
    for row in range(3):
        _, alone = knowledge.features(all_of_them[np.array([row])], rules[:1])
        assert np.allclose(alone[0], together[row], rtol=1e-5, equal_nan=True)


def test_relatives_are_the_nearest_known(families, domain):
    knowledge = Knowledge(families, 3, 2009, domain.states)
    asked, _ = of_formulas([{"Na": 2, "Pb": 1, "S": 3}], 3)
    (relatives,) = nearest_relatives(knowledge, asked)
    assert all(name.endswith(("S3", "S3Ti", "S3Sn")) or "S3" in name for name in relatives)


def test_a_reference_tells_the_part_above():
    reference = Reference.of(np.array([3.0, 2.0, 2.0, 1.0]), np.ones(4))
    found = reference.part_above(np.array([10.0, 3.0, 2.0, 1.0, 0.0]))
    assert found.tolist() == [0.125, 0.125, 0.5, 0.875, 0.875]


def test_chances_sum_to_what_was_reported():
    generator = np.random.default_rng(1)
    scores = generator.exponential(size=20_000)
    true = np.clip(0.002 * np.exp(scores), 0, 0.8)
    reported = generator.random(len(scores)) < true
    chances = fitted_chances(scores, reported, np.ones(len(scores)), 5)
    assert (np.diff(chances.chances) >= 0).all()
    found = chances.within(scores, 5)
    assert found.sum() == pytest.approx(true.sum(), rel=0.25)
    best = np.argsort(-scores)[:500]
    assert found[best].sum() == pytest.approx(true[best].sum(), rel=0.25)
    assert (chances.within(scores, 10) >= found).all()


def test_the_left_out_members_come_first_and_again_the_same(families):
    question = Question(kinds=(3,), top=40)
    first = recommended(families, question)
    again = recommended(families, question)
    assert first == again
    names = {row.formula for row in first}
    # One in five ABX2 was left out of the list: they are what is missing.
    left_out = [name for name in names if name.endswith("2") or "2" in name]
    assert len(left_out) > 20
    assert [row.rank for row in first] == list(range(1, len(first) + 1))
    known = {tuple(sorted(formula.items())) for formula in families.formulas}
    assert len(known) == len(families)


def test_a_family_is_thinned(families):
    full = ranked(families, 3, Question(elements=("Li",), anions=("S",), top=200))
    thin = ranked(families, 3, Question(elements=("Li",), anions=("S",), top=200, family=1))
    rare = ("Y", "La", "Nd", "Gd", "Er", "Ce", "Pr", "Sm", "Eu", "Tb", "Dy", "Ho", "Tm", "Yb", "Lu")

    def members(part):
        return [
            name
            for name in part.compositions.formulas()
            if name in {"".join(sorted(("Li", f"{el}"))) + "S2" for el in rare}
            or any(name == f"Li{'S2' + el if el > 'S' else el + 'S2'}" for el in rare)
        ]

    assert len(members(thin)) <= 1 <= len(members(full))


def test_an_empty_space_is_one_sentence(families):
    with pytest.raises(ScreenError, match="no balanced composition"):
        ranked(families, 3, Question(elements=("U",), anions=("F",)))
    with pytest.raises(ScreenError, match="holds no composition of 5 elements"):
        ranked(families, 5, Question())
