"""Sources that ship with the product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from screening.machine.text_files import lines_of
from screening.sources.files import jsonl_entries
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord, UnparsedEntry


@dataclass(frozen=True)
class Bundled:
    """A file of JSON lines in `configs/data`; reference values are among its properties.

    Parameters
    ----------
    spec
        Name of the source, and of the file.
    """

    spec: str

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries."""
        for entry in self.entries():
            yield entry() if isinstance(entry, UnparsedEntry) else entry

    def entries(self) -> Iterator[SourceRecord | UnparsedEntry]:
        """Stream the entries, unread."""
        resource = files("configs") / "data" / f"{self.spec}.jsonl.gz"
        with resource.open("rb") as raw:
            yield from jsonl_entries(lines_of(raw), self.spec)


def _open(name: str, rest: str) -> Bundled:
    if rest:
        raise SourceError(f"source '{name}:{rest}': takes nothing after the name; drop it")
    return Bundled(name)


PHONONDB_103 = SourcePlugIn(
    name="phonondb-103",
    usage="phonondb-103",
    help="103 binary crystals of phonondb with their lattice thermal conductivities; shipped.",
    open=partial(_open, "phonondb-103"),
)
ELECTRODE_PAIRS = SourcePlugIn(
    name="electrode-pairs",
    usage="electrode-pairs",
    help="Pairs of discharged and charged electrodes from the Materials Project; shipped.",
    open=partial(_open, "electrode-pairs"),
)
