"""One calculation of a cell as it is given: energy, forces, stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SinglePoint:
    """One calculation of a cell as it is given.

    Parameters
    ----------
    energy_ev
        Total energy of the cell.
    forces_ev_per_a
        Shape (atoms, 3).
    stress_ev_per_a3
        Shape (6,), in ASE's order xx, yy, zz, yz, xz, xy and sign; None where not asked for.
    magnetic_moments_mu_b
        Shape (atoms,), or None without spin.
    cutoff_ev
        Plane-wave cut-off, where several cells were to have one; None without one.
    """

    energy_ev: float
    forces_ev_per_a: NDArray[np.float64]
    stress_ev_per_a3: NDArray[np.float64] | None = None
    magnetic_moments_mu_b: NDArray[np.float64] | None = None
    cutoff_ev: float | None = None
