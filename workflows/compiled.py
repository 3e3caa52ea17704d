"""Loops over arrays, compiled by numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function compiled, from the second program on from a cache; threads may run it.

    What it calls must be compiled functions of its module: numba keeps nothing of a function that
    has them in its closure.

    The cache is beside the source, or where that cannot be written in the user's own folder; where
    neither can, every program compiles for itself, which takes seconds.
    """
    from numba import njit

    result: Any
    try:
        result = njit(function, cache=True, nogil=True)
    except RuntimeError:
        result = njit(function, nogil=True)
    found: Callable[..., Any] = result
    return found
