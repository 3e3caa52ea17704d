"""rich's console, for text that comes from others and terminals without Unicode."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from screening.messages.terminal import printable, writable


class PlainConsole(Console):
    """rich's console, whose widths are those of what the terminal can show."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text to be printed."""
        return super().render_str(writable(printable(text), self.encoding), **options)


def stderr_console() -> Console:
    """Return a console that writes to stderr."""
    return PlainConsole(stderr=True, markup=False)
