"""The pool in the two directions in which its features spread most."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from screening.campaigns.training_data import feature_matrix
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted
from screening.ranking.cache import cached_ranking
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import PoolMapView
from screening.views.numbers import short_or_none, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.campaigns.campaign import Campaign

    Floats = NDArray[np.float64]


def pool_map(campaign: Campaign, at_most: int = 5000) -> PoolMapView:
    """Return the pool in the plane of its first two principal components.

    Parameters
    ----------
    at_most
        Candidates shown; of larger pools all chosen ones and a random sample, drawn with the
        campaign's seed.  The plane is that of the whole pool.
    """
    if at_most < 1:
        raise ScreenError(f"map: shows at least 1 candidate, not {at_most}")
    features = campaign.pool_features()
    rows = {row.candidate_id: row for row in cached_ranking(campaign)[0]}
    ids = [key for key in features if key in rows]
    picks = {pick["candidate_id"]: pick for pick in campaign.picks()}
    points, explained = principal_plane(feature_matrix(features, ids))
    others = [key for key in ids if key not in picks]
    room = min(max(at_most - (len(ids) - len(others)), 0), len(others))
    # Python's own generator: its samples are the same with every version of numpy.
    kept = {*picks, *random.Random(campaign.config.seed).sample(others, room)}
    places = [place for place, key in enumerate(ids) if key in kept]
    shown = [ids[place] for place in places]
    return PoolMapView(
        name="map",
        title=MAP.title,
        caption=_said(len(shown), len(ids), sum(key in picks for key in shown), explained),
        absent="" if shown else "The pool is empty.",
        explained_fraction=explained,
        candidate_id=shown,
        label=[rows[key].label for key in shown],
        x=shortened(points[places, 0]),
        y=shortened(points[places, 1]),
        outcome=[rows[key].outcome for key in shown],
        number=[picks[key]["number"] if key in picks else None for key in shown],
        round=[picks[key]["round"] if key in picks else None for key in shown],
        value=[
            short_or_none(row.value if row.outcome != "predicted" else row.predicted_value)
            for row in (rows[key] for key in shown)
        ],
        shown=len(shown),
        pool=len(ids),
    )


def _said(shown: int, pool: int, chosen: int, explained: tuple[float, float]) -> str:
    sample = (
        f"{counted(shown, 'candidate')} of {pool:,}, all chosen ones among them"
        if shown < pool
        else counted(pool, "candidate")
    )
    return (
        f"{sample}, {chosen} chosen so far. Candidates that are alike in their features lie close "
        f"together; the two directions hold {round(100 * sum(explained))} % of the variance of the "
        "features."
    )


def principal_plane(features: Floats) -> tuple[Floats, tuple[float, float]]:
    """Project standardised features onto their first two principal components.

    Features that are constant are left out, the others have zero mean and a variance of one.  A
    component's sign is free: the feature that counts most in it counts positively.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Raw.

    Returns
    -------
    points : ndarray, shape (n, 2)
    explained : tuple of two floats
        Fraction of the variance along each; zero where there is none.
    """
    from screening.choosing.feature_scaling import FeatureScaling

    scaled = FeatureScaling.of(features)(features) if len(features) else features
    width = scaled.shape[1]
    if len(scaled) < 2 or not scaled.any():
        return np.zeros((len(scaled), 2)), (0.0, 0.0)
    scaled = scaled * np.sqrt(width)
    variances, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    points, explained = np.zeros((len(scaled), 2)), [0.0, 0.0]
    for axis in range(min(2, width)):
        vector = vectors[:, -1 - axis]
        # Rounded: of two that count alike the first one decides, whatever the last digit says.
        vector = vector * np.sign(vector[np.argmax(np.round(np.abs(vector), 6))])
        points[:, axis] = scaled @ vector
        explained[axis] = float(max(variances[-1 - axis], 0.0) / variances.sum())
    return points, (explained[0], explained[1])


MAP = CampaignFigure(
    name="map",
    help="The pool in the plane in which the features of its candidates spread most.",
    title="Map of the pool",
    view=pool_map,
)
