from __future__ import annotations

import itertools

import numpy as np
import pytest

from screening.recommender.known import KnownList
from screening.recommender.ranking import domain_of
from screening.recommender.space import Domain

ALKALI = ("Li", "Na", "K", "Rb", "Cs")
TRIVALENT = ("Al", "Ga", "In", "Y", "La", "Nd", "Gd", "Er", "Cr", "Fe")
CHALCOGENS = ("O", "S", "Se", "Te")


@pytest.fixture(scope="session")
def families() -> KnownList:
    """Most of the ABX2 compounds of alkali and trivalent metals, and sulfides of tetravalent."""
    formulas, years = [], []
    every = itertools.product(ALKALI, TRIVALENT, CHALCOGENS)
    for number, (alkali, metal, anion) in enumerate(every):
        if number % 5 == 3:
            continue
        formulas.append({alkali: 1, metal: 1, anion: 2})
        years.append(0 if number % 3 else 1990 + number % 20)
    for alkali, metal in itertools.product(ALKALI, ("Ti", "Sn", "Ge")):
        formulas.append({alkali: 2, metal: 1, "S": 3})
        years.append(0)
    return KnownList("families", formulas, np.array(years, dtype=np.int16))


@pytest.fixture(scope="session")
def domain() -> Domain:
    return domain_of()
