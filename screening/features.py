"""Numbers that describe a crystal to the surrogate, from composition and geometry alone."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core.periodic_table import Element
    from pymatgen.core.structure import Structure

#: Raise it whenever a name, an order or a formula below changes: stored features are then redone.
FEATURES_VERSION = 1

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


def feature_names() -> list[str]:
    """Names of the features, in the order `features` gives them."""
    composition = [f"{name}_{statistic}" for name in _FALLBACKS for statistic in _STATISTICS]
    return [*composition, *_GEOMETRY]


def features(structure: Structure) -> list[float]:
    """Describe a crystal by ``len(feature_names())`` finite numbers.

    Parameters
    ----------
    structure : Structure
        Primitive cell of an ordered crystal, as a candidate holds it.

    Returns
    -------
    list of float
        Statistics of element properties weighted by composition, then geometry. None is NaN: an
        element property that is not tabulated takes the stand-in written in this module.
    """
    properties = np.array([_element_properties(site.specie.symbol) for site in structure])
    statistics = np.stack(
        [properties.mean(0), properties.std(0), properties.min(0), properties.max(0)], axis=1
    )
    return [float(x) for x in (*statistics.ravel(), *_geometry(structure, properties))]


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


def _tabulated(element: Element, attribute: str) -> float:
    """Read a property of an element; NaN where pymatgen has none, which it says in three ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = getattr(element, attribute)
        except KeyError:
            return np.nan
    return np.nan if value is None else float(value)


def _geometry(structure: Structure, properties: NDArray[np.float64]) -> list[float]:
    """Values in the order of `_GEOMETRY`; `properties` has shape (n_sites, n_properties)."""
    names = list(_FALLBACKS)
    log_mass = properties[:, names.index("log_atomic_mass")]
    electronegativity = properties[:, names.index("electronegativity")]
    radius = properties[:, names.index("covalent_radius")]
    n_sites = len(structure)
    volume_per_atom = structure.volume / n_sites

    first, second, distances = _neighbours(structure)
    nearest = np.full(n_sites, np.inf)
    np.minimum.at(nearest, first, distances)
    # A shell: everything within a fifth more than the nearest distance.
    bonded = distances < 1.2 * nearest[first]
    first, second, distances = first[bonded], second[bonded], distances[bonded]
    coordination = np.bincount(first, minlength=n_sites)

    def bond_mean(values: NDArray[np.float64]) -> float:
        return float((np.bincount(first, weights=values, minlength=n_sites) / coordination).mean())

    return [
        np.log(volume_per_atom),
        np.log(float(structure.density)),
        n_sites,
        np.log(nearest).mean(),
        nearest.std() / nearest.mean(),
        bond_mean(distances / (radius[first] + radius[second])),
        coordination.mean(),
        coordination.std(),
        4 / 3 * np.pi * (radius**3).mean() / volume_per_atom,
        np.log(_point_group_order(structure)),
        bond_mean(np.abs(electronegativity[first] - electronegativity[second])),
        bond_mean(np.abs(log_mass[first] - log_mass[second])),
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
