"""The two objectives of a campaign against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.ranking.cache import cached_ranking
from screening.views.forms import TradeOffView
from screening.views.numbers import short, short_or_none

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign


def trade_off(campaign: Campaign) -> TradeOffView:
    """Return the computed candidates that have both values, in the ranking's order.

    A campaign with one objective has none.
    """
    also = campaign.config.second_objective
    points = [
        (row, float(row.value), float(second))
        for row in (cached_ranking(campaign)[0] if also is not None else [])
        if also is not None
        and row.outcome == "computed"
        and row.value is not None
        and (second := row.shown_fields.get(also.field)) is not None
    ]
    return TradeOffView(
        candidate_id=[row.candidate_id for row, _, _ in points],
        formula=[row.label for row, _, _ in points],
        value=[short(value) for _, value, _ in points],
        value_error=[short_or_none(row.value_error) for row, _, _ in points],
        second=[short(second) for _, _, second in points],
        on_front=[bool(row.on_front) for row, _, _ in points],
    )
