"""Arrays that take long to make, kept in the user's cache."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from screening.machine.user_cache import kept

if TYPE_CHECKING:
    from numpy.typing import NDArray

Numbers = dict[str, "NDArray[np.float64]"]


def kept_numbers(name: str, digest: str, make: Callable[[], Numbers]) -> Numbers:
    """Return arrays from the cache, or make and keep them.

    Parameters
    ----------
    name : str
        Of the file, without an ending.
    digest : str
        Of all that the numbers depend on; files of others are not read.
    make : callable
        Returns the arrays by name.
    """
    return kept(f"{name}-{digest}.npz", make, write=_packed, read=_unpacked)


def _packed(numbers: Numbers) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **numbers)  # type: ignore[arg-type]
    return file.getvalue()


def _unpacked(content: bytes) -> Numbers:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
