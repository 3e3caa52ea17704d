"""κ of amorphous polymers."""

from __future__ import annotations

import numpy as np
import pytest

from screening.learned.glass_conductivity import GlassConductivity, glass_conductivity
from screening.learned.polymer_classifier import polymer_numbers
from screening.learned.shipped_tables import computed_glasses


@pytest.fixture(scope="module")
def features():
    return polymer_numbers([glass.smiles for glass in computed_glasses()])


def test_classes_that_were_left_out_are_within_the_error_bars(features):
    from sklearn.model_selection import GroupKFold

    glasses = computed_glasses()
    kappa = np.array([glass.kappa_w_per_m_k for glass in glasses])
    classes = np.array([glass.polymer_class for glass in glasses])
    off = np.empty(len(kappa))
    for seen, unseen in GroupKFold(8).split(features, groups=classes):
        expected, log10_std = GlassConductivity(features[seen], kappa[seen]).expected(
            features[unseen]
        )
        off[unseen] = np.log10(expected / kappa[unseen])
        off[unseen] /= log10_std
    assert 0.65 < (np.abs(off) < 1).mean() < 0.85
    assert 0.93 < (np.abs(off) < 2).mean() < 0.99


def test_far_from_all_polymers_the_error_grows(features):
    model = glass_conductivity()
    _, near = model.expected(features[:1])
    _, far = model.expected(features[:1] + 10 * features.std(axis=0))
    assert far[0] > 3 * near[0]
