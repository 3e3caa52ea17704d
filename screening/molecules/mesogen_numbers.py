"""Fourteen numbers by which rod-like molecules differ from others.

Mesophases of rods need a long stiff core and little beside it (P. J. Flory, Proc. R. Soc. A 234, 73
(1956)); para links keep the core straight, meta links and single-atom hinges bend it, and alkyl
chains at its ends or between cores lower the melting point.  The numbers say this of the longest
way through a molecule.  They hold for molecules and for short pieces of chains alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.molecules.molecular_shape import MolecularShape, longest_run
from screening.molecules.polymer_smiles import attachment_points, matching

if TYPE_CHECKING:
    from rdkit import Chem

NAMES = (
    "heavy_atoms",
    "rings",
    "flat_rings",  # of trigonal atoms only, whatever counts as aromatic
    "longest_path",  # bonds between the two atoms that are farthest apart
    "slenderness",  # L²/n of that path and all heavy atoms
    "rod_length",  # longest run of atoms on the path that neither turn nor bend it
    "straight_links",  # ring systems that the path crosses para, or as far as it can
    "bent_links",  # those it crosses meta or ortho
    "hinges",  # single atoms between two rings on the path
    "longest_alkyl",  # longest chain of saturated carbon outside of rings
    "flexible_fraction",  # of the atoms on the path
    "beside_fraction",  # atoms neither on the path nor in a ring that it crosses
    "heteroatom_fraction",
    "halogen_fraction",
)


def mesogen_numbers(molecule: Chem.Mol) -> list[float]:
    """Describe a molecule by ``len(NAMES)`` finite numbers.

    Of several longest ways the first one is taken, so the numbers may depend on the order of the
    atoms: read molecules from canonical SMILES.

    Parameters
    ----------
    molecule : Chem.Mol
        Sanitised, with implicit hydrogen. Attachment points are taken out first by
        `without_attachment_points`.
    """
    from rdkit import Chem

    shape = MolecularShape(molecule)
    n_atoms = molecule.GetNumAtoms()
    # Atoms of other pieces, as counter-ions, are at a distance of 1e8.
    reachable = np.where(shape.distances < n_atoms, shape.distances, 0)
    # The oxygen of an imide or ketone stands beside a chain, and never continues it.
    beside = matching(molecule, "[OX1]=*")
    reachable[beside, :] = reachable[:, beside] = 0
    start, end = np.unravel_index(int(reachable.argmax()), reachable.shape)
    path = list(Chem.GetShortestPath(molecule, int(start), int(end))) if start != end else [0]
    passages = list(shape.passages(path))
    flat = set(matching(molecule, "[#6X3,#7,#8X2,#16X2;R]"))
    straight = sum(passage.straight for passage in passages)
    length = len(path) - 1
    return [
        float(n_atoms),
        float(len(shape.rings)),
        float(sum(ring <= flat for ring in shape.rings)),
        float(length),
        length**2 / n_atoms,
        float(longest_run(shape.rods(path))),
        float(straight),
        float(len(passages) - straight),
        float(len(shape.hinges(path))),
        float(_longest_chain(shape)),
        sum(atom in shape.flexible for atom in path) / len(path),
        shape.beside(path) / n_atoms,
        len(matching(molecule, "[!#6]")) / n_atoms,
        len(matching(molecule, "[F,Cl,Br,I]")) / n_atoms,
    ]


def without_attachment_points(molecule: Chem.Mol) -> Chem.Mol:
    """Return a repeat unit or oligomer with hydrogen at its ends instead of ``*``."""
    from rdkit import Chem

    capped = Chem.RWMol(molecule)
    for index in attachment_points(molecule):
        capped.GetAtomWithIdx(index).SetAtomicNum(1)
    without = Chem.RemoveAllHs(capped, sanitize=False)
    without.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(without)
    return without


def _longest_chain(shape: MolecularShape) -> int:
    """Return the number of atoms in the longest unbranched way through saturated carbon."""
    chain = sorted(shape.alkyl)
    if not chain:
        return 0
    among = shape.distances[np.ix_(chain, chain)]
    # On a tree two atoms are joined by saturated carbon alone if others of it lie between them.
    ends = np.argwhere(among < len(chain))
    best = 1
    for one, other in ends[np.argsort(-among[tuple(ends.T)], kind="stable")]:
        length = int(among[one, other]) + 1
        if length <= best:
            break
        between = among[one] + among[other] == length - 1
        if np.count_nonzero(between) >= length:
            best = length
            break
    return best
