"""How a regular chain stretches: compliance, speed of sound, modulus.

A unit of mass m and rise c whose rise gives way by s for each unit of force carries sound along the
chain at c/√(s m), and a bundle of such chains, each with the area A, has the modulus c/(s A) along
them: the long-wave limit of a row of masses and springs (M. Born and K. Huang, Dynamical Theory of
Crystal Lattices, chapter II).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.chains.helix import Helix
from workflows.constants import EV_PER_A3_IN_GPA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workflows.chains.energy import ChainEnergy
    from workflows.chains.oligomers import RepeatUnit

U_A2_PER_S2_IN_EV = 1.0364269e-28
"""One atomic mass unit (Å/s)², in eV."""
PACKING_FRACTION = 0.70
"""Of the volume of a polymer crystal that van der Waals spheres of its atoms take."""
STEP_A = 0.005
KCAL_PER_MOL_IN_EV = 0.0433641


def hessian(
    energy: ChainEnergy, helix: Helix, step_a: float = STEP_A, *, twists: bool = False
) -> NDArray[np.float64]:
    """Return second derivatives with respect to the helix's variables, eV/Å², symmetrised.

    Central differences of gradients, shape (variables, variables); zero for the twist, unless it
    `twists`.
    """
    centre = helix.variables
    n_moved = len(centre) if twists else len(centre) - 1
    rows = np.zeros((len(centre), len(centre)))
    for index in range(n_moved):
        for sign in (1, -1):
            moved = centre.copy()
            moved[index] += sign * step_a
            gradient = energy(Helix.of_variables(moved))[1]
            rows[index, :n_moved] += sign * gradient[:n_moved] / (2 * step_a)
    return 0.5 * (rows + rows.T)


def internal_modes(
    helix: Helix, second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues, ascending, and eigenvectors of a Hessian, but for rigid motions.

    The twist is held.  Shapes (modes,) and (variables − 1, modes).
    """
    motions = helix.rigid_motions()[:, :-1]
    basis = np.linalg.svd(motions)[2][len(motions) :].T
    values, vectors = np.linalg.eigh(basis.T @ second[:-1, :-1] @ basis)
    return values, basis @ vectors


def compliance_a2_per_ev(
    helix: Helix,
    second: NDArray[np.float64],
    numbers: NDArray[np.int64],
    transverse_spring_kcal_per_mol_a2: float = 0.0,
) -> float:
    """Return by how much the rise grows for each unit of tension, all else relaxed.

    Parameters
    ----------
    second
        Hessian at a minimum, as `hessian` returns it.
    numbers
        Atomic numbers of the unit.
    transverse_spring_kcal_per_mol_a2
        Of springs that hold each atom but hydrogen where it is across the axis: a stand-in for the
        chains around.
    """
    stiff = second.copy()
    held = np.zeros_like(helix.unit)
    held[numbers > 1, :2] = transverse_spring_kcal_per_mol_a2 * KCAL_PER_MOL_IN_EV
    places = np.arange(held.size)
    stiff[places, places] += held.ravel()
    values, vectors = internal_modes(helix, stiff)
    return float((vectors[-1] ** 2 / values).sum())


def speed_of_sound_m_per_s(rise_a: float, compliance: float, molar_mass_g_per_mol: float) -> float:
    """Return the speed of long waves along the chain, for a compliance in Å²/eV."""
    mass = molar_mass_g_per_mol * U_A2_PER_S2_IN_EV
    return float(rise_a / np.sqrt(compliance * mass) * 1e-10)


def modulus_gpa(rise_a: float, compliance: float, area_a2: float) -> float:
    """Return the longitudinal modulus of parallel chains, for a compliance in Å²/eV."""
    return rise_a / (compliance * area_a2) * EV_PER_A3_IN_GPA


def unit_volume_a3(unit: RepeatUnit, helix: Helix, n_units: int) -> float:
    """Return the volume of a unit among other chains, from its van der Waals volume.

    The latter is the difference between oligomers of N and N + 1 units, so that no ends count.
    """
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    volumes = []
    for size in (n_units, n_units + 1):
        molecule = Chem.Mol(unit.oligomer(size))
        positions = np.concatenate([helix.image(place) for place in range(size)])
        head, tail = unit.ends
        caps = [helix.image(-1)[tail], helix.image(size)[head]]
        conformer = Chem.Conformer(molecule.GetNumAtoms())
        for index, position in enumerate([*positions, *caps]):
            conformer.SetAtomPosition(index, position.tolist())
        molecule.AddConformer(conformer)
        spheres: Any = rdMolDescriptors.DoubleCubicLatticeVolume(molecule)
        volumes.append(spheres.GetVDWVolume())
    return float((volumes[1] - volumes[0]) / PACKING_FRACTION)
