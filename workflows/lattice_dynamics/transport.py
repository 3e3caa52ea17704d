"""Lattice thermal conductivity from force constants: phono3py's solvers, meshes, extrapolation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.documents import TransportDocument
from workflows.lattice_dynamics.alignment import alignments
from workflows.lattice_dynamics.cells import SYMPREC_A, Centring, phonopy_cell, pymatgen_cell
from workflows.lattice_dynamics.harmonic import symmetric_mesh
from workflows.lattice_dynamics.relaxation_time import relaxation_time_solution

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from phonopy import Phonopy
    from pymatgen.core import Structure

    from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants, ThirdOrderPlan


def transport_model(
    structure: Structure,
    centring: Centring,
    phonon: Phonopy,
    plan: ThirdOrderPlan,
    force_constants: ThirdOrderForceConstants,
) -> Phono3py:
    """Return a Phono3py object that is ready for κ.

    Harmonic force constants come from `phonon` (its supercell may be larger), third-order ones
    from `force_constants`.

    Parameters
    ----------
    structure, centring
        Conventional cell that both supercells repeat.
    """
    from phono3py import Phono3py

    model = Phono3py(
        phonopy_cell(structure),
        supercell_matrix=plan.model.supercell_matrix,
        phonon_supercell_matrix=phonon.supercell_matrix,
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )
    model.nac_params = phonon.nac_params
    model.dataset = plan.model.dataset
    model.phonon_dataset = phonon.dataset
    model.fc2 = phonon.force_constants
    model.fc3 = force_constants.third_order
    model.fc3_nonzero_indices = force_constants.nonzero
    return model


def phono3py_params(model: Phono3py) -> str:
    """Return phono3py's parameter file: cells, displacements, forces, Born charges."""
    return str(model.to_phono3py_yaml())


LEAST_SHARE = 1e-6
"""Part of κ that the modes of shortest mean free path must carry to be part of its curve."""


@dataclass(frozen=True)
class Conductivity:
    """κ on one q-mesh, with what its mode-resolved curves need.

    Parameters
    ----------
    mesh
        Divisions of the q-mesh.
    temperatures_k
        Shape (temperatures,).
    kappa_w_per_m_k
        Populations' (particle-like) conductivity, shape (temperatures, 6), in the order xx, yy,
        zz, yz, xz, xy.
    coherence_w_per_m_k
        Wigner's (wave-like) contribution on top of it, same shape.
    mode_kappa_w_per_m_k
        Isotropic mode contributions, shape (temperatures, q-points, branches); their sum is
        the isotropic mean.
    frequency_thz
        Shape (q-points, branches).
    mean_free_path_a
        Shape (temperatures, q-points, branches).
    wall_s
        Time of the solution.
    """

    mesh: tuple[int, int, int]
    temperatures_k: NDArray[np.float64]
    kappa_w_per_m_k: NDArray[np.float64]
    coherence_w_per_m_k: NDArray[np.float64]
    mode_kappa_w_per_m_k: NDArray[np.float64]
    frequency_thz: NDArray[np.float64]
    mean_free_path_a: NDArray[np.float64]
    wall_s: float

    def isotropic_w_per_m_k(self, temperature_k: float) -> float:
        """Return tr(κ)/3 at one of the temperatures."""
        return float(self.kappa_w_per_m_k[self._index(temperature_k), :3].mean())

    def isotropic_coherence_w_per_m_k(self, temperature_k: float) -> float:
        """Return a third of the trace of the Wigner contribution."""
        return float(self.coherence_w_per_m_k[self._index(temperature_k), :3].mean())

    def accumulation(self, temperature_k: float, points: int = 200) -> TransportDocument:
        """Return κ accumulated against frequency and against mean free path."""
        index = self._index(temperature_k)
        kappa = self.mode_kappa_w_per_m_k[index].ravel()
        frequency, path = self.frequency_thz.ravel(), self.mean_free_path_a[index].ravel()
        frequencies = np.linspace(0.0, float(frequency.max()), points)
        # Optical modes that stand still have paths of 10⁻⁴⁰ Å: nearly all points would go to them.
        order = np.argsort(path)
        share = np.cumsum(kappa[order]) / kappa.sum()
        carrying = path[order][(share > LEAST_SHARE) & (kappa[order] > 0)]
        paths = np.geomspace(float(carrying[0]) * 0.999, float(carrying[-1]) * 1.001, points)
        return TransportDocument(
            frequency_thz=frequencies.tolist(),
            cumulative_kappa_of_frequency_w_per_m_k=_cumulative(frequency, kappa, frequencies),
            mean_free_path_angstrom=paths.tolist(),
            cumulative_kappa_of_mean_free_path_w_per_m_k=_cumulative(path, kappa, paths),
        )

    def _index(self, temperature_k: float) -> int:
        matches = np.flatnonzero(np.isclose(self.temperatures_k, temperature_k))
        if not matches.size:
            raise ValueError(
                f"{temperature_k} K was not computed; known: {self.temperatures_k.tolist()} K"
            )
        return int(matches[0])


def conductivity(
    model: Phono3py,
    mesh: Sequence[int],
    temperatures_k: Sequence[float],
    *,
    isotopes: bool = True,
    mass_variances: NDArray[np.float64] | None = None,
) -> Conductivity:
    """Solve the phonon Boltzmann equation in the relaxation-time approximation on one q-mesh.

    Scattering rates come from the tetrahedron method.  phono3py's Wigner solver costs no more
    than its plain one and gives the same populations' part, so that the coherence term (M.
    Simoncelli et al., Nat. Phys. 15, 809 (2019)) is always there.

    Parameters
    ----------
    model
        From `transport_model`.
    mesh
        Three divisions; phono3py would read a single integer as a length.
    isotopes
        Scattering by the natural isotope mixture (Tamura's formula, phono3py's own variances).
    mass_variances
        Shape (atoms of the primitive cell,): relative variances of the masses, in the place of
        phono3py's own.
    """
    started = time.perf_counter()
    result = relaxation_time_solution(
        model, mesh, temperatures_k, isotopes=isotopes, mass_variances=mass_variances
    )
    parts = result.get_extra_kappa_output()
    a, b, c = (int(n) for n in mesh)
    # Populations are the diagonal of phono3py's branch-by-branch matrix, summed over each star
    # of q and not yet divided by the number of mesh points.
    modes = np.einsum("tqbbc->tqbc", np.asarray(result.mode_kappa_matrix)[0]).real / (a * b * c)
    points = np.asarray(result.grid_points)
    return Conductivity(
        mesh=(a, b, c),
        temperatures_k=np.asarray(temperatures_k, dtype=float),
        kappa_w_per_m_k=np.asarray(parts["kappa_intra"])[0],
        coherence_w_per_m_k=np.asarray(parts["kappa_inter"])[0],
        mode_kappa_w_per_m_k=modes[..., :3].mean(axis=-1),
        frequency_thz=_at_points(np.asarray(result.frequencies), points),
        mean_free_path_a=_mean_free_paths(result),
        wall_s=time.perf_counter() - started,
    )


def direct_conductivity(
    model: Phono3py, mesh: Sequence[int], temperature_k: float, *, isotopes: bool = True
) -> float:
    """Return tr(κ)/3 in W/m/K from the direct solution of the linearised Boltzmann equation.

    L. Chaput, Phys. Rev. Lett. 110, 265506 (2013).  Memory grows with the square of the number
    of irreducible q-points.
    """
    model.mesh_numbers = list(mesh)
    model.init_phph_interaction()
    model.run_thermal_conductivity(
        is_LBTE=True, temperatures=[temperature_k], is_isotope=isotopes, log_level=0
    )
    return float(np.asarray(model.thermal_conductivity.kappa)[0, 0, :3].mean())


def in_frame_of(
    structure: Structure, model: Phono3py, tensors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return tensors of shape (…, 6) in the frame of a crystal instead of that of phono3py's cell.

    The two differ where spglib chooses other axes for the relaxed cell than for the one before.

    Parameters
    ----------
    structure
        The crystal that the model is of, in any cell.
    tensors
        xx, yy, zz, yz, xz, xy.
    """
    rotation = alignments(pymatgen_cell(model.primitive), structure)[0].rotation.T
    full = np.asarray(tensors)[..., [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    rows, columns = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
    return np.asarray((rotation @ full @ rotation.T)[..., rows, columns])


LEAST_MESH_ERROR = 0.05
"""Relative error that no series of three meshes is trusted beyond."""


@dataclass(frozen=True)
class MeshLimit:
    """κ at 300 K for an infinitely dense q-mesh, and its error bar."""

    kappa_w_per_m_k: float
    error_w_per_m_k: float


def extrapolate(
    meshes: Sequence[tuple[int, int, int]], kappas_w_per_m_k: Sequence[float]
) -> MeshLimit:
    """Extrapolate κ to an infinitely dense q-mesh.

    A straight line in 1/N² (N the geometric mean of the divisions) is fitted by least squares to
    the three densest meshes.  It tends to overshoot, the densest mesh to fall short: the value
    is the middle between the two.  The error bar is the largest of half their distance, the last
    step of the series, and `LEAST_MESH_ERROR`.

    Parameters
    ----------
    meshes
        Ascending meshes.
    kappas_w_per_m_k
        κ on each of them.
    """
    kappas = np.asarray(kappas_w_per_m_k, dtype=float)[-3:]
    densest = float(kappas[-1])
    if len(kappas) < 2:
        return MeshLimit(densest, LEAST_MESH_ERROR * densest)
    x = np.array([float(np.prod(mesh)) ** (-2 / 3) for mesh in meshes[-3:]])
    _, intercept = np.polyfit(x, kappas, 1)
    # κ is positive: a line through meshes far too coarse may say otherwise.
    limit = max(float(intercept), 0.0)
    value = (densest + limit) / 2
    last_step = abs(float(kappas[-1] - kappas[-2]))
    return MeshLimit(value, max(abs(limit - densest) / 2, last_step, LEAST_MESH_ERROR * value))


def rms_gruneisen(
    phonon: Phonopy,
    plan: ThirdOrderPlan,
    force_constants: ThirdOrderForceConstants,
    mesh_length_a: float,
    temperature_k: float,
) -> float:
    """Return the root mean square mode Grüneisen parameter, weighted by heat capacity.

    The mode parameter is a third of the trace of phono3py's Grüneisen tensor
    γ(q,ν) = −∂ln ω/∂strain; modes below 0.05 THz are left out.

    Parameters
    ----------
    phonon
        Gives the irreducible q-points of the mesh and their weights.
    """
    from phono3py.phonon3.gruneisen import Gruneisen
    from phonopy.physical_units import get_physical_units

    model = plan.model
    mesh = phonon.run_mesh(symmetric_mesh(phonon, mesh_length_a), is_gamma_center=True)
    gruneisen = Gruneisen(
        force_constants.second_order,
        force_constants.third_order,
        model.supercell,
        model.primitive,
        symprec=SYMPREC_A,
    )
    gruneisen.set_qpoints(np.array(mesh.qpoints))
    gruneisen.run()
    modes = np.trace(np.asarray(gruneisen.gruneisen_parameters), axis1=-2, axis2=-1) / 3
    frequencies = np.asarray(gruneisen.frequencies)
    real = frequencies > 0.05
    units = get_physical_units()
    x = np.where(real, frequencies * units.THzToEv / (units.KB * temperature_k), 1.0)
    heat_capacity = np.where(real, x**2 * np.exp(x) / np.expm1(x) ** 2, 0.0)
    weights = heat_capacity * np.asarray(mesh.weights)[:, np.newaxis]
    return float(np.sqrt((weights * modes**2).sum() / weights.sum()))


def _mean_free_paths(result: object) -> NDArray[np.float64]:
    """Return |v|τ in Å with τ = 1 / (2·2πΓ); zero where a mode does not decay."""
    gamma = np.asarray(result.gamma)[0]  # type: ignore[attr-defined]
    isotope = result.gamma_isotope  # type: ignore[attr-defined]
    if isotope is not None:
        gamma = gamma + np.asarray(isotope)[0][np.newaxis]
    speed = np.linalg.norm(np.asarray(result.group_velocities), axis=-1)  # type: ignore[attr-defined]
    decays = gamma > 0
    lifetime = np.where(decays, 1.0 / (2 * 2 * np.pi * np.where(decays, gamma, 1.0)), 0.0)
    return np.asarray(speed[np.newaxis] * lifetime)


def _at_points(frequencies: NDArray[np.float64], points: NDArray[np.int64]) -> NDArray[np.float64]:
    return frequencies if len(frequencies) == len(points) else frequencies[points]


def _cumulative(
    coordinate: NDArray[np.float64], kappa: NDArray[np.float64], grid: NDArray[np.float64]
) -> list[float]:
    order = np.argsort(coordinate)
    total = np.concatenate([[0.0], np.cumsum(kappa[order])])
    sums = total[np.searchsorted(coordinate[order], grid, side="right")]
    return [float(value) for value in np.round(sums, 6)]
