"""Labels and units of the fields of results, as data; and the objective of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.messages.quantities import Quantity
from screening.targets.error_tables import error_table
from screening.targets.result_labels import quantity
from screening.views.forms import ObjectiveView, QuantityView, SecondObjectiveView

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.kinds import CandidateKind
    from screening.targets.second_objective import SecondObjective


def objective_view(campaign: Campaign) -> ObjectiveView:
    """Return what a campaign optimises, and what else its ranking shows."""
    objective, kind = campaign.objective, campaign.kind
    shown = list(objective.shown_fields)
    second = campaign.config.second_objective
    if second is not None and all(further.field != second.field for further in shown):
        shown.append(quantity(second.field))
    return ObjectiveView(
        name=objective.name,
        label=quantity_view(_label(kind)),
        facts=[quantity_view(fact) for fact in kind.facts if fact.field != kind.label_field],
        elements=kind.chemical,
        value=QuantityView(field=objective.value_field, label=objective.label, unit=objective.unit),
        error_field=objective.error_field,
        direction=objective.direction,
        logarithmic=objective.logarithmic,
        shown_fields=[quantity_view(further) for further in shown],
        error_basis="; ".join(_bases(campaign)),
        second_objective=None if second is None else _second(second, shown),
    )


def _bases(campaign: Campaign) -> list[str]:
    """Return what the total errors of the campaign's engines rest on."""
    value = campaign.objective.value_field
    tables = [error_table(value, stage.engine) for stage in campaign.stages]
    return [table.basis for table in tables if table is not None]


def _label(kind: CandidateKind) -> Quantity:
    known = (fact for fact in kind.facts if fact.field == kind.label_field)
    return next(known, Quantity(kind.label_field, kind.label_field.replace("_", " "), ""))


def _second(second: SecondObjective, shown: list[Quantity]) -> SecondObjectiveView:
    own = next(further for further in shown if further.field == second.field)
    return SecondObjectiveView(
        field=own.field, label=own.label, unit=own.unit, direction=second.direction
    )


def quantity_view(shown: Quantity) -> QuantityView:
    """Return a quantity as pages have it."""
    return QuantityView(field=shown.field, label=shown.label, unit=shown.unit)
