"""What is expected of candidates before a campaign computes them: what an earlier campaign found.

A cheaper engine, or a cheaper quantity that goes with the wanted one, ranks the pool before the
first expensive calculation; the model then learns by how much results differ from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.choosing.surrogates import FeatureScaling, SurrogateConfig, build_surrogate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.choosing.observations import Observations

    Floats = NDArray[np.float64]


def completed(
    prior: Mapping[str, float], ids: list[str], features: Floats
) -> tuple[Floats, Floats]:
    """Return the prior of every candidate; where there is none, what a model of the others says.

    Parameters
    ----------
    features : ndarray, shape (ids, d)
        Raw; NaN is allowed.

    Returns
    -------
    expected, std : ndarray, shape (ids,)
        The second is zero where there is a prior, and says how sure the model is elsewhere.
    """
    guesses = np.array([prior.get(candidate_id, np.nan) for candidate_id in ids], dtype=float)
    missing = ~np.isfinite(guesses)
    spread = np.zeros(len(ids))
    if missing.all():
        return np.zeros(len(ids)), spread
    if missing.any():
        scaled = FeatureScaling.of(features)(features)
        model = build_surrogate(SurrogateConfig(), 0)
        model.fit(scaled[~missing], guesses[~missing], None)
        guesses[missing], spread[missing] = model.predict(scaled[missing])
    return guesses, spread


def with_prior(
    prior: Mapping[str, float], ids: list[str], features: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return features with the prior as one more, the prior itself and how unsure it is.

    Also a feature, because the prior's error may grow with its value.  See `completed`.
    """
    expected, std = completed(prior, ids, features)
    return np.column_stack([features, expected]), expected, std


@dataclass(frozen=True)
class PriorResiduals:
    """What is left for a model to learn where there is a prior.

    Attributes
    ----------
    known : ndarray, shape (n, d)
        Features of the evaluated candidates; the prior is one of them.
    values : ndarray, shape (n,)
        By how much their results differ from the prior.
    known_expected : ndarray, shape (n,)
    asked, asked_expected : ndarray, shape (m, d) and (m,)
        The same of the candidates asked about.
    asked_std : ndarray, shape (m,)
        How unsure the prior of these is itself, where it is a guess.
    """

    known: Floats
    values: Floats
    known_expected: Floats
    asked: Floats
    asked_expected: Floats
    asked_std: Floats

    @classmethod
    def of(cls, seen: Observations, ids: list[str], features: Floats) -> PriorResiduals:
        """Take the prior off the results; without one nothing changes."""
        n = len(seen.ids)
        if not seen.prior:
            nothing = np.zeros(len(ids))
            return cls(seen.features, seen.values, np.zeros(n), features, nothing, nothing)
        everyone, expected, spread = with_prior(
            seen.prior, [*seen.ids, *ids], np.vstack([seen.features, features])
        )
        return cls(
            known=everyone[:n],
            values=seen.values - expected[:n],
            known_expected=expected[:n],
            asked=everyone[n:],
            asked_expected=expected[n:],
            asked_std=spread[n:],
        )
