"""Sources that ship with the product."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from importlib.resources import files

from screening.sources.files import jsonl_records
from screening.sources.record import Source, SourceError, SourceRecord


class PhononDB:
    """103 binary crystals with first-principles lattice thermal conductivities."""

    spec = "phonondb-103"

    def records(self) -> Iterator[SourceRecord]:
        """Stream the 103 entries; the reference conductivities are among their properties."""
        resource = files("configs") / "data" / "phonondb-103.jsonl.gz"
        with resource.open("rb") as packed, gzip.open(packed) as raw:
            yield from jsonl_records(io.TextIOWrapper(raw, encoding="utf-8"), self.spec)


def open_phonondb(rest: str) -> Source:
    """Open the bundled data set, which takes no argument."""
    if rest:
        raise SourceError(f"source 'phonondb-103:{rest}': takes nothing after the name; drop it")
    return PhononDB()
