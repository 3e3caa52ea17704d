"""CIF files exported from the Inorganic Crystal Structure Database (ICSD), by whoever may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from screening.machine.text_files import user_path
from screening.sources.cif import CifBlock
from screening.sources.files import CIF_FORMAT, FileSource, cif_record
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord, UnparsedEntry, same_entry

ICSD_FORMAT = f"icsd-{CIF_FORMAT}"


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
        seen: dict[str, str] = {}
        for entry in self.entries():
            record = entry() if isinstance(entry, UnparsedEntry) else entry
            identity = entry.identity if isinstance(entry, UnparsedEntry) else ""
            if identity in seen:
                reason = same_entry(seen[identity])
                record = replace(record, content=None, refusal=reason)
            elif record.content is not None and identity:
                seen[identity] = record.location
            yield record

    def entries(self) -> Iterator[SourceRecord | UnparsedEntry]:
        """Stream the entries, unread; what is no CIF is an entry with that reason."""
        for entry in self._files.entries():
            if not isinstance(entry, UnparsedEntry):
                yield entry if entry.refusal else _no_cif(entry.location)
            elif entry.format != CIF_FORMAT:
                yield _no_cif(entry.location)
            else:
                code = CifBlock(entry.content).codes().get("icsd_code")
                identity = "" if code is None else f"icsd-{code}"
                yield UnparsedEntry(
                    _icsd_record, ICSD_FORMAT, entry.content, entry.location, identity
                )

    def remarks(self) -> list[str]:
        """Say what was not looked at, once the entries were streamed."""
        return self._files.remarks()


def _no_cif(place: str) -> SourceRecord:
    reason = "it is no CIF, as ICSD's entries are; name its folder without 'icsd:'"
    return SourceRecord(place, None, reason, place)


def _icsd_record(text: str, place: str) -> SourceRecord:
    record = cif_record(text, place)
    code = record.properties.get("icsd_code")
    if code is None:
        # Of a damaged file its own reason says more.
        reason = (
            record.refusal or "it states no _database_code_ICSD; name its folder without 'icsd:'"
        )
        return replace(record, content=None, refusal=reason)
    return replace(record, material_id=f"icsd-{code}")


def open_icsd(rest: str) -> IcsdExport:
    """Open the export in a folder, or one file of it."""
    path = user_path(rest, f"source 'icsd:{rest}'")
    if not rest or not path.exists():
        raise SourceError(
            f"source 'icsd:{rest}': no such folder; give that of the CIF files, as icsd:export/"
        )
    return IcsdExport(f"icsd:{rest}", path)


ICSD = SourcePlugIn(
    name="icsd",
    usage="icsd:FOLDER",
    help="CIF files exported from the Inorganic Crystal Structure Database, or one such file.",
    open=open_icsd,
)
