"""A virtual library of polyimides: every dianhydride with every diamine that a YAML allows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from screening.candidates.polymer import StatedPolymer
from screening.machine import shipped_configs as shipped
from screening.machine.text_files import user_path
from screening.messages.validation import validated
from screening.sources.imide_chemistry import imide_units
from screening.sources.plugin import SourcePlugIn
from screening.sources.polyimide_config import PolyimideConfig
from screening.sources.polyimide_monomers import Building, Monomers, read_monomers
from screening.sources.rdkit_there import need_rdkit
from screening.sources.record import SourceError, SourceRecord

SHIPPED = "polyimides"


class Polyimides:
    """The polyimides that a YAML describes, in a fixed order.

    Parameters
    ----------
    spec
        As the user wrote it.
    config
        Content of the YAML.
    folder
        Where it is.
    """

    candidates = "polymer"

    def __init__(self, spec: str, config: PolyimideConfig, folder: Path) -> None:
        self.spec = spec
        self.config = config
        self._folder = folder

    @cached_property
    def monomers(self) -> Monomers:
        """The monomers, made when they are first asked for."""
        return read_monomers(self.config, self._folder, f"source '{self.spec}'")

    def __len__(self) -> int:
        """Return how many polymers there are, equal ones among them counted apart."""
        n_all = len(self.monomers.dianhydrides) * len(self.monomers.diamines)
        return min(n_all, self.config.max_polymers or n_all)

    def pairs(self) -> Iterator[tuple[Building, Building]]:
        """Yield the pairs of monomers: the diamines of the first dianhydride, of the next, …"""
        dianhydrides, diamines = self.monomers.dianhydrides, self.monomers.diamines
        if not dianhydrides or not diamines:
            lacking = "diamine" if dianhydrides else "dianhydride"
            raise SourceError(
                f"source '{self.spec}': its lists hold no {lacking} that can be used; "
                f"{'; '.join(self.remarks()) or 'give more monomers'}"
            )
        n_all = len(dianhydrides) * len(diamines)
        taken: range | list[int] = range(n_all)
        if self.config.max_polymers is not None and self.config.max_polymers < n_all:
            drawn = random.Random(self.config.seed)
            taken = sorted(drawn.sample(range(n_all), self.config.max_polymers))
        for number in taken:
            first, second = divmod(number, len(diamines))
            yield dianhydrides[first], diamines[second]

    def records(self) -> Iterator[SourceRecord]:
        """Stream the polymers; a monomer that is not what it should be is a refused entry."""
        for name, refusal in self.monomers.refused:
            yield SourceRecord(name, None, refusal, f"{self.spec}#{name}")
        for one, other in self.pairs():
            name = f"{one.monomer.name}-{other.monomer.name}"
            diimide, diamine = imide_units(one.ready, other.ready)[0]
            content = StatedPolymer(diimide, name, (one.monomer, other.monomer), more=(diamine,))
            yield SourceRecord(name, content, None, f"{self.spec}#{name}")

    def remarks(self) -> list[str]:
        """Say which molecules of the lists are no monomers here, and why."""
        return [
            f"{count} × {role} left out: {reason}"
            for (role, reason), count in sorted(self.monomers.left_out.items())
        ]


def open_polyimides(rest: str) -> Polyimides:
    """Open ``polyimides`` as it is shipped, or ``polyimides:FILE.yaml``.

    Raises
    ------
    ScreenError
        When the YAML is not there, or something in it is wrong.
    """
    name = rest or SHIPPED
    spec = f"polyimides:{rest}" if rest else "polyimides"
    what = f"source '{spec}'"
    need_rdkit(what)
    config = validated(PolyimideConfig, shipped.read("polymers", name), what)
    return Polyimides(spec, config, user_path(name, what).parent)


POLYIMIDES = SourcePlugIn(
    name="polyimides",
    usage="polyimides:NAME",
    help="Polyimides of monomers that can be bought or made by named routes; one list is shipped.",
    open=open_polyimides,
    options=PolyimideConfig,
)
