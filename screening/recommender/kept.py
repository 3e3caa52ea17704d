"""Recommendations kept in the user's cache: minutes to make, and asked for again and again.

A campaign asks when it is tried, when it is submitted and each time it takes more candidates, and
after a kill once more.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib import resources
from importlib.metadata import version

from screening.machine.user_cache import digest_of, kept
from screening.recommender.known import KnownList
from screening.recommender.ranking import Question, Recommendation, recommended
from screening.recommender.states import counts_of_states

_PACKAGES = ("numpy", "scipy", "scikit-learn")


def kept_recommendations(
    known: KnownList, question: Question, computed: dict[str, float] | None = None
) -> list[Recommendation]:
    """Return the best compositions, from the user's cache where they were asked for before.

    Parameters
    ----------
    known, question
        See `recommended`.
    computed
        Energies above the hull of compositions that MP has computed, in eV an atom, by formula.

    Raises
    ------
    ScreenError
        When nothing fits the question.
    """
    rows = kept(
        f"recommendations-{digest_of(*_parts(known, question))}.json.gz",
        lambda: recommended(known, question),
        write=_packed,
        read=_unpacked,
    )
    energies = computed or {}
    return [replace(row, mp_e_hull=energies.get(row.formula)) for row in rows]


def _packed(rows: list[Recommendation]) -> bytes:
    return gzip.compress(json.dumps([asdict(row) for row in rows]).encode(), mtime=0)


def _unpacked(content: bytes) -> list[Recommendation]:
    rows = json.loads(gzip.decompress(content))
    return [Recommendation(**{**row, "relatives": tuple(row["relatives"])}) for row in rows]


def _parts(known: KnownList, question: Question) -> Iterator[bytes | str]:
    """Yield all that the recommendations depend on."""
    # The method is the code itself: whoever changes it cannot forget to say so.
    for module in sorted(resources.files(__package__).iterdir(), key=lambda each: each.name):
        if module.name.endswith(".py"):
            yield module.read_bytes()
    yield from (f"{name} {version(name)}" for name in _PACKAGES)
    yield counts_of_states()
    yield json.dumps(known.formulas)
    yield known.years.tobytes()
    yield json.dumps(asdict(question), sort_keys=True)
