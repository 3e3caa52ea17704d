"""What is printed, wherever it goes: terminals without Unicode, full disks, readers that leave."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys

SUBSTITUTES = {
    **{"κ": "kappa", "Δ": "delta ", "σ": "sigma", "λ": "lambda", "ω": "omega", "Θ": "Theta"},
    **{"α": "alpha", "β": "beta", "γ": "gamma", "ε": "epsilon", "θ": "theta", "τ": "tau"},
    **{"±": "+/-", "×": "x", "÷": ":", "·": ".", "−": "-", "–": "-", "—": "-", "…": "..."},
    **{"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "→": "->", "≤": "<=", "≥": ">="},
    **{"√": "sqrt ", "∞": "inf", "≈": "~", "µ": "u", "μ": "u", "Å": "A", "°": " deg", "½": "1/2"},
    **{"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "Γ": "Gamma"},
    **{"┏": "+", "│": "|", "─": "-", "━": "-", "┃": "|", "█": "#"},
    **dict(zip("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "01234567890123456789-+", strict=True)),
}
"""What stands for a character that a terminal cannot show; a question mark for all others."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a device without room for more."""
_HANDLER = "matscreen.substitutes"


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    encoding = error.encoding

    def shown(char: str) -> str:
        substitute = SUBSTITUTES.get(char, "?")
        return substitute if _fits(substitute, encoding) else "?"

    return "".join(map(shown, text)), error.end


codecs.register_error(_HANDLER, _substitute)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def writable(text: str, encoding: str) -> str:
    """Return a text with substitutes for what an encoding does not have."""
    return text.encode(encoding, _HANDLER).decode(encoding)


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: names of files come from others."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def prepare_streams() -> None:
    """Let what is printed have substitutes where the terminal's encoding lacks a character.

    ``PYTHONIOENCODING`` and the locale may ask for Latin-1 or ASCII; foreign names may hold bytes
    that are no text at all.
    """
    for name in ("stdout", "stderr"):
        # Python has none where it was closed, as by ``>&-``.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Streams that a program put in their place take any text.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors=_HANDLER)  # type: ignore[union-attr]


def encodes(text: str) -> bool:
    """Return whether standard output can show all of a text."""
    return _fits(text, getattr(sys.stdout, "encoding", None) or "utf-8")


def end_output() -> None:
    """Write out what is still kept back, so that a full disk is known while it can be told.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def give_up_output() -> None:
    """Write nothing more: what is still kept back would fail again when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            continue
        # A stream that is no file of this process has nothing to be redirected.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
