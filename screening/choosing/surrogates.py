"""Models that predict the objective, with an error bar, from a few evaluated candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from screening.machine.plugins import PlugIns

if TYPE_CHECKING:
    from pydantic import BaseModel

    from screening.choosing.observations import Floats


class Model(Protocol):
    """A regression model with error bars, refitted from the results whenever a pick is made.

    Features come from a `FeatureScaling`: of order one, without NaN. At least one value is given
    to `fit`, and values may all be equal.
    """

    def fit(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Learn from evaluated candidates.

        Parameters
        ----------
        features : ndarray, shape (n, d)
            Scaled features.
        values : ndarray, shape (n,)
            Objective in its model space (a logarithm where the objective says so).
        value_std : ndarray, shape (n,), optional
            Standard errors of the values, in the same space; NaN where none is known.
        """
        ...

    def update(self, features: Floats, values: Floats, value_std: Floats | None) -> None:
        """Learn from more candidates, keeping what is slow to learn as `fit` left it."""
        ...

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Predict mean and standard deviation, both of shape (m,), for features (m, d)."""
        ...

    @property
    def noise_std(self) -> float:
        """What results scatter around the function, beside their own errors; 0 if not known."""
        ...


class Surrogate(Model, Protocol):
    """A model that a configuration can name.

    Attributes
    ----------
    name, help : str
        As it is named in a configuration, and one sentence on it.
    Options : type
        `screening.choosing.config.SurrogateConfig`, or a subclass with options of its own.
    raw_features : bool
        Optional: whether it takes features as candidates have them, and not scaled.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: Any, seed: int) -> None:
        """Make an unfitted model; the seed makes its predictions repeatable."""
        ...


SURROGATES: PlugIns[type[Surrogate]] = PlugIns(
    "surrogate",
    "matscreen.surrogates",
    {
        "gaussian-process": "screening.choosing.gaussian_process:GaussianProcess",
        "bayesian-linear": "screening.choosing.bayesian_linear:BayesianLinear",
    },
)
