"""What rows of a ranking say of candidates themselves, by their kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.kinds import CandidateKind
    from screening.ranking.entries import RankedRow

Scalar = float | str | bool | None


def kind_of(campaign: Campaign) -> CandidateKind:
    """Return the kind of candidates that a campaign has."""
    # Imported here: names of figures are asked for by light commands.
    from screening.candidates.kinds import KINDS

    return KINDS.load(campaign.objective.candidates)


def facts_of(row: RankedRow, kind: CandidateKind) -> dict[str, Scalar]:
    """Return the facts of a row's candidate by their fields, its label among them."""
    return {fact.field: getattr(row, fact.field) for fact in kind.facts}


def label_of(row: RankedRow, kind: CandidateKind) -> str:
    """Return the name that people know a candidate by."""
    return str(facts_of(row, kind)[kind.label_field])
