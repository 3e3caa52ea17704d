"""Random alloys of two crystals as a virtual crystal whose masses are disordered.

The virtual crystal at composition x has the lattice, the force constants and the masses that lie
between those of its two end members in the ratio x (B. Abeles, Phys. Rev. 131, 1906 (1963); J.
Garg, N. Bonini, B. Kozinsky and N. Marzari, Phys. Rev. Lett. 106, 045901 (2011)).  Phonons are
scattered by each other and by the masses, in Tamura's formula: S. Tamura, Phys. Rev. B 27, 858
(1983).

Disorder of the force constants is left out.  It hardly matters in Si-Ge and matters much in some
alloys of compounds, as InAs-GaAs: M. Arrigoni, J. Carrete, N. Mingo and G. K. H. Madsen, Phys. Rev.
B 98, 115205 (2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.errors import CannotCompute
from workflows.lattice_dynamics.cells import SYMPREC_A, atomic_mass_u

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py

LARGEST_SHIFT = 0.1
"""Of an atom between two end members, as a fraction of the cell: more, and it is not the same
site."""


@dataclass(frozen=True)
class VirtualCrystal:
    """A Phono3py object that is ready for κ, and how its masses vary.

    Attributes
    ----------
    model : Phono3py
    mass_variances : ndarray
        Shape (atoms of the primitive cell,): Σ c (1 − m/m̄)², over isotopes of both elements.
    """

    model: Phono3py
    mass_variances: NDArray[np.float64]


def mixed_mass(
    first: str, second: str, fraction: float, *, isotopes: bool = True
) -> tuple[float, float]:
    """Return the mean mass in u on a site that two elements share, and its relative variance.

    Parameters
    ----------
    first, second
        Elements.
    fraction
        Of the second.
    isotopes
        Whether the natural mixture of isotopes of each is part of the variance.
    """
    shares = [(first, 1 - fraction), (second, fraction)]
    mean = sum(share * atomic_mass_u(symbol) for symbol, share in shares)
    variance = 0.0
    for symbol, share in shares:
        of_element = _isotopes(symbol) if isotopes else [(atomic_mass_u(symbol), 1.0)]
        variance += share * sum(c * (1 - mass / mean) ** 2 for mass, c in of_element)
    return mean, variance


def _isotopes(symbol: str) -> list[tuple[float, float]]:
    """Return masses and abundances, the element's mean mass where it has no natural mixture."""
    from phonopy.structure.atomic_data import get_atomic_data

    known = get_atomic_data().isotope_data.get(symbol)
    if not known:
        return [(atomic_mass_u(symbol), 1.0)]
    return [(float(mass), float(abundance)) for _, mass, abundance in known]


def virtual_crystal(
    first: Phono3py, second: Phono3py, fraction: float, *, isotopes: bool = True
) -> VirtualCrystal:
    """Return the virtual crystal between two end members.

    Parameters
    ----------
    first, second
        Ready for κ, of isostructural crystals with their sites in one order, in supercells of one
        shape.
    fraction
        Of the second; 0 and 1 are the end members themselves.

    Raises
    ------
    CannotCompute
        When they do not belong together.
    """
    from phono3py import Phono3py

    counts = [len(each.unitcell) for each in (first, second)]
    if counts[0] != counts[1]:
        raise CannotCompute(
            f"the two end members have {counts[0]} and {counts[1]} atoms in their cells: they are "
            "not one crystal structure in one cell"
        )
    if bool(first.nac_params) != bool(second.nac_params):
        raise CannotCompute(
            "one of the two end members has Born charges and the other has none: give those of "
            "both, or of neither"
        )
    cell = first.unitcell.copy()
    shift = second.unitcell.scaled_positions - cell.scaled_positions
    shift -= np.rint(shift)
    _check(first, second, shift)
    sites = list(zip(cell.symbols, second.unitcell.symbols, strict=True))
    cell.cell = (1 - fraction) * cell.cell + fraction * second.unitcell.cell
    cell.scaled_positions = cell.scaled_positions + fraction * shift
    cell.masses = [mixed_mass(*pair, fraction)[0] for pair in sites]
    model = Phono3py(
        cell,
        supercell_matrix=first.supercell_matrix,
        phonon_supercell_matrix=first.phonon_supercell_matrix,
        primitive_matrix=first.primitive_matrix,
        symprec=SYMPREC_A,
        log_level=0,
    )
    model.fc2 = _between(first.fc2, second.fc2, fraction)
    model.fc3 = _between(first.fc3, second.fc3, fraction)
    nonzero = [first.fc3_nonzero_indices, second.fc3_nonzero_indices]
    if all(each is not None for each in nonzero):
        model.fc3_nonzero_indices = np.maximum(*(np.asarray(each) for each in nonzero))
    if first.nac_params and second.nac_params:
        model.nac_params = {
            "born": _between(first.nac_params["born"], second.nac_params["born"], fraction),
            "dielectric": _between(
                first.nac_params["dielectric"], second.nac_params["dielectric"], fraction
            ),
            "factor": first.nac_params["factor"],
        }
    pairs = zip(first.primitive.symbols, second.primitive.symbols, strict=True)
    variances = [mixed_mass(*pair, fraction, isotopes=isotopes)[1] for pair in pairs]
    return VirtualCrystal(model, np.array(variances))


def force_constant_difference(first: Phono3py, second: Phono3py) -> float:
    """Return how unlike the harmonic force constants of two end members are.

    Norm of the difference over that of the mean.
    """
    one, other = np.asarray(first.fc2), np.asarray(second.fc2)
    return float(np.linalg.norm(other - one) / np.linalg.norm((one + other) / 2))


def _between(first: Any, second: Any, fraction: float) -> NDArray[np.float64]:
    """Return the tensors in between, linear in the composition."""
    mixed = (1 - fraction) * np.asarray(first) + fraction * np.asarray(second)
    return np.ascontiguousarray(mixed)


def _check(first: Phono3py, second: Phono3py, shift: NDArray[np.float64]) -> None:
    """Raise `CannotCompute` where two end members are not one crystal structure in one cell."""
    same = (
        np.array_equal(first.supercell_matrix, second.supercell_matrix)
        and np.array_equal(
            np.asarray(first.phonon_supercell.s2u_map), np.asarray(second.phonon_supercell.s2u_map)
        )
        and np.allclose(first.primitive_matrix, second.primitive_matrix)
        and np.shape(first.fc2) == np.shape(second.fc2)
        and np.shape(first.fc3) == np.shape(second.fc3)
    )
    if not same:
        raise CannotCompute(
            "force constants of the two end members are of different supercells: they cannot be "
            "interpolated"
        )
    if np.abs(shift).max() > LARGEST_SHIFT:
        raise CannotCompute(
            f"sites of the two end members are up to {np.abs(shift).max():.2f} of the cell apart: "
            "they are not one crystal structure"
        )
