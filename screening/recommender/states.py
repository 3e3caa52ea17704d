"""Oxidation states that elements are met in, with how often."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from screening.machine.shipped_configs import data_file
from screening.messages.errors import ScreenError
from screening.recommender.compositions import ANIONS, N_NUMBERS, atomic_numbers

COUNTS = "oxidation-state-counts.csv"
FULL_CHARGE = {
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1),
    **dict.fromkeys(("O", "S", "Se", "Te"), -2),
    **dict.fromkeys(("N", "P", "As"), -3),
}
"""Of anions that are bonded to cations alone."""
BONDED_CHARGE = {"I": -1 / 3, "S": -1 / 3, "Se": -1 / 3, "Te": -1 / 3, "O": -1 / 2, "N": -1 / 3}
"""Smallest mean charges of anions that are bonded to each other, as in I3⁻, S6²⁻, O2⁻ and N3⁻."""
_BONDED_PNICTIDES = -1 / 7
"""As in the polyphosphides of Na3P21 and the phosphide frameworks of LaFe4P12."""
MIN_ENTRIES, MIN_SHARE = 50, 0.03
"""A state counts from so many entries, and from such a part of the element's, on."""
LEFT_OUT = frozenset(
    (
        *("H", "He", "Ne", "Ar", "Kr", "Xe", "Rn", "Tc", "Pm", "Po", "At", "Fr", "Ra", "Ac", "Pa"),
        *("Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr"),
    )
)
"""Elements not recommended unless named: hydrogen, the noble gases, and the radioactive."""


@dataclass(frozen=True)
class States:
    """Oxidation states of cations.

    Attributes
    ----------
    of : dict of tuples
        Positive integer states by atomic number, ascending.
    lowest, highest : ndarray, shape (128,)
        Bounds by atomic number; NaN for elements that have none.
    """

    of: dict[int, tuple[int, ...]]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]


def counts_of_states() -> bytes:
    """Return the shipped table of oxidation states as it is stored."""
    return data_file("data").joinpath(COUNTS).read_bytes()


@cache
def state_counts() -> dict[str, dict[int, int]]:
    """Return how many entries have an element in an oxidation state."""
    found: dict[str, dict[int, int]] = {}
    text = counts_of_states().decode()
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["element"], {})[int(row["oxidation_state"])] = int(row["entries"])
    return found


def cation_states(min_entries: int = MIN_ENTRIES, min_share: float = MIN_SHARE) -> States:
    """Return the positive states that are met often enough."""
    by_symbol = atomic_numbers()
    of: dict[int, tuple[int, ...]] = {}
    lowest = np.full(N_NUMBERS, np.nan, dtype=np.float32)
    highest = lowest.copy()
    for element, counts in state_counts().items():
        least = max(min_entries, min_share * sum(counts.values()))
        kept = tuple(sorted(state for state, n in counts.items() if state > 0 and n >= least))
        if kept:
            number = by_symbol[element]
            of[number] = kept
            lowest[number], highest[number] = kept[0], kept[-1]
    return States(of, lowest, highest)


def check_anion(symbol: str) -> None:
    """Raise `ScreenError` where an element cannot be the anion."""
    if symbol in ANIONS:
        return
    if symbol not in atomic_numbers():
        raise ScreenError(f"anion '{symbol}': is no element; known: {', '.join(ANIONS)}")
    raise ScreenError(
        f"anion '{symbol}': has no negative states here that compositions are balanced with; "
        f"known: {', '.join(ANIONS)}"
    )


def bonded_charge(anion: str) -> float:
    """Return the smallest mean charge of an anion whose atoms may be bonded to each other."""
    if anion in ("P", "As"):
        return _BONDED_PNICTIDES
    return BONDED_CHARGE.get(anion, FULL_CHARGE[anion])
