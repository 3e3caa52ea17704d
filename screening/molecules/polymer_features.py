"""Numbers that describe a polymer to the surrogate, from its repeat unit alone."""

from __future__ import annotations

from screening.molecules import backbone_numbers, mesogen_numbers
from screening.molecules.polymer_smiles import matching

#: Raise it whenever a name, an order or a number changes: stored features are then made anew.
FEATURES_VERSION = 2

_FRACTIONS = {
    "nitrogen_fraction": "[#7]",
    "oxygen_fraction": "[#8]",
    "fluorine_fraction": "[F]",
    "sulfur_fraction": "[#16]",
    "imide_fraction": "[#7;R]([#6;R]=[#8])[#6;R]=[#8]",
    "ester_fraction": "[#6](=[#8])[#8X2;!R]",
    "amide_fraction": "[#6](=[#8])[#7X3;!R]",
}
"""SMARTS of atoms, or of groups by their first atom, which are counted per heavy atom."""


def feature_names() -> list[str]:
    """Names of the features, in the order `features` gives them."""
    return [*mesogen_numbers.NAMES, *backbone_numbers.NAMES, *_FRACTIONS]


def features(smiles: str) -> list[float]:
    """Describe a polymer by ``len(feature_names())`` finite numbers.

    Parameters
    ----------
    smiles : str
        Canonical repeat unit: some of the numbers depend on the cut.

    Returns
    -------
    list of float
        The numbers of mesogens, of the repeat unit with hydrogen at its ends; those of the
        backbone, of the endless chain; and fractions of elements and groups. None is NaN.
    """
    from rdkit import Chem

    unit = Chem.MolFromSmiles(smiles)
    n_heavy_atoms = unit.GetNumAtoms() - 2
    piece = mesogen_numbers.without_attachment_points(unit)
    return [
        *mesogen_numbers.mesogen_numbers(piece),
        *backbone_numbers.backbone_numbers(unit),
        *(len(matching(unit, smarts)) / n_heavy_atoms for smarts in _FRACTIONS.values()),
    ]
