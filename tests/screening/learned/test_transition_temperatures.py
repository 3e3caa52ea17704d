"""Melting and clearing temperatures of liquid-crystalline molecules."""

from __future__ import annotations

import numpy as np
import pytest

from screening.learned.mesogen_shape import mesogen_shapes
from screening.learned.molecule_classifier import scaffold
from screening.learned.molecule_features import molecule_numbers, plain_molecule
from screening.learned.shipped_tables import measured_transitions
from screening.learned.transition_temperatures import TransitionModel, left_out

FIVE_CB = "CCCCCc1ccc(-c2ccc(C#N)cc2)cc1"
BENT = "CCCCCCCCOc1ccc(N=Cc2ccc(C(=O)Oc3cccc(OC(=O)c4ccc(C=Nc5ccc(OCCCCCCCC)cc5)cc4)c3)cc2)cc1"
TRIPHENYLENE = "CCCCCOc1cc2c(cc1OCCCCC)c1cc(OCCCCC)c(OCCCCC)cc1c1cc(OCCCCC)c(OCCCCC)cc21"


@pytest.fixture(scope="module")
def clearing():
    table = [each for each in measured_transitions("clearing") if each.smiles != FIVE_CB]
    dense = molecule_numbers([plain_molecule(each.smiles) for each in table]).dense
    temperatures_c = np.array([each.temperature_c for each in table])
    return dense, temperatures_c, np.array([scaffold(each.smiles) for each in table])


def test_intervals_hold_the_truth_of_scaffolds_that_calibrate_nothing(clearing):
    dense, temperatures_c, scaffolds = clearing
    names = np.unique(scaffolds)
    held = scaffolds[:, None] == names[::4]
    unseen = held.any(axis=1)
    model = TransitionModel(dense[~unseen], temperatures_c[~unseen], scaffolds[~unseen])
    said = model.answers(dense[unseen])
    truth = temperatures_c[unseen]
    assert ((said.low_c <= truth) & (truth <= said.high_c)).mean() > 0.75
    assert np.ptp(said.high_c - said.low_c) > 5


def test_unseen_scaffolds_are_told_better_than_by_the_mean(clearing):
    errors, stds = left_out(*clearing)
    assert np.abs(errors).mean() < 0.8 * np.abs(clearing[1] - clearing[1].mean()).mean()
    assert (stds > 0).all()


def test_a_nematic_that_was_not_learned_from_clears_where_it_was_measured(clearing):
    said = TransitionModel(*clearing).answers(molecule_numbers([plain_molecule(FIVE_CB)]).dense)
    # G. W. Gray et al., Electron. Lett. 9, 130 (1973): nematic to 35 °C.
    assert said.low_c[0] < 35 < said.high_c[0]
    assert said.expected_c[0] == pytest.approx(35, abs=20)


def test_rods_discs_and_bent_cores_are_told_apart():
    numbers = molecule_numbers([plain_molecule(each) for each in (FIVE_CB, BENT, TRIPHENYLENE)])
    shapes = mesogen_shapes(numbers.dense)
    assert [next(iter(found)) for found in shapes] == ["rod-like", "bent-core", "discotic"]
    assert all(sum(found.values()) == pytest.approx(1, abs=0.01) for found in shapes)
