"""Which shape a liquid-crystalline molecule has, and so which phases: learned from 966 labelled.

Rods make nematic and smectic phases, discs columns, and bent cores the phases named B1 to B8
(P. J. Collings and J. W. Goodby, Introduction to Liquid Crystals, 2nd ed. (2019)).  No table that
may be shared tells nematic from smectic.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.learned.molecule_features import kept_dense
from screening.learned.shipped_tables import MOLECULES, labelled_molecules

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_TREES = 200


def shape_trees() -> Any:
    """Return the model, not fitted: extremely randomised trees, all shapes counting alike."""
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(
        N_TREES, min_samples_leaf=2, class_weight="balanced", random_state=0
    )


@cache
def _fitted() -> Any:
    known = [molecule for molecule in labelled_molecules() if molecule.shape]
    dense = kept_dense("mesogens", MOLECULES, [molecule.smiles for molecule in known])
    return shape_trees().fit(dense, [molecule.shape for molecule in known])


def mesogen_shapes(dense: NDArray[np.float64]) -> list[dict[str, float]]:
    """Return the probability of each shape, the likeliest first, one dictionary a molecule.

    Parameters
    ----------
    dense : ndarray, shape (m, d)
        Of `screening.learned.molecule_features.MoleculeNumbers`.
    """
    trees = _fitted()
    shares = trees.predict_proba(dense)
    return [
        {str(trees.classes_[place]): round(float(row[place]), 3) for place in np.argsort(-row)}
        for row in shares
    ]
