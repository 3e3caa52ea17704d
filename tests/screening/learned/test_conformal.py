"""Conformal sets hold the truth as often as they say."""

import numpy as np
import pytest

from screening.learned.conformal import class_p_values, conformal_sets, word_of_set


def test_sets_hold_the_truth_nine_times_in_ten_in_each_class():
    random = np.random.default_rng(0)

    def drawn(n):
        labels = random.random(n) < 0.3
        logits = random.normal(np.where(labels, 1.0, -1.0), 1.5)
        probability = 1 / (1 + np.exp(-logits))
        return np.stack([1 - probability, probability], axis=1), labels

    known, known_labels = drawn(2000)
    unseen, labels = drawn(4000)
    sets = conformal_sets(class_p_values(unseen, known, known_labels))
    for truth, name in ((True, "lc"), (False, "not-lc")):
        held = [name in found for found, label in zip(sets, labels, strict=True) if label == truth]
        assert np.mean(held) == pytest.approx(0.9, abs=0.03)


def test_what_fits_neither_class_has_an_empty_set():
    known = np.array([[0.9, 0.1]] * 50 + [[0.1, 0.9]] * 50)
    labels = np.arange(100) >= 50
    scores = np.array([[0.95, 0.05], [0.05, 0.95], [0.05, 0.05], [0.95, 0.95]])
    sets = conformal_sets(class_p_values(scores, known, labels))
    assert [word_of_set(found) for found in sets] == ["not-lc", "lc", "neither", "either"]
