"""phono3py's relaxation-time approximation on one q-mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.lattice_dynamics.linewidths import is_affordable, linewidths_thz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from phono3py import Phono3py


def relaxation_time_solution(
    model: Phono3py,
    mesh: Sequence[int],
    temperatures_k: Sequence[float],
    *,
    isotopes: bool,
    mass_variances: NDArray[np.float64] | None = None,
) -> Any:
    """Return phono3py's solution with Wigner's coherences, by the tetrahedron method.

    Linewidths are computed here in a fraction of the time, the same to rounding; where that would
    take too much memory, by phono3py.

    Parameters
    ----------
    model
        With both force constants.
    mesh
        Three divisions; phono3py would read a single integer as a length.
    isotopes, mass_variances
        See `transport.conductivity`.
    """
    import phonors
    from phono3py.conductivity.factory import conductivity_calculator

    model.mesh_numbers = list(mesh)
    model.init_phph_interaction()
    temperatures = np.asarray(temperatures_k, dtype=float)
    solution: Any = conductivity_calculator(
        model.phph_interaction,
        temperatures,
        [None],
        method="SMM19-rta",
        is_isotope=isotopes or mass_variances is not None,
        mass_variances=mass_variances,
    )
    if is_affordable(model.phph_interaction):
        threads = int(phonors.rayon_max_threads())
        points = np.asarray(solution.grid_points)
        found = linewidths_thz(model.phph_interaction, points, temperatures, threads)
        solution.gamma = found[np.newaxis]
    solution.run()
    return solution
