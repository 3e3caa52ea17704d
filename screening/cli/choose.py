"""`matscreen choose`: a batch to make or to study, of the best, unlike each other, with why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.opening import opened_campaign
from screening.cli.options import CampaignOrNewest, TableFormat, TableFormatOption
from screening.cli.output import (
    digits,
    prediction,
    print_fitting,
    print_records,
    short,
    stdout,
    title_of,
    with_error,
)
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.candidate import Candidate
    from screening.ranking.diverse import Proposal
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective

AMONG_EACH = 5
"""Candidates that are looked at for each one that is chosen."""


def choose(
    name: CampaignOrNewest = None,
    diverse: Annotated[int, typer.Option(min=1, help="How many.")] = 6,
    among: Annotated[
        Optional[int],
        typer.Option(min=1, help="Look at the best so many. [default: five times as many]"),
    ] = None,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Also what is not computed, by the model.")
    ] = False,
    format: TableFormatOption = TableFormat.table,
) -> None:
    """Choose a few of the best that are unlike each other, to be made or studied next."""
    from screening.ranking.cache import cached_ranking
    from screening.ranking.diverse import diverse_batch

    wanted = diverse * AMONG_EACH if among is None else among
    if wanted < diverse:
        raise ScreenError(f"--among {wanted}: give at least {diverse}, as many as are chosen")
    with opened_campaign(name) as campaign:
        outcomes = {"computed", "predicted"} if predicted else {"computed"}
        rows = [
            row
            for row in cached_ranking(campaign)[0]
            if row.outcome in outcomes
            and (row.value is not None or row.predicted_value is not None)
        ][:wanted]
        if not rows:
            also = "" if predicted else "; --predicted takes what is not computed too"
            raise ScreenError(
                f"campaign '{campaign.name}': nothing to choose from: no candidate is computed "
                f"and keeps the constraints{also}"
            )
        if len(rows) < diverse:
            say(f"only {counted(len(rows), 'candidate')} to choose from; all are shown")
        proposals = diverse_batch(campaign, rows, diverse)
        candidates = [campaign.candidate(each.row.candidate_id) for each in proposals]
        if not print_records(_records(campaign, proposals, candidates), format):
            _print_batch(campaign, proposals, candidates, len(rows))


def _records(
    campaign: Campaign, proposals: list[Proposal], candidates: list[Candidate]
) -> list[dict[str, Any]]:
    from screening.ranking.columns import as_records

    ranked = as_records([proposal.row for proposal in proposals], campaign.objective)
    return [
        {
            **record,
            "most_similar": None if each.like is None else each.like.candidate_id,
            "distance": each.distance,
            "differences": _differences(each),
            "details": "; ".join(f"{name}: {text}" for name, text in candidate.details()),
        }
        for record, each, candidate in zip(ranked, proposals, candidates, strict=True)
    ]


def _print_batch(
    campaign: Campaign, proposals: list[Proposal], candidates: list[Candidate], looked_at: int
) -> None:
    from screening.cli.fitted_table import Column

    objective = campaign.objective
    columns = [
        Column("rank", [str(each.row.rank) for each in proposals], True),
        Column("candidate", [each.row.candidate_id for each in proposals]),
        Column("name", [each.row.label for each in proposals], expendable=2),
        Column(objective.heading, [_value(each.row, objective) for each in proposals], True),
        Column("why", [_why(each) for each in proposals]),
    ]
    print_fitting(
        columns,
        title=title_of(campaign),
        caption=f"{len(proposals)} of the best {looked_at}, as unlike each other as these allow; "
        "distances between features, random pairs of these are about 1.4 apart",
        styles=[],
        elsewhere=" (--format csv has them)",
    )
    out = stdout()
    for candidate in candidates:
        for name, text in candidate.details():
            line = f"{candidate.label}, {name}: {text}"
            out.print(line, highlight=False, markup=False, soft_wrap=True)


def _value(row: RankedRow, objective: Objective) -> str:
    if row.value is not None:
        return with_error(row.value, row.value_error)
    return f"predicted {prediction(row.predicted_value, row.predicted_std, objective)}"


def _why(proposal: Proposal) -> str:
    if proposal.like is None or proposal.distance is None:
        return "the best"
    apart = f"{digits(proposal.distance, 2)} from {proposal.like.label}"
    told = _differences(proposal)
    return f"{apart}: {told}" if told else apart


def _differences(proposal: Proposal) -> str:
    return ", ".join(
        f"{each.feature.replace('_', ' ')} {short(each.value)} instead of {short(each.other)}"
        for each in proposal.differences
    )
