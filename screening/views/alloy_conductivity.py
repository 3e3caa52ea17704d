"""κ of random alloys over their composition, between the pure crystals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.messages.stderr import counted
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import LINE_ROLES, Axis, CurveView, Line
from screening.views.numbers import short

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.views.forms import Role

VALUE, ERROR = "alloy_kappa_300k_w_per_m_k", "alloy_kappa_300k_error_w_per_m_k"
ENDS = "end_member_kappas_300k_w_per_m_k"


@dataclass(frozen=True)
class ComputedAlloy:
    """A composition with a result.

    Attributes
    ----------
    system : str
        Both crystals, as ``Si-Ge``.
    space_group_number : int
    fraction : float
        Of the second crystal.
    result : mapping
    candidate_id : str
    """

    system: str
    space_group_number: int
    fraction: float
    result: Mapping[str, Any]
    candidate_id: str

    @property
    def kappa_w_per_m_k(self) -> float:
        """At 300 K."""
        return float(self.result[VALUE])


def composition_view(campaign: Campaign) -> CurveView:
    """Draw κ at 300 K of all alloys of a campaign over the fraction of their second crystal."""
    snapshot = campaign.snapshot(features=False)
    alloys = []
    for key, result in sorted(snapshot.explored.items()):
        facts = snapshot.pool[key].facts if key in snapshot.pool else None
        if facts is not None and result["outcome"] == "computed" and result.get(VALUE):
            place = str(facts["system"]), int(str(facts["space_group_number"]))
            alloys.append(ComputedAlloy(*place, float(str(facts["fraction"])), result, key))
    return composition_picture(alloys)


def composition_picture(alloys: Sequence[ComputedAlloy]) -> CurveView:
    """Draw κ at 300 K over the composition, a line for each pair of crystals."""
    systems: dict[tuple[str, int], list[ComputedAlloy]] = defaultdict(list)
    for alloy in sorted(alloys, key=lambda alloy: alloy.fraction):
        systems[alloy.system, alloy.space_group_number].append(alloy)
    ranked = sorted(
        systems, key=lambda system: (min(a.kappa_w_per_m_k for a in systems[system]), system)
    )
    names = [name for name, _ in ranked]
    lines: list[Line] = []
    for role, system in zip(LINE_ROLES, ranked, strict=False):
        name, number = system
        # Two crystals may be alloyed in two structures.
        label = f"{name}, space group {number}" if names.count(name) > 1 else name
        own = systems[system]
        lines += [_between_pure(label, role, own), _computed(role, own)]
    hidden = len(ranked) - len(LINE_ROLES)
    left = f" {counted(hidden, 'system')} of higher κ not drawn." if hidden > 0 else ""
    return CurveView(
        name=ALLOY_CONDUCTIVITY.name,
        title=ALLOY_CONDUCTIVITY.title,
        caption=(
            f"κ(300 K) of {counted(len(alloys), 'random alloy')} in "
            f"{counted(len(ranked), 'system')}, with error bars of meshes and fits (as factors), "
            f"and of the pure crystals; lines join what is computed and say nothing between.{left}"
        ),
        absent="" if lines else "No alloy is computed yet.",
        x=Axis(title="Fraction of the second crystal", low=0.0, high=1.0),
        y=Axis(title="κ(300 K) / (W/m/K)", logarithmic=True),
        lines=lines,
    )


def _between_pure(label: str, role: Role, alloys: Sequence[ComputedAlloy]) -> Line:
    """Return the line through all that is known of a system, its pure crystals included."""
    places = [(alloy.fraction, alloy.kappa_w_per_m_k) for alloy in alloys]
    ends = alloys[0].result.get(ENDS) or [None, None]
    pure = [(float(end), float(kappa)) for end, kappa in enumerate(ends) if kappa is not None]
    x, y = zip(*sorted([*places, *pure]), strict=True)
    return Line(label=label, role=role, x=list(map(short, x)), y=list(map(short, y)))


def _computed(role: Role, alloys: Sequence[ComputedAlloy]) -> Line:
    """Return the alloys of a system as points."""
    values = [alloy.kappa_w_per_m_k for alloy in alloys]
    errors = [float(alloy.result.get(ERROR) or 0.0) for alloy in alloys]
    # A factor to both sides: on a logarithmic axis a bar as long as its value has no lower end.
    factors = [1 + error / value for value, error in zip(values, errors, strict=True)]
    lows = [value / factor for value, factor in zip(values, factors, strict=True)]
    return Line(
        role=role,
        shape="points",
        x=[short(alloy.fraction) for alloy in alloys],
        y=list(map(short, values)),
        y_low=list(map(short, lows)),
        y_high=[short(value + error) for value, error in zip(values, errors, strict=True)],
        ids=[alloy.candidate_id for alloy in alloys],
        texts=[
            f"{alloy.result['formula']}\nκ(300 K): {value:.3g} ± {error:.2g} W/m/K"
            for alloy, value, error in zip(alloys, values, errors, strict=True)
        ],
    )


ALLOY_CONDUCTIVITY = CampaignFigure(
    name="alloy-conductivity",
    help="κ of random alloys at 300 K over their composition, between the pure crystals.",
    title="κ over the composition",
    view=composition_view,
    kinds=("alloy",),
)
