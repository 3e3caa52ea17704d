"""Messages for a person, on stderr."""

from __future__ import annotations


def say(message: str) -> None:
    """Print a message for a person, to stderr."""
    # Imported late: rich takes longer than all else that a command's help needs.
    from screening.messages.plain_console import stderr_console

    stderr_console().print(message, highlight=False, soft_wrap=True)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
