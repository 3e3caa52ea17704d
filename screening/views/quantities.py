"""Labels and units of the fields of results, as data; and the objective of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.messages.quantities import Quantity
from screening.targets.result_labels import quantity
from screening.views.forms import ObjectiveView, QuantityView, SecondObjectiveView

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.kinds import CandidateKind
    from screening.targets.second_objective import SecondObjective


def objective_view(campaign: Campaign) -> ObjectiveView:
    """Return what a campaign optimises, and what else its ranking shows."""
    objective, kind = campaign.objective, campaign.kind
    beside = list(objective.shown_fields)
    also = campaign.config.second_objective
    if also is not None and all(each.field != also.field for each in beside):
        beside.append(quantity(also.field))
    return ObjectiveView(
        name=objective.name,
        label=quantity_view(_label(kind)),
        facts=[quantity_view(fact) for fact in kind.facts if fact.field != kind.label_field],
        elements=kind.chemical,
        value=QuantityView(field=objective.value_field, label=objective.label, unit=objective.unit),
        error_field=objective.error_field,
        direction=objective.direction,
        logarithmic=objective.logarithmic,
        shown_fields=[quantity_view(each) for each in beside],
        second_objective=None if also is None else _second(also, beside),
    )


def _label(kind: CandidateKind) -> Quantity:
    known = (fact for fact in kind.facts if fact.field == kind.label_field)
    return next(known, Quantity(kind.label_field, kind.label_field.replace("_", " "), ""))


def _second(also: SecondObjective, beside: list[Quantity]) -> SecondObjectiveView:
    shown = next(each for each in beside if each.field == also.field)
    return SecondObjectiveView(
        field=shown.field, label=shown.label, unit=shown.unit, direction=also.direction
    )


def quantity_view(each: Quantity) -> QuantityView:
    """Return a quantity as pages have it."""
    return QuantityView(field=each.field, label=each.label, unit=each.unit)
