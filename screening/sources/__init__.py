"""Where crystals come from: a table of databases, and files.

A new source is one file with a function ``open(rest) -> Source`` and one row of `SOURCES`.
"""

from __future__ import annotations

from collections.abc import Callable

from screening.machine.text_files import user_path
from screening.sources.bundled import bundled
from screening.sources.files import FILE_KINDS, FileSource
from screening.sources.icsd import open_icsd
from screening.sources.materials_project import open_materials_project
from screening.sources.optimade import open_optimade
from screening.sources.record import Source, SourceError, SourceRecord
from screening.sources.substitutions import open_substitutions

__all__ = ["SOURCES", "Source", "SourceError", "SourceRecord", "open_source"]

#: Name before the colon of a spec, and what opens it; the function gets what follows the colon.
SOURCES: dict[str, Callable[[str], Source]] = {
    "phonondb-103": bundled("phonondb-103"),
    "electrode-pairs": bundled("electrode-pairs"),
    "icsd": open_icsd,
    "mp": open_materials_project,
    "optimade": open_optimade,
    "substitutions": open_substitutions,
}


def open_source(spec: str) -> Source:
    """Open a source by its name or its path.

    Parameters
    ----------
    spec : str
        ``name`` or ``name:rest`` with a name of `SOURCES`, or a structure file, or a folder of
        them. ``./name`` reaches a file that has the name of a source.

    Raises
    ------
    SourceError
        Nothing by this name, or no structure file in the folder.
    """
    name, _, rest = spec.partition(":")
    if name in SOURCES:
        return SOURCES[name](rest)
    path = user_path(spec, f"source '{spec}'")
    if path.exists():
        return FileSource(spec, path)
    raise SourceError(
        f"source '{spec}': neither a file or folder that exists nor a known source; "
        f"known: {', '.join(sorted(SOURCES))}; files: {FILE_KINDS}"
    )
