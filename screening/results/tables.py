"""Tables of a campaign as pandas DataFrames, whose column names carry the units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from screening.ranking.columns import as_records, columns

if TYPE_CHECKING:
    from pandas import DataFrame

    from screening.campaigns.snapshot import Snapshot
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective


def ranking_table(objective: Objective, rows: Sequence[RankedRow]) -> DataFrame:
    """Return rows of a ranking as a table."""
    from pandas import DataFrame

    records = as_records(rows, objective)
    # A table without rows has its columns all the same.
    return DataFrame(records, columns=None if records else list(columns(objective).values()))


def picks_table(snapshot: Snapshot) -> DataFrame:
    """Return what was chosen to be computed, in that order, with reason and outcome."""
    from pandas import DataFrame

    objective = snapshot.objective
    value, error = objective.value_field, objective.error_field
    names = columns(objective)
    rows = []
    for pick in [*snapshot.picks, *snapshot.confirmation_picks]:
        result = snapshot.results.get(pick["engine"], {}).get(pick["candidate_id"], {})
        mean = pick.get("predicted_mean")
        rows.append(
            {
                "number": pick["number"],
                "round": pick["round"],
                "candidate_id": pick["candidate_id"],
                "engine": pick["engine"],
                "state": pick["state"],
                "reason": pick["reason"],
                names["predicted_value"]: None if mean is None else objective.from_model(mean),
                names["predicted_std"]: pick.get("predicted_std"),
                value: result.get(value),
                **({} if error is None else {error: result.get(error)}),
                "acquisition": pick.get("acquisition"),
                "rank_when_picked": pick.get("rank"),
                "attempts": pick.get("attempts"),
                "cost": pick.get("cost"),
                "cost_unit": pick.get("cost_unit"),
                "wall_s": pick.get("wall_s"),
                "claimed_at": pick.get("claimed_at"),
                "finished_at": pick.get("finished_at"),
                "error": pick.get("error"),
            }
        )
    return DataFrame(rows)
