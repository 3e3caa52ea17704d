"""Sources that ship with the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from screening.machine.text_files import lines_of
from screening.sources.files import jsonl_entries
from screening.sources.record import Source, SourceError, SourceRecord, UnparsedEntry


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


def bundled(name: str) -> Callable[[str], Source]:
    """Return what opens the bundled data set of that name, which takes no argument."""

    def opened(rest: str) -> Source:
        if rest:
            raise SourceError(f"source '{name}:{rest}': takes nothing after the name; drop it")
        return Bundled(name)

    return opened
