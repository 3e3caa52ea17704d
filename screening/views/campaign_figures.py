"""Pictures of a campaign as a whole: an extension point, from which all that shows them follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening.machine.plugins import PlugIns

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.views.forms import CurveView, PhononView, PoolMapView


def _every(_: Campaign) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class CampaignFigure:
    """A picture that `matscreen plot`, reports and the dashboard show of a campaign.

    Parameters
    ----------
    name
        As ``matscreen plot --kind`` has it.
    help
        What it shows, in a sentence.
    title
        Heading of its section of the page.
    view
        Works it out; pages and matplotlib draw what it returns.
    kinds
        Kinds of candidates that it is for; None for all.
    is_for
        Whether a campaign has such a picture at all.
    """

    name: str
    help: str
    title: str
    view: Callable[[Campaign], CurveView | PhononView | PoolMapView]
    kinds: tuple[str, ...] | None = None
    is_for: Callable[[Campaign], bool] = _every


FIGURES: PlugIns[CampaignFigure] = PlugIns(
    "figure",
    "matscreen.figures",
    {
        "progress": "screening.views.progress:PROGRESS",
        "trade-off": "screening.views.trade_off:TRADE_OFF",
        "parity": "screening.views.parity:PARITY",
        "map": "screening.views.pool_map:MAP",
        "compositions": "screening.views.composition_map:COMPOSITIONS",
        "alloy-conductivity": "screening.views.alloy_conductivity:ALLOY_CONDUCTIVITY",
        "mixing-energy": "screening.views.alloy:HULL",
        "short-range-order": "screening.views.alloy:SHORT_RANGE_ORDER",
        "free-energy": "screening.views.alloy:FREE_ENERGY",
    },
)


def figures_of(campaign: Campaign) -> list[CampaignFigure]:
    """Return the pictures that a campaign has."""
    kind = campaign.kind.name
    return [
        figure
        for figure in map(FIGURES.load, FIGURES.names())
        if (figure.kinds is None or kind in figure.kinds) and figure.is_for(campaign)
    ]
