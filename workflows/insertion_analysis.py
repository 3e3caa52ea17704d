"""What an insertion electrode does between its discharged and its charged crystal.

Pure functions: a host framework that a working ion enters and leaves, its volume, strain, voltage
and capacity.  Discharged means full of the ion, as an as-made cathode is; charged means emptied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Composition, Lattice, Structure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

ION_CHARGES = {
    **{"Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1},
    **{"Mg": 2, "Ca": 2, "Zn": 2},
    **{"Al": 3, "Y": 3},
    **{"Be": 2, "Sr": 2, "Ba": 2, "Sc": 3, "Ga": 3, "In": 3},
}
"""Working ions, and the electrons that each takes along."""
SOUGHT = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Zn", "Al", "Y")
"""Those that are looked for, in this order, where none is named; others more often are the host."""
ANIONS = frozenset(("H", "N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"))
"""Elements that make no host among themselves: what MgO leaves behind is a gas."""
FARADAY_MAH_PER_MOL = 26801.48
"""Faraday's constant, 96485.33 C/mol."""
CM3_PER_MOL_IN_A3 = 0.602214076
MAX_ENUMERATED = 20_000
"""Ways to choose the ions that stay, up to which all are looked at."""
LARGEST_MULTIPLE = 8
"""Cells of at most so many times the size are tried for a fraction to be whole ions."""
HOST_TOLERANCES: dict[str, Any] = {"ltol": 0.3, "stol": 0.3, "angle_tol": 7.0}
"""Of pymatgen's StructureMatcher: charged and discharged hosts that agree within them are one
framework.  Lengths scale with the volume an atom; sites may move by 0.3 of its cube root."""


def working_ion_of(structure: Structure, wanted: str | None) -> str | None:
    """Return the working ion of a discharged crystal, None where it holds none."""
    present = {element.symbol for element in structure.composition.elements}
    candidates = SOUGHT if wanted is None else (wanted,)
    return next((ion for ion in candidates if ion in present), None)


def host_of(structure: Structure, working_ion: str) -> Structure:
    """Return the framework without the working ion."""
    host = structure.copy()
    host.remove_species([working_ion])
    return host


def count_of(structure: Structure, working_ion: str) -> int:
    """Return how many working ions a cell holds."""
    return round(structure.composition[working_ion])


def large_enough(
    structure: Structure, working_ion: str, wanted: Callable[[int], bool]
) -> Structure:
    """Return the smallest supercell whose number of working ions is one that is wanted.

    Multiples along the shortest edge first, so that the cell stays compact.

    Raises
    ------
    ValueError
        When none of up to `LARGEST_MULTIPLE` times the size is.
    """
    ions = count_of(structure, working_ion)
    for multiple in range(1, LARGEST_MULTIPLE + 1):
        if wanted(multiple * ions):
            return structure * _compact(structure.lattice.abc, multiple)
    raise ValueError(
        f"{structure.reduced_formula}: no cell of up to {LARGEST_MULTIPLE} times its {ions} "
        f"{working_ion} holds the fractions asked for"
    )


def _compact(edges_a: tuple[float, float, float], multiple: int) -> tuple[int, int, int]:
    """Return multiples of the edges, with that product, whose longest edge is shortest."""
    choices = [
        (i, j, multiple // (i * j))
        for i in range(1, multiple + 1)
        for j in range(1, multiple + 1)
        if multiple % (i * j) == 0
    ]
    return min(choices, key=lambda counts: (max(np.multiply(counts, edges_a)), counts))


def orderings(
    structure: Structure,
    working_ion: str,
    stay: int,
    count: int,
    oxidation_states: Mapping[str, float] | None = None,
) -> list[Structure]:
    """Return symmetry-distinct ways to leave `stay` working ions in a cell, lowest energy first.

    Ranked by the electrostatic energy of formal charges, by pymatgen's
    PartialRemoveSpecieTransformation: all ways are looked at where there are at most
    `MAX_ENUMERATED`; beyond, its best-first search gives the one it finds.  The charge that leaves
    with the ions is made up by a uniform background.

    Parameters
    ----------
    stay
        More than none and less than all.
    oxidation_states
        By element; None guesses them (`formal_charges`).
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.transformations.standard_transformations import (
        PartialRemoveSpecieTransformation,
    )

    charged = structure.copy()
    states = oxidation_states or formal_charges(structure)
    charged.add_oxidation_state_by_element(dict(states))
    ions = count_of(structure, working_ion)
    specie = next(site.specie for site in charged if site.specie.symbol == working_ion)
    complete = math.comb(ions, stay) <= MAX_ENUMERATED
    removal = PartialRemoveSpecieTransformation(
        str(specie),
        1 - stay / ions,
        algo=PartialRemoveSpecieTransformation.ALGO_COMPLETE
        if complete
        else PartialRemoveSpecieTransformation.ALGO_BEST_FIRST,
    )
    # More than asked for: some are the same by symmetry.
    ranked = removal.apply_transformation(charged, return_ranked_list=8 * count)
    matcher = StructureMatcher(primitive_cell=False, scale=False, attempt_supercell=False)
    found: list[Structure] = []
    for ordering in ranked:
        bare = ordering["structure"].copy()
        bare.remove_oxidation_states()
        if not any(matcher.fit(bare, other) for other in found):
            found.append(bare)
        if len(found) == count:
            break
    return found


def formal_charges(structure: Structure) -> dict[str, float]:
    """Return an oxidation state for each element: pymatgen's guess from the composition.

    Where no combination of known states balances, as in an alloy, the most electronegative element
    gets its lowest common state and the others their highest.
    """
    guesses = structure.composition.oxi_state_guesses(max_sites=-1)
    if guesses:
        return dict(guesses[0])
    elements = sorted(structure.composition.elements, key=lambda element: element.X)
    states = {}
    for element in elements:
        common = element.common_oxidation_states or (0,)
        states[element.symbol] = float(min(common) if element is elements[-1] else max(common))
    return states


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
    volume_error_fraction
        Bound of what a tighter relaxation would change the volume by.
    """

    structure: Structure
    ions: float
    energy_ev: float
    volume_a3: float
    volume_error_fraction: float | None = None


def state_of(
    structure: Structure,
    working_ion: str,
    energy_ev_per_atom: float,
    volume_error_fraction: float | None = None,
) -> State:
    """Return a relaxed crystal as a state of its electrode."""
    host = host_composition(structure, working_ion)
    units = host.get_reduced_composition_and_factor()[1]
    return State(
        structure=structure,
        ions=float(structure.composition[working_ion]) / units,
        energy_ev=energy_ev_per_atom * len(structure) / units,
        volume_a3=float(structure.volume) / units,
        volume_error_fraction=volume_error_fraction,
    )


def volume_change(states: Sequence[State]) -> tuple[float, float | None]:
    """Return max(V)/min(V) − 1 of the states of one electrode, and its error bar.

    The errors of the two volumes are independent: they add in quadrature.
    """
    largest = max(states, key=lambda state: state.volume_a3)
    smallest = min(states, key=lambda state: state.volume_a3)
    ratio = largest.volume_a3 / smallest.volume_a3
    errors = largest.volume_error_fraction, smallest.volume_error_fraction
    if errors[0] is None or errors[1] is None:
        return ratio - 1, None
    return ratio - 1, ratio * math.hypot(errors[0], errors[1])


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
    cells = discharged.volume_a3 / discharged.structure.volume
    mass = discharged.structure.composition.weight * cells
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
        Whether both hosts are one framework; None where their cells cannot be compared.
    reason
        Why not.
    rms_displacement_fraction
        Root mean square displacement of its atoms over the cube root of the volume of an atom.
    strain_fraction
        Changes of the lengths a, b and c from the discharged to the charged cell; None where the
        two cells were not made from one another.
    principal_strains_fraction
        Eigenvalues of the right stretch tensor less one, ascending.
    """

    survived: bool | None
    reason: str = ""
    rms_displacement_fraction: float | None = None
    strain_fraction: tuple[float, float, float] | None = None
    principal_strains_fraction: tuple[float, float, float] | None = None


def compare_hosts(
    discharged: Structure, charged: Structure, working_ion: str, *, same_cell: bool
) -> Framework:
    """Return whether the framework survived, and how its lattice was strained.

    Parameters
    ----------
    same_cell
        Whether the charged crystal was made from the discharged one by taking ions out: lattice
        vectors and sites then correspond.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    first, second = host_of(discharged, working_ion), host_of(charged, working_ion)
    lost = Framework(
        False,
        f"the framework {first.reduced_formula} of the discharged crystal is not found in the "
        "charged one",
    )
    if same_cell:
        strain = _strain(first.lattice.matrix, second.lattice.matrix)
        # The matcher would only search for the cell that is known.
        matcher = StructureMatcher(
            **HOST_TOLERANCES, primitive_cell=False, attempt_supercell=False, scale=True
        )
        distance = matcher.get_rms_dist(first, second)
        if distance is None:
            return replace(lost, **strain)
        return Framework(True, rms_displacement_fraction=float(distance[0]), **strain)
    matcher = StructureMatcher(**HOST_TOLERANCES, primitive_cell=True, scale=True)
    distance = matcher.get_rms_dist(first, second)
    if distance is not None:
        return Framework(True, rms_displacement_fraction=float(distance[0]))
    matcher = StructureMatcher(
        **HOST_TOLERANCES, primitive_cell=False, attempt_supercell=True, scale=True
    )
    if matcher.fit(first, second):
        return Framework(True)
    small, large = sorted((len(first), len(second)))
    if large % small:
        return Framework(
            None, f"hosts of {len(first)} and {len(second)} atoms a cell cannot be compared"
        )
    return lost


def _strain(discharged: NDArray[np.float64], charged: NDArray[np.float64]) -> dict[str, Any]:
    """Return the strain between two lattices, rows the corresponding vectors."""
    lengths = np.linalg.norm(charged, axis=1) / np.linalg.norm(discharged, axis=1) - 1
    # charged = discharged · Fᵀ; the right stretch U = √(FᵀF) is free of rotation.
    gradient = np.linalg.solve(discharged, charged).T
    stretch = np.sqrt(np.linalg.eigvalsh(gradient.T @ gradient))
    return {
        "strain_fraction": tuple(float(length) for length in lengths),
        "principal_strains_fraction": tuple(float(strain) for strain in np.sort(stretch) - 1),
    }


def dimensionality(charged: Structure) -> int | None:
    """Return in how many dimensions a charged crystal is bonded: 3 a framework, 2 layers.

    None where its bonds cannot be found.

    Ions that stay bond like the others.  By P. M. Larsen et al., Phys. Rev. Materials 3, 034003
    (2019), with the bonds of pymatgen's CrystalNN (H. Pan et al., Inorg. Chem. 60, 1590 (2021)).
    """
    import warnings

    from pymatgen.analysis.dimensionality import get_dimensionality_larsen
    from pymatgen.analysis.graphs import StructureGraph
    from pymatgen.analysis.local_env import CrystalNN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are no oxidation states
        try:
            graph = StructureGraph.from_local_env_strategy(charged, CrystalNN())
        except (ValueError, RuntimeError, KeyError):
            # Of cells whose Voronoi polyhedra cannot be made; the number is only recorded.
            return None
    return int(get_dimensionality_larsen(graph))


def metal_of(working_ion: str) -> Structure:
    """Return the working ion's metal at room temperature, the zero of voltages."""
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    if working_ion == "Ga":
        # α-Ga, which ASE does not build: B. D. Sharma and J. Donohue, Z. Krist. 117, 293 (1962).
        lattice = Lattice.orthorhombic(4.5192, 7.6586, 4.5258)
        gallium = Structure.from_spacegroup("Cmce", lattice, ["Ga"], [[0, 0.1539, 0.0810]])
        return gallium.get_primitive_structure()
    return AseAtomsAdaptor.get_structure(bulk(working_ion))
