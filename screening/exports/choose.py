"""Which candidates of a campaign leave in a form."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from screening.candidates.find import find_candidate
from screening.exports.selection import Selection
from screening.messages.errors import ScreenError
from screening.ranking.cache import cached_ranking

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.exports import ExportForm
    from screening.ranking.entries import RankedRow

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""What ids of candidates look like."""


def choose(
    campaign: Campaign,
    form: ExportForm,
    wanted: Sequence[str],
    top: int | None,
    *,
    predicted: bool,
    tell: Callable[[str], None],
) -> Selection:
    """Return what of a campaign leaves in a form.

    Parameters
    ----------
    wanted
        Candidates by id, material_id or formula; empty for all.
    top
        Only the best so many.
    predicted
        Also what is not computed, where the form needs structures; tables of the ranking have all.

    Raises
    ------
    ScreenError
        When the form is not for this kind of candidates, a candidate is unknown or has not what
        the form needs, or nothing is left.
    """
    kind = campaign.objective.candidates
    if form.kinds is not None and kind not in form.kinds:
        raise ScreenError(
            f"--as {form.name}: writes candidates of kind {' or '.join(form.kinds)}; campaign "
            f"'{campaign.name}' has candidates of kind {kind}, which --as csv can write"
        )
    rows, _ = cached_ranking(campaign, top if form.content == "row" and not wanted else None)
    if form.content == "forces":
        predicted = False
    outcomes = {"computed", "predicted"} if predicted else {"computed"}
    if wanted:
        among = {"campaigns": campaign.name}
        ids = {find_candidate(campaign.database, key, among)["_id"] for key in wanted}
        rows = [row for row in rows if row.candidate_id in ids]
        if form.content != "row":
            _check(rows, predicted=predicted)
    elif form.content != "row":
        rows = [row for row in rows if row.outcome in outcomes]
    if not rows:
        also = "" if predicted or form.content == "forces" else "; --predicted takes others too"
        raise ScreenError(
            f"campaign '{campaign.name}': nothing to export: no candidate is computed{also}"
        )
    for row in rows[:top]:
        # It becomes the name of a file, and whoever stored it may not be the one who exports.
        if not NAME_PATTERN.fullmatch(row.candidate_id):
            raise ScreenError(f"candidate '{row.candidate_id}': no name for a file")
    return Selection(campaign, rows[:top], tell)


def _check(rows: list[RankedRow], *, predicted: bool) -> None:
    """Refuse candidates that were named and have no result."""
    for row in rows:
        if row.outcome == "failed":
            raise ScreenError(f"candidate '{row.candidate_id}' failed; it has no result to export")
        if row.outcome == "predicted" and not predicted:
            raise ScreenError(
                f"candidate '{row.candidate_id}' is not computed; where a form has structures, "
                "--predicted exports that of its source"
            )
