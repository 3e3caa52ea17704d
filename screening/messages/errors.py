"""The errors a user can mend."""

from __future__ import annotations


class ScreenError(Exception):
    """What the user asked for cannot be done as asked; the message says what to change.

    The command line prints the message without a traceback and exits with status 2.
    """
