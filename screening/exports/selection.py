"""Candidates that leave, and what is said of each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.candidates.candidate import Candidate
from screening.ranking.columns import as_records
from screening.ranking.entries import RankedRow
from screening.results.result import Result

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from screening.campaigns.campaign import Campaign
    from screening.targets.objectives import Objective


@dataclass(frozen=True)
class Item:
    """One candidate that leaves.

    Attributes
    ----------
    candidate : Candidate
        As its sources have it.
    row : RankedRow
        Its place in the ranking.
    result : Result or None
        What was computed; None for what is only predicted.
    """

    candidate: Candidate
    row: RankedRow
    result: Result | None

    @property
    def structure(self) -> Structure:
        """The relaxed crystal, or the one of the source where nothing was computed."""
        if self.result is None:
            crystal: Structure = self.candidate.content()
            return crystal
        return self.result.structure

    @property
    def charged_structure(self) -> Structure | None:
        """Of electrodes, the relaxed crystal without the ions that leave."""
        if self.result is None or "charged_structure" not in self.result.document:
            return None
        return self.result.charged_structure


@dataclass(frozen=True)
class Selection:
    """What of a campaign leaves.

    Attributes
    ----------
    campaign : Campaign
    rows : list of RankedRow
        Best first.
    tell : callable
        Says a line to the person who waits.
    """

    campaign: Campaign
    rows: list[RankedRow]
    tell: Callable[[str], None]

    @property
    def objective(self) -> Objective:
        """What the campaign optimises."""
        return self.campaign.objective

    def item(self, row: RankedRow) -> Item:
        """Return a row with its crystal and its result."""
        computed = row.outcome not in ("predicted", "failed")
        key = row.candidate_id
        result = Result.of(self.campaign, key) if computed else None
        return Item(self.campaign.candidate(key), row, result)

    def facts(self, item: Item) -> dict[str, Any]:
        """Return what goes with a structure: plain values, units in the names.

        What is not known is left out.
        """
        [record] = as_records([item.row], self.objective)
        facts = {"campaign": self.campaign.name, **record, "relaxed": item.result is not None}
        return {key: value for key, value in facts.items() if value is not None and value != ""}
