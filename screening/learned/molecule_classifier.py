"""Whether a molecule is liquid-crystalline, learned from 8,754 labelled ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.learned import molecule_features
from screening.learned.conformal import class_p_values, conformal_sets
from screening.learned.kept_numbers import Numbers, kept_numbers
from screening.learned.molecule_features import MoleculeNumbers, molecule_numbers, plain_molecule
from screening.learned.shipped_tables import (
    MOLECULES,
    LabelledMolecule,
    content_of,
    labelled_molecules,
)
from screening.machine.user_cache import digest_of
from screening.messages.stderr import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION = 2
"""Raise it whenever the model changes: what is kept in caches is then made anew."""
ROWS = 2048
"""Molecules compared with all known ones at a time; bounds the memory."""
N_FOLDS = 5
INSIDE = 0.05
"""Share of the labelled molecules that are less like any other scaffold's than the domain asks."""
_LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Counts of a part that make a difference."""
_OFTEN = 0.02
"""Share of the molecules."""
_WIDTH = 0.003
"""Of the Gaussian kernel of scaled numbers, which are cut at five standard deviations."""


@dataclass(frozen=True)
class MoleculeAnswers:
    """What the model says of molecules, one entry each.

    Attributes
    ----------
    probability : ndarray, shape (m,)
    sets : list of list of str
        Conformal sets, of ``lc`` and ``not-lc``.
    likeness : ndarray, shape (m,)
        Tanimoto similarity of the parts' counts with the nearest labelled molecule.
    nearest : ndarray of int, shape (m,)
        Its place in the table.
    inside : ndarray of bool, shape (m,)
        Whether it is as like one as labelled molecules are to those of other scaffolds.
    """

    probability: Floats
    sets: list[list[str]]
    likeness: Floats
    nearest: NDArray[np.intp]
    inside: NDArray[np.bool_]


class MoleculeModel:
    """Boosted trees on dense numbers beside a support vector machine, without calibration.

    The kernel of the machine is the mean of the Tanimoto kernel of parts (L. Ralaivola et al.,
    Neural Networks 18, 1093 (2005)) and a Gaussian of the dense numbers.
    """

    def __init__(
        self,
        numbers: MoleculeNumbers,
        labels: NDArray[np.bool_],
        machine: Floats | None = None,
    ) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.numbers = numbers
        self._mean = numbers.dense.mean(axis=0)
        spread = numbers.dense.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        self._trees = HistGradientBoostingClassifier(
            max_iter=100,
            learning_rate=0.15,
            max_leaf_nodes=15,
            min_samples_leaf=10,
            l2_regularization=3,
            max_features=0.2,
            max_bins=64,
            early_stopping=False,
            random_state=0,
        ).fit(numbers.dense, labels)
        self.machine = self._fitted_machine(labels) if machine is None else machine

    def _fitted_machine(self, labels: NDArray[np.bool_]) -> Floats:
        """Return what each molecule counts in the machine, and its threshold, shape (n + 1,)."""
        from sklearn.svm import SVC

        machine = SVC(C=10, kernel="precomputed", class_weight="balanced", cache_size=500)
        machine.fit(self.kernel(self.numbers), labels)
        found = np.zeros(len(labels) + 1)
        found[machine.support_] = machine.dual_coef_[0]
        found[-1] = machine.intercept_[0]
        return found

    def scores(self, numbers: MoleculeNumbers) -> Floats:
        """Return the scores of both, shape (m, 2), without a scale."""
        trees = np.clip(self._trees.decision_function(numbers.dense), -8, 8)
        machine = np.clip(self.kernel(numbers) @ self.machine[:-1] + self.machine[-1], -4, 4)
        return np.stack([trees, machine], axis=1)

    def kernel(self, numbers: MoleculeNumbers) -> NDArray[np.float32]:
        """Return the kernel of molecules with those that were learned from, shape (m, n)."""
        from sklearn.metrics.pairwise import rbf_kernel

        mine, theirs = (
            np.clip((each.dense - self._mean) / self._spread, -5, 5).astype(np.float32)
            for each in (self.numbers, numbers)
        )
        likeness = tanimoto(numbers.counts, self.numbers.counts)
        both: NDArray[np.float32]
        both = (likeness + rbf_kernel(theirs, mine, gamma=_WIDTH)).astype(np.float32) / 2
        return both


class MoleculeClassifier:
    """A model with probabilities and sets that are calibrated on scaffolds it did not see.

    Parameters
    ----------
    smiles : list of str
        Of the labelled molecules.
    labels : ndarray, shape (n,)
    numbers : MoleculeNumbers
    left_out : ndarray, shape (n, 3)
        Scores of each from a model without its scaffold, and its likeness with the others.
    machine : ndarray, shape (n + 1,)
        The support vector machine of all, as plain numbers.
    """

    def __init__(
        self,
        smiles: list[str],
        labels: NDArray[np.bool_],
        numbers: MoleculeNumbers,
        left_out: Floats,
        machine: Floats,
    ) -> None:
        from sklearn.linear_model import LogisticRegression

        self.smiles, self.labels, self.numbers, self.left_out = smiles, labels, numbers, left_out
        self._scale: Any = LogisticRegression(C=100).fit(left_out[:, :2], labels)
        self._known = self._scale.predict_proba(left_out[:, :2])[:, 1]
        self._alike = float(np.quantile(left_out[:, 2], INSIDE))
        self._model = MoleculeModel(numbers, labels, machine)

    def answers(self, numbers: MoleculeNumbers) -> MoleculeAnswers:
        """Return what the model says of molecules with these numbers."""
        rows = len(numbers.dense)
        if rows > ROWS:
            parts = [
                self.answers(_rows(numbers, np.arange(first, min(first + ROWS, rows))))
                for first in range(0, rows, ROWS)
            ]
            return MoleculeAnswers(
                np.concatenate([part.probability for part in parts]),
                [one for part in parts for one in part.sets],
                np.concatenate([part.likeness for part in parts]),
                np.concatenate([part.nearest for part in parts]),
                np.concatenate([part.inside for part in parts]),
            )
        probability: Floats = self._scale.predict_proba(self._model.scores(numbers))[:, 1]
        scores = np.stack([1 - probability, probability], axis=1)
        known = np.stack([1 - self._known, self._known], axis=1)
        sets = conformal_sets(class_p_values(scores, known, self.labels))
        alike = tanimoto(numbers.counts, self.numbers.counts)
        likeness = alike.max(axis=1).astype(float)
        return MoleculeAnswers(
            probability, sets, likeness, alike.argmax(axis=1), likeness >= self._alike
        )


def tanimoto(counts: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return similarities of counts of parts, shape (m, n), the counts as steps of `_LEVELS`."""
    from scipy.sparse import csc_matrix, hstack

    def steps(of: NDArray[np.uint8]) -> Any:
        sparse = csc_matrix(of)
        return hstack([(sparse >= level).astype(np.float32) for level in _LEVELS]).tocsc()

    mine, theirs = steps(counts), steps(others)
    # What many molecules have is multiplied as a whole, the rest of it where it occurs.
    often = np.asarray(theirs.mean(axis=0)).ravel() > _OFTEN
    common = mine[:, often].toarray() @ theirs[:, often].toarray().T
    common += (mine[:, ~often].tocsr() @ theirs[:, ~often].tocsr().T).toarray()
    total = np.asarray(mine.sum(axis=1)) + np.asarray(theirs.sum(axis=1)).T - common
    found: NDArray[np.float32] = common / np.maximum(total, 1)
    return found


def left_out_numbers(
    numbers: MoleculeNumbers, labels: NDArray[np.bool_], groups: NDArray[Any]
) -> Floats:
    """Return scores of each molecule from a model without its group, and its likeness, (n, 3)."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.empty((len(labels), 3))
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    for seen, unseen in folds.split(numbers.dense, labels, groups):
        model = MoleculeModel(_rows(numbers, seen), labels[seen])
        found[unseen, :2] = model.scores(_rows(numbers, unseen))
        found[unseen, 2] = tanimoto(numbers.counts[unseen], numbers.counts[seen]).max(axis=1)
    return found


def _rows(numbers: MoleculeNumbers, rows: NDArray[Any]) -> MoleculeNumbers:
    return MoleculeNumbers(numbers.dense[rows], numbers.counts[rows])


def scaffold(smiles: str) -> str:
    """Return the rings of a molecule and what joins them.

    G. W. Bemis and M. A. Murcko, J. Med. Chem. 39, 2887 (1996).
    """
    from rdkit.Chem.Scaffolds import MurckoScaffold

    found: str = MurckoScaffold.MurckoScaffoldSmiles(smiles)  # type: ignore[no-untyped-call]
    return found


def learned_numbers(table: list[LabelledMolecule]) -> Numbers:
    """Return what a classifier of a table is made of, which takes long."""
    labels = np.array([molecule.liquid_crystalline for molecule in table])
    numbers = molecule_numbers([plain_molecule(molecule.smiles) for molecule in table])
    groups = np.array([scaffold(molecule.smiles) for molecule in table])
    left_out = left_out_numbers(numbers, labels, groups)
    counts = numbers.counts.astype(np.float64)
    machine = MoleculeModel(numbers, labels).machine
    return {"dense": numbers.dense, "counts": counts, "left_out": left_out, "machine": machine}


def classifier_of(table: list[LabelledMolecule], learned: Numbers) -> MoleculeClassifier:
    """Return the classifier of a table and its `learned_numbers`."""
    return MoleculeClassifier(
        [molecule.smiles for molecule in table],
        np.array([molecule.liquid_crystalline for molecule in table]),
        MoleculeNumbers(learned["dense"], learned["counts"].astype(np.uint8)),
        learned["left_out"],
        learned["machine"],
    )


@cache
def molecule_classifier() -> MoleculeClassifier:
    """Return the model of the shipped molecules; what is slow to make comes from the cache."""
    import rdkit
    import sklearn

    table = labelled_molecules()

    def make() -> Numbers:
        say(f"learning from {len(table):,} molecules, once for this version: a minute or two")
        return learned_numbers(table)

    versions = (
        f"{VERSION} {molecule_features.FEATURES_VERSION} {rdkit.__version__} {sklearn.__version__}"
    )
    digest = digest_of(content_of(MOLECULES), versions)
    return classifier_of(table, kept_numbers("molecules", digest, make))
