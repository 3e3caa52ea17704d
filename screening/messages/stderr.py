"""Messages for a person, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from screening.messages.terminal import printable, writable

if TYPE_CHECKING:
    pass

from typing import TYPE_CHECKING


def say(message: str) -> None:
    """Print a message for a person, to stderr."""
    stderr_console().print(message, highlight=False, soft_wrap=True)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def stderr_console() -> Console:
    """Return a console that writes to stderr."""
    return PlainConsole(stderr=True, markup=False)


class PlainConsole(Console):
    """rich's console, whose widths are those of what the terminal can show."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text to be printed."""
        return super().render_str(writable(printable(text), self.encoding), **options)
