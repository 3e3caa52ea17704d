"""Which candidates are worth computing at all: what every kind of them can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, field_validator

from screening.candidates.candidate import Candidate
from screening.messages.refusal import Refusal
from screening.targets.constraints import Bound, is_known


class CandidateFilters(BaseModel, extra="forbid"):
    """What a campaign looks at; each kind of candidates adds fields of its own.

    Attributes
    ----------
    experimental : True, optional
        Only entries of which the source says that they were made and measured.
    where_unknown : {'refuse', 'keep'}
        What happens to an entry that does not state what is asked of it: whether it is
        experimental, or a property that one of `STATED` bounds.
    """

    STATED: ClassVar[tuple[str, ...]] = ()
    """Fields, of type `Bound`, of properties of the same name that sources state of an entry."""

    experimental: Literal[True] | None = None
    where_unknown: Literal["refuse", "keep"] = "refuse"

    @field_validator("*")
    @classmethod
    def _bounds_a_number(cls, value: Any) -> Any:
        if isinstance(value, Bound) and value.equals is not None:
            raise ValueError("takes min, max or both, not equals")
        return value

    def of_elements(self, elements: frozenset[str]) -> Refusal | None:
        """Return why whatever consists of these elements stays out; None lets it in so far."""
        return None

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Return why a candidate stays out of the campaign; None lets it in.

        Kinds check their own fields first, and then these.
        """
        stated = candidate.origins[0].properties
        if self.experimental:
            known = _known_experimentally(stated)
            if known is False:
                return Refusal.of("it is stated to be theoretical, not experimental")
            if known is None and self.where_unknown == "refuse":
                return Refusal.of("whether it is experimental is not stated")
        for field in self.STATED:
            bound: Bound | None = getattr(self, field)
            if bound is None:
                continue
            value = stated.get(field)
            if isinstance(value, bool | str) or not is_known(value):
                if self.where_unknown == "refuse":
                    return Refusal.of(f"its {field} is not stated")
            elif (violation := bound.violation(field, value)) is not None:
                return Refusal.of_words(f"its {violation}")
        return None


def _known_experimentally(stated: Mapping[str, object]) -> bool | None:
    """Return what a source says of an entry by ``experimental`` or ``theoretical``, else None."""
    experimental, theoretical = stated.get("experimental"), stated.get("theoretical")
    if isinstance(experimental, bool):
        return experimental
    return not theoretical if isinstance(theoretical, bool) else None
