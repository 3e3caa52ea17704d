"""Molecules that are liquid crystals, and those that are not; learned from a part of the table."""

from __future__ import annotations

import numpy as np
import pytest

from screening.learned.molecule_classifier import (
    classifier_of,
    learned_numbers,
    left_out_numbers,
    molecule_numbers,
    plain_molecule,
    tanimoto,
)
from screening.learned.shipped_tables import labelled_molecules

CYANOBIPHENYL = "CCCCCCc1ccc(-c2ccc(C#N)cc2)cc1"


@pytest.fixture(scope="module")
def classifier():
    random = np.random.default_rng(0)
    table = labelled_molecules()
    crystals = [each for each in table if each.liquid_crystalline]
    others = [each for each in table if not each.liquid_crystalline]
    drawn = [
        *(crystals[each] for each in random.choice(len(crystals), 120, replace=False)),
        *(others[each] for each in random.choice(len(others), 240, replace=False)),
    ]
    return classifier_of(drawn, learned_numbers(drawn))


def numbers_of(*smiles):
    return molecule_numbers([plain_molecule(each) for each in smiles])


def test_a_mesogen_is_told_from_a_solvent(classifier):
    said = classifier.answers(numbers_of(CYANOBIPHENYL, "CCO"))
    assert said.probability[0] > 0.8 > 0.1 > said.probability[1]
    assert said.sets[0] == ["lc"]
    assert said.sets[1] == ["not-lc"]


def test_unseen_scaffolds_are_judged_better_than_the_majority_class_is(classifier):
    from sklearn.metrics import matthews_corrcoef

    called = classifier.left_out[:, 0] > 0
    assert matthews_corrcoef(classifier.labels, called) > 0.6


def test_stereochemistry_and_order_of_atoms_do_not_matter(classifier):
    said = classifier.answers(
        numbers_of(
            "CCCCC[C@H]1CC[C@H](c2ccc(C#N)cc2)CC1",
            "CCCCCC1CCC(c2ccc(C#N)cc2)CC1",
            "N#Cc1ccc(cc1)C1CCC(CC1)CCCCC",
        )
    )
    assert np.ptp(said.probability) == 0


def test_likeness_is_one_of_a_molecule_with_itself_and_zero_without_common_parts():
    counts = numbers_of(CYANOBIPHENYL, "CCCC", "F").counts
    alike = tanimoto(counts, counts)
    assert np.diag(alike) == pytest.approx(1)
    assert 0 < alike[0, 1] < 0.5
    assert alike[0, 2] == 0


def test_a_group_is_judged_without_itself(classifier):
    groups = np.arange(len(classifier.labels))
    groups[classifier.labels] //= 2
    alike = left_out_numbers(classifier.numbers, classifier.labels, groups)[:, 2]
    assert (alike <= 1).all()
    assert alike.min() < 0.9
