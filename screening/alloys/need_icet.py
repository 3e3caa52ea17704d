"""Whether icet is there, which is an extra."""

from __future__ import annotations

import importlib.util

from screening.messages.errors import ScreenError


def need_icet(what: str) -> None:
    """Raise `ScreenError` where icet is missing.

    Parameters
    ----------
    what
        What needs it, the subject of a sentence.
    """
    if importlib.util.find_spec("icet") is None:
        raise ScreenError(f"{what} needs icet; install it with: pip install 'matscreen[alloys]'")
