"""What an insertion electrode does between its discharged and its charged crystal.

Pure functions: a host framework that a working ion enters and leaves, its volume, strain, voltage
and capacity.  Discharged means full of the ion, as an as-made cathode is; charged means emptied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Composition, Element, Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORKING_IONS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Zn", "Al", "Y")
"""Working ions that are looked for, in this order, where none is named."""
FARADAY_MAH_PER_MOL = 26801.4
"""Faraday's constant, 96485.33 C/mol."""
CM3_PER_MOL_IN_A3 = 0.602214076
HOST_TOLERANCES: dict[str, Any] = {"ltol": 0.3, "stol": 0.3, "angle_tol": 7.0}
"""Of pymatgen's StructureMatcher: charged and discharged hosts that agree within them are one
framework.  Lengths scale with the volume an atom; sites may move by 0.3 of its cube root."""


def working_ion_of(structure: Structure, wanted: str | None) -> str | None:
    """Return the working ion of a discharged crystal, None where it holds none."""
    present = {element.symbol for element in structure.composition.elements}
    candidates = WORKING_IONS if wanted is None else (wanted,)
    return next((ion for ion in candidates if ion in present), None)


def ion_charge(working_ion: str) -> int:
    """Return the electrons that an ion takes along: its highest oxidation state."""
    return int(Element(working_ion).max_oxidation_state)


def host_of(structure: Structure, working_ion: str) -> Structure:
    """Return the framework without the working ion."""
    host = structure.copy()
    host.remove_species([working_ion])
    return host


def delithiated(structure: Structure, working_ion: str, remaining_fraction: float) -> Structure:
    """Return the crystal without its working ions, or with a fraction of them.

    Ions that stay are those whose removal would cost most electrostatic energy
    (`electrostatic_orderings`).
    """
    if remaining_fraction == 0.0:
        return host_of(structure, working_ion)
    return electrostatic_orderings(structure, working_ion, remaining_fraction, 1)[0]


def electrostatic_orderings(
    structure: Structure, working_ion: str, remaining_fraction: float, count: int
) -> list[Structure]:
    """Return symmetry-distinct ways to leave a fraction of the working ions, lowest energy first.

    Ranked by the Ewald energy of formal charges (pymatgen's oxidation states; the electrons that
    leave with the ions are taken evenly from the host), as pymatgen's
    PartialRemoveSpecieTransformation does it.  Complete enumeration where there are at most
    20,000 ways, its best-first search otherwise.

    Parameters
    ----------
    remaining_fraction
        Of the ions of the cell; rounded to whole ions.

    Raises
    ------
    ValueError
        When the fraction leaves no or all ions in this cell.
    """
    from math import comb

    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.transformations.standard_transformations import (
        PartialRemoveSpecieTransformation,
    )

    sites = [i for i, site in enumerate(structure) if site.specie.symbol == working_ion]
    stay = round(remaining_fraction * len(sites))
    if not 0 < stay < len(sites):
        raise ValueError(
            f"{structure.reduced_formula}: a fraction of {remaining_fraction:g} of its "
            f"{len(sites)} {working_ion} is none or all of them; take a larger cell"
        )
    charged = with_oxidation_states(structure)
    removal = PartialRemoveSpecieTransformation(
        str(charged[sites[0]].specie),
        1 - stay / len(sites),
        algo=PartialRemoveSpecieTransformation.ALGO_COMPLETE
        if comb(len(sites), stay) <= 20_000
        else PartialRemoveSpecieTransformation.ALGO_BEST_FIRST,
    )
    # More than asked for: some are the same by symmetry.
    ranked = removal.apply_transformation(charged, return_ranked_list=8 * count)
    matcher = StructureMatcher(primitive_cell=False, scale=False, attempt_supercell=False)
    found: list[Structure] = []
    for each in ranked:
        bare = each["structure"].copy()
        bare.remove_oxidation_states()
        if not any(matcher.fit(bare, other) for other in found):
            found.append(bare)
        if len(found) == count:
            break
    return found


def with_oxidation_states(structure: Structure) -> Structure:
    """Return the structure with one formal charge an element, from its composition."""
    charged = structure.copy()
    guesses = structure.composition.oxi_state_guesses(max_sites=-1)
    states = (
        guesses[0]
        if guesses
        else {
            # No balance with known states, as in an alloy: electronegativity says the sign.
            element.symbol: float(element.common_oxidation_states[-1])
            if element.common_oxidation_states
            else 0.0
            for element in structure.composition.elements
        }
    )
    charged.add_oxidation_state_by_element(states)
    return charged


@dataclass(frozen=True)
class State:
    """One composition of an electrode, extensive quantities for one formula unit of its host.

    Parameters
    ----------
    structure
        Relaxed.
    ions
        Working ions for a formula unit of the host.
    energy_ev, volume_a3
        Of a formula unit of the host with these ions.
    """

    structure: Structure
    ions: float
    energy_ev: float
    volume_a3: float


def state_of(structure: Structure, working_ion: str, energy_ev_per_atom: float) -> State:
    """Return a relaxed crystal as a state of its electrode."""
    host = host_composition(structure, working_ion)
    units = host.get_reduced_composition_and_factor()[1]
    return State(
        structure=structure,
        ions=float(structure.composition[working_ion]) / units,
        energy_ev=energy_ev_per_atom * len(structure) / units,
        volume_a3=float(structure.volume) / units,
    )


def host_composition(structure: Structure, working_ion: str) -> Composition:
    """Return the composition of the framework."""
    content = structure.composition.get_el_amt_dict()
    return Composition({key: value for key, value in content.items() if key != working_ion})


def voltage_v(
    charged: State, discharged: State, metal_energy_ev_per_atom: float, charge: int
) -> float:
    """Return the mean voltage against the metal of the working ion, at zero temperature.

    V = −[E(discharged) − E(charged) − Δx·E(metal)] / (Δx·z), energies for free energies
    (M. K. Aydinol et al., Phys. Rev. B 56, 1354 (1997)).
    """
    ions = discharged.ions - charged.ions
    gained = discharged.energy_ev - charged.energy_ev - ions * metal_energy_ev_per_atom
    return float(-gained / (ions * charge))


def gravimetric_capacity_mah_per_g(discharged: State, ions: float, charge: int) -> float:
    """Return the charge that `ions` carry for a gram of the discharged crystal."""
    units = len(discharged.structure) * discharged.volume_a3 / discharged.structure.volume
    atoms = len(discharged.structure)
    mass = discharged.structure.composition.weight * units / atoms
    return float(ions * charge * FARADAY_MAH_PER_MOL / mass)


def volumetric_capacity_mah_per_cm3(discharged: State, ions: float, charge: int) -> float:
    """Return the charge that `ions` carry for a cm³ of the discharged crystal."""
    return float(ions * charge * FARADAY_MAH_PER_MOL / (discharged.volume_a3 * CM3_PER_MOL_IN_A3))


@dataclass(frozen=True)
class Framework:
    """What became of the host when the ions left.

    Parameters
    ----------
    survived
        Whether both hosts are one framework.
    reason
        Why not.
    rms_displacement_fraction
        Root mean square displacement of its atoms over the cube root of the volume of an atom.
    strain_fraction
        Changes of the lengths a, b and c from the discharged to the charged cell; None where the
        two cells do not map.
    principal_strains_fraction
        Eigenvalues of the right stretch tensor less one, ascending.
    """

    survived: bool
    reason: str = ""
    rms_displacement_fraction: float | None = None
    strain_fraction: tuple[float, float, float] | None = None
    principal_strains_fraction: tuple[float, float, float] | None = None


def compare_hosts(discharged: Structure, charged: Structure, working_ion: str) -> Framework:
    """Return whether the framework survived, and how its lattice was strained."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    first, second = host_of(discharged, working_ion), host_of(charged, working_ion)
    same_cell = [site.specie for site in first] == [site.specie for site in second]
    strain: dict[str, Any] = {}
    if same_cell:
        # Made from one another by taking ions out: lattice vectors and sites correspond.
        strain = _strain(first.lattice.matrix, second.lattice.matrix)
        # The matcher would only search for what is known.
        matcher = StructureMatcher(
            **HOST_TOLERANCES, primitive_cell=False, attempt_supercell=False, scale=True
        )
    else:
        matcher = StructureMatcher(**HOST_TOLERANCES, primitive_cell=True, scale=True)
    distance = matcher.get_rms_dist(first, second)
    if distance is None and not same_cell:
        larger = StructureMatcher(
            **HOST_TOLERANCES, primitive_cell=False, attempt_supercell=True, scale=True
        )
        if larger.fit(first, second):
            return Framework(True, **strain)
    if distance is None:
        return Framework(
            False,
            f"the framework {first.reduced_formula} of the discharged crystal is not found in the "
            "charged one",
            **strain,
        )
    return Framework(True, rms_displacement_fraction=float(distance[0]), **strain)


def _strain(discharged: NDArray[np.float64], charged: NDArray[np.float64]) -> dict[str, Any]:
    """Return the strain between two lattices, rows the corresponding vectors."""
    lengths = np.linalg.norm(charged, axis=1) / np.linalg.norm(discharged, axis=1) - 1
    # charged = discharged · Fᵀ; the right stretch U = √(FᵀF) is free of rotation.
    gradient = np.linalg.solve(discharged, charged).T
    stretch = np.sqrt(np.linalg.eigvalsh(gradient.T @ gradient))
    return {
        "strain_fraction": tuple(float(each) for each in lengths),
        "principal_strains_fraction": tuple(float(each) for each in np.sort(stretch) - 1),
    }


def host_dimensionality(charged: Structure, working_ion: str) -> int:
    """Return in how many dimensions the emptied host is bonded: 3 a framework, 2 layers.

    By P. M. Larsen et al., Phys. Rev. Materials 3, 034003 (2019), with bonds where atoms are
    closer than the sum of their radii and 0.45 Å.
    """
    from pymatgen.analysis.dimensionality import get_dimensionality_larsen
    from pymatgen.analysis.graphs import StructureGraph
    from pymatgen.analysis.local_env import JmolNN

    host = host_of(charged, working_ion)
    graph = StructureGraph.from_local_env_strategy(host, JmolNN())
    return int(get_dimensionality_larsen(graph))


def metal_of(working_ion: str) -> Structure:
    """Return the working ion's metal at room temperature, the zero of voltages."""
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    return AseAtomsAdaptor.get_structure(bulk(working_ion))
