"""Fixtures of all tests; those of campaigns and databases are in `campaign_fixtures`."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# FireWorks reads it when it is imported first, whichever test does that.
os.environ["FW_CONFIG_FILE"] = str(resources.files("configs") / "fireworks.yaml")
# Small problems: threads that wait for each other double the time.  Read when numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

# A busy machine is no reason to fail.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

pytest_plugins = [
    "browser_fixtures",
    "campaign_fixtures",
    "queue_fixtures",
    "recorded_results",
    "view_fixtures",
]

PROGRAMS = {"chromium", "diary", "project", "server_uri", "stand_in", "tls_server"}
"""Fixtures that start a program, or put another in its place."""
RECORDS = {"dft_forces"}
"""Fixtures of recorded first-principles forces, which take seconds to solve."""


def pytest_configure() -> None:
    """Make once what many tests ask libraries for."""
    _build_space_groups_once()
    _search_symmetry_once()


def _search_symmetry_once() -> None:
    """Ask spglib once for each cell and tolerance: of a face-centred crystal it takes 35 ms."""
    import numpy as np
    from spglib import _spglib

    def once(search: Callable[..., Any]) -> Callable[..., Any]:
        answers: dict[Any, tuple[Any, list[Any]]] = {}

        def ask(*arguments: Any) -> Any:
            key = tuple(
                (word.shape, word.dtype.str, word.tobytes())
                if isinstance(word, np.ndarray)
                else word
                for word in arguments
            )
            if key not in answers:
                answer = search(*arguments)
                answers[key] = copy.deepcopy((answer, list(arguments)))
                return answer
            answer, after = answers[key]
            # Some searches answer in the arrays that they are given.
            for word, changed in zip(arguments, after, strict=True):
                if isinstance(word, np.ndarray):
                    word[...] = changed
            return copy.deepcopy(answer)

        return ask

    for name in ("dataset", "refine_cell", "standardize_cell"):
        setattr(_spglib, name, once(getattr(_spglib, name)))


def _build_space_groups_once() -> None:
    """Build each of pymatgen's space groups once, and without half a second of comparisons.

    It forgets a group with the last crystal that was built of it, and compares each operation with
    all others when it builds one, although the operations of its table are all different.
    """
    from pymatgen.core.operations import SymmOp
    from pymatgen.symmetry.groups import SpaceGroup

    build = SpaceGroup.__new__

    @functools.cache
    def build_once(*arguments: object, **options: object) -> SpaceGroup:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SymmOp, "__eq__", object.__eq__)
            return build(*arguments, **options)

    SpaceGroup.__new__ = build_once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a minute has no room for, by fixtures and by what tests name themselves."""
    for item in items:
        code = getattr(getattr(item, "function", None), "__code__", None)
        starts = code is not None and {"subprocess", "KillableServer"} & set(code.co_names)
        if starts or (PROGRAMS | RECORDS) & set(getattr(item, "fixturenames", ())):
            item.add_marker("heavy")
