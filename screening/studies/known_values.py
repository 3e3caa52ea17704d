"""Crystals whose values are known, as a table to learn from or to replay on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from screening.intake.refusal_groups import LeftOut, summed_up
from screening.machine.process_pool import processes
from screening.messages.errors import ScreenError
from screening.messages.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.sources import SourceRecord
    from screening.targets.scale import Scale

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KnownValues:
    """Crystals with known values.

    Attributes
    ----------
    labels : list of str, length n
        Formula and name in the source.
    features : ndarray, shape (n, d)
    values : ndarray, shape (n,)
        On the model's scale: logarithms where asked for, lower is better.
    prior : ndarray, shape (n,), or None
        On the same scale; NaN where there is none.
    left_out : list of LeftOut
        Entries that were left out.
    """

    labels: list[str]
    features: Floats
    values: Floats
    prior: Floats | None = None
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def best(self) -> str:
        """Label of the best crystal."""
        return self.labels[int(self.values.argmin())]

    def goal(self, top_fraction: float) -> float:
        """Return the worst value among the best fraction, at least one crystal."""
        n_top = max(1, math.floor(top_fraction * len(self.values) + 1e-9))
        return float(np.sort(self.values)[n_top - 1])


def read_table(
    records: Iterable[SourceRecord],
    value_key: str,
    *,
    scale: Scale,
    prior_key: str | None = None,
    workers: int = 1,
    on_entry: Callable[[], None] = lambda: None,
) -> KnownValues:
    """Read crystals and their values, and compute features.

    Every entry counts as a crystal of its own, also one that is there twice.

    Parameters
    ----------
    records
    value_key, prior_key
        Fields of the entries: with the value, and with an estimate of it.
    scale
        On which the model sees both.
    workers
        Processes that compute features.
    on_entry
        Called for each entry that is read.

    Raises
    ------
    ScreenError
        When no entry, or only one, has a structure and a value.
    """

    def scaled(value: Any) -> float | None:
        return scale.to_model(value) if scale.usable(value) else None

    refused: list[tuple[str, Refusal | str]] = []
    taken: list[_Entry] = []
    keys: set[str] = set()
    for record in records:
        on_entry()
        keys.update(record.properties)
        if record.content is None:
            refused.append((record.location, record.refusal or "it holds no structure"))
            continue
        value = scaled(record.properties.get(value_key))
        if value is None:
            positive = " above 0, as --log needs," if scale.logarithmic else ""
            refused.append((record.location, f"it has no number{positive} as '{value_key}'"))
            continue
        estimate = None if prior_key is None else scaled(record.properties.get(prior_key))
        label = f"{record.content.reduced_formula} ({record.material_id})"
        taken.append(_Entry(record.location, label, record.content, value, estimate))
    if keys:
        for key in filter(None, (value_key, prior_key)):
            if key not in keys:
                numbers = ", ".join(sorted(keys)) or "none"
                raise ScreenError(f"no entry has a field '{key}'; fields found: {numbers}")
    kept: list[tuple[_Entry, list[float]]] = []
    described = _features([entry.structure for entry in taken], workers)
    for entry, features in zip(taken, described, strict=True):
        if isinstance(features, Refusal):
            refused.append((entry.location, features))
        else:
            kept.append((entry, features))
    left_out = summed_up(refused)
    if len(kept) < 2:
        reasons = "; ".join(f"{group.count} × {group.reason}" for group in left_out)
        raise ScreenError(
            f"at least two crystals with values are needed, found {len(kept)}"
            + (f"; left out: {reasons}" if reasons else "; the source is empty")
        )
    prior = np.array([math.nan if entry.prior is None else entry.prior for entry, _ in kept])
    if prior_key is not None and not np.isfinite(prior).any():
        raise ScreenError(f"no crystal has a number as '{prior_key}' that could be a prior")
    return KnownValues(
        labels=[entry.label for entry, _ in kept],
        features=np.array([features for _, features in kept], dtype=float),
        values=np.array([entry.value for entry, _ in kept]),
        prior=None if prior_key is None else prior,
        left_out=left_out,
    )


class _Entry(NamedTuple):
    """A crystal with a value; value and prior are on the model's scale."""

    location: str
    label: str
    structure: Any
    value: float
    prior: float | None


def _features(structures: list[Any], workers: int) -> list[list[float] | Refusal]:
    if workers == 1 or len(structures) < 50:
        return [_features_of(structure) for structure in structures]
    try:
        with processes(workers) as executor:
            return list(executor.map(_features_of, structures, chunksize=20))
    except BrokenProcessPool:
        raise ScreenError(
            "a process that computed features was killed, perhaps for its memory; try --workers 1"
        ) from None


def _features_of(structure: Any) -> list[float] | Refusal:
    """Return the features of a crystal's standard cell, or why it has none."""
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure
    from screening.candidates.crystal_features import features
    from screening.messages.refusal import RefusedError

    try:
        candidate = crystal_from_structure(structure, Origin(source="", material_id=""))
    except RefusedError as error:
        return error.refusal
    return features(candidate.content())
