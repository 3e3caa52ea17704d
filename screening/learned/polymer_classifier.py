"""Whether a polymer is liquid-crystalline, learned from labelled polymers.

Few polymers are labelled, so the model sees a few numbers with a physical meaning and not a
fingerprint.  Away from all labelled polymers its answer goes to their base rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.choosing.feature_scaling import nearest
from screening.learned.conformal import class_p_values, conformal_sets, word_of_set
from screening.learned.forest import Forest
from screening.learned.kept_numbers import Numbers, kept_numbers
from screening.learned.shipped_tables import (
    POLYMERS,
    LabelledPolymer,
    content_of,
    labelled_polymers,
)
from screening.machine.user_cache import digest_of
from screening.molecules import polymer_features
from screening.molecules.polymer_unit import canonical_smiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION = 3
"""Raise it whenever the model or its numbers change: what is kept in caches is then made anew."""
N_TREES = 200
MOST_SPACER = 12
"""Flexible atoms in a row; longer spacers make no other phase."""
MOST_RINGS = 4
REACH = 0.95
"""Share of the labelled polymers that are closer to another one than answers reach unchanged."""
INSIDE = 0.75
"""Share of them that are closer to another one than the domain is wide."""
_COUNTS = (
    "heavy_atoms",
    "rings",
    "flat_rings",
    "longest_path",
    "slenderness",
    "rod_length",
    "straight_links",
    "bent_links",
    "hinges",
    "longest_alkyl",
    "backbone_atoms",
    "backbone_rod",
    "backbone_rod_rings",
    "backbone_spacer",
)
"""Features of which ratios count and not differences."""


@dataclass(frozen=True)
class PolymerAnswers:
    """What the model says of polymers, one entry each.

    Attributes
    ----------
    probability : ndarray, shape (m,)
        That the polymer has a liquid-crystalline phase, thermotropic or lyotropic.
    sets : list of list of str
        Conformal sets, of ``lc`` and ``not-lc``.
    distance : ndarray, shape (m,)
        To the nearest labelled polymer, as a multiple of the reach of answers.
    nearest : ndarray of int, shape (m,)
        Its place in the table.
    inside : ndarray of bool, shape (m,)
        Whether each polymer is as close to a labelled one as most of these are to each other.
    """

    probability: Floats
    sets: list[list[str]]
    distance: Floats
    nearest: NDArray[np.intp]
    inside: NDArray[np.bool_]


class PolymerClassifier:
    """Extremely randomised trees on nine numbers of the backbone.

    P. Geurts et al., Machine Learning 63, 3 (2006).

    Parameters
    ----------
    polymers : list of LabelledPolymer
    features : ndarray, shape (n, len(polymer_features.feature_names()))
        Of their canonical repeat units.
    left_out : ndarray, shape (n, 2), optional
        Probability and distance of each from a model without its series; made when first needed.
    """

    def __init__(
        self, polymers: list[LabelledPolymer], features: Floats, left_out: Floats | None = None
    ) -> None:
        self.polymers = polymers
        self.features = features
        self.labels = np.array([polymer.liquid_crystalline for polymer in polymers])
        self.series = np.array([polymer.series for polymer in polymers])
        self._stated_left_out = left_out

    @cached_property
    def trees(self) -> Forest:
        """The fitted model."""
        from sklearn.ensemble import ExtraTreesClassifier

        trees = ExtraTreesClassifier(N_TREES, min_samples_leaf=2, max_features=1.0, random_state=0)
        sure = np.array([polymer.verified for polymer in self.polymers])
        trees.fit(backbone_view(self.features[sure]), self.labels[sure])
        return Forest.of(trees)

    @cached_property
    def weights(self) -> Floats:
        """What each polymer counts in calibration: all series count alike, shape (n,)."""
        _, place, sizes = np.unique(self.series, return_inverse=True, return_counts=True)
        found: Floats = 1 / sizes[place]
        return found

    @cached_property
    def left_out(self) -> Floats:
        """Probability and distance of each from a model without its series, shape (n, 2)."""
        if self._stated_left_out is not None:
            return self._stated_left_out
        found = np.empty((len(self.labels), 2))
        for series in sorted(set(self.series)):
            out = self.series == series
            others = [one for one, is_out in zip(self.polymers, out, strict=True) if not is_out]
            model = PolymerClassifier(others, self.features[~out])
            found[out, 1], _ = model.distances(self.features[out])
            found[out, 0] = model.probabilities(self.features[out], found[out, 1])
        return found

    @cached_property
    def _scaling(self) -> tuple[Floats, Floats]:
        view = whole_view(self.features)
        spread = view.std(axis=0)
        return view.mean(axis=0), np.where(spread > 0, spread, 1.0)

    @cached_property
    def _known(self) -> Floats:
        return self._scaled(self.features)

    @cached_property
    def _reaches(self) -> tuple[float, float]:
        """Distances below which most labelled polymers have another one, by `REACH`, `INSIDE`."""
        # The nearest one of each is itself.
        _, apart = nearest(self._known, self._known, 2)
        of_answers, of_domain = np.quantile(apart[:, 1], [REACH, INSIDE])
        return float(of_answers), float(of_domain)

    def _scaled(self, features: Floats) -> Floats:
        mean, spread = self._scaling
        scaled: Floats = (whole_view(features) - mean) / (spread * np.sqrt(features.shape[1]))
        return scaled

    def distances(self, features: Floats) -> tuple[Floats, NDArray[np.intp]]:
        """Return the distance to the nearest labelled polymer and its place, both (m,).

        Distances are root mean squares over all features, each scaled by its spread, and multiples
        of the reach of answers.
        """
        places, apart = nearest(self._scaled(features), self._known)
        return apart[:, 0] / self._reaches[0], places[:, 0]

    def probabilities(self, features: Floats, distance: Floats) -> Floats:
        """Return probabilities, which beyond the reach of answers go to the base rate."""
        base = float(self.labels.mean())
        said = self.trees.shares(backbone_view(features))
        drawn: Floats = base + (said - base) / np.maximum(distance, 1)
        return drawn

    def answers(self, features: Floats) -> PolymerAnswers:
        """Return what the model says of polymers with these features, shape (m, d)."""
        distance, places = self.distances(features)
        probability = self.probabilities(features, distance)
        p_values = class_p_values(
            fit_scores(probability, distance),
            fit_scores(*self.left_out.T),
            self.labels,
            self.weights,
        )
        reach, domain = self._reaches
        inside = distance * reach <= domain
        return PolymerAnswers(probability, conformal_sets(p_values), distance, places, inside)


def fit_scores(probability: Floats, distance: Floats) -> Floats:
    """Return how well entries fit each class, (m, 2): what lies far out fits neither."""
    close = 1 / np.maximum(distance, 1) ** 2
    both: Floats = np.stack([(1 - probability) * close, probability * close], axis=1)
    return both


def backbone_view(features: Floats) -> Floats:
    """Return the numbers that decide, shape (m, 9).

    A mesogen takes two rings or more in one straight piece; a spacer without one is no liquid
    crystal, so the two are multiplied.  Hinges, bends and what stands beside work against it.
    """
    of = dict(zip(polymer_features.feature_names(), features.T, strict=True))
    rings, spacer = of["backbone_rod_rings"], of["backbone_spacer"]
    hinges, sharp = of["backbone_hinges"], of["backbone_sharp_hinges"]
    bends = of["backbone_bends"]
    return np.stack(
        [
            np.log1p(of["backbone_rod"]),
            np.minimum(rings, MOST_RINGS),
            np.log1p(spacer),
            bends,
            hinges,
            sharp,
            of["backbone_beside"],
            (rings >= 2) * np.log1p(np.minimum(spacer, MOST_SPACER)),
            hinges + bends + sharp,
        ],
        axis=1,
    )


@cache
def _are_counts() -> NDArray[np.bool_]:
    return np.isin(polymer_features.feature_names(), _COUNTS)


def whole_view(features: Floats) -> Floats:
    """Return features with counts as logarithms, so that ratios of them count, shape (m, d)."""
    return np.where(_are_counts(), np.log1p(np.maximum(features, 0)), features)


def learned_facts(features: list[float]) -> dict[str, Any]:
    """Return what is learned of one polymer, by the fields of candidates."""
    said = polymer_classifier().answers(np.array([features]))
    return {
        "probability_liquid_crystalline": round(float(said.probability[0]), 4),
        "liquid_crystal_set": word_of_set(said.sets[0]),
        "inside_domain": bool(said.inside[0]),
        "nearest_known": polymer_classifier().polymers[said.nearest[0]].name,
    }


@cache
def polymer_classifier() -> PolymerClassifier:
    """Return the model of the shipped polymers; what is slow to make comes from the cache."""
    import rdkit
    import sklearn

    polymers = labelled_polymers()
    versions = (
        f"{VERSION} {polymer_features.FEATURES_VERSION} {rdkit.__version__} {sklearn.__version__}"
    )

    def make() -> Numbers:
        features = polymer_numbers([polymer.smiles for polymer in polymers])
        model = PolymerClassifier(polymers, features)
        return {"features": features, "left_out": model.left_out}

    digest = digest_of(content_of(POLYMERS), versions)
    kept = kept_numbers("polymers", digest, make)
    return PolymerClassifier(polymers, kept["features"], kept["left_out"])


def polymer_numbers(repeat_units: list[str]) -> Floats:
    """Return the features of repeat units, cut and written in any way."""
    return np.array(
        [polymer_features.features(canonical_smiles(smiles)) for smiles in repeat_units]
    )
