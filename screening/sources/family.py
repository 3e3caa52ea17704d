"""A family of crystals as one candidate: those of another source that hold given elements only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from screening.candidates.candidate import Origin
from screening.candidates.crystal_kind import CRYSTAL
from screening.candidates.elements import is_element
from screening.candidates.family import StatedFamily
from screening.messages.refusal import RefusedError
from screening.messages.stderr import counted
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord, check_kind
from screening.store.database import opened_database
from screening.store.fitted_potentials import (
    GIVEN_CRYSTALS,
    GIVEN_FRAMES,
    fit_of,
    given_cells,
    large_value,
    refused_cells,
)

USAGE = "family:ELEMENTS@SOURCE"
AFTER = "#after="
"""What stands before the content of the potential whose labels are taken over."""
GIVEN = "#given="
"""What stands before the digits that given cells are found by, as often as there are such."""
MOST_WANTED = 20
"""Refused cells that are labelled first."""
MOST_CRYSTALS = 200


@dataclass
class FamilySource:
    """One family.

    Parameters
    ----------
    spec
        As the user wrote it.
    elements
        Chemical symbols; empty for those of all crystals of the source.
    source
        Where the crystals come from.
    after
        Content of a fitted potential in the database that is open: its labels are taken over, and
        the cells that it refused are labelled first.  Empty for none.
    given
        Digits by which that database finds further labelled cells and crystals; see
        `screening.store.fitted_potentials.keep_given`.
    """

    spec: str
    elements: frozenset[str]
    source: str
    after: str = ""
    given: tuple[str, ...] = ()
    candidates: str = "family"
    _remarks: list[str] = field(default_factory=list)

    def records(self) -> Iterator[SourceRecord]:
        """Yield the family.

        Raises
        ------
        SourceError
            When the source has no crystal of these elements, or too many.
        """
        from screening.sources import open_source

        self._remarks.clear()
        inner = open_source(self.source)
        check_kind(inner, CRYSTAL, "a family is of")
        crystals, refused, others, names = [], 0, 0, []
        for record in inner.records():
            if record.content is None:
                refused += 1
                continue
            try:
                crystal = CRYSTAL.read(record.content, Origin(source=self.source, material_id=""))
            except RefusedError:
                refused += 1
                continue
            if self.elements and not self.elements.issuperset(crystal.elements):
                others += 1
                continue
            crystals.append(crystal.content())
            names.append(record.material_id)
            if len(crystals) > MOST_CRYSTALS:
                raise SourceError(
                    f"source '{self.spec}': more than {MOST_CRYSTALS} crystals; name the elements "
                    f"of one family, as family:Na,Cl@{self.source}"
                )
        if refused:
            self._remarks.append(f"{counted(refused, 'entry', 'entries')} left out: not readable")
        if not crystals:
            wanted = ", ".join(sorted(self.elements)) or "any element"
            raise SourceError(
                f"source '{self.spec}': '{self.source}' holds no crystal of {wanted} alone "
                f"({others} of other elements, {refused} not readable)"
            )
        held = {element for crystal in crystals for element in crystal.symbol_set}
        if missing := sorted(self.elements - held):
            raise SourceError(
                f"source '{self.spec}': no crystal of '{self.source}' with {', '.join(missing)} is "
                "in the family; a potential cannot learn what it never sees"
            )
        family = StatedFamily(**self._with_given(crystals, self._of_earlier()))
        yield SourceRecord("+".join(names)[:200], family, None, f"{self.spec}#family")

    def _of_earlier(self) -> dict[str, Any]:
        """Return what an earlier potential leaves to this one."""
        if not self.after:
            return {}
        database = opened_database()
        earlier = fit_of(database, self.after)
        frames = large_value(database, earlier, "frames")
        refused = refused_cells(database, self.after)
        wanted = [
            {"structure": cell["structure"], "origin": "refused by the potential before"}
            for cell in refused[:MOST_WANTED]
        ]
        self._remarks.append(
            f"{counted(len(frames), 'label')} taken over from the potential before, "
            f"{counted(len(wanted), 'cell')} of {len(refused)} that it refused will be labelled"
        )
        return {
            "frames": frames,
            "wanted": wanted,
            "generation": int(earlier.get("generation", 0)) + 1,
        }

    def _with_given(self, crystals: list[Any], earlier: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the family with what the database was told to give it."""
        from pymatgen.core import Structure

        frames = list(earlier.get("frames", []))
        for digits in self.given:
            database = opened_database()
            frames += given_cells(database, digits, GIVEN_FRAMES)
            joining = given_cells(database, digits, GIVEN_CRYSTALS)
            crystals = [*crystals, *(Structure.from_dict(crystal) for crystal in joining)]
        return {**earlier, "crystals": crystals, "frames": frames}

    def remarks(self) -> list[str]:
        """Say what was left out, once the family was read."""
        return list(self._remarks)


def open_family(rest: str) -> FamilySource:
    """Open ``family:ELEMENTS@SOURCE``.

    Raises
    ------
    SourceError
        When it is not of this form, or names what is no element.
    """
    symbols, separator, source = rest.partition("@")
    source, *given = source.split(GIVEN)
    source, _, after = source.partition(AFTER)
    if not separator or not source:
        raise SourceError(f"source 'family:{rest}': write {USAGE}, as family:Na,Cl@phonondb-103")
    elements = frozenset(filter(None, (symbol.strip() for symbol in symbols.split(","))))
    for symbol in sorted(elements):
        if not is_element(symbol):
            raise SourceError(f"source 'family:{rest}': '{symbol}' is not the symbol of an element")
    return FamilySource(f"family:{rest}", elements, source, after, tuple(given))


FAMILY = SourcePlugIn(
    name="family",
    usage=USAGE,
    help="The crystals of another source that hold given elements only, as one family.",
    open=open_family,
)
