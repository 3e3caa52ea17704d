"""Cluster vectors as features: a linear model in them is a cluster expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from screening.alloys.lattice import MOST_SPECIES, AlloyLattice

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

VERSION = 2
"""Raise it whenever cut-offs, widths or columns change."""
N_CONCENTRATIONS = MOST_SPECIES - 1
"""Leading features that are concentrations: of all species that share sites but the first, and
zero where there are fewer."""
DECAY = 3
"""Power of the distance with which interactions fall, as elastic ones do."""
MANY_BODY = 0.5
"""Factor of the width for each site of a cluster beyond two."""
FREE = 10.0
"""Width of the constant and of the terms of single sites, which are not small."""


def widths(lattice: AlloyLattice) -> NDArray[np.float64]:
    """Return what is expected of the size of each effective interaction, shape (clusters,).

    In any unit: the model finds the common factor.  Small clusters interact more than large ones,
    and pairs more than many bodies, as is usual (T. Mueller and G. Ceder, Phys. Rev. B 80, 024103
    (2009)).  Times the root of the number of clusters at a site: as many enter the energy.
    """
    clusters = lattice.cluster_space().as_list
    nearest = lattice.nearest_a() / 2
    found = []
    for cluster in clusters:
        order = int(cluster["order"])
        if order < 2:
            found.append(FREE)
            continue
        decay = (nearest / float(cluster["radius"])) ** DECAY
        found.append(np.sqrt(cluster["multiplicity"]) * decay * MANY_BODY ** (order - 2))
    return np.array(found, dtype=float)


def features(lattice: AlloyLattice, structure: Atoms) -> list[float]:
    """Return concentrations, then the cluster vector, each element times its expected size.

    An isotropic prior on the coefficients is then the physical one on interactions.
    """
    shares = list(lattice.concentrations(structure.get_chemical_symbols()).values())[1:]
    padded = shares + [0.0] * (N_CONCENTRATIONS - len(shares))
    return [*padded, *(widths(lattice) * lattice.cluster_vector(structure)).tolist()]


def interactions(lattice: AlloyLattice, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factors of the cluster vector, from those of the features behind concentrations.

    Parameters
    ----------
    coefficients
        Shape (clusters,).
    """
    return widths(lattice) * coefficients
