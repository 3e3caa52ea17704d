"""A campaign as a notebook sees it: open it by its name, read tables and results, change nothing.

``from screening import Campaign`` gets `Campaign` of this module.  Tables are pandas DataFrames
whose column names carry the units.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any, get_args

from screening.campaigns.campaign import Campaign as StoredCampaign
from screening.campaigns.progress import Progress
from screening.candidates.find import find_candidate
from screening.candidates.kinds import from_document
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.ranking.columns import columns
from screening.ranking.entries import Outcome, RankedRow
from screening.results.result import Result
from screening.results.tables import picks_table, ranking_table
from screening.store.database import open_database

if TYPE_CHECKING:
    from pandas import DataFrame
    from pymatgen.core.structure import Structure


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
        """How far the campaign is now: counts of candidates, best value, mean time."""
        return self._campaign.progress()

    # -------------------------------------------------------------------------------- tables

    def ranking(
        self,
        *,
        outcome: str | None = None,
        top: int | None = None,
        where: dict[str, Any] | None = None,
    ) -> DataFrame:
        """Return the ranking, the same rows as `matscreen rank` has.

        Parameters
        ----------
        outcome
            Only ``computed``, ``predicted``, ``infeasible``, ``unstable`` or ``failed`` ones.
        top
            Only the best so many of them.
        where
            MongoDB filter, as of ``matscreen rank --where``.

        Raises
        ------
        ScreenError
            When the outcome or the filter makes no sense.
        """
        from screening.ranking.build import ranking
        from screening.ranking.cache import cached_ranking
        from screening.ranking.filter import check_filter

        if outcome is not None and outcome not in get_args(Outcome):
            known = ", ".join(get_args(Outcome))
            raise ScreenError(f"outcome '{outcome}': unknown; known: {known}")
        if top is not None and top < 1:
            raise ScreenError(f"top: must be at least 1, not {top}")
        if where:
            check_filter(where)
            rows = ranking(self._campaign, where)
        else:
            rows, _ = cached_ranking(self._campaign, top if outcome is None else None)
        return ranking_table(self._campaign.objective, _of(rows, outcome)[:top])

    def picks(self) -> DataFrame:
        """Return what was chosen to be computed, in that order, with reason and outcome.

        Predictions made when a candidate was picked are in the unit of the value.
        """
        return picks_table(self._campaign.snapshot(rows=False, features=False))

    def predictions(self) -> DataFrame:
        """Return what the model expects of candidates without a result, best first.

        With a column that tells how sure it is: the standard deviation, of the decimal logarithm
        of the value where the objective is logarithmic.  Empty while fewer than two candidates
        have a value.
        """
        table = self.ranking(outcome="predicted")
        objective = self._campaign.objective
        names = columns(objective)
        facts = [fact.field for fact in self._campaign.kind.facts]
        kept = ["rank", "candidate_id", "material_id", *facts]
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

    def content(self, candidate: str) -> Any:
        """Return what a candidate is as its source has it, of a crystal its primitive cell."""
        return from_document(self._candidate(candidate)).content()

    def structure(self, candidate: str) -> Structure:
        """Return the primitive cell of a crystal as its source has it, not relaxed.

        Raises
        ------
        ScreenError
            When the candidates of the campaign have no structure.
        """
        from pymatgen.core.structure import Structure

        content = self.content(candidate)
        if not isinstance(content, Structure):
            raise ScreenError(
                f"candidate '{candidate}': campaign '{self.name}' has "
                f"{self._campaign.kind.plural}, which have no structure; `content` returns what "
                "they are"
            )
        return content

    def _candidate(self, candidate: str) -> dict[str, Any]:
        database = self._campaign.database
        return find_candidate(database, candidate, {"campaigns": self.name})


def _of(rows: list[RankedRow], outcome: str | None) -> list[RankedRow]:
    return [row for row in rows if outcome is None or row.outcome == outcome]
