"""From a straight conformer to the torsions of its backbone and its persistence length."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.chains.bending import bending_covariance, flexibility
from workflows.chains.mmff import ForceField
from workflows.chains.persistence import Piece, kuhn_length_a, mean_bending
from workflows.chains.torsions import Profile, TurningBond, scanned

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rdkit import Chem

    from workflows.chains.helix import Helix
    from workflows.chains.oligomers import RepeatUnit

RELAXING_STEPS = 2000


@dataclass(frozen=True)
class TorsionScan:
    """A bond of the backbone and its profile.

    Attributes
    ----------
    bond : str
        Its two atoms with their neighbours' place in the unit, as ``N7–C8``.
    reference_deg : float
        The torsion in the straight conformer.
    profile : Profile
    """

    bond: str
    reference_deg: float
    profile: Profile


@dataclass(frozen=True)
class Flexibility:
    """What torsions and bending make of a chain.

    Attributes
    ----------
    persistence_length_nm : float, optional
        Half of the Kuhn length; None for a chain without a bond that turns.
    scans : list of TorsionScan
    """

    persistence_length_nm: float | None
    scans: list[TorsionScan]


def flexibility_of(
    unit: RepeatUnit, helix: Helix, temperature_k: float, n_points: int
) -> Flexibility:
    """Scan the torsions of a chain's backbone and average over them.

    Parameters
    ----------
    helix
        Straight conformer, the reference.
    n_points
        Of each scan.
    """
    atoms = len(unit.atoms)
    # The first turning bond may be the one to the next unit: an oligomer has to hold them all, with
    # a unit before and one behind.
    n_units = 3 if unit.backbone_bonds > 3 else 3 + 12 // unit.backbone_bonds
    middle = n_units // 2
    molecule = unit.oligomer(n_units)
    positions = _positions(unit, helix, n_units)
    bonds = turning_bonds(unit, molecule, middle)
    if not bonds:
        return Flexibility(None, [])
    scans, profiles = [], {}
    for bond in bonds:
        key = _environment(molecule, bond)
        if key not in profiles:
            profiles[key] = scanned(molecule, bond, positions, n_points)
        scans.append(
            TorsionScan(_name(molecule, bond, atoms), _dihedral_deg(positions, bond), profiles[key])
        )
    rested = _rested(molecule, positions)
    flexible = flexibility(molecule, rested)
    following = [*bonds[1:], TurningBond(_in_next_unit(bonds[0], atoms))]
    pieces = []
    for bond, after, scan in zip(bonds, following, scans, strict=True):
        covariance = bending_covariance(molecule, rested, flexible, (bond, after), temperature_k)
        first, second = (_middle(positions, each) for each in (bond, after))
        # What the relaxed oligomer says of bending is carried over along the bond's own direction.
        carried = _between(rested, positions, after)
        pieces.append(
            Piece(
                scan.profile.mean_rotation(
                    _axis(positions, bond), scan.reference_deg, temperature_k
                ),
                second - first,
                mean_bending(carried @ covariance @ carried.T),
            )
        )
    return Flexibility(0.5 * kuhn_length_a(pieces, helix) / 10.0, scans)


def turning_bonds(unit: RepeatUnit, molecule: Chem.Mol, place: int) -> list[TurningBond]:
    """Return the bonds of one unit's backbone that turn, from head to tail.

    Single bonds outside of rings, that to the next unit last.  Bonds beside a triple bond, on whose
    line they lie, are left out: a turn about them moves nothing that counts here.
    """
    from rdkit import Chem

    atoms = len(unit.atoms)
    head = place * atoms + unit.ends[0]
    # The next atom of the same kind, where the unit's backbone is a single atom.
    way = list(Chem.GetShortestPath(molecule, head, head + atoms))
    found = []
    for first, second in itertools.pairwise(way):
        bond = molecule.GetBondBetweenAtoms(first, second)
        if bond.GetBondType() != Chem.BondType.SINGLE or bond.IsInRing():
            continue
        before, behind = _outer(molecule, first, second), _outer(molecule, second, first)
        if before is not None and behind is not None:
            found.append(TurningBond((before, first, second, behind)))
    return found


def _outer(molecule: Chem.Mol, atom: int, partner: int) -> int | None:
    """Return the neighbour that shows how a bond's end is turned, None where all are in line."""
    from rdkit import Chem

    centre = molecule.GetAtomWithIdx(atom)
    if centre.GetHybridization() == Chem.HybridizationType.SP:
        return None
    others = [each.GetIdx() for each in centre.GetNeighbors() if each.GetIdx() != partner]
    heavy = [index for index in others if molecule.GetAtomWithIdx(index).GetAtomicNum() > 1]
    return min(heavy or others, default=None)


def _in_next_unit(bond: TurningBond, atoms: int) -> tuple[int, int, int, int]:
    a, b, c, d = (index + atoms for index in bond.atoms)
    return a, b, c, d


def _positions(unit: RepeatUnit, helix: Helix, n_units: int) -> NDArray[np.float64]:
    images = [helix.image(place) for place in range(n_units)]
    head, tail = unit.ends
    at_head, at_tail = unit.cap_fractions
    before, behind = helix.image(-1)[tail], helix.image(n_units)[head]
    caps = [
        images[0][head] + at_head * (before - images[0][head]),
        images[-1][tail] + at_tail * (behind - images[-1][tail]),
    ]
    return np.concatenate([*images, caps])


def _rested(molecule: Chem.Mol, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the positions of the oligomer by itself, at rest near the straight conformer."""
    from scipy.optimize import minimize

    field = ForceField(molecule, distance_dependent_dielectric=True)
    found = minimize(
        field.energy_and_gradient,
        positions.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": RELAXING_STEPS, "maxcor": 30, "gtol": 1e-3},
    )
    return np.asarray(found.x).reshape(-1, 3)


def _axis(positions: NDArray[np.float64], bond: TurningBond) -> NDArray[np.float64]:
    step = positions[bond.atoms[2]] - positions[bond.atoms[1]]
    return np.asarray(step / np.linalg.norm(step))


def _middle(positions: NDArray[np.float64], bond: TurningBond) -> NDArray[np.float64]:
    return np.asarray(0.5 * (positions[bond.atoms[1]] + positions[bond.atoms[2]]))


def _between(
    rested: NDArray[np.float64], positions: NDArray[np.float64], bond: TurningBond
) -> NDArray[np.float64]:
    """Return the rotation of what is around a bond from one set of positions to another."""
    from scipy.spatial.transform import Rotation

    atoms = list(bond.atoms)
    one, other = rested[atoms], positions[atoms]
    found = Rotation.align_vectors(other - other.mean(axis=0), one - one.mean(axis=0))
    return np.asarray(found[0].as_matrix())


def _dihedral_deg(positions: NDArray[np.float64], bond: TurningBond) -> float:
    from ase.geometry import get_dihedrals

    a, b, c, d = (positions[index] for index in bond.atoms)
    angle = float(get_dihedrals([b - a], [c - b], [d - c])[0])
    return (angle + 180.0) % 360.0 - 180.0


def _environment(molecule: Chem.Mol, bond: TurningBond) -> str:
    """Return a text that is the same for bonds whose fragments and torsions are the same."""
    from rdkit import Chem

    from workflows.chains.torsions import fragment_around

    placed = np.arange(3.0 * molecule.GetNumAtoms()).reshape(-1, 3)
    fragment, atoms = fragment_around(molecule, bond, placed)
    labelled = Chem.Mol(fragment)
    for label, index in enumerate(atoms, 1):
        labelled.GetAtomWithIdx(index).SetAtomMapNum(label)
    return str(Chem.MolToSmiles(labelled))


def _name(molecule: Chem.Mol, bond: TurningBond, atoms: int) -> str:
    parts = []
    for index in bond.atoms[1:3]:
        symbol = molecule.GetAtomWithIdx(index).GetSymbol()
        parts.append(f"{symbol}{index % atoms + 1}")
    return "–".join(parts)
