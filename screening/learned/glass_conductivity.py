"""κ of a polymer's glass, learned from molecular dynamics of 911 amorphous polymers.

It says nothing of oriented chains, which conduct along themselves: a glass has at most 0.6 W/m/K.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.learned.kept_numbers import Numbers, kept_numbers
from screening.learned.polymer_classifier import polymer_numbers, whole_view
from screening.learned.shipped_tables import GLASSES, computed_glasses, content_of
from screening.machine.user_cache import digest_of
from screening.molecules import polymer_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION = 1
"""Raise it whenever the model changes."""
AMPLITUDE, LENGTH, NOISE = 2.81, 11.8, 0.0748
"""Of the kernel, in spreads of ln κ and of the features: most likely for the 911 polymers."""


class GlassConductivity:
    """A Gaussian process for ln κ on the features of polymers.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Of canonical repeat units.
    kappa_w_per_m_k : ndarray, shape (n,)
        At 300 K.
    """

    def __init__(self, features: Floats, kappa_w_per_m_k: Floats) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        view = whole_view(features)
        spread = view.std(axis=0)
        self._mean, self._spread = view.mean(axis=0), np.where(spread > 0, spread, 1.0)
        kernel = ConstantKernel(AMPLITUDE**2) * Matern(LENGTH, nu=2.5) + WhiteKernel(NOISE)
        self._process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
        self._process.fit(self._scaled(features), np.log(kappa_w_per_m_k))

    def _scaled(self, features: Floats) -> Floats:
        scaled: Floats = (whole_view(features) - self._mean) / self._spread
        return scaled

    def expected(self, features: Floats) -> tuple[Floats, Floats]:
        """Return κ in W/m/K and the standard error of log₁₀ κ, both (m,)."""
        log_kappa, error = self._process.predict(self._scaled(features), return_std=True)
        return np.exp(log_kappa), error / np.log(10)


def glass_facts(features: list[float]) -> dict[str, Any]:
    """Return what is learned of the glass of one polymer, by the fields of candidates."""
    kappa_w_per_m_k, log10_std = glass_conductivity().expected(np.array([features]))
    return {
        "glass_kappa_300k_w_per_m_k": round(float(kappa_w_per_m_k[0]), 4),
        "glass_kappa_300k_log10_std": round(float(log10_std[0]), 4),
    }


@cache
def glass_conductivity() -> GlassConductivity:
    """Return the model of RadonPy's table; features of its polymers come from the cache."""
    import rdkit

    glasses = computed_glasses()

    def make() -> Numbers:
        return {"features": polymer_numbers([glass.smiles for glass in glasses])}

    versions = f"{polymer_features.FEATURES_VERSION} {rdkit.__version__}"
    kept = kept_numbers("glasses", digest_of(content_of(GLASSES), versions), make)
    kappa_w_per_m_k = np.array([glass.kappa_w_per_m_k for glass in glasses])
    return GlassConductivity(kept["features"], kappa_w_per_m_k)
