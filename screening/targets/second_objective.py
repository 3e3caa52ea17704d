"""Two objectives at once: which results no other beats in both, and one number to search by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from screening.targets.scale import Direction, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AUGMENTATION = 0.05
"""Share of the plain sum in the scalarisation, as in ParEGO."""


class SecondObjective(BaseModel):
    """A second number to make good, beside the campaign's own.

    Parameters
    ----------
    field
        Field of the result document.
    direction
        Whether small or large is good.
    """

    model_config = ConfigDict(extra="forbid")

    field: str
    direction: Direction

    @property
    def scale(self) -> Scale:
        """The scale on which lower is better."""
        return Scale(direction=self.direction)


def front(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """Return the keys that no other point beats: as good in both and better in one.

    Parameters
    ----------
    points
        Two numbers each, lower is better.
    """
    unbeaten: set[str] = set()
    best, at = np.inf, np.inf
    for key in sorted(points, key=lambda key: (*points[key], key)):
        first, second = points[key]
        if second < best or (second == best and first == at):
            unbeaten.add(key)
            best, at = second, first
    return unbeaten


def scalarised(first: Floats, second: Floats, seed: int) -> Floats:
    """Return one number for each of two objectives' values, lower is better.

    The augmented Tchebycheff function of the values scaled to [0, 1], with a weight drawn
    anew for each batch, so that the search walks along the whole front: J. Knowles, IEEE
    Trans. Evol. Comput. 10, 50 (2006).

    Parameters
    ----------
    first, second
        Shape (n,), lower is better.
    seed
        Seed of the weight.
    """
    weight = np.random.default_rng([seed, 2]).uniform()
    weighted = np.stack([weight * _unit(first), (1 - weight) * _unit(second)])
    combined: Floats = weighted.max(axis=0) + AUGMENTATION * weighted.sum(axis=0)
    return combined


def _unit(values: Floats) -> Floats:
    spread = float(np.ptp(values)) if len(values) else 0.0
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
