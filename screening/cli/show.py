"""`matscreen show`: one candidate, what was computed of it, why it was picked, where it stands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from screening.cli.opening import existing_database
from screening.cli.options import Format, FormatOption
from screening.cli.output import (
    prediction,
    print_json,
    short,
    stdout,
    total_error,
    with_error,
)
from screening.messages.stderr import say

if TYPE_CHECKING:
    from rich.table import Table

    from screening.campaigns.campaign import Campaign
    from screening.ranking.entries import RankedRow
    from screening.store.database import Database
    from screening.targets.objectives import Objective

_HIDDEN_OF_PICKS = {"_id", "campaign", "candidate_id", "result_id", "traceback", "predicted_std"}
_HIDDEN_OF_RESULTS = {
    *("_id", "candidate_id", "output_uuid", "recipe_hash", "inputs_hash", "schema_version"),
    "provenance",
}


_OF_RANKING = (
    *("predicted_", "total_", "expected_", "estimate_", "error_basis", "extrapolated"),
    "probability_unstable",
)
"""Beginnings of the columns that only the ranking knows."""


@dataclass(frozen=True)
class CandidateRank:
    """Where a candidate stands in the ranking of a campaign.

    Parameters
    ----------
    total
        Candidates that are ranked.
    prior_value
        What the campaign that is the prior found for it, in the objective's unit.
    """

    campaign: Campaign
    row: RankedRow
    total: int
    prior_value: float | None


def show(
    candidate: Annotated[str, typer.Argument(help="candidate_id, material_id or formula.")],
    format: FormatOption = Format.table,
) -> None:
    """Show all that is known about one candidate, and why it was picked."""
    from screening.campaigns.campaign import SUBMITTED, Campaign
    from screening.candidates.find import find_candidate

    with existing_database() as database:
        document = find_candidate(database, candidate)
        key = document["_id"]
        picks = list(database.picks.find({"candidate_id": key}, sort=[("claimed_at", 1)]))
        results = list(database.results.find({"candidate_id": key}))
        results.sort(key=lambda result: -int(result.get("fidelity") or 0))
        # A campaign sees a result also where another one has computed it.
        query = {"_id": {"$in": document.get("campaigns", [])}, **SUBMITTED}
        members = [str(member["_id"]) for member in database.campaigns.find(query, {"_id": 1})]
        names = sorted({*members, *(pick["campaign"] for pick in picks)})
        campaigns = {name: Campaign.open(database, name) for name in names}
        broken: dict[str, str] = {}
        for name, campaign in campaigns.items():
            judged = campaign.result(key)
            if judged is not None and judged["outcome"] == "infeasible":
                broken[name] = str(judged["reason"])
            if judged is not None:
                _add_derived(results, judged)
        for pick in picks:
            campaign = campaigns[pick["campaign"]]
            pick["neighbours"] = _with_values(campaign, pick.get("neighbours", []))
        ranks = _ranks(database, document)
        if format is Format.json:
            print_json(
                {
                    "candidate": document,
                    "picks": picks,
                    "results": results,
                    "infeasible": broken,
                    "ranks": [_rank_record(rank) for rank in ranks],
                }
            )
            return
        objectives = {name: campaign.objective for name, campaign in campaigns.items()}
        print_candidate(document, picks, results, objectives, broken, ranks)


def _add_derived(results: list[dict[str, Any]], judged: Mapping[str, Any]) -> None:
    """Add to a stored result what a campaign derives from all results, or borrows of others."""
    for result in results:
        if result["_id"] == judged["_id"]:
            own = {"outcome": result["outcome"], "reason": result.get("reason", "")}
            result.update({**judged, **own})


def _with_values(campaign: Campaign, neighbours: list[str]) -> list[str]:
    """Return candidates with the values they have, for a person."""
    results, objective = campaign.results(), campaign.objective
    named = []
    for key in neighbours:
        value = results.get(key, {}).get(objective.value_field)
        number = "" if value is None else f" ({value:.3g} {objective.unit})".replace(" )", ")")
        named.append(f"{key}{number}")
    return named


def _ranks(database: Database, document: Mapping[str, Any]) -> list[CandidateRank]:
    """Return where a candidate stands in all campaigns but those that are being submitted."""
    from screening.campaigns.campaign import SUBMITTED, Campaign

    query = {"_id": {"$in": document.get("campaigns", [])}, **SUBMITTED}
    stored = database.campaigns.find(query, sort=[("created_at", 1)])
    ranks = [_rank_in(Campaign(database, campaign), document["_id"]) for campaign in stored]
    return [rank for rank in ranks if rank is not None]


def _rank_in(campaign: Campaign, key: str) -> CandidateRank | None:
    """Return where a candidate stands in a campaign."""
    from screening.ranking.cache import cached_ranking

    rows, total = cached_ranking(campaign)
    row = next((row for row in rows if row.candidate_id == key), None)
    if row is None:
        return None
    expected = (campaign.prior() or {}).get(key)
    value = None if expected is None else campaign.objective.from_model(expected)
    return CandidateRank(campaign, row, total, value)


def _rank_record(rank: CandidateRank) -> dict[str, Any]:
    from screening.ranking.columns import as_records

    campaign, objective = rank.campaign, rank.campaign.objective
    [record] = as_records([rank.row], objective)
    return {
        "campaign": campaign.name,
        "prior": campaign.config.prior,
        f"prior_{objective.value_field}": rank.prior_value,
        "candidates": rank.total,
        **{key: record[key] for key in ("rank", "outcome")},
        **{key: value for key, value in record.items() if key.startswith(_OF_RANKING)},
    }


def print_candidate(
    document: Mapping[str, Any],
    picks: list[dict[str, Any]],
    results: list[dict[str, Any]],
    objectives: Mapping[str, Objective],
    broken: Mapping[str, str],
    ranks: list[CandidateRank],
) -> None:
    """Print one candidate: what it is, what was computed, why it was picked.

    Parameters
    ----------
    objectives
        Of the campaigns that picked it, by name.
    broken
        How it breaks the constraints of these campaigns.
    ranks
        Where it stands in the ranking of each campaign whose pool it is in.
    """
    from rich.text import Text

    from screening.candidates.kinds import from_document

    out = stdout()

    def line(text: str) -> None:
        out.print(text, highlight=False, markup=False, soft_wrap=True)

    origins = ", ".join(
        f"{origin['material_id']} ({origin['source']})" for origin in document["origins"]
    )
    candidate = from_document(document)
    summary = f": {candidate.summary}; from {origins}"
    out.print(Text.assemble((document["_id"], "bold"), summary), highlight=False)
    for origin in document["origins"]:
        if origin.get("note"):
            line(f"{origin['material_id']}: {origin['note']}")
    for name, text in candidate.details():
        line(f"{name}: {text}")
    for result in results:
        line(_finding(result))
    for name, reason in broken.items():
        line(f"infeasible in {name}: {reason}")
    for rank in ranks:
        line(_rank_line(rank))
    for pick in picks:
        out.print(_pick_table(pick, objectives.get(pick["campaign"])))
    for result in results:
        out.print(_result_table(result))
    for pick in picks:
        if pick["state"] == "failed" and "traceback" in pick:
            line(f"why it failed in {pick['campaign']}:")
            line(pick["traceback"])
    if not results:
        say("no result yet")


def _finding(result: Mapping[str, Any]) -> str:
    from screening.messages.errors import ScreenError
    from screening.targets.objectives import OBJECTIVES

    objective = value = None
    # A result may be of an objective of a package that is not installed here.
    with contextlib.suppress(ScreenError):
        objective = OBJECTIVES.load(result["objective"])
        value = result.get(objective.value_field)
    if objective is None or value is None:
        return f"{result['outcome']}, {result['engine']}: {result.get('reason') or 'no value'}"
    number = with_error(value, objective.error_of(result))
    return f"{objective.label} = {number} {objective.unit}".rstrip() + f", {result['engine']}"


def _rank_line(rank: CandidateRank) -> str:
    campaign, row, objective = rank.campaign, rank.row, rank.campaign.objective
    words = [f"engine {campaign.engine.name}"]
    if campaign.config.prior is not None:
        value = rank.prior_value
        known = "no value of it" if value is None else f"{value:.3g} {objective.unit}".rstrip()
        words.append(f"prior {campaign.config.prior}: {known}")
    where = f"in {campaign.name} ({'; '.join(words)})"
    if row.outcome != "predicted":
        total = total_error(row, objective)
        return f"rank {row.rank} of {rank.total} {where}: {row.outcome}{total}"
    if row.predicted_value is None:
        return f"not computed {where}, and not predicted: a model needs two results with a value"
    expected = prediction(row.predicted_value, row.predicted_std, objective, objective.unit)
    return (
        f"rank {row.rank} of {rank.total} {where}: not computed, predicted {objective.label} = "
        f"{expected}"
    )


def _pick_table(pick: Mapping[str, Any], objective: Objective | None) -> Table:
    from rich.table import Table

    table = Table(title=f"picked by {pick['campaign']}", show_header=False, title_justify="left")
    for key, value in pick.items():
        if key in _HIDDEN_OF_PICKS or value is None:
            continue
        if key == "predicted_mean":
            if objective is not None:
                mean, std = objective.from_model(value), pick["predicted_std"]
                table.add_row("predicted", prediction(mean, std, objective, objective.unit))
        elif key == "rank":
            by = "acquisition" if pick["acquisition"] is not None else "value"
            table.add_row(f"rank by {by}", short(value))
        else:
            table.add_row(key.replace("_", " "), short(value))
    return table


def _plain_values(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a field that is a plain value, and those of a record within a result by both names."""
    if isinstance(value, int | float | str | bool) and value != "":
        yield key, value
    elif isinstance(value, Mapping) and "@class" not in value and "blob_uuid" not in value:
        for inner, number in value.items():
            yield from _plain_values(f"{key}.{inner}", number)


def _result_table(result: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table(
        title=f"{result['objective']}, {result['engine']}", show_header=False, title_justify="left"
    )
    for key, value in result.items():
        if key not in _HIDDEN_OF_RESULTS:
            for name, number in _plain_values(key, value):
                table.add_row(name, short(number))
    for cost in result.get("costs", []):
        amount = f"{cost['cost']:.6g} {cost['cost_unit']}"
        table.add_row(f"cost of {cost['step']}", f"{amount}, {cost['wall_s']:.1f} s")
    return table
