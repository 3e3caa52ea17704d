"""How a flow says that it cannot go on."""

from __future__ import annotations


class EngineError(RuntimeError):
    """An engine could not deliver; the message says what and, where known, the remedy."""


class CannotCompute(ValueError):  # noqa: N818 - an answer about a crystal, not a failure
    """A crystal and a recipe that do not go together: the same input would fail again.

    Raised by what a flow does; where it can be known before, the Maker's ``refusal`` says it.
    """
