"""Tables of an engine's own results beside first principles', and the error model each gives.

A table is one file, ``QUANTITY-ENGINE.json``, in ``configs/engine_errors`` or in the folder that
``SCREEN_ENGINE_ERRORS`` names.  It speaks of a field of results, the objective's own value or
another, and of an engine with the same settings, whatever that engine is called.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from screening.choosing.error_model import ErrorModel, Estimates
from screening.choosing.peers import Peers
from screening.machine.settings import Settings
from screening.machine.shipped_configs import data_file
from screening.messages.errors import ScreenError
from screening.targets.scale import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.targets.engines import EngineConfig

    Floats = NDArray[np.float64]

VALUE = "value"
"""The feature that is no field: the value on its scale, of an unstable crystal the estimate."""
RESULT, LOG_RESULT, CANDIDATE = "result.", "log10 result.", "candidate."
"""Beginnings of features' names: a field of the result, its logarithm, a candidate's feature."""


class TableRow(BaseModel):
    """One crystal, by the engine and by first principles.

    Parameters
    ----------
    candidate_id, material_id, formula
        Which crystal.
    family
        What is left out together when the model is tested.
    unstable
        Whether the engine calls it unstable; `value` is then an estimate.
    value, value_error, reference
        Of the engine, with its own error bar, and of first principles.
    features
        What error and likeness are told by, as named in the table.
    """

    model_config = ConfigDict(extra="forbid")

    candidate_id: str
    material_id: str
    formula: str
    family: str = Field(min_length=1)
    unstable: bool = False
    value: float
    value_error: float | None = None
    reference: float
    features: dict[str, float | None]


class ErrorTable(BaseModel):
    """An engine's results beside first principles'.

    Parameters
    ----------
    quantity
        Field of a result.
    estimate, estimate_error
        Fields that hold the value of an unstable crystal; None where there is none.
    depth
        Field of a result that says how deep an instability is: the lower, the deeper.
    logarithmic
        Whether errors are factors.
    engine, engine_fingerprint
        Name, and settings: what `screening.targets.engines.EngineConfig.fingerprint` returns.
    recipe
        Settings of the flow.
    reference, source, licence
        What first principles stand for here, where they come from, and under which licence.
    versions, cost
        Of the programs that made it; what it cost to make.
    candidate_kind, features_version
        Of the candidates' features.
    features
        What bias and spread depend on: ``value``, ``result.FIELD``, ``log10 result.FIELD`` or
        ``candidate.FEATURE``.
    likeness
        What tells whether another crystal is like these; names of fields and features.
    peers
        What tells what the engine would find for a crystal, by its values for those like it: one
        that is far below is likely to be an outlier; names of fields and features.
    families
        What a family is, in words.
    rows
        The crystals.
    """

    model_config = ConfigDict(extra="forbid")

    quantity: str
    estimate: str | None = None
    estimate_error: str | None = None
    depth: str | None = None
    logarithmic: bool
    engine: str
    engine_fingerprint: dict[str, Any]
    recipe: dict[str, Any] = Field(default_factory=dict)
    reference: str
    source: str
    licence: str
    versions: dict[str, str] = Field(default_factory=dict)
    cost: str = ""
    candidate_kind: str = "crystal"
    features_version: int
    features: list[str] = Field(min_length=1)
    likeness: list[str] = Field(min_length=1)
    peers: list[str] = Field(default_factory=list)
    families: str
    rows: list[TableRow]
    _known_peers: dict[str, Peers] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _values_are_on_the_scale(self) -> Self:
        for name in self.asked:
            if not name.startswith((RESULT, LOG_RESULT, CANDIDATE)):
                raise ValueError(
                    f"feature '{name}': expected {VALUE}, {RESULT}FIELD, "
                    f"{LOG_RESULT}FIELD or {CANDIDATE}FEATURE"
                )
        for row in self.rows:
            if not (self.scale.usable(row.value) and self.scale.usable(row.reference)):
                raise ValueError(f"row '{row.candidate_id}': value and reference must be positive")
        return self

    @property
    def scale(self) -> Scale:
        """The scale of errors, whichever way a campaign goes."""
        return Scale(logarithmic=self.logarithmic)

    @property
    def asked(self) -> list[str]:
        """The features that are fields of a result or features of its candidate."""
        named = dict.fromkeys([*self.features, *self.likeness, *self.peers])
        return [name for name in named if name != VALUE]

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a result that the model needs."""
        named = {self.quantity, self.estimate, self.estimate_error, self.depth} - {None}
        parts = {
            name.split(".", 1)[1] for name in self.asked if name.startswith((RESULT, LOG_RESULT))
        }
        return frozenset({str(field) for field in named} | parts)

    @functools.cached_property
    def of_candidate(self) -> Mapping[str, TableRow]:
        """The rows by candidate id."""
        return {row.candidate_id: row for row in self.rows}

    @functools.cached_property
    def model(self) -> ErrorModel:
        """The error model of the table."""
        scale = self.scale
        errors = [scale.to_model(row.reference) - scale.to_model(row.value) for row in self.rows]
        known = [scale.std_to_model(row.value, row.value_error) for row in self.rows]
        families = [row.family for row in self.rows]
        described = [self.described(row) for row in self.rows]
        try:
            return ErrorModel.fit(
                matrix(described, self.features),
                np.array(errors),
                families,
                matrix(described, self.likeness),
                np.array(known),
                np.array([row.unstable for row in self.rows]),
                self._shortfall(described, families),
            )
        except ValueError as error:
            raise ScreenError(
                f"table of errors of {self.quantity} with {self.engine}: {error}"
            ) from None

    def described(self, row: TableRow) -> dict[str, float | None]:
        """Return the features of a row, its value among them."""
        return {**row.features, VALUE: self.scale.to_model(row.value)}

    def estimates(
        self,
        described: Sequence[Mapping[str, float | None]],
        known: Floats,
        unstable: Sequence[bool],
        ids: Sequence[str],
    ) -> Estimates:
        """Return what is to be expected of first principles, for results of the engine.

        Parameters
        ----------
        described
            By the names of features, for each result.
        known : ndarray, shape (n,)
            The results' own error bars on the table's scale.
        unstable
            Which results are estimates for crystals that the engine calls unstable.
        ids
            Candidates; those of the table are judged by the other families alone.
        """
        rows = [self.of_candidate.get(key) for key in ids]
        families = ["" if row is None else row.family for row in rows]
        return self.model(
            matrix(described, self.features),
            matrix(described, self.likeness),
            known,
            np.array(unstable, dtype=bool),
            self._shortfall(described, families),
            families,
        )

    def _shortfall(
        self, described: Sequence[Mapping[str, float | None]], families: Sequence[str]
    ) -> Floats:
        """Return how far each value is below those of crystals like it, zero without peers.

        Parameters
        ----------
        families
            Of each crystal, whose rows are left out; empty leaves none out.
        """
        found = np.zeros(len(described))
        if not self.peers:
            return found
        values = matrix(described, [VALUE])[:, 0]
        features = matrix(described, self.peers)
        for family in set(families):
            own = np.array([each == family for each in families])
            found[own] = self._peers(family).shortfall(features[own], values[own])
        return found

    def _peers(self, without: str) -> Peers:
        """Return the engine's values of all families but one; unstable crystals are no peers."""
        if without not in self._known_peers:
            rows = [row for row in self.rows if row.family != without and not row.unstable]
            described = [self.described(row) for row in rows]
            self._known_peers[without] = Peers.of(
                matrix(described, self.peers), matrix(described, [VALUE])[:, 0]
            )
        return self._known_peers[without]

    def with_rows(self, rows: list[TableRow]) -> ErrorTable:
        """Return the same table of other crystals, with a model of its own."""
        content = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**content, "rows": rows})

    def probability_unstable(self, depth: float | None) -> float:
        """Return the probability that a crystal is unstable in first principles as well.

        By Laplace's rule of succession on the crystals of the table that the engine calls unstable
        and that are so at least as deeply: (wrong to say stable + 1) / (crystals + 2).  All
        crystals of the table are stable, so that this is what is left to doubt about the engine,
        and says nothing of how many unstable crystals a pool holds.
        """
        deep = [row for row in self.rows if row.unstable]
        if depth is not None and self.depth is not None:
            name = f"{RESULT}{self.depth}"
            deep = [row for row in deep if (row.features.get(name) or 0.0) <= depth]
        return 1.0 / (len(deep) + 2.0)

    @property
    def basis(self) -> str:
        """What error bars of this table rest on, in words."""
        return f"{self.engine} against {self.reference} on {len(self.rows)} crystals"


def matrix(described: Sequence[Mapping[str, float | None]], names: Sequence[str]) -> Floats:
    """Return features as rows, NaN where one is not known, shape (n, names)."""
    rows = [
        [math.nan if (value := each.get(name)) is None else float(value) for name in names]
        for each in described
    ]
    return np.array(rows, dtype=float).reshape(len(described), len(names))


def described(
    names: Sequence[str], result: Mapping[str, Any], candidate: Mapping[str, float]
) -> dict[str, float | None]:
    """Return the features of a result that are its own fields or its candidate's features."""
    found: dict[str, float | None] = {}
    for name in names:
        if name.startswith(CANDIDATE):
            found[name] = candidate.get(name.removeprefix(CANDIDATE))
        elif name.startswith(LOG_RESULT):
            number = Scale(logarithmic=True)
            logged = result.get(name.removeprefix(LOG_RESULT))
            found[name] = None if not number.usable(logged) else number.to_model(float(logged or 0))
        elif name.startswith(RESULT):
            value = result.get(name.removeprefix(RESULT))
            found[name] = float(value) if isinstance(value, bool | int | float) else None
    return found


def error_table(quantity: str, engine: EngineConfig) -> ErrorTable | None:
    """Return the table of a quantity and an engine of these settings, None where there is none."""
    for table in known_tables():
        if (
            table.quantity == quantity
            and table.engine_fingerprint.get("kind") == engine.kind
            and table.engine_fingerprint == engine.fingerprint()
        ):
            return table
    return None


def tables_fingerprint(engine: EngineConfig) -> str:
    """Return what changes whenever a table of an engine does."""
    return _fingerprint(_own_folder(), engine.kind)


def known_tables() -> tuple[ErrorTable, ...]:
    """Return all tables, those of the machine's own folder first."""
    return _tables(_own_folder())


def _own_folder() -> str | None:
    # Settings take a hundred times as long to read, and every step of a campaign asks.
    if not any(name.upper() == "SCREEN_ENGINE_ERRORS" for name in os.environ):
        return None
    own = Settings().engine_errors
    return None if own is None else str(own)


@functools.cache
def _fingerprint(folder: str | None, kind: str) -> str:
    texts = [
        table.model_dump_json()
        for table in _tables(folder)
        if table.engine_fingerprint.get("kind") == kind
    ]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:12]


@functools.cache
def _tables(folder: str | None) -> tuple[ErrorTable, ...]:
    from pathlib import Path

    shipped = data_file("engine_errors")
    places = ([] if folder is None else [Path(folder)]) + [shipped]
    if folder is not None and not Path(folder).is_dir():
        raise ScreenError(f"environment variable SCREEN_ENGINE_ERRORS: no folder '{folder}'")
    found = []
    for place in places:
        for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".json"):
                found.append(parse_table(entry.read_text("utf-8"), entry.name))
    return tuple(found)


def parse_table(text: str, what: str) -> ErrorTable:
    """Return a table from its text.

    Raises
    ------
    ScreenError
        When it is none.
    """
    try:
        return ErrorTable.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ScreenError(f"table of errors {what}: {place}: {first['msg']}") from None
    except ValueError:
        raise ScreenError(f"table of errors {what}: is no valid JSON") from None
