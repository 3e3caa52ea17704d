"""The convex hull of the elements of one crystal, as a diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from screening.views.forms import Axis, CurveView, Line, Note, Tick
from screening.views.numbers import in_digits, shortened, subscripted

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PDPlotter

    Point = tuple[float, float]

ORIGIN = "0 K energies of one engine, from the lowest crystal of each element that it has computed."


def hull(result: Mapping[str, Any]) -> list[CurveView]:
    """Return the hull of a binary or ternary system, and of others why there is none.

    Of two elements formation energies over composition, of three the compositions on the triangle,
    with lines between those that coexist.
    """
    if result.get("stability_verdict") is None:
        return []
    entries = result.get("hull_diagram")
    if not entries:
        return [_without("an element has no energy; `missing competitors` names it")]
    plotter, elements = _plotter(entries)
    if len(elements) not in (2, 3):
        return [
            _without(
                f"the hull of {len(elements)} elements has no picture in a plane; the verdict and "
                "what the crystal decomposes into are among its numbers"
            )
        ]
    places = [_place(entry, elements) for entry in entries]
    lines, _, _ = plotter.pd_plot_data
    own = [
        number
        for number, entry in enumerate(entries)
        if entry["candidate_id"] == result.get("candidate_id")
    ]
    on_hull = [number for number, entry in enumerate(entries) if entry["on_hull"]]
    highest = _highest([places[number] for number in (*own, *on_hull)])
    above = [
        number
        for number, entry in enumerate(entries)
        if not entry["on_hull"] and (len(elements) == 3 or places[number][1] <= highest)
    ]
    hidden = len(entries) - len(on_hull) - len(above)

    def points(label: str, role: Any, chosen: list[int]) -> list[Line]:
        if not chosen:
            return []
        return [
            Line(
                label=label,
                role=role,
                shape="points",
                x=shortened(places[number][0] for number in chosen),
                y=shortened(places[number][1] for number in chosen),
                texts=[_told(entries[number]) for number in chosen],
            )
        ]

    distance = result.get("hull_distance_ev_per_atom")
    missing = result.get("missing_competitors")
    drawn = [
        Line(role="guide", x=shortened(map(float, line[0])), y=shortened(map(float, line[1])))
        for line in lines
    ]
    drawn += [
        *points("above the hull", "second", above),
        *points("on the hull", "first", on_hull),
        *points("this crystal", "value", own),
    ]
    shown = {places[number]: entries[number]["formula"] for number in on_hull}
    return [
        CurveView(
            name="",
            title=f"Convex hull of {'–'.join(elements)}",
            caption=(
                f"{result.get('stability_verdict', '')}: {ORIGIN}  "
                + (f"Without an energy, and not here: {missing}.  " if missing else "")
                + (f"Higher, and not drawn: {hidden} crystals." if hidden else "")
            ).strip(),
            headline=(
                ""
                if distance is None
                else f"{in_digits(1e3 * distance, 3)} meV/atom from the hull of the others"
            ),
            **_axes(elements, [places[number] for number in (*own, *on_hull, *above)]),
            lines=drawn,
            notes=[
                Note(
                    x=x,
                    y=y,
                    text=subscripted(str(formula)),
                    place="below" if len(elements) == 2 else "above",
                )
                for (x, y), formula in shown.items()
            ],
            square=len(elements) == 3,
        )
    ]


def _without(why: str) -> CurveView:
    """Return the form of a hull that cannot be drawn."""
    return CurveView(
        name="",
        title="Convex hull",
        caption="",
        absent=f"Not drawn: {why}.",
        x=Axis(title="composition"),
        y=Axis(title="formation energy / (eV/atom)"),
        lines=[],
    )


def _plotter(entries: list[Mapping[str, Any]]) -> tuple[PDPlotter, list[str]]:
    """Return pymatgen's plotter of formation energies, and the elements in its order."""
    from pymatgen.analysis.phase_diagram import PDEntry, PDPlotter, PhaseDiagram
    from pymatgen.core import Composition

    compositions = [Composition(entry["formula"]) for entry in entries]
    diagram = PhaseDiagram(
        [
            PDEntry(composition, entry["formation_energy_ev_per_atom"] * composition.num_atoms)
            for composition, entry in zip(compositions, entries, strict=True)
        ]
    )
    return PDPlotter(diagram, show_unstable=0), [element.symbol for element in diagram.elements]


def _place(entry: Mapping[str, Any], elements: list[str]) -> Point:
    """Return where a crystal is drawn: pymatgen's coordinates, as those of its lines."""
    from pymatgen.core import Composition

    composition = Composition(entry["formula"])
    fractions = [composition.get_atomic_fraction(element) for element in elements[1:]]
    if len(elements) == 2:
        return fractions[0], float(entry["formation_energy_ev_per_atom"])
    return fractions[0] + fractions[1] / 2, fractions[1] * 3**0.5 / 2


def _highest(places: list[Point]) -> float:
    """Return up to which formation energy crystals are drawn: others would flatten the hull."""
    lowest, highest = min(y for _, y in places), max(y for _, y in places)
    return max(highest, -2 * lowest, 0.02)


def _told(entry: Mapping[str, Any]) -> str:
    energy = in_digits(1e3 * entry["formation_energy_ev_per_atom"], 4, "meV/atom")
    return f"{subscripted(entry['formula'])}, {entry['candidate_id']}\nformation energy {energy}"


def _axes(elements: list[str], places: list[Point]) -> dict[str, Any]:
    if len(elements) == 3:
        first, second, third = elements
        return {
            "x": Axis(
                title=f"{first} – {second}, upwards {third}",
                low=-0.08,
                high=1.08,
                ticks=[Tick(at=0.0, name=first), Tick(at=1.0, name=second)],
            ),
            "y": Axis(
                title=f"fraction of {third}",
                low=-0.08,
                high=1.0,
                ticks=[Tick(at=0.0, name="0"), Tick(at=3**0.5 / 2, name="1")],
            ),
        }
    lowest, highest = min(y for _, y in places), max(y for _, y in places)
    room = 0.2 * ((highest - lowest) or 0.01)
    return {
        "x": Axis(title=f"fraction of {elements[1]}", low=-0.05, high=1.05),
        "y": Axis(title="formation energy / (eV/atom)", low=lowest - room, high=highest + room),
    }
