"""Extension points: tables of what can be named in a configuration, open to other packages.

A plug-in is an object with a `name` and `help`, one sentence.  It is found by its name, where this
package or an installed one offers it, or by its import path, ``package.module:attribute``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from screening.messages.errors import ScreenError

PlugIn = TypeVar("PlugIn")


def imported(path: str) -> Any:
    """Return the object at an import path, ``module:attribute`` or ``module.attribute``."""
    # pkgutil.resolve_name would take a module whose own imports fail for one that is not there.
    module, _, attribute = path.replace(":", ".").rpartition(".")
    return getattr(importlib.import_module(module), attribute)


class PlugIns(Generic[PlugIn]):
    """One extension point.

    Parameters
    ----------
    what
        The plug-in in messages, as "sampler".
    group
        Group of entry points under which other packages offer theirs, as "matscreen.samplers".
    built_in
        Import path of each plug-in of this package, ``module:attribute``, by its name.  Nothing is
        imported before it is used.

    Attributes
    ----------
    built_in : dict
        A copy of it, in which a test may put a plug-in of its own, as
        ``monkeypatch.setitem(OBJECTIVES.built_in, "toy", "toy_objective:TOY")``.
    """

    def __init__(self, what: str, group: str, built_in: Mapping[str, str]) -> None:
        self.what = what
        self.group = group
        self.built_in = dict(built_in)

    def paths(self) -> dict[str, str]:
        """Return the import path of every plug-in by its name; those of this package first."""
        return {**_offered(self.group, tuple(sys.path)), **self.built_in}

    def names(self) -> list[str]:
        """Return the names of all plug-ins; those of this package first."""
        return list(dict.fromkeys([*self.built_in, *sorted(self.paths())]))

    def load(self, name: str) -> PlugIn:
        """Return the plug-in of a name or import path.

        Raises
        ------
        ScreenError
            When there is none of that name, or it cannot be imported.
        """
        path = self.built_in.get(name) or self.paths().get(name, name)
        if ":" not in path:
            # pydantic, which takes longer to import than a light command may.
            from screening.messages.validation import nearest

            raise ScreenError(f"{self.what} '{name}': unknown; {nearest(name, self.names())}")
        try:
            loaded: PlugIn = imported(path)
        except (ImportError, AttributeError) as error:
            raise ScreenError(f"{self.what} '{name}': cannot be imported: {error}") from error
        return loaded


@lru_cache
def _offered(group: str, _path: tuple[str, ...]) -> Mapping[str, str]:
    """Return what packages on the path of imports offer; remembered, as all of them are read."""
    return {entry.name: entry.value for entry in entry_points(group=group)}
