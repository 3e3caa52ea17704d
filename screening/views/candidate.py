"""All that is known of one candidate: what it is, its result with curves, why it was chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.candidates.kinds import from_document
from screening.choosing.samplers import reason_text
from screening.machine.plugins import imported
from screening.messages.errors import ScreenError
from screening.messages.quantities import Quantity
from screening.results.result import with_large_values
from screening.store.database import any_of
from screening.targets.result_labels import RESULT_QUANTITIES, quantity
from screening.views.forms import AnyPicture, CandidateView, Fact, Origin, PickView, RankingRow
from screening.views.numbers import finite, short
from screening.views.ranking import bounds, find_row, ranking_row

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.kinds import CandidateKind
    from screening.targets.objectives import Objective


def candidate_view(campaign: Campaign, candidate_id: str) -> CandidateView:
    """Return all that is known of one candidate of a campaign.

    Its result is that of the engine of highest fidelity which has one, whoever had it computed.

    Raises
    ------
    ScreenError
        When the pool has no such candidate.
    """
    found = find_row(campaign, candidate_id)
    row = ranking_row(found, campaign.objective, campaign.kind)
    (view,) = candidate_views(campaign, [row])
    return view


def candidate_views(campaign: Campaign, rows: Sequence[RankingRow]) -> list[CandidateView]:
    """Return all that is known of candidates, by their rows of the ranking; read together.

    Raises
    ------
    ScreenError
        When one of them is no longer in the database.
    """
    ids = [row.candidate_id for row in rows]
    database = campaign.database
    documents = database.candidates.find({"_id": any_of(ids)}, {"features": 0})
    stored = {str(document["_id"]): document for document in documents}
    if gone := sorted(set(ids) - stored.keys()):
        raise ScreenError(f"candidate '{gone[0]}' is no longer in the database")
    results = with_large_values(
        database, campaign.whole_results(stored.values()), campaign.objective.large_fields
    )
    # By the candidates alone: servers may take the index on campaigns otherwise, and read them all.
    picks = database.picks.find({"candidate_id": any_of(ids)}, sort=[("claimed_at", 1)])
    own: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for pick in picks:
        if pick["campaign"] == campaign.name:
            own[pick["candidate_id"]].append(pick)
    kind = campaign.kind
    return [
        _view(campaign, kind, row, stored[key], results.get(key), own[key])
        for key, row in zip(ids, rows, strict=True)
    ]


def _view(
    campaign: Campaign,
    kind: CandidateKind,
    row: RankingRow,
    stored: Mapping[str, Any],
    document: dict[str, Any] | None,
    picks: list[dict[str, Any]],
) -> CandidateView:
    found = document or {}
    return CandidateView(
        row=row,
        origins=[
            Origin(
                source=origin["source"],
                material_id=origin["material_id"],
                note=origin["note"],
            )
            for origin in stored["origins"]
        ],
        picture=_drawing(kind, stored, found),
        relaxed=bool(found),
        facts=_details(stored)
        + (_facts(campaign.objective, found) if found else _stated(stored, kind)),
        picks=[_pick(campaign, pick) for pick in picks],
        provenance=_provenance(found),
        curves=_pictures(campaign.objective, found),
    )


def _pictures(objective: Objective, result: Mapping[str, Any]) -> list[AnyPicture]:
    """Return the curves of a result; those whose large values somebody removed are not there."""
    there = {
        field: value
        for field, value in result.items()
        if not (isinstance(value, Mapping) and "blob_uuid" in value)
    }
    return [
        picture.model_copy(update={"name": name})
        for name, path in objective.curves.items()
        for picture in imported(path)(there)
    ]


def _drawing(kind: CandidateKind, *documents: Mapping[str, Any]) -> Any:
    return None if kind.drawing is None else imported(kind.drawing)(*documents)


def _details(stored: Mapping[str, Any]) -> list[Fact]:
    """Return what the kind tells of a candidate beside its facts, as the monomers of a polymer."""
    told = from_document(stored).details()
    return [Fact(label=name, value=text, unit="") for name, text in told]


def _facts(objective: Objective, result: Mapping[str, Any]) -> list[Fact]:
    """Return the fields of a result that one line can tell, the value first."""
    own = [
        Quantity(objective.value_field, objective.label, objective.unit),
        *objective.shown_fields,
    ]
    told = {quantity.field for quantity in own}
    known = [*own, *(quantity for quantity in RESULT_QUANTITIES if quantity.field not in told)]
    return [
        Fact(label=quantity.label, value=value, unit=quantity.unit)
        for quantity in known
        if (value := _plain(result.get(quantity.field))) not in (None, "")
    ]


def _stated(stored: Mapping[str, Any], kind: CandidateKind) -> list[Fact]:
    """Return what sources state of a candidate, each field once, and none of its kind's facts."""
    own = {fact.field for fact in kind.facts}
    found: dict[str, Fact] = {}
    for origin in stored["origins"]:
        for field, stated in origin.get("properties", {}).items():
            known, value = quantity(field), _plain(stated)
            if value not in (None, "") and field not in own:
                found.setdefault(field, Fact(label=known.label, value=value, unit=known.unit))
    return list(found.values())


def _plain(value: Any) -> float | int | str | bool | None:
    if value is None or isinstance(value, bool | int | str):
        return value
    number = finite(value) if isinstance(value, float) else None
    return None if number is None else short(number)


# --------------------------------------------------------------------------- where it comes from


def _pick(campaign: Campaign, pick: Mapping[str, Any]) -> PickView:
    objective = campaign.objective
    mean, std = pick["predicted_mean"], pick["predicted_std"]
    low, high = (None, None) if mean is None else bounds(objective, mean, std)
    return PickView(
        engine=pick["engine"],
        number=pick["number"],
        round=pick["round"],
        state=pick["state"],
        reason_text=reason_text(campaign.config.sampler.kind, pick["reason"]),
        predicted_value=None if mean is None else short(objective.from_model(mean)),
        predicted_low=None if low is None else short(low),
        predicted_high=None if high is None else short(high),
        fitted_on=pick["fitted_on"],
        place=pick["rank"],
        neighbours=list(pick.get("neighbours", [])),
        error=str(pick.get("error") or "") if pick["state"] == "failed" else "",
    )


def _provenance(result: Mapping[str, Any]) -> dict[str, str]:
    """Return who computed a result, with what and when, as words."""
    told = result.get("provenance") or {}
    arguments = told.get("arguments") or {}
    found = {
        "engine": result.get("engine") or told.get("engine"),
        "calculator": told.get("calculator"),
        "arguments": ", ".join(f"{name}={value}" for name, value in arguments.items()),
        **{f"version of {name}": said for name, said in (told.get("versions") or {}).items()},
        "campaign": result.get("campaign"),
        "recipe": result.get("recipe_hash"),
        "stored at": f"{result['stored_at']:%Y-%m-%d %H:%M} UTC" if "stored_at" in result else "",
    }
    return {name: str(said) for name, said in found.items() if said not in (None, "")}
