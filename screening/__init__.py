"""The screening campaign: sources, candidates, surrogate, sampler, store, workers and CLI.

For notebooks: ``from screening import Campaign``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening.results.notebook_api import Campaign as Campaign
    from screening.results.result import Result as Result

_PUBLIC = {"Campaign": "screening.results.notebook_api", "Result": "screening.results.result"}
"""What is imported when it is asked for, so that the command line stays fast, and from where."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'screening' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
