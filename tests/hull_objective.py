"""A toy objective whose value depends on other results: energy above a lower envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toy_objective import TOY

ENERGY = "kappa_300k_w_per_m_k"
"""The field of the toy's document that stands for an energy."""


def above_the_envelope(
    results: Mapping[str, Mapping[str, Any]], pool: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Return how far each computed candidate is above the lowest of its first element, plus 1."""
    computed = {
        key: float(result[ENERGY])
        for key, result in results.items()
        if result["outcome"] == "computed" and key in pool
    }
    lowest: dict[str, float] = {}
    for key, energy in computed.items():
        group = pool[key].label[:2]
        lowest[group] = min(energy, lowest.get(group, energy))
    return {
        key: {HULL.value_field: 1.0 + energy - lowest[pool[key].label[:2]]}
        for key, energy in computed.items()
    }


HULL = replace(
    TOY,
    name="hull",
    value_field="above_envelope",
    error_field=None,
    derive="hull_objective.above_the_envelope",
    derive_from=(ENERGY,),
)
