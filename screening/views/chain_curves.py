"""Curves of a result of a polymer's chain: energy against the angles of its backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screening.views.forms import LINE_ROLES, Axis, CurveView, Line, Tick
from screening.views.numbers import in_digits, shortened

HIGHEST_KJ_PER_MOL = 40.0
"""Of the axis: what is above is as good as forbidden at any temperature that a polymer bears."""


def torsions(result: Mapping[str, Any]) -> list[CurveView]:
    """Return the energy about each bond of the backbone that turns, equal profiles once."""
    profiles: dict[tuple[float, ...], list[str]] = {}
    angles: list[float] = []
    for torsion in result.get("torsions") or []:
        angles = torsion["angles_deg"]
        key = tuple(round(energy, 1) for energy in torsion["energies_kj_per_mol"])
        profiles.setdefault(key, []).append(torsion["bond"])
    if not profiles:
        return []
    # The circle is closed: its first point is its last one, too.
    x = shortened([*angles, angles[0] + 360.0])
    length_nm = result.get("persistence_length_nm")
    ticks = [Tick(at=float(angle), name=f"{angle}°") for angle in range(-180, 181, 60)]
    views = []
    chunks = [list(profiles.items())[i : i + 4] for i in range(0, len(profiles), 4)]
    for chunk in chunks:
        lines = [
            Line(
                role=role,
                label=", ".join(dict.fromkeys(bonds)),
                x=x,
                y=shortened([*energies, energies[0]]),
            )
            for role, (energies, bonds) in zip(LINE_ROLES, chunk, strict=False)
        ]
        highest = max(max(line.y) for line in lines)
        views.append(
            CurveView(
                name="",
                title="Torsions of the backbone",
                caption=(
                    "Energy of a fragment around each bond that turns, relaxed at each angle, by "
                    "MMFF94.  Bonds are named by their atoms' places in the repeat unit; those "
                    "with the same profile are drawn once."
                ),
                headline=(
                    "" if length_nm is None else f"persistence length {in_digits(length_nm, 2)} nm"
                ),
                x=Axis(title="torsion angle", low=-180.0, high=180.0, ticks=ticks),
                y=Axis(
                    title="energy / (kJ/mol)", low=0.0, high=min(1.05 * highest, HIGHEST_KJ_PER_MOL)
                ),
                lines=lines,
            )
        )
    return views
