"""A surrogate that costs nothing, to test what does not depend on how good one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from screening.choosing.config import SurrogateConfig
from screening.choosing.feature_scaling import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class NearestValue:
    """Expects of a candidate the value of the nearest one, and is as unsure as that is far."""

    name: ClassVar = "screening.testing.nearest_value:NearestValue"
    help: ClassVar = "Takes the value of the nearest candidate."
    Options: ClassVar[type[SurrogateConfig]] = SurrogateConfig

    def __init__(self, options: SurrogateConfig, seed: int) -> None:
        pass

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Remember what is known."""
        self._features, self._values = features, values

    def update(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Remember what is known."""
        self.fit(features, values, value_std)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Look up the nearest."""
        rows, distances = nearest(features, self._features)
        return self._values[rows[:, 0]], distances[:, 0]

    @property
    def noise_std(self) -> float:
        """None is known."""
        return 0.0
