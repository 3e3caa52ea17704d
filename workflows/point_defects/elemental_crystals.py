"""Crystals of elements that ASE does not build, as they are at low temperature.

From the AFLOW library of crystallographic prototypes (M. J. Mehl et al., Comput. Mater. Sci. 136,
S1 (2017)), as pymatgen ships it; tellurium after P. Cherin and P. Unger, Acta Cryst. 23, 670
(1967).  They are where relaxations start from: rounding does not matter.
"""

from __future__ import annotations

from pymatgen.core import Lattice, Structure

Parameters = tuple[float, float, float, float, float, float]
CRYSTALS: dict[str, tuple[int, Parameters, list[list[float]]]] = {
    "B": (
        166,
        (4.908, 4.908, 12.5656, 90, 90, 120),
        [[0.7844, 0.2156, 0.226], [0.1961, 0.8039, 0.0245]],
    ),
    "Ga": (64, (4.523, 7.661, 4.524, 90, 90, 90), [[0, 0.6549, 0.581]]),
    "La": (194, (3.77, 3.77, 12.13, 90, 90, 120), [[0, 0, 0], [1 / 3, 2 / 3, 0.25]]),
    "Mn": (
        217,
        (8.911, 8.911, 8.911, 90, 90, 90),
        [[0, 0, 0], [0.1821, 0.1821, 0.1821], [0.7181, 0.0896, 0.0896], [0.9654, 0.3571, 0.3571]],
    ),
    "Np": (62, (6.663, 4.723, 4.887, 90, 90, 90), [[0.464, 0.25, 0.292], [0.181, 0.25, 0.658]]),
    "P": (64, (3.3136, 10.478, 4.3763, 90, 90, 90), [[0, 0.6017, 0.5806]]),
    "Pa": (139, (3.932, 3.932, 3.238, 90, 90, 90), [[0, 0, 0]]),
    "Pu": (
        11,
        (6.183, 4.822, 10.963, 90, 101.79, 90),
        [
            [0.345, 0.75, 0.162],
            [0.767, 0.75, 0.168],
            [0.128, 0.75, 0.34],
            [0.657, 0.75, 0.457],
            [0.025, 0.75, 0.618],
            [0.473, 0.75, 0.653],
            [0.328, 0.75, 0.926],
            [0.869, 0.75, 0.894],
        ],
    ),
    "S": (
        70,
        (10.4646, 12.866, 24.486, 90, 90, 90),
        [
            [0.7692, 0.1723, 0.6736],
            [0.9178, 0.3519, 0.8791],
            [0.841, 0.4052, 0.9512],
            [0.839, 0.2826, 0.0045],
        ],
    ),
    "Se": (152, (4.3662, 4.3662, 4.9536, 90, 90, 120), [[0.2254, 0, 1 / 3]]),
    "Sm": (166, (3.6204, 3.6204, 26.2494, 90, 90, 120), [[0, 0, 0], [0, 0, 2 / 9]]),
    "Te": (152, (4.4572, 4.4572, 5.929, 90, 90, 120), [[0.2633, 0, 1 / 3]]),
    "U": (63, (2.8444, 5.8689, 4.9316, 90, 90, 90), [[0, 0.1023, 0.25]]),
}
"""Number of the space group, edges in Å and angles in degrees, fractional sites."""


def elemental_crystal(symbol: str) -> Structure:
    """Return the primitive cell of an element of `CRYSTALS`."""
    space_group, parameters, sites = CRYSTALS[symbol]
    lattice = Lattice.from_parameters(*parameters)
    crystal = Structure.from_spacegroup(space_group, lattice, [symbol] * len(sites), sites)
    return crystal.get_primitive_structure()
