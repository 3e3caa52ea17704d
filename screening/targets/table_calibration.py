"""How good a table's error bars are: each family of crystals judged by all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.choosing.error_model import Estimates

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from screening.targets.error_tables import ErrorTable, TableRow

    Floats = NDArray[np.float64]

TOP = 10
"""Places of the ranking that are compared with the true ones."""


@dataclass(frozen=True)
class TableCalibration:
    """How an engine's values, and what is expected from them, compare with first principles.

    Attributes
    ----------
    n, families : int
        Crystals, and families of them, each left out once, calibration of the model included.
    rms, expected_rms : float
        Root of the mean squared error of the engine's values and of expectations, on the table's
        scale.
    within_one, within_two : float
        Fractions of values within one and two total standard errors of first principles.
    expected_within_one, expected_within_two : float
        The same of expectations, with their own standard deviation.
    median_total_std : float
        On the table's scale.
    unstable : int
        Crystals that the engine calls unstable.
    lowest_found : dict
        How many of the truly lowest `TOP` are among the lowest by: the value, the expectation, its
        lower bounds, one and two standard deviations below it.
    """

    n: int
    families: int
    rms: float
    expected_rms: float
    within_one: float
    within_two: float
    expected_within_one: float
    expected_within_two: float
    median_total_std: float
    unstable: int
    lowest_found: dict[str, int]


def calibration_of(
    table: ErrorTable, family_of: Callable[[TableRow], str] | None = None
) -> TableCalibration:
    """Return how good the error bars of a table are.

    Parameters
    ----------
    family_of
        Which rows are left out together, where these are not the table's own families.
    """
    values, errors = numbers(table)
    found = left_out(table, family_of)
    z = np.abs(errors) / found.total_std
    expected_z = np.abs(errors - found.bias) / found.std
    truth, expected = values + errors, values + found.bias
    lowest = set(np.argsort(truth, kind="stable")[:TOP].tolist())

    def hits(order: Floats) -> int:
        return len(lowest & set(np.argsort(order, kind="stable")[:TOP].tolist()))

    return TableCalibration(
        n=len(errors),
        families=len({(family_of or _own)(row) for row in table.rows}),
        rms=_rms(errors),
        expected_rms=_rms(errors - found.bias),
        within_one=float((z <= 1).mean()),
        within_two=float((z <= 2).mean()),
        expected_within_one=float((expected_z <= 1).mean()),
        expected_within_two=float((expected_z <= 2).mean()),
        median_total_std=float(np.median(found.total_std)),
        unstable=sum(row.unstable for row in table.rows),
        lowest_found={
            "value": hits(values),
            "expectation": hits(expected),
            "lower bound, one standard deviation": hits(expected - found.std),
            "lower bound, two standard deviations": hits(expected - 2 * found.std),
        },
    )


def left_out(table: ErrorTable, family_of: Callable[[TableRow], str] | None = None) -> Estimates:
    """Return the estimates of all rows, each by a model of the other families alone."""
    grouping = family_of or _own
    groups = [grouping(row) for row in table.rows]
    n = len(groups)
    bias, std, total, unlike = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    for group in sorted(set(groups)):
        own = [place for place, name in enumerate(groups) if name == group]
        rest = table.with_rows([row for row in table.rows if grouping(row) != group])
        rows = [table.rows[place] for place in own]
        known = [table.scale.std_to_model(row.value, row.value_error) for row in rows]
        found = rest.estimates(
            [table.described(row) for row in rows],
            np.array(known),
            [row.unstable for row in rows],
            [row.candidate_id for row in rows],
        )
        bias[own], std[own], total[own] = found.bias, found.std, found.total_std
        unlike[own] = found.extrapolated
    return Estimates(bias, std, total, unlike)


def numbers(table: ErrorTable) -> tuple[Floats, Floats]:
    """Return values and errors, first principles' less the engine's, on the table's scale."""
    scale = table.scale
    values = np.array([scale.to_model(row.value) for row in table.rows])
    return values, np.array([scale.to_model(row.reference) for row in table.rows]) - values


def _own(row: TableRow) -> str:
    return row.family


def _rms(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean()))
