"""Synthetic accessibility of a molecule, by the score that RDKit's wheel has in its contributions.

P. Ertl and A. Schuffenhauer, J. Cheminform. 1, 8 (2009): 1 is easy to make, 10 is hard, from how
common the pieces of the molecule are in PubChem, and from its rings, bridges and centres.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from screening.sources.record import SourceError

if TYPE_CHECKING:
    from rdkit import Chem


def sa_score(molecule: Chem.Mol) -> float:
    """Return the score, 1 (easy) to 10 (hard).

    Raises
    ------
    SourceError
        When RDKit was installed without its contributions.
    """
    return float(_scorer().calculateScore(molecule))


@cache
def _scorer() -> ModuleType:
    from rdkit import RDConfig

    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    specification = importlib.util.spec_from_file_location("sascorer", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise SourceError(
            f"RDKit has no SA score at {path}; install RDKit from the package index, with "
            "pip install 'matscreen[polymers]'"
        )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
