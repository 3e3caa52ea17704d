"""CIF files exported from the Inorganic Crystal Structure Database (ICSD), by whoever may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from screening.sources.files import FileSource
from screening.sources.record import Source, SourceError, SourceRecord


class IcsdExport:
    """Entries of ICSD in CIF files, many a file or one each.

    Parameters
    ----------
    spec : str
        As the user wrote it.
    path : Path
        Folder of CIF files, searched recursively, or one file.

    Raises
    ------
    SourceError
        No structure file there.
    """

    def __init__(self, spec: str, path: Path) -> None:
        self.spec = spec
        self._files = FileSource(spec, path)

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries, each named ``icsd-<code>``; one found a second time is refused."""
        seen: dict[object, str] = {}
        for record in self._files.records():
            code = record.properties.get("icsd_code")
            if code is None:
                # Of a damaged file its own reason says more.
                reason = record.error or (
                    "it states no _database_code_ICSD; name its folder without 'icsd:'"
                )
                yield replace(record, structure=None, error=reason)
                continue
            named = replace(record, material_id=f"icsd-{code}")
            if code in seen:
                reason = f"it is the same ICSD entry as {seen[code]}"
                yield replace(named, structure=None, error=reason)
                continue
            if named.structure is not None:
                seen[code] = named.location
            yield named


def open_icsd(rest: str) -> Source:
    """Open the export in a folder, or one file of it."""
    path = Path(rest).expanduser()
    if not rest or not path.exists():
        raise SourceError(
            f"source 'icsd:{rest}': no such folder; give that of the CIF files, as icsd:export/"
        )
    return IcsdExport(f"icsd:{rest}", path)
