"""At what temperature a liquid-crystalline molecule melts and clears, learned from measured ones.

Polymers are not asked: no table that may be shared has their transitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from screening.learned.molecule_classifier import scaffold
from screening.learned.molecule_features import kept_dense
from screening.learned.shipped_tables import TRANSITIONS, measured_transitions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

N_FOLDS = 5
COVERAGE = 0.9
"""Share of molecules of unseen scaffolds whose temperature is in the interval."""
NOISE = 0.1
"""Variance, in units of the spread of temperatures, that no neighbour explains."""
WIDTH = 0.7
"""Of the Gaussian kernel, in spreads of a number, times the square root of how many there are."""


@dataclass(frozen=True)
class Temperatures:
    """Expected temperatures and their intervals, in °C, each of shape (m,)."""

    expected_c: Floats
    low_c: Floats
    high_c: Floats

    def row(self, place: int) -> tuple[float, float, float]:
        """Return the expected temperature of one molecule and the ends of its interval."""
        return float(self.expected_c[place]), float(self.low_c[place]), float(self.high_c[place])


class TransitionModel:
    """A Gaussian process with intervals that are calibrated on scaffolds it did not see.

    Intervals are conformal: the standard error of the process, times what holds `COVERAGE` of the
    molecules that were left out (J. Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)).

    Parameters
    ----------
    dense : ndarray, shape (n, d)
        Of `screening.learned.molecule_features.MoleculeNumbers`.
    temperatures_c : ndarray, shape (n,)
    scaffolds : ndarray of str, shape (n,), optional
        Without them nothing is calibrated: the model is one of those that calibrate another.
    """

    def __init__(
        self,
        dense: Floats,
        temperatures_c: Floats,
        scaffolds: NDArray[np.str_] | None = None,
    ) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, WhiteKernel

        spread = dense.std(axis=0)
        self._center, self._spread = dense.mean(axis=0), np.where(spread > 0, spread, 1.0)
        kernel = RBF(WIDTH * np.sqrt(dense.shape[1])) + WhiteKernel(NOISE)
        self._process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
        self._process.fit(self._scaled(dense), temperatures_c)
        self.factor = 1.0
        if scaffolds is not None:
            errors_c, stds_c = left_out(dense, temperatures_c, scaffolds)
            rank = np.ceil((len(errors_c) + 1) * COVERAGE) / len(errors_c)
            self.factor = float(np.quantile(np.abs(errors_c) / stds_c, min(rank, 1.0)))

    def _scaled(self, dense: Floats) -> Floats:
        scaled: Floats = np.clip((dense - self._center) / self._spread, -5, 5)
        return scaled

    def expected_c(self, dense: Floats) -> tuple[Floats, Floats]:
        """Return temperatures and the process's standard errors, in °C, both (m,)."""
        expected_c, std_c = self._process.predict(self._scaled(dense), return_std=True)
        return expected_c, std_c

    def answers(self, dense: Floats) -> Temperatures:
        """Return temperatures of molecules with intervals."""
        expected_c, std_c = self.expected_c(dense)
        reach_c = self.factor * std_c
        return Temperatures(expected_c, expected_c - reach_c, expected_c + reach_c)


def left_out(
    dense: Floats, temperatures_c: Floats, groups: NDArray[np.str_]
) -> tuple[Floats, Floats]:
    """Return the error of each molecule by a model without its group, and its standard error."""
    from sklearn.model_selection import GroupKFold

    errors_c, stds_c = np.empty(len(groups)), np.empty(len(groups))
    folds = GroupKFold(N_FOLDS, shuffle=True, random_state=0)
    for seen, unseen in folds.split(temperatures_c, groups=groups):
        model = TransitionModel(dense[seen], temperatures_c[seen])
        found_c, stds_c[unseen] = model.expected_c(dense[unseen])
        errors_c[unseen] = found_c - temperatures_c[unseen]
    return errors_c, stds_c


@cache
def transition_model(name: str) -> TransitionModel:
    """Return the model of the shipped ``clearing`` or ``melting`` temperatures."""
    table = measured_transitions(name)
    dense = kept_dense(f"{name}-points", TRANSITIONS, [each.smiles for each in table])
    temperatures_c = np.array([each.temperature_c for each in table])
    scaffolds = np.array([scaffold(each.smiles) for each in table])
    return TransitionModel(dense, temperatures_c, scaffolds)
