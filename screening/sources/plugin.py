"""The form of a source that is asked by name: of a database, or of what a file describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from screening.sources.record import Source


@dataclass(frozen=True, kw_only=True)
class SourcePlugIn:
    """One source that campaigns can name.

    Attributes
    ----------
    name : str
        What stands before the colon, or alone.
    usage : str
        How it is asked, as ``mp:FIELD=VALUE&…``.
    help : str
        One sentence for people.
    open : callable
        Gets what follows the colon, empty for nothing, and returns the source, before it asks any
        service; raises `SourceError`.
    options : type, optional
        Model of the fields that may follow the colon.
    """

    name: str
    usage: str
    help: str
    open: Callable[[str], Source]
    options: type[BaseModel] | None = None
