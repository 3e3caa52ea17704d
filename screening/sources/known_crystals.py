"""Known crystals that ship with the product, as the recommender's prototypes hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from screening.messages.validation import validated
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord


def _systems(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [frozenset(name.split("-")) for name in value.replace(" ", "").split(",") if name]


class KnownCrystalsQuery(BaseModel):
    """Which of them.

    Parameters
    ----------
    chemsys
        Chemical systems, as ``Li-S,Li-Na-S``: exactly these elements; all by default.
    """

    model_config = ConfigDict(extra="forbid")

    chemsys: Annotated[list[frozenset[str]] | None, BeforeValidator(_systems)] = None


@dataclass(frozen=True)
class KnownCrystals:
    """Crystals of compounds with an anion, within 0.05 eV an atom of the Materials Project's hull.

    Lattice constants are rounded to 0.01 Å and positions to thousandths: they are to be relaxed.

    Parameters
    ----------
    spec
        As the user wrote it.
    query
        Which of them.
    """

    spec: str
    query: KnownCrystalsQuery

    def records(self) -> Iterator[SourceRecord]:
        """Stream the crystals."""
        from screening.recommender.prototypes import shipped_library

        wanted = None if self.query.chemsys is None else set(self.query.chemsys)
        for prototype in shipped_library():
            for number, member in enumerate(prototype.members):
                if wanted is not None and frozenset(member) not in wanted:
                    continue
                parts = sorted(zip(member, prototype.counts, strict=True))
                formula = "".join(f"{name}{count if count > 1 else ''}" for name, count in parts)
                name = f"{formula}-{prototype.space_group}"
                yield SourceRecord(
                    name, prototype.structure(member, number), None, f"{self.spec}#{name}"
                )


def open_known_crystals(rest: str) -> KnownCrystals:
    """Open ``known-crystals``, or ``known-crystals:chemsys=…``.

    Raises
    ------
    SourceError
        When a field is unknown.
    """
    spec = f"known-crystals:{rest}" if rest else "known-crystals"
    name, equals, value = rest.partition("=")
    if rest and not equals:
        raise SourceError(f"source '{spec}': write it as known-crystals:chemsys=Li-S,Li-Na-S")
    fields = {name.strip(): value} if rest else {}
    return KnownCrystals(spec, validated(KnownCrystalsQuery, fields, f"source '{spec}'"))


KNOWN_CRYSTALS = SourcePlugIn(
    name="known-crystals",
    usage="known-crystals:chemsys=…",
    help="10,856 crystals of known compounds with an anion, rounded, to be relaxed; shipped.",
    open=open_known_crystals,
    options=KnownCrystalsQuery,
)
