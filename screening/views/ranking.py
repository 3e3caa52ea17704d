"""A page of a campaign's ranking: sorted, searched, cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from screening.candidates.elements import is_element
from screening.messages.errors import ScreenError
from screening.messages.validation import nearest
from screening.ranking.cache import PIECE, cached_ranking
from screening.ranking.entries import Outcome, RankedRow
from screening.views.forms import RankingPage, RankingRow
from screening.views.numbers import finite
from screening.views.objective import objective_view

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.kinds import CandidateKind
    from screening.targets.objectives import Objective

SORTABLE = ("rank", "label", "value", "predicted_value", "expected_value")
"""Columns to sort by, beside the facts of candidates and the campaign's own further fields."""
_SYMBOL = re.compile(r"[A-Z][a-z]?")


def ranking_page(
    campaign: Campaign,
    *,
    offset: int = 0,
    limit: int = 50,
    sort: str = "rank",
    descending: bool = False,
    outcome: str | None = None,
    search: str = "",
) -> RankingPage:
    """Return some rows of a ranking, as `matscreen rank` has them.

    Parameters
    ----------
    offset, limit
        First row, from 0, and the most rows; of those that are searched for, as they are sorted.
    sort
        One of `SORTABLE`, a fact of candidates, or a field that the ranking shows beside the
        value.  Rows without it come last, whichever way it is sorted; rows that have the same
        keep the ranking's order.
    outcome
        Only rows with this outcome.
    search
        Part of a name, candidate id or material id, in whatever case; or, where candidates
        consist of elements, their symbols separated by commas, of which a candidate has all.

    Raises
    ------
    ScreenError
        When a column, an outcome or an element is unknown, or a number below 0.
    """
    if offset < 0 or limit < 0:
        raise ScreenError(f"ranking: offset {offset} and limit {limit} must not be below 0")
    objective, kind = objective_view(campaign), campaign.kind
    known = [*SORTABLE, *(shown.field for shown in (*objective.facts, *objective.shown_fields))]
    if sort not in known:
        raise ScreenError(f"ranking: cannot sort by '{sort}'; {nearest(sort, known)}")
    if outcome is not None and outcome not in get_args(Outcome):
        raise ScreenError(f"ranking: outcome '{outcome}'; {nearest(outcome, get_args(Outcome))}")
    wanted = _wanted(search.strip(), by_elements=objective.elements)
    as_ranked = sort == "rank" and not descending
    # The top of a long ranking is one small document.
    everything = not as_ranked or outcome is not None or search.strip() != ""
    rows, total = cached_ranking(campaign, None if everything else offset + limit)
    if everything:
        rows = [row for row in rows if outcome in (None, row.outcome) and wanted(row)]
        total = len(rows)
        rows = _sorted(rows, sort, descending=descending)
    page = [ranking_row(row, campaign.objective, kind) for row in rows[offset : offset + limit]]
    return RankingPage(total=total, offset=offset, rows=page)


def ranking_row(row: RankedRow, objective: Objective, kind: CandidateKind) -> RankingRow:
    """Return a row of a ranking with the bounds of its prediction."""
    low, high = None, None
    predicted = finite(row.predicted_value)
    if predicted is not None and row.predicted_std is not None:
        low, high = bounds(objective, objective.to_model(predicted), row.predicted_std)
    return RankingRow(
        rank=row.rank,
        candidate_id=row.candidate_id,
        material_id=row.material_id,
        label=row.label,
        outcome=row.outcome,
        value=finite(row.value),
        value_error=finite(row.value_error),
        **_total_error(row, objective),
        predicted_value=predicted,
        predicted_low=low,
        predicted_high=high,
        engine=row.engine,
        reason=row.reason,
        facts={field: value for field, value in row.facts.items() if field != kind.label_field},
        shown_fields={
            field: finite(value) if isinstance(value, float) else value
            for field, value in row.shown_fields.items()
        },
        shown_total_std=row.shown_total_std,
        on_front=row.on_front,
    )


def _total_error(row: RankedRow, objective: Objective) -> dict[str, Any]:
    """Return what is known of the total error of a row, bounds in the objective's unit."""
    number = finite(row.value if row.estimate is None else row.estimate)
    expected = finite(row.expected_value)
    nothing: tuple[float | None, float | None] = (None, None)
    total = expectation = nothing
    if number is not None and row.total_std is not None:
        total = bounds(objective, objective.to_model(number), row.total_std)
    if expected is not None and row.expected_std is not None:
        expectation = bounds(objective, objective.to_model(expected), row.expected_std)
    return {
        "total_low": total[0],
        "total_high": total[1],
        "estimate": finite(row.estimate),
        "estimate_error": finite(row.estimate_error),
        "probability_unstable": row.probability_unstable,
        "expected_value": expected,
        "expected_low": expectation[0],
        "expected_high": expectation[1],
        "error_basis": row.error_basis,
        "extrapolated": row.extrapolated,
    }


def bounds(objective: Objective, mean: float, std: float) -> tuple[float, float]:
    """Return a prediction less and plus one standard deviation, in the objective's unit.

    Parameters
    ----------
    mean, std
        On the model's scale, where lower is better.
    """
    ends = objective.from_model(mean - std), objective.from_model(mean + std)
    return min(ends), max(ends)


def first_row(campaign: Campaign, wanted: Callable[[RankedRow], bool]) -> RankedRow | None:
    """Return the best row that is wanted; most often it is near the top, which is one document."""
    for top in (PIECE, None):
        rows, _ = cached_ranking(campaign, top)
        if (row := next(filter(wanted, rows), None)) is not None:
            return row
    return None


def find_row(campaign: Campaign, candidate_id: str) -> RankedRow:
    """Return the row of one candidate.

    Raises
    ------
    ScreenError
        When the pool has no such candidate.
    """
    row = first_row(campaign, lambda row: row.candidate_id == candidate_id)
    if row is None:
        raise ScreenError(f"candidate '{candidate_id}' is not in the pool of '{campaign.name}'")
    return row


def _wanted(search: str, *, by_elements: bool) -> Callable[[RankedRow], bool]:
    """Return what says of a row whether it is searched for."""
    if by_elements and "," in search:
        symbols = {symbol.strip() for symbol in search.split(",")} - {""}
        if unknown := sorted(symbol for symbol in symbols if not is_element(symbol)):
            raise ScreenError(
                f"ranking: '{unknown[0]}' in the search '{search}' is not the symbol of an "
                "element; write elements as Pb,I"
            )
        return lambda row: symbols <= set(_SYMBOL.findall(row.label))
    folded = search.casefold()
    return lambda row: any(
        folded in name.casefold() for name in (row.label, row.candidate_id, row.material_id)
    )


def _sorted(rows: list[RankedRow], sort: str, *, descending: bool) -> list[RankedRow]:
    def value_of(row: RankedRow) -> Any:
        further = {**row.facts, **row.shown_fields}
        value = further[sort] if sort in further else getattr(row, sort, None)
        return finite(value) if isinstance(value, float) else value

    with_value = [row for row in rows if value_of(row) is not None]
    without = [row for row in rows if value_of(row) is None]
    return sorted(with_value, key=value_of, reverse=descending) + without
