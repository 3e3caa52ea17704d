"""Numbers that describe a crystal to the surrogate, from composition and geometry alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.periodic_table import Element
    from pymatgen.core.structure import Structure

#: Raise it whenever a name, an order or a formula below changes: stored features are then redone.
FEATURES_VERSION = 2

#: Element properties, and what stands in where pymatgen has no value (in their own units).
_FALLBACKS = {
    "log_atomic_mass": 5.5,  # ln(u); complete
    "electronegativity": 3.0,  # Pauling; He, Ne, Ar, ... : as for Kr
    "covalent_radius": 1.7,  # Å; beyond Cm: as for the last actinides known
    "van_der_waals_radius": 2.4,  # Å; beyond No: as for its neighbours
    "row": 7.0,
    "group": 3.0,
    "mendeleev_number": 50.0,
    "melting_point": 1100.0,  # K; as for the late actinides
    "ionization_energy": 6.5,  # eV
    "electron_affinity": 0.0,  # eV; where no bound anion is known
}
_STATISTICS = ("mean", "std", "min", "max")
_ORBITALS = ("s", "p", "d", "f")
"""Of electrons outside the last noble-gas core."""
_VALENCE = (
    *(f"{orbital}_electrons_mean" for orbital in _ORBITALS),
    "valence_electrons_mean",
    *(f"{orbital}_electrons_std" for orbital in _ORBITALS[:3]),
)
_GEOMETRY = (
    "log_volume_per_atom",  # ln(Å³)
    "log_density",  # ln(g/cm³)
    "n_sites",
    "log_nearest_distance",  # ln(Å), mean over sites
    "nearest_distance_spread",  # std over sites / mean
    "bond_stretch",  # nearest distance / sum of covalent radii, mean over sites
    "coordination_mean",
    "coordination_std",
    "packing_fraction",  # of covalent spheres
    "log_symmetry_operations",  # of the point group
    "bond_electronegativity_difference",  # Pauling, mean over nearest neighbours
    "bond_log_mass_ratio",  # |ln(m₁/m₂)|, mean over nearest neighbours
)
_BONDING = (
    "log_bond_strength_mean",  # ln of `_bond_strengths`, mean over sites
    "log_bond_strength_min",
    "covalent_coordination",  # neighbours times 1 − ionicity, mean over bonds
    "log_valence_density",  # ln of shared valences an Å³
    "bond_strength_per_length",  # 1/Å, mean over bonds
    "log_bond_stiffness",  # ln of bond strength / length² (1/Å²), mean over bonds
)
_ESTIMATES = (
    "log_mean_atomic_mass",  # ln(u)
    "ionicity",  # Pauling's, of the mean bond
    "log_bulk_modulus_estimate",  # Cohen's
    "log_debye_temperature_estimate",  # from that bulk modulus
    "log_slack_conductivity_estimate",
    "log_lindemann_temperature_estimate",  # Debye's, from the elements' melting points
    "log_lindemann_slack_estimate",
)


def feature_names() -> list[str]:
    """Names of the features, in the order `features` gives them."""
    composition = [f"{name}_{statistic}" for name in _FALLBACKS for statistic in _STATISTICS]
    return [*composition, *_VALENCE, *_GEOMETRY, *_BONDING, *_ESTIMATES]


def features(structure: Structure, space_group_number: int | None = None) -> list[float]:
    """Describe a crystal by ``len(feature_names())`` finite numbers.

    Parameters
    ----------
    structure : Structure
        Primitive cell of an ordered crystal, as a candidate holds it.
    space_group_number : int, optional
        Of its space group, which need not be searched for then.

    Returns
    -------
    list of float
        Statistics of element properties weighted by composition, valence electrons, geometry,
        bonds, and textbook estimates from these (up to constant terms: only differences between
        crystals matter). None is NaN: an element property that is not tabulated takes the
        stand-in written in this module.
    """
    symbols = [site.specie.symbol for site in structure]
    properties = np.array([_element_properties(symbol) for symbol in symbols])
    statistics = np.stack(
        [properties.mean(0), properties.std(0), properties.min(0), properties.max(0)], axis=1
    )
    electrons = np.array([_valence_electrons(symbol) for symbol in symbols], dtype=float)
    valence = [*electrons.mean(0), electrons.sum(1).mean(), *electrons.std(0)[:3]]
    bonds = _Bonds.of(structure, properties)
    order = (
        _point_group_order(structure)
        if space_group_number is None
        else _order_of_point_group(space_group_number)
    )
    geometry = dict(zip(_GEOMETRY, _geometry(structure, properties, bonds, order), strict=True))
    bonding = _bonding(structure, bonds)
    melting_point = float(properties[:, list(_FALLBACKS).index("melting_point")].mean())
    estimates = _estimates(geometry, melting_point)
    return [
        float(x) for x in (*statistics.ravel(), *valence, *geometry.values(), *bonding, *estimates)
    ]


@cache
def _element_properties(symbol: str) -> tuple[float, ...]:
    """Values of one element in the order of `_FALLBACKS`."""
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
    from pymatgen.core.periodic_table import Element

    element = Element(symbol)
    values = {
        "log_atomic_mass": np.log(_tabulated(element, "atomic_mass")),
        "electronegativity": _tabulated(element, "X"),
        "covalent_radius": CovalentRadius.radius.get(symbol, np.nan),
        "van_der_waals_radius": _tabulated(element, "van_der_waals_radius"),
        "row": _tabulated(element, "row"),
        "group": _tabulated(element, "group"),
        "mendeleev_number": _tabulated(element, "mendeleev_no"),
        "melting_point": _tabulated(element, "melting_point"),
        "ionization_energy": _tabulated(element, "ionization_energy"),
        "electron_affinity": _tabulated(element, "electron_affinity"),
    }
    return tuple(
        float(values[name]) if np.isfinite(values[name]) else fallback
        for name, fallback in _FALLBACKS.items()
    )


@cache
def _valence_electrons(symbol: str) -> tuple[int, ...]:
    """Return the electrons of a free atom outside its last noble-gas core, by `_ORBITALS`."""
    from pymatgen.core.periodic_table import Element

    element = Element(symbol)
    try:
        structure = element.electronic_structure  # "[Kr].4d10.5s1"
    except KeyError:  # beyond Lr: as the element above it
        return _valence_electrons(Element.from_row_and_group(element.row - 1, element.group).symbol)
    shells = [shell for shell in structure.split(".") if "[" not in shell]
    found = dict.fromkeys(_ORBITALS, 0)
    for shell in shells:
        found[shell[1]] += int(shell[2:])
    return tuple(found.values())


@cache
def _bond_valence(symbol: str) -> float:
    """Return how many electrons an atom shares at most in simple compounds, by its group."""
    from pymatgen.core.periodic_table import Element

    group = Element(symbol).group
    if group >= 14:
        return max(18 - group, 0.1)  # noble gases share next to nothing
    if group == 13:
        return 3
    return 2 if group >= 9 else min(group, 6)


def _tabulated(element: Element, attribute: str) -> float:
    """Read a property of an element; NaN where pymatgen has none, which it says in three ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = getattr(element, attribute)
        except KeyError:
            return np.nan
    return np.nan if value is None else float(value)


@dataclass(frozen=True)
class _Bonds:
    """Nearest neighbours: everything within a fifth more than the nearest distance of a site.

    Each bond appears once from each end that counts it.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    lengths_a: NDArray[np.float64]
    coordination: NDArray[np.intp]
    nearest_a: NDArray[np.float64]
    ionicity: NDArray[np.float64]
    """Of each bond: 1 − exp(−Δχ²/4) (L. Pauling, The Nature of the Chemical Bond, 1960)."""
    electronegativity_difference: NDArray[np.float64]

    @classmethod
    def of(cls, structure: Structure, properties: NDArray[np.float64]) -> _Bonds:
        first, second, distances = _neighbours(structure)
        nearest = np.full(len(structure), np.inf)
        np.minimum.at(nearest, first, distances)
        bonded = distances < 1.2 * nearest[first]
        first, second, distances = first[bonded], second[bonded], distances[bonded]
        electronegativity = properties[:, list(_FALLBACKS).index("electronegativity")]
        difference = np.abs(electronegativity[first] - electronegativity[second])
        return cls(
            first=first,
            second=second,
            lengths_a=distances,
            coordination=np.bincount(first, minlength=len(structure)),
            nearest_a=nearest,
            ionicity=1 - np.exp(-(difference**2) / 4),
            electronegativity_difference=difference,
        )

    def by_site(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average values of bonds over those of each site."""
        n_sites = len(self.coordination)
        return np.bincount(self.first, weights=values, minlength=n_sites) / self.coordination


def _geometry(
    structure: Structure, properties: NDArray[np.float64], bonds: _Bonds, point_group_order: int
) -> list[float]:
    """Values in the order of `_GEOMETRY`; `properties` has shape (n_sites, n_properties)."""
    names = list(_FALLBACKS)
    log_mass = properties[:, names.index("log_atomic_mass")]
    radius = properties[:, names.index("covalent_radius")]
    first, second, nearest = bonds.first, bonds.second, bonds.nearest_a
    n_sites = len(structure)
    volume_per_atom = structure.volume / n_sites
    return [
        np.log(volume_per_atom),
        np.log(float(structure.density)),
        n_sites,
        np.log(nearest).mean(),
        nearest.std() / nearest.mean(),
        bonds.by_site(bonds.lengths_a / (radius[first] + radius[second])).mean(),
        bonds.coordination.mean(),
        bonds.coordination.std(),
        4 / 3 * np.pi * (radius**3).mean() / volume_per_atom,
        np.log(point_group_order),
        bonds.by_site(bonds.electronegativity_difference).mean(),
        bonds.by_site(np.abs(log_mass[first] - log_mass[second])).mean(),
    ]


def _bonding(structure: Structure, bonds: _Bonds) -> list[float]:
    """Values in the order of `_BONDING`."""
    valence = np.array([_bond_valence(site.specie.symbol) for site in structure])
    strength = _bond_strengths(valence, bonds)
    of_sites = bonds.by_site(strength)
    return [
        np.log(of_sites.mean()),
        np.log(of_sites.min()),
        (bonds.coordination[bonds.first] * (1 - bonds.ionicity)).mean(),
        np.log(valence.sum() / structure.volume),
        (strength / bonds.lengths_a).mean(),
        np.log((strength / bonds.lengths_a**2).mean()),
    ]


def _bond_strengths(valence: NDArray[np.float64], bonds: _Bonds) -> NDArray[np.float64]:
    """Return Pauling's electrostatic bond strengths: valence over coordination number.

    Of the two ends' the smaller one, as both must share (L. Pauling, J. Am. Chem. Soc. 51, 1010
    (1929)): 1/6 in NaCl, 2/6 in MgO, 3/4 in GaAs.
    """
    of_sites = valence / bonds.coordination
    return np.minimum(of_sites[bonds.first], of_sites[bonds.second])


def _estimates(geometry: dict[str, float], melting_point_k: float) -> list[float]:
    """Values in the order of `_ESTIMATES`, logarithms up to a constant.

    Bulk modulus: M. L. Cohen, Phys. Rev. B 32, 7988 (1985), with a coordination factor. Debye
    temperature: sound velocity of that modulus over the spacing of atoms. Conductivity: G. A.
    Slack, J. Phys. Chem. Solids 34, 321 (1973), M Θ³ δ / n^(2/3). Lindemann's Debye temperature
    from the mean of the elements' melting points: F. A. Lindemann, Phys. Z. 11, 609 (1910).
    """
    log_volume = geometry["log_volume_per_atom"]
    log_mass = geometry["log_density"] + log_volume
    difference = geometry["bond_electronegativity_difference"]
    ionicity = 1 - np.exp(-(difference**2) / 4)
    bulk_modulus = (
        np.log(1972 - 1000 * ionicity)
        - 3.5 * geometry["log_nearest_distance"]
        + 0.5 * np.log(min(geometry["coordination_mean"], 12.0) / 4)
    )
    debye = 0.5 * (bulk_modulus - geometry["log_density"]) - log_volume / 3
    lindemann = 0.5 * (np.log(max(melting_point_k, 10.0)) - log_mass) - log_volume / 3
    rest = log_mass + log_volume / 3 - 2 / 3 * np.log(geometry["n_sites"])
    return [
        log_mass,
        ionicity,
        bulk_modulus,
        debye,
        3 * debye + rest,
        lindemann,
        3 * lindemann + rest,
    ]


def _neighbours(
    structure: Structure,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Index pairs and distances (Å), far enough that every site has its whole first shell."""
    cutoff = 2.0 * (structure.volume / len(structure)) ** (1 / 3)
    while True:
        first, second, _, distances = structure.get_neighbor_list(cutoff)
        nearest = np.full(len(structure), np.inf)
        np.minimum.at(nearest, first, distances)
        if 1.2 * nearest.max() <= cutoff:
            return first, second, distances
        cutoff *= 1.5


def _point_group_order(structure: Structure) -> int:
    import spglib

    numbers = [site.specie.Z for site in structure]
    cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers)
    with warnings.catch_warnings():
        # spglib announces its coming change of error handling with every call.
        warnings.simplefilter("ignore", DeprecationWarning)
        symmetry = spglib.get_symmetry(cell, symprec=1e-2)
    # The identity is left when spglib finds nothing, as for atoms closer than the tolerance.
    return 1 if symmetry is None else len(np.unique(symmetry["rotations"], axis=0))


@cache
def _order_of_point_group(space_group_number: int) -> int:
    from pymatgen.symmetry.groups import PointGroup, SpaceGroup

    return len(PointGroup(SpaceGroup.from_int_number(space_group_number).point_group).symmetry_ops)
