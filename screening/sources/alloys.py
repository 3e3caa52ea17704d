"""Random alloys of the crystals of another source: every two that differ in one element."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from screening.candidates.candidate import Origin
from screening.candidates.crystal import Crystal
from screening.candidates.crystal_kind import CRYSTAL
from screening.candidates.elements import is_element
from screening.messages.refusal import RefusedError
from screening.messages.stderr import counted
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord, check_kind
from workflows.alloy_composition import AlloyComposition

USAGE = "alloys:ELEMENTS@SOURCE"
STEP = "#step="
"""What stands between the source and the step of compositions."""
DEFAULT_STEP = 0.1


@dataclass
class AlloySource:
    """Compositions between crystals of one structure that differ in one element.

    Parameters
    ----------
    spec
        As the user wrote it.
    elements
        The only ones in the crystals; empty for all.
    source
        Where the crystals come from.
    step
        Between compositions, as a fraction of the second crystal.
    """

    spec: str
    elements: frozenset[str]
    source: str
    step: float
    candidates: str = "alloy"
    _remarks: list[str] = field(default_factory=list)

    def records(self) -> Iterator[SourceRecord]:
        """Yield each composition of each two crystals that may go together.

        Whether they do, site by site, is found when they are read.

        Raises
        ------
        SourceError
            When no two crystals do.
        """
        self._remarks.clear()
        groups: dict[tuple[object, ...], list[tuple[str, Crystal]]] = defaultdict(list)
        for name, crystal in self._crystals():
            composition = crystal.content().composition
            groups[
                crystal.space_group_number,
                crystal.n_sites,
                composition.anonymized_formula,
            ].append((name, crystal))
        count = round(1 / self.step)
        found = False
        for group in groups.values():
            for (one, first), (other, second) in itertools.combinations(group, 2):
                if not _differ_in_one(first, second):
                    continue
                found = True
                contents = first.content(), second.content()
                for number in range(1, count):
                    fraction = round(number / count, 6)
                    name = f"{one} + {other}, {fraction:g}"
                    yield SourceRecord(
                        name, AlloyComposition(*contents, fraction), None, f"{self.spec}: {name}"
                    )
        if not found:
            raise SourceError(
                f"source '{self.spec}': no two crystals of '{self.source}' have one structure "
                "and differ in one element; there is nothing to mix"
            )

    def _crystals(self) -> Iterator[tuple[str, Crystal]]:
        from screening.sources import open_source

        inner = open_source(self.source)
        check_kind(inner, CRYSTAL, "alloys are of")
        refused, seen = 0, set()
        for record in inner.records():
            try:
                if record.content is None:
                    raise RefusedError("not readable")
                crystal = CRYSTAL.read(record.content, Origin(source=self.source, material_id=""))
            except RefusedError:
                refused += 1
                continue
            assert isinstance(crystal, Crystal)
            if self.elements and not self.elements.issuperset(crystal.elements):
                continue
            if crystal.candidate_id not in seen:
                seen.add(crystal.candidate_id)
                yield record.material_id, crystal
        if refused:
            self._remarks.append(
                f"{counted(refused, 'entry', 'entries')} left out: not readable, or disordered"
            )

    def remarks(self) -> list[str]:
        """Say what was left out, once the source was read."""
        return list(self._remarks)


def _differ_in_one(first: Crystal, second: Crystal) -> bool:
    """Whether two crystals are the same but for one element in the place of another one."""
    one, other = (
        {str(name): amount for name, amount in each.content().composition.items()}
        for each in (first, second)
    )
    own = [{k: v for k, v in a.items() if k not in b} for a, b in ((one, other), (other, one))]
    shared = one.keys() & other.keys()
    return (
        len(own[0]) == len(own[1]) == 1
        and list(own[0].values()) == list(own[1].values())
        and all(one[name] == other[name] for name in shared)
    )


def open_alloys(rest: str) -> AlloySource:
    """Open ``alloys:ELEMENTS@SOURCE``, or ``alloys:ELEMENTS@SOURCE#step=0.05``.

    Raises
    ------
    SourceError
        When it is not of this form, or names what is no element or no step.
    """
    spec = f"alloys:{rest}"
    symbols, separator, source = rest.partition("@")
    source, stepped, step = source.partition(STEP)
    if not separator or not source:
        raise SourceError(
            f"source '{spec}': write {USAGE}, as alloys:Si,Ge@my_crystals/, or alloys:@my_crystals/"
            " for all elements"
        )
    elements = frozenset(filter(None, (symbol.strip() for symbol in symbols.split(","))))
    for symbol in sorted(elements):
        if not is_element(symbol):
            raise SourceError(f"source '{spec}': '{symbol}' is not the symbol of an element")
    try:
        value = float(step) if stepped else DEFAULT_STEP
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 0.5 or abs(1 / value - round(1 / value)) > 1e-6:
        raise SourceError(
            f"source '{spec}': step {step} does not divide 1; write 0.1, 0.05 or the like, from "
            "0.001 to 0.5"
        )
    return AlloySource(spec, elements, source, value)


ALLOYS = SourcePlugIn(
    name="alloys",
    usage=USAGE,
    help="Random alloys of every two crystals of another source that differ in one element.",
    open=open_alloys,
)
