"""Numbers that molecules are classified by: of their shape, of their atoms, and of their parts.

Stereochemistry is left out: tables state it for some molecules and not for others, which says where
an entry comes from and nothing of its phases.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.learned.kept_numbers import Numbers, kept_numbers
from screening.learned.shipped_tables import content_of
from screening.machine.user_cache import digest_of
from screening.molecules.mesogen_numbers import mesogen_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rdkit import Chem

FEATURES_VERSION = 1
"""Raise it whenever a number changes: what is kept in caches is then made anew."""
N_SHAPE = 14
N_COUNTS = 2048
LARGEST = 1e4
"""Numbers beyond it, as of odd elements, are cut."""
_SLOW = ("VSA", "EState", "BCUT", "qed", "BertzCT", "Ipc", "SPS", "MolLogP", "MolMR", "FpDensity")
_UNSUITABLE = ("PartialCharge", "StereoCenters", "Chi3", "Chi4", "fr_")
"""Of some elements there are no charges, and groups are among the parts already."""


@dataclass(frozen=True)
class MoleculeNumbers:
    """Numbers of molecules.

    Attributes
    ----------
    dense : ndarray, shape (n, d)
        The numbers of mesogens first, then RDKit's descriptors.
    counts : ndarray of uint8, shape (n, N_COUNTS)
        How often circular parts of up to two bonds' radius occur: D. Rogers and M. Hahn, J. Chem.
        Inf. Model. 50, 742 (2010).
    """

    dense: NDArray[np.float64]
    counts: NDArray[np.uint8]


def molecule_numbers(molecules: list[Chem.Mol]) -> MoleculeNumbers:
    """Return the numbers of molecules, read by `plain_molecule`."""
    dense = np.array([[*mesogen_numbers(each), *_described(each)] for each in molecules])
    generator = _generator()
    counts = np.array([generator.GetCountFingerprintAsNumPy(each) for each in molecules])
    return MoleculeNumbers(
        np.clip(np.nan_to_num(dense), -LARGEST, LARGEST), np.minimum(counts, 255).astype(np.uint8)
    )


def kept_dense(name: str, table: str, smiles: list[str]) -> NDArray[np.float64]:
    """Return the dense numbers of some molecules of a shipped table, made once, shape (n, d).

    Parameters
    ----------
    name : str
        Of the file in the user's cache.
    table : str
        File name of the shipped table, whose content chooses the molecules.
    smiles : list of str
    """
    import rdkit

    def make() -> Numbers:
        return {"dense": molecule_numbers([plain_molecule(each) for each in smiles]).dense}

    versions = f"{name} {FEATURES_VERSION} {rdkit.__version__}"
    return kept_numbers(name, digest_of(content_of(table), versions), make)["dense"]


def plain_molecule(smiles: str) -> Chem.Mol:
    """Return a molecule without stereochemistry, its atoms in canonical order."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        Chem.RemoveStereochemistry(molecule)
        return Chem.MolFromSmiles(Chem.MolToSmiles(molecule))


def _described(molecule: Chem.Mol) -> list[float]:
    from rdkit.Chem import rdMolDescriptors

    return [
        *(function(molecule) for function in _descriptors()),
        *rdMolDescriptors.SlogP_VSA_(molecule),
        *rdMolDescriptors.SMR_VSA_(molecule),
        *rdMolDescriptors.PEOE_VSA_(molecule),
        *rdMolDescriptors.CalcCrippenDescriptors(molecule),
    ]


@cache
def _descriptors() -> list[Any]:
    from rdkit.Chem import Descriptors

    # Those of one name with these are slow, or made by one call for a whole family.
    left_out = (*_SLOW, *_UNSUITABLE)
    return [
        function
        for name, function in Descriptors.descList
        if not any(part in name for part in left_out)
    ]


@cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=N_COUNTS)
