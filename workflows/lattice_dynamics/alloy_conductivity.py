"""κ of a random alloy on meshes far denser than three-phonon scattering could be computed on.

In an alloy masses scatter short waves so strongly that long waves carry the heat, and a mesh has
few of these.  Three-phonon rates Γ are smooth: computed on a coarse mesh, Γ/ω² is interpolated onto
a dense one, on which velocities, heat capacities and the scattering by masses, which cost little,
are computed themselves.  On the coarse mesh this is phono3py's relaxation-time approximation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.constants import ROOM_TEMPERATURE_K
from workflows.lattice_dynamics.meshes import mesh_series
from workflows.lattice_dynamics.relaxation_time import relaxation_time_solution
from workflows.lattice_dynamics.transport import MeshLimit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from phono3py import Phono3py

    from workflows.lattice_dynamics.virtual_crystal import VirtualCrystal
    from workflows.recipes import TransportRecipe

EV_THZ_PER_A_IN_W_PER_M = 1602.176634
"""1 eV·THz/Å in W/m."""
LOWEST_THZ = 1e-3
"""Modes below, the acoustic ones at Γ, carry no heat."""


@dataclass(frozen=True)
class ThreePhononRates:
    """Half widths by three-phonon scattering on a mesh, ready to be interpolated.

    Attributes
    ----------
    mesh : tuple of int
    over_square_per_thz : ndarray
        Γ/ω² in 1/THz, shape (n1 + 1, n2 + 1, n3 + 1, branches); the last of each axis is the first
        again.
    """

    mesh: tuple[int, int, int]
    over_square_per_thz: NDArray[np.float64]

    def at(
        self, qpoints: NDArray[np.float64], frequency_thz: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return Γ in THz at wave vectors, shape (points, branches).

        Parameters
        ----------
        qpoints
            Shape (points, 3), in the reciprocal basis.
        frequency_thz
            There, shape (points, branches), ascending.
        """
        from scipy.interpolate import RegularGridInterpolator

        axes = [np.arange(count + 1) / count for count in self.mesh]
        between = RegularGridInterpolator(axes, self.over_square_per_thz)
        rates: NDArray[np.float64] = between(np.mod(qpoints, 1.0)) * frequency_thz**2
        return rates


def three_phonon_rates(
    model: Phono3py, mesh: Sequence[int], temperature_k: float
) -> ThreePhononRates:
    """Return the half widths that three-phonon scattering gives each mode on a mesh."""
    from phonopy.phonon.grid import get_ir_grid_points

    result = relaxation_time_solution(model, mesh, [temperature_k], isotopes=False)
    grid: Any = model.grid
    gamma = np.asarray(result.gamma)[0, 0]
    points = np.asarray(result.grid_points)
    frequencies = np.asarray(result.frequencies)
    if len(frequencies) != len(points):
        frequencies = frequencies[points]
    real = frequencies > LOWEST_THZ
    ratio = np.where(real, gamma / np.where(real, frequencies, 1.0) ** 2, np.nan)
    # At Γ acoustic modes have no rate of their own: that of the nearest mode of the branch.
    nearest = int(np.argsort(np.linalg.norm(_qpoints(grid, points), axis=1))[1])
    ratio = np.where(np.isnan(ratio), ratio[nearest][None], ratio)
    _, _, to_irreducible = get_ir_grid_points(grid)
    row_of = {int(point): row for row, point in enumerate(points)}
    of_grid = np.asarray(grid.grg2bzg)
    rows = [row_of[int(of_grid[point])] for point in to_irreducible]
    addresses = np.asarray(grid.addresses)[of_grid] % np.array(mesh)
    full = np.zeros((*mesh, ratio.shape[1]))
    full[tuple(addresses.T)] = ratio[rows]
    padded = np.pad(full, [(0, 1)] * 3 + [(0, 0)], mode="wrap")
    a, b, c = (int(count) for count in mesh)
    return ThreePhononRates((a, b, c), padded)


def alloy_conductivity(
    crystal: VirtualCrystal,
    rates: ThreePhononRates,
    mesh: Sequence[int],
    temperature_k: float,
    smearing_thz: float = 0.1,
) -> float:
    """Return tr(κ)/3 in W/m/K of a virtual crystal on a dense mesh.

    In the relaxation-time approximation, without Wigner's coherences.  The δ of scattering by
    masses is a Gaussian: with the tetrahedron method round-off decides, where tetrahedra of a
    symmetric crystal have equal frequencies at several corners, and κ of a Si-Ge-like alloy has a
    noise of up to 9 % on meshes of 7 to 15 divisions.

    Parameters
    ----------
    rates
        Of the same crystal at the same temperature, on a coarser mesh or on this one.
    smearing_thz
        Standard deviation of that Gaussian.
    """
    from phono3py.other.isotope import Isotope
    from phonopy.phonon.grid import get_ir_grid_points
    from phonopy.phonon.group_velocity import GroupVelocity
    from phonopy.physical_units import get_physical_units

    model = crystal.model
    scattering = Isotope(
        list(mesh),
        model.phonon_primitive,
        mass_variances=crystal.mass_variances,
        sigma=smearing_thz,
        exclude_gamma_acoustic=True,
        cutoff_frequency=LOWEST_THZ,
    )
    scattering.init_dynamical_matrix(
        model.fc2, model.phonon_supercell, model.phonon_primitive, nac_params=model.nac_params
    )
    grid: Any = scattering.bz_grid
    irreducible, weights, _ = get_ir_grid_points(grid)
    points = np.asarray(grid.grg2bzg)[irreducible]
    gamma, frequencies = [], []
    for point in points:
        scattering.set_grid_point(int(point))
        scattering.run()
        gamma.append(np.array(scattering.gamma))
        phonons: Any = scattering.phonons
        frequencies.append(np.array(phonons.frequencies[int(point)]))
    frequency = np.array(frequencies)
    qpoints = _qpoints(grid, points)
    dynamical: Any = scattering.dynamical_matrix
    velocity = GroupVelocity(dynamical, symmetry=model.primitive_symmetry)
    velocity.run(qpoints)
    squares = (np.asarray(velocity.group_velocities) ** 2).sum(axis=-1)
    total = rates.at(qpoints, frequency) + np.array(gamma)
    carries = (frequency > LOWEST_THZ) & (total > 0)
    lifetime_ps = np.where(carries, 1 / (4 * np.pi * np.where(carries, total, 1.0)), 0.0)
    units = get_physical_units()
    x = np.where(carries, frequency, 1.0) * units.THzToEv / (units.KB * temperature_k)
    heat_ev_per_k = units.KB * (x / 2) ** 2 / np.sinh(x / 2) ** 2
    modes = (heat_ev_per_k * squares * lifetime_ps * np.asarray(weights)[:, None]).sum()
    volume = float(model.primitive.volume)
    return float(modes / 3 / volume / np.prod(mesh) * EV_THZ_PER_A_IN_W_PER_M)


@dataclass(frozen=True)
class SolvedAlloy:
    """κ of a virtual crystal at 300 K, with what its meshes contribute to the error.

    Attributes
    ----------
    limit
        Extrapolated, with the error of the extrapolation.
    rate_error_w_per_m_k
        What the next coarser mesh of three-phonon rates changes.
    rate_mesh
        The denser one of these.
    dense
        Meshes, κ on them in W/m/K, and how long it took in s.
    """

    limit: MeshLimit
    rate_error_w_per_m_k: float
    rate_mesh: tuple[int, int, int]
    dense: list[tuple[tuple[int, int, int], float, float]]


def solve_alloy(
    crystal: VirtualCrystal, recipe: TransportRecipe, factors: tuple[float, float]
) -> SolvedAlloy:
    """Return κ at 300 K of a virtual crystal, and how well its meshes know it.

    Parameters
    ----------
    recipe
        Three-phonon rates are computed on the two densest meshes of its series.
    factors
        Divisions of the two meshes of κ in those of the densest of rates.
    """
    coarse = mesh_series(crystal.model, recipe)[-2:]
    coarser, rates = (three_phonon_rates(crystal.model, m, ROOM_TEMPERATURE_K) for m in coarse)
    dense = []
    for mesh in (_denser(coarse[-1], factor) for factor in factors):
        started = time.perf_counter()
        kappa = alloy_conductivity(crystal, rates, mesh, ROOM_TEMPERATURE_K)
        dense.append((mesh, kappa, time.perf_counter() - started))
    first_mesh, first_kappa, _ = dense[0]
    changed = alloy_conductivity(crystal, coarser, first_mesh, ROOM_TEMPERATURE_K)
    divisions = [float(np.prod(mesh)) ** (1 / 3) for mesh, *_ in dense]
    limit = dense_limit(divisions, [kappa for _, kappa, _ in dense])
    return SolvedAlloy(
        limit,
        abs(changed / first_kappa - 1) * limit.kappa_w_per_m_k,
        coarse[-1],
        dense,
    )


def _denser(mesh: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    """Return a mesh with so many times the divisions, all of them odd."""
    a, b, c = (int(factor * count) for count in mesh)
    return a - (a % 2 == 0), b - (b % 2 == 0), c - (c % 2 == 0)


def dense_limit(divisions: Sequence[int], kappas_w_per_m_k: Sequence[float]) -> MeshLimit:
    """Extrapolate κ of an alloy to an infinitely dense mesh.

    What a mesh of N divisions misses are waves longer than N cells, and of these a number that goes
    with 1/N.  A straight line in 1/N through the two densest meshes gives the value; the error bar
    is half its distance from the densest.  What the mesh of three-phonon rates leaves out is not in
    it.

    Parameters
    ----------
    divisions
        Geometric means of the divisions of each mesh, ascending, at least two.
    """
    x = 1 / np.asarray(divisions, dtype=float)[-2:]
    kappa = np.asarray(kappas_w_per_m_k, dtype=float)[-2:]
    slope = (kappa[1] - kappa[0]) / (x[1] - x[0])
    limit = float(kappa[1] - slope * x[1])
    return MeshLimit(limit, abs(limit - float(kappa[1])) / 2)


def _qpoints(grid: Any, points: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return wave vectors of points of a grid, in the reciprocal basis."""
    addresses = np.asarray(grid.addresses)[points]
    return np.asarray(addresses @ np.asarray(grid.QDinv).T, dtype=float)
