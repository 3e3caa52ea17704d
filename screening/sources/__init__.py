"""Where candidates come from: a table of databases, and files.

A new source is one file with a `SourcePlugIn`, and one row of `SOURCES`.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from screening.machine.plugins import PlugIns
from screening.machine.text_files import user_path
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import Source, SourceError, SourceRecord

__all__ = ["SOURCES", "Source", "SourceError", "SourcePlugIn", "SourceRecord", "open_source"]

SOURCES: PlugIns[SourcePlugIn] = PlugIns(
    "source",
    "matscreen.sources",
    {
        "phonondb-103": "screening.sources.bundled:PHONONDB_103",
        "electrode-pairs": "screening.sources.bundled:ELECTRODE_PAIRS",
        "known-crystals": "screening.sources.known_crystals:KNOWN_CRYSTALS",
        "icsd": "screening.sources.icsd:ICSD",
        "mp": "screening.sources.materials_project:MATERIALS_PROJECT",
        "optimade": "screening.sources.optimade:OPTIMADE",
        "substitutions": "screening.sources.substitutions:SUBSTITUTIONS",
        "orderings": "screening.sources.lattice_orderings:ORDERINGS",
        "polyimides": "screening.sources.polyimides:POLYIMIDES",
        "recommend": "screening.sources.recommend:RECOMMEND",
        "family": "screening.sources.family:FAMILY",
        "alloys": "screening.sources.alloys:ALLOYS",
    },
)
_IMPORT_PATH = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*):([A-Za-z_]\w*)(?::(.*))?", re.DOTALL)
"""Module, attribute, and what the source is asked for."""


def open_source(spec: str) -> Source:
    """Open a source by its name or its path.

    Parameters
    ----------
    spec : str
        ``name`` or ``name:rest`` with a name of `SOURCES`, or a file of crystals or of repeat units
        of polymers, or a folder of either, or the import path of a `SourcePlugIn`,
        ``module:attribute`` or ``module:attribute:rest``. ``./name`` reaches a file that has the
        name of a source.

    Raises
    ------
    SourceError
        Nothing by this name, or no structure file in the folder.
    """
    # Here, because lists of sources must not wait for what reads files.
    from screening.sources.files import FILE_KINDS, FileSource
    from screening.sources.repeat_units import REPEAT_UNIT_KINDS, RepeatUnitFiles

    name, _, rest = spec.partition(":")
    if name in SOURCES.names():
        return SOURCES.load(name).open(rest)
    path = user_path(spec, f"source '{spec}'")
    if path.exists():
        return RepeatUnitFiles(spec, path) if _of_repeat_units(path) else FileSource(spec, path)
    if (match := _IMPORT_PATH.fullmatch(spec)) and _is_module(match[1]):
        return SOURCES.load(f"{match[1]}:{match[2]}").open(match[3] or "")
    raise SourceError(
        f"source '{spec}': neither a file or folder that exists nor a known source; "
        f"known: {', '.join(sorted(SOURCES.names()))}; files: {FILE_KINDS}; of polymers: "
        f"{REPEAT_UNIT_KINDS}"
    )


def _of_repeat_units(path: Path) -> bool:
    """Whether a file holds repeat units of polymers, or a folder those and no crystals."""
    from screening.sources.files import is_structure_file
    from screening.sources.folders import look_below
    from screening.sources.repeat_units import is_repeat_unit_file

    names = [file.name for file in look_below(path).files] if path.is_dir() else [path.name]
    return any(map(is_repeat_unit_file, names)) and not any(map(is_structure_file, names))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False
