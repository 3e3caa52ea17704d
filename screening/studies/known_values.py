"""Candidates whose values are known, as a table to learn from or to replay on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from screening.intake.refusal_groups import LeftOut, summed_up
from screening.machine.process_pool import processes
from screening.messages.errors import ScreenError
from screening.messages.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.candidates.kinds import CandidateKind
    from screening.sources import SourceRecord
    from screening.targets.scale import Scale

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KnownValues:
    """Candidates with known values.

    Attributes
    ----------
    labels : list of str, length n
        Name that people know each by, and its name in the source.
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
        """Label of the best candidate."""
        return self.labels[int(self.values.argmin())]

    def goal(self, top_fraction: float) -> float:
        """Return the worst value among the best fraction, at least one candidate."""
        n_top = max(1, math.floor(top_fraction * len(self.values) + 1e-9))
        return float(np.sort(self.values)[n_top - 1])


def read_table(
    records: Iterable[SourceRecord],
    value_key: str,
    *,
    kind: CandidateKind,
    scale: Scale,
    prior_key: str | None = None,
    workers: int = 1,
    on_entry: Callable[[], None] = lambda: None,
) -> KnownValues:
    """Read candidates and their values, and compute features.

    Every entry counts as a candidate of its own, also one that is there twice.

    Parameters
    ----------
    records
    value_key, prior_key
        Fields of the entries: with the value, and with an estimate of it.
    kind
        Of the candidates.
    scale
        On which the model sees both.
    workers
        Processes that compute features.
    on_entry
        Called for each entry that is read.

    Raises
    ------
    ScreenError
        When no entry, or only one, can be read and has a value.
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
            refused.append((record.location, record.refusal or "it holds nothing that can be read"))
            continue
        value = scaled(record.properties.get(value_key))
        if value is None:
            positive = " above 0, as --log needs," if scale.logarithmic else ""
            refused.append((record.location, f"it has no number{positive} as '{value_key}'"))
            continue
        estimate = None if prior_key is None else scaled(record.properties.get(prior_key))
        taken.append(_Entry(record.location, record.material_id, record.content, value, estimate))
    if keys:
        for key in filter(None, (value_key, prior_key)):
            if key not in keys:
                numbers = ", ".join(sorted(keys)) or "none"
                raise ScreenError(f"no entry has a field '{key}'; fields found: {numbers}")
    kept: list[tuple[_Entry, _Described]] = []
    described = _described(kind.name, [entry.content for entry in taken], workers)
    for entry, found in zip(taken, described, strict=True):
        if isinstance(found, Refusal):
            refused.append((entry.location, found))
        else:
            kept.append((entry, found))
    left_out = summed_up(refused)
    if len(kept) < 2:
        reasons = "; ".join(f"{group.count} × {group.reason}" for group in left_out)
        raise ScreenError(
            f"at least two {kind.plural} with values are needed, found {len(kept)}"
            + (f"; left out: {reasons}" if reasons else "; the source is empty")
        )
    prior = np.array([math.nan if entry.prior is None else entry.prior for entry, _ in kept])
    if prior_key is not None and not np.isfinite(prior).any():
        raise ScreenError(
            f"none of the {kind.plural} has a number as '{prior_key}' that could be a prior"
        )
    return KnownValues(
        labels=[f"{found.label} ({entry.material_id})" for entry, found in kept],
        features=np.array([found.features for _, found in kept], dtype=float),
        values=np.array([entry.value for entry, _ in kept]),
        prior=None if prior_key is None else prior,
        left_out=left_out,
    )


class _Entry(NamedTuple):
    """An entry with a value; value and prior are on the model's scale."""

    location: str
    material_id: str
    content: Any
    value: float
    prior: float | None


class _Described(NamedTuple):
    """The name of a candidate and its features."""

    label: str
    features: list[float]


def _described(kind: str, contents: list[Any], workers: int) -> list[_Described | Refusal]:
    describe = partial(_describe, kind)
    if workers == 1 or len(contents) < 50:
        return [describe(content) for content in contents]
    try:
        with processes(workers) as executor:
            return list(executor.map(describe, contents, chunksize=20))
    except BrokenProcessPool:
        raise ScreenError(
            "a process that computed features was killed, perhaps for its memory; try --workers 1"
        ) from None


def _describe(kind: str, content: Any) -> _Described | Refusal:
    """Return name and features of what a source gives, or why it is no candidate."""
    from screening.candidates.candidate import Origin
    from screening.candidates.kinds import candidate_kind
    from screening.messages.refusal import RefusedError

    known = candidate_kind(kind)
    try:
        candidate = known.read(content, Origin(source="", material_id=""))
    except RefusedError as error:
        return error.refusal
    return _Described(candidate.label, known.describe(candidate))
