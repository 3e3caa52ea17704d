"""How well liquid crystals are told from other molecules and polymers, beside what is trivial.

    python benchmarks/liquid_crystal_classifier.py --json figures.json
    python benchmarks/liquid_crystal_classifier.py --molecules other.csv --polymers others.csv

Without files, each shipped molecule is judged by models that did not see its fold (drawn at random,
by scaffold, by cluster), and each polymer by one that did not see its series.  With files of the
same form, those are judged by the models as they ship.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    matthews_corrcoef,
    roc_auc_score,
)
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)

from screening.learned.conformal import class_p_values, conformal_sets
from screening.learned.glass_conductivity import GlassConductivity
from screening.learned.mesogen_shape import shape_trees
from screening.learned.molecule_classifier import (
    left_out_numbers,
    molecule_classifier,
    scaffold,
)
from screening.learned.molecule_features import molecule_numbers, plain_molecule
from screening.learned.polymer_classifier import fit_scores, polymer_classifier, polymer_numbers
from screening.learned.shipped_tables import (
    computed_glasses,
    labelled_molecules,
    labelled_polymers,
    measured_transitions,
)
from screening.learned.transition_temperatures import left_out

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
ULTEM = "*c1cccc(N2C(=O)c3ccc(Oc4ccc(C(C)(C)c5ccc(Oc6ccc7c(c6)C(=O)N(*)C7=O)cc5)cc4)cc3C2=O)c1"
SIX_FDA_ODA = (
    "*c1ccc(Oc2ccc(N3C(=O)c4ccc(C(c5ccc6c(c5)C(=O)N(*)C6=O)(C(F)(F)F)C(F)(F)F)cc4C3=O)cc2)cc1"
)
HARD_ATOMS, HARD_RINGS = 20, 2
LEADER_DISTANCE = 0.6
Figures = dict[str, Any]


def figures(labels: np.ndarray, probability: np.ndarray) -> Figures:
    """Return what is asked of a classifier, rates of errors and calibration among it."""
    called = probability > 0.5
    found = {
        "n": len(labels),
        "accuracy": accuracy_score(labels, called),
        "balanced_accuracy": balanced_accuracy_score(labels, called),
        "mcc": matthews_corrcoef(labels, called),
        "brier": brier_score_loss(labels, probability),
        "expected_calibration_error": calibration_error(labels, probability),
    }
    if 0 < labels.sum() < len(labels):
        found["roc_auc"] = roc_auc_score(labels, probability)
        found["pr_auc"] = average_precision_score(labels, probability)
    return {name: round(float(value), 4) for name, value in found.items()}


def calibration_error(labels: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean difference of probability and share, over ten bins of probability."""
    bins = np.minimum((10 * probability).astype(int), 9)
    return float(
        sum(
            abs(probability[bins == each].mean() - labels[bins == each].mean())
            * (bins == each).mean()
            for each in set(bins.tolist())
        )
    )


def coverage(labels: np.ndarray, sets: list[list[str]]) -> Figures:
    """Return how often sets hold the truth, in each class and overall, and which there are."""
    held = np.array(
        [("lc" if label else "not-lc") in found for label, found in zip(labels, sets, strict=True)]
    )
    sizes = np.array([len(found) for found in sets])
    return {
        "all": round(float(held.mean()), 4),
        "lc": round(float(held[labels].mean()), 4),
        "not_lc": round(float(held[~labels].mean()), 4),
        "both": round(float((sizes == 2).mean()), 4),
        "neither": round(float((sizes == 0).mean()), 4),
    }


def clusters(smiles: list[str]) -> np.ndarray:
    """Return the cluster of each molecule: that of the leader it is most like."""
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.SimDivFilters.rdSimDivPickers import LeaderPicker

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(plain_molecule(each)) for each in smiles]
    leaders = [
        bits[each] for each in LeaderPicker().LazyBitVectorPick(bits, len(bits), LEADER_DISTANCE)
    ]
    return np.array(
        [int(np.argmax(DataStructs.BulkTanimotoSimilarity(each, leaders))) for each in bits]
    )


def of_molecules(say: Callable[[str, Figures], None]) -> None:
    """Judge the model of molecules on folds of the shipped ones."""
    model = molecule_classifier()
    labels, dense = model.labels, model.numbers.dense
    hard = (dense[:, 0] >= HARD_ATOMS) & (dense[:, 1] >= HARD_RINGS)
    groups = {
        "random": np.arange(len(labels)),
        "scaffold": np.array([scaffold(each) for each in model.smiles]),
        "cluster": clusters(model.smiles),
    }
    fold = StratifiedKFold(5, shuffle=True, random_state=1)
    for split, group in groups.items():
        scores = (
            model.left_out
            if split == "scaffold"
            else left_out_numbers(model.numbers, labels, group)
        )
        logistic = LogisticRegression(C=100)
        probability = cross_val_predict(
            logistic, scores[:, :2], labels, cv=fold, method="predict_proba"
        )[:, 1]
        size = cross_val_predict(
            LogisticRegression(),
            np.log(dense[:, :1]),
            labels,
            cv=StratifiedGroupKFold(5, shuffle=True, random_state=0),
            groups=group,
            method="predict_proba",
        )[:, 1]
        majority = np.full(len(labels), labels.mean())
        for part, rows in (("all", np.ones(len(labels), bool)), ("hard", hard)):
            for name, of in (("model", probability), ("size only", size), ("majority", majority)):
                say(f"molecules, {split}, {part}, {name}", figures(labels[rows], of[rows]))
        both = np.stack([1 - probability, probability], axis=1)
        sets: list[list[str]] = [[] for _ in labels]
        for seen, unseen in StratifiedGroupKFold(5, shuffle=True, random_state=2).split(
            dense, labels, group
        ):
            p_values = class_p_values(both[unseen], both[seen], labels[seen])
            for place, found in zip(unseen, conformal_sets(p_values), strict=True):
                sets[place] = found
        say(f"molecules, {split}, conformal sets", coverage(labels, sets))


def of_polymers(say: Callable[[str, Figures], None]) -> None:
    """Judge the model of polymers on series that were left out, and on known polyimides."""
    model = polymer_classifier()
    labels, series = model.labels, model.series
    probability = model.left_out[:, 0]
    rings = np.log1p(model.features[:, 0])
    size = np.empty(len(labels))
    for each in set(series.tolist()):
        out = series == each
        fitted = LogisticRegression().fit(rings[~out, None], labels[~out])
        size[out] = fitted.predict_proba(rings[out, None])[:, 1]
    majority = np.full(len(labels), labels.mean())
    for name, of in (("model", probability), ("size only", size), ("majority", majority)):
        say(f"polymers, series left out, {name}", figures(labels, of))
    scores = fit_scores(*model.left_out.T)
    sets = []
    for place in range(len(labels)):
        others = series != series[place]
        known, weights = scores[others], model.weights[others]
        p_values = class_p_values(scores[place : place + 1], known, labels[others], weights)
        sets += conformal_sets(p_values)
    say("polymers, series left out, conformal sets", coverage(labels, sets))
    said = model.answers(polymer_numbers([KAPTON, ULTEM, SIX_FDA_ODA]))
    names = ("Kapton", "Ultem", "6FDA-ODA")
    known = dict(zip(names, said.probability.round(3).tolist(), strict=True))
    say("P(LC) of polyimides that are none", known)


def of_phases(say: Callable[[str, Figures], None]) -> None:
    """Judge temperatures and shapes of molecules, scaffolds left out and drawn at random."""
    for name in ("melting", "clearing"):
        table = measured_transitions(name)
        dense = molecule_numbers([plain_molecule(each.smiles) for each in table]).dense
        truth_c = np.array([each.temperature_c for each in table])
        scaffolds = np.array([scaffold(each.smiles) for each in table])
        for split, groups in (("scaffold", scaffolds), ("random", np.arange(len(table)))):
            errors_c, stds_c = left_out(dense, truth_c, groups)
            mine = {
                "n": len(table),
                "mean_absolute_error_c": np.abs(errors_c).mean(),
                "of_the_mean_alone_c": np.abs(truth_c - truth_c.mean()).mean(),
                "within_one": (np.abs(errors_c) < stds_c).mean(),
                "within_two": (np.abs(errors_c) < 2 * stds_c).mean(),
            }
            say(f"{name} temperature, {split}", {key: round(float(mine[key]), 3) for key in mine})
    known = [each for each in labelled_molecules() if each.shape]
    dense = molecule_numbers([plain_molecule(each.smiles) for each in known]).dense
    shapes = np.array([each.shape for each in known])
    scaffolds = np.array([scaffold(each.smiles) for each in known])
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    called = cross_val_predict(shape_trees(), dense, shapes, groups=scaffolds, cv=folds)
    right = {
        "n": len(shapes),
        "accuracy": round(accuracy_score(shapes, called), 3),
        "balanced_accuracy": round(balanced_accuracy_score(shapes, called), 3),
    }
    say("shape of phases, scaffold", right)


def of_glasses(say: Callable[[str, Figures], None]) -> None:
    """Judge κ of amorphous polymers, classes of polymers left out and drawn at random."""
    glasses = computed_glasses()
    kappa = np.array([glass.kappa_w_per_m_k for glass in glasses])
    features = polymer_numbers([glass.smiles for glass in glasses])
    classes = np.array([glass.polymer_class for glass in glasses])
    random = KFold(8, shuffle=True, random_state=0)
    for split, folds in (("class", GroupKFold(8)), ("random", random)):
        off, stds = np.empty(len(kappa)), np.empty(len(kappa))
        for seen, unseen in folds.split(features, groups=classes):
            model = GlassConductivity(features[seen], kappa[seen])
            expected, stds[unseen] = model.expected(features[unseen])
            off[unseen] = np.log10(expected / kappa[unseen])
        mine = {
            "n": len(kappa),
            "rms_log10": np.sqrt(np.mean(off**2)),
            "of_the_mean_alone": np.log10(kappa).std(),
            "spearman": spearmanr(np.log10(kappa) + off, kappa).statistic,
            "within_one": (np.abs(off) < stds).mean(),
            "within_two": (np.abs(off) < 2 * stds).mean(),
        }
        say(f"κ of the glass, {split}", {key: round(float(mine[key]), 3) for key in mine})


def of_files(molecules: Path | None, polymers: Path | None, say: Callable[..., None]) -> None:
    """Judge the shipped models on other files of the same form."""
    if molecules is not None:
        table = labelled_molecules(molecules.read_bytes())
        labels = np.array([each.liquid_crystalline for each in table])
        numbers = molecule_numbers([plain_molecule(each.smiles) for each in table])
        said = molecule_classifier().answers(numbers)
        hard = (numbers.dense[:, 0] >= HARD_ATOMS) & (numbers.dense[:, 1] >= HARD_RINGS)
        say("molecules of the file, all", figures(labels, said.probability))
        say("molecules of the file, hard", figures(labels[hard], said.probability[hard]))
        say("molecules of the file, conformal sets", coverage(labels, said.sets))
    if polymers is not None:
        of_table = labelled_polymers(polymers.read_bytes())
        labels = np.array([each.liquid_crystalline for each in of_table])
        told = polymer_classifier().answers(polymer_numbers([each.smiles for each in of_table]))
        say("polymers of the file", figures(labels, told.probability))
        say("polymers of the file, conformal sets", coverage(labels, told.sets))


PARTS = {
    "polymers": of_polymers,
    "molecules": of_molecules,
    "phases": of_phases,
    "glasses": of_glasses,
}


def main() -> None:
    """Print the figures, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--molecules", type=Path, help="CSV with columns smiles and lc")
    parser.add_argument("--polymers", type=Path, help="CSV with columns name, psmiles and phase")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    stated = parser.parse_args()
    found: dict[str, Figures] = {}

    def say(name: str, what: Figures) -> None:
        found[name] = what
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in what.items()), flush=True)

    if stated.molecules or stated.polymers:
        of_files(stated.molecules, stated.polymers, say)
    else:
        for name, part in PARTS.items():
            if stated.only in (None, name):
                part(say)
    if stated.json is not None:
        stated.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
