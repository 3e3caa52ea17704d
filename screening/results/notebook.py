"""A campaign as a notebook sees it: open it by its name, read tables and results, change nothing.

``from screening import Campaign`` gets `Campaign` of this module.  Tables are pandas DataFrames
whose column names carry the units.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from screening.campaigns.campaign import Campaign as StoredCampaign
from screening.campaigns.campaign import Progress
from screening.candidates.crystal import bare_structure
from screening.candidates.find import find_candidate
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.ranking.entries import Outcome, RankedRow, as_records, columns
from screening.results.result import Result
from screening.store.database import open_database

if TYPE_CHECKING:
    from pandas import DataFrame
    from pymatgen.core.structure import Structure

    from screening.targets.objectives import Objective


class Campaign:
    """A campaign to read from; made by `open`.

    It is a context manager, and closes by itself when nothing refers to it any more or the
    interpreter ends.

    Parameters
    ----------
    campaign
        Campaign in an open database.
    stack
        What is closed with it.
    """

    def __init__(self, campaign: StoredCampaign, stack: contextlib.ExitStack) -> None:
        self._campaign = campaign
        self._close = weakref.finalize(self, stack.close)

    @classmethod
    def open(cls, name: str | None = None, settings: Settings | None = None) -> Campaign:
        """Open a campaign of the database that the environment names, or of the embedded one.

        Parameters
        ----------
        name
            None takes the newest campaign.
        settings
            Where the database is; by default what ``SCREEN_MONGODB_URI``, ``SCREEN_DIRECTORY``
            and the like say, as for `screen`.

        Raises
        ------
        ScreenError
            When there is no such campaign, or no database.
        """
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(
                open_database(Settings() if settings is None else settings, must_exist=True)
            )
            return cls(StoredCampaign.open(database, name), stack.pop_all())

    def close(self) -> None:
        """Close the connection, and the embedded server where nobody else uses it."""
        self._close()

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Campaign({self.name!r}, {self._campaign.objective.name}, {self.engine})"

    # --------------------------------------------------------------------------------- facts

    @property
    def name(self) -> str:
        """Name of the campaign."""
        return self._campaign.name

    @property
    def engine(self) -> str:
        """Name of the engine that explores."""
        return self._campaign.engine.name

    @property
    def config(self) -> dict[str, Any]:
        """The campaign's YAML, with all defaults, as plain values."""
        return self._campaign.config.model_dump(mode="json")

    @property
    def value_field(self) -> str:
        """Name of the column that holds the value to rank by; its end is the unit."""
        return self._campaign.objective.value_field

    @property
    def progress(self) -> Progress:
        """How far the campaign is now: counts of candidates, best value, pace."""
        return self._campaign.progress()

    # -------------------------------------------------------------------------------- tables

    def ranking(
        self,
        *,
        outcome: str | None = None,
        top: int | None = None,
        where: dict[str, Any] | None = None,
    ) -> DataFrame:
        """Return the ranking, the same rows as `screen rank` has.

        Parameters
        ----------
        outcome
            Only ``computed``, ``predicted``, ``infeasible``, ``unstable`` or ``failed`` ones.
        top
            Only the best so many of them.
        where
            MongoDB filter, as of ``screen rank --where``.

        Raises
        ------
        ScreenError
            When the outcome or the filter makes no sense.
        """
        from screening.ranking.build import check_filter, ranking
        from screening.ranking.cache import standings

        if outcome is not None and outcome not in get_args(Outcome):
            known = ", ".join(get_args(Outcome))
            raise ScreenError(f"outcome '{outcome}': unknown; known: {known}")
        if top is not None and top < 1:
            raise ScreenError(f"top: must be at least 1, not {top}")
        if where:
            check_filter(where)
            rows = ranking(self._campaign, where)
        else:
            rows, _ = standings(self._campaign, top if outcome is None else None)
        return ranking_table(self._campaign.objective, _of(rows, outcome)[:top])

    def picks(self) -> DataFrame:
        """Return what was chosen to be computed, in that order, with reason and outcome.

        Predictions made when a candidate was picked are in the unit of the value.
        """
        from pandas import DataFrame

        objective = self._campaign.objective
        value, error = objective.value_field, objective.error_field
        names = columns(value, error, objective.logarithmic)
        results = {
            level.engine.name: self._campaign.results(level) for level in self._campaign.levels
        }
        rows = []
        for pick in [*self._campaign.picks(), *self._campaign.confirmation_picks()]:
            result = results.get(pick["engine"], {}).get(pick["candidate_id"], {})
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
                    "force_calls": pick.get("force_calls"),
                    "wall_s": pick.get("wall_s"),
                    "claimed_at": pick.get("claimed_at"),
                    "finished_at": pick.get("finished_at"),
                    "error": pick.get("error"),
                }
            )
        return DataFrame(rows)

    def predictions(self) -> DataFrame:
        """Return what the model expects of candidates without a result, best first.

        With a column that tells how sure it is: the standard deviation, of the decimal logarithm
        of the value where the objective is logarithmic.  Empty while fewer than two candidates
        have a value.
        """
        table = self.ranking(outcome="predicted")
        objective = self._campaign.objective
        names = columns(objective.value_field, objective.error_field, objective.logarithmic)
        kept = ["rank", "candidate_id", "material_id", "formula", "space_group_number"]
        kept += [names["predicted_value"], names["predicted_std"]]
        return table[kept].dropna(subset=[names["predicted_value"]]).reset_index(drop=True)

    # ------------------------------------------------------------------------- one candidate

    def result(self, candidate: str, engine: str | None = None) -> Result:
        """Return the result of a candidate.

        Parameters
        ----------
        candidate
            Its ``candidate_id``, ``material_id`` or formula.
        engine
            Name of the engine that computed it; None takes the one of highest fidelity that has.

        Raises
        ------
        ScreenError
            When the candidate is unknown, or was not computed.
        """
        return Result.of(self._campaign, self._candidate(candidate)["_id"], engine)

    def structure(self, candidate: str) -> Structure:
        """Return the primitive cell of a candidate as its source has it, not relaxed."""
        return bare_structure(self._candidate(candidate)["structure"])

    def _candidate(self, candidate: str) -> dict[str, Any]:
        database = self._campaign.database
        return find_candidate(database, candidate, {"campaigns": self.name})


def ranking_table(objective: Objective, rows: Sequence[RankedRow]) -> DataFrame:
    """Return rows of a ranking as a table whose column names carry the units."""
    from pandas import DataFrame

    fields = objective.value_field, objective.error_field, objective.logarithmic
    records = as_records(rows, *fields)
    # A table without rows has its columns all the same.
    return DataFrame(records, columns=None if records else list(columns(*fields).values()))


def _of(rows: list[RankedRow], outcome: str | None) -> list[RankedRow]:
    return [row for row in rows if outcome is None or row.outcome == outcome]
