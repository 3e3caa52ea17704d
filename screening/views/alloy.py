"""Pictures of an alloy: the convex hull, and what Monte Carlo says of order and free energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.messages.stderr import counted
from screening.targets.mixing import ABOVE_HULL, MIXING, concentrations
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import LINE_ROLES, Axis, CurveView, Line
from screening.views.numbers import short

if TYPE_CHECKING:
    from screening.alloys.thermodynamics import Thermodynamics
    from screening.campaigns.campaign import Campaign
    from screening.views.forms import Role, Shape

MEV = 1e3
ON_HULL_EV = 1e-7


def _is_binary(campaign: Campaign) -> bool:
    return len(_system(campaign).split("-")) == 2


def _system(campaign: Campaign) -> str:
    document = campaign.database.candidates.find_one(
        {"campaigns": campaign.name, "kind": "ordering"}, {"system": 1}
    )
    return str((document or {}).get("system", ""))


def hull_view(campaign: Campaign) -> CurveView:
    """Draw the mixing energies of a binary alloy over its composition, and their hull."""
    snapshot = campaign.snapshot(features=False)
    system = _system(campaign)
    points = []
    for key, result in sorted(snapshot.explored.items()):
        facts = snapshot.pool[key].facts if key in snapshot.pool else None
        if facts is not None and result["outcome"] == "computed" and result.get(MIXING) is not None:
            share = concentrations(str(facts["formula"]), system)[-1]
            points.append((share, MEV * float(result[MIXING]), float(result[ABOVE_HULL]), key))
    gone = sum(result["outcome"] == "unstable" for result in snapshot.explored.values())

    def line(
        label: str, role: Role, shape: Shape, chosen: list[tuple[float, float, float, str]]
    ) -> Line:
        return Line(
            label=label,
            role=role,
            shape=shape,
            x=[short(share) for share, *_ in chosen],
            y=[short(energy) for _, energy, *_ in chosen],
            ids=[key for *_, key in chosen],
            texts=[
                f"{snapshot.pool[key].label}\nmixing energy: {energy:.2f} meV/atom\n"
                f"above the hull: {MEV * above:.2f} meV/atom"
                for _, energy, above, key in chosen
            ],
        )

    corners = sorted(point for point in points if point[2] < ON_HULL_EV)
    others = [point for point in points if point[2] >= ON_HULL_EV]
    lines = [
        line("above it", "guide", "points", others),
        line("convex hull", "first", "line and points", corners),
    ]
    left = f" {counted(gone, 'structure')} left the lattice and are not shown." if gone else ""
    return CurveView(
        name=HULL.name,
        title=HULL.title,
        caption=(
            f"Computed mixing energies of {counted(len(points), 'structure')} of "
            f"{len(snapshot.pool)}; {len(corners)} are on the convex hull, the end members among "
            f"them.{left}"
        ),
        absent="" if points else "Not all end members are computed yet.",
        x=Axis(title=f"Fraction of {system.split('-')[-1]}", low=0.0, high=1.0),
        y=Axis(title="Mixing energy / (meV/atom)"),
        lines=[each for each in lines if each.x],
    )


def _kept(campaign: Campaign) -> list[Thermodynamics]:
    from screening.campaigns.alloy_thermodynamics import kept_thermodynamics
    from screening.campaigns.cluster_expansion import cluster_expansion
    from screening.messages.errors import ScreenError

    if not campaign.database.thermodynamics.count_documents({"campaign": campaign.name}, limit=1):
        return []
    try:
        return kept_thermodynamics(campaign, cluster_expansion(campaign))
    except ScreenError:  # too few results by now, as after a clean-up: there is nothing to draw
        return []


ABSENT = "Monte Carlo has not been run: `matscreen alloy --composition FORMULA` does it."


def _name(found: Thermodynamics) -> str:
    shares = (f"{symbol} {share:.3g}" for symbol, share in found.composition.items())
    return ", ".join(shares)


def _in_words(found: Thermodynamics) -> str:
    value, error = (
        found.order_temperature_free_energy_k,
        found.order_temperature_free_energy_error_k,
    )
    if value is None or error is None:
        return ""
    return f" {_name(found)} orders at {value:.0f} ± {error:.0f} K by free energies."


def short_range_order_view(campaign: Campaign) -> CurveView:
    """Draw Warren–Cowley parameters of the first two shells against temperature."""
    kept = _kept(campaign)
    lines = [
        Line(
            label=f"{_name(found)}, {('first', 'second')[shell]} shell",
            role=LINE_ROLES[(2 * number + shell) % len(LINE_ROLES)],
            shape="line and points",
            x=[short(t) for t in found.temperatures_k],
            y=[short(value) for value in found.short_range_order[shell]],
            y_low=[short(v - e) for v, e in _pairs(found, shell)],
            y_high=[short(v + e) for v, e in _pairs(found, shell)],
        )
        for number, found in enumerate(kept)
        for shell in range(2)
    ]
    return CurveView(
        name=SHORT_RANGE_ORDER.name,
        title=SHORT_RANGE_ORDER.title,
        caption=(
            "Warren–Cowley parameters by Monte Carlo with the cluster expansion: 0 is the random "
            "alloy, negative means unlike neighbours. Error bars: over runs."
            + "".join(map(_in_words, kept))
        ),
        absent="" if kept else ABSENT,
        x=Axis(title="Temperature / K", logarithmic=True),
        y=Axis(title="Short-range order"),
        lines=lines,
    )


def _pairs(found: Thermodynamics, shell: int) -> list[tuple[float, float]]:
    return list(
        zip(found.short_range_order[shell], found.short_range_order_error[shell], strict=True)
    )


def free_energy_view(campaign: Campaign) -> CurveView:
    """Draw free energies of mixing against temperature."""
    kept = _kept(campaign)

    def line(number: int, found: Thermodynamics) -> Line:
        values = [MEV * value for value in found.mixing_free_energy_ev_per_atom]
        errors = [MEV * error for error in found.mixing_free_energy_error_ev_per_atom]
        return Line(
            label=_name(found),
            role=LINE_ROLES[number % len(LINE_ROLES)],
            shape="line and points",
            x=[short(t) for t in found.temperatures_k],
            y=[short(value) for value in values],
            y_low=[short(v - e) for v, e in zip(values, errors, strict=True)],
            y_high=[short(v + e) for v, e in zip(values, errors, strict=True)],
        )

    return CurveView(
        name=FREE_ENERGY.name,
        title=FREE_ENERGY.title,
        caption=(
            "Free energy of mixing of the stable phase, of arrangements only (no vibrations), by "
            "integration of the energy over temperature. Error bars: over runs."
            + "".join(map(_in_words, kept))
        ),
        absent="" if kept else ABSENT,
        x=Axis(title="Temperature / K", logarithmic=True),
        y=Axis(title="Free energy of mixing / (meV/atom)"),
        lines=[line(number, found) for number, found in enumerate(kept)],
    )


HULL = CampaignFigure(
    name="mixing-energy",
    help="Mixing energies of a binary alloy over its composition, and their convex hull.",
    title="Convex hull",
    view=hull_view,
    kinds=("ordering",),
    is_for=_is_binary,
)
SHORT_RANGE_ORDER = CampaignFigure(
    name="short-range-order",
    help="Short-range order of an alloy against temperature, by Monte Carlo.",
    title="Short-range order",
    view=short_range_order_view,
    kinds=("ordering",),
)
FREE_ENERGY = CampaignFigure(
    name="free-energy",
    help="Free energy of mixing of an alloy against temperature, by Monte Carlo.",
    title="Free energy of mixing",
    view=free_energy_view,
    kinds=("ordering",),
)
