"""Phonon linewidths from three-phonon scattering, with half of each Fourier transform kept.

phono3py transforms the third-order force constants to each triplet of wave vectors anew: a sum over
pairs of atoms of the supercell, and most of its time.  Of the two sums the one over the second atom
depends on one wave vector only.  Here it is kept for every wave vector of the mesh, so that a
triplet is left with a sum over single atoms.  The numbers are phono3py's to rounding (a test
compares them); phonons, triplets and weights of the tetrahedron method are phono3py's own.

A. Togo, L. Chaput and I. Tanaka, Phys. Rev. B 91, 094306 (2015), Eqs. 10 and 11; the average over
the three atoms that can be the origin is phono3py's ``make_r0_average``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from phonopy.physical_units import get_physical_units

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py.phonon3.interaction import Interaction

MOST_BYTES = 2**30
"""Largest table of half-transformed force constants; where more is needed, phono3py does it all."""
AT_ONCE = 64
"""Wave vectors that are transformed together, so that what is in between takes little memory."""
CHUNK = 32
"""Triplets that a thread takes at once; sums do not depend on the number of threads."""


def is_affordable(pp: Interaction) -> bool:
    """Return whether the half-transformed force constants fit into `MOST_BYTES`."""
    atoms, images = len(pp.primitive), len(pp.primitive.s2p_map)
    return 16 * len(pp.bz_grid.addresses) * atoms * images * 27 * atoms <= MOST_BYTES


def linewidths_thz(
    pp: Interaction,
    grid_points: NDArray[np.int64],
    temperatures_k: NDArray[np.float64],
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return half widths by three-phonon scattering, in phono3py's convention (2Γ = 1/(2πτ)).

    Parameters
    ----------
    pp
        phono3py's interaction, its phonons solved; the grid is not a generalized one.
    grid_points
        Where, indices of its grid.
    temperatures_k
        Shape (temperatures,).

    Returns
    -------
    ndarray, shape (temperatures, grid points, branches)
    """
    from phono3py.phonon3.imag_self_energy import ImagSelfEnergy, average_by_degeneracy
    from threadpoolctl import threadpool_limits

    from workflows.lattice_dynamics.linewidth_kernel import linewidths

    phonons: Any = pp.phonons
    fixed = _same_for_all_points(pp, phonons, temperatures_k)
    addresses, mesh = np.asarray(pp.bz_grid.addresses), np.asarray(pp.bz_grid.D_diag)
    positions = pp.primitive.scaled_positions
    weights = ImagSelfEnergy(pp)
    factor = pp.unit_conversion_factor * weights.unit_conversion_factor

    def at(grid_point: int, pool: ThreadPoolExecutor) -> NDArray[np.float64]:
        weights.set_grid_point(grid_point)
        weights.set_sigma(None)
        weights.run_integration_weights()
        delta, is_zero = weights.get_integration_weights()
        triplets, times, _, _ = pp.get_triplets_at_q()
        # Where the three add up to a reciprocal lattice vector the place of an atom counts.
        sums = addresses[triplets].sum(axis=1) / mesh
        origins = np.exp(2j * np.pi * sums @ positions.T) / 3

        def part(first: int) -> NDArray[np.float64]:
            some = slice(first, first + CHUNK)
            found: NDArray[np.float64] = linewidths(
                triplets[some],
                times[some],
                origins[some],
                delta[0, some],
                delta[1, some],
                is_zero[some],
                *fixed,
            )
            return found

        total = sum(pool.map(part, range(0, len(triplets), CHUNK)))
        found: NDArray[np.float64] = average_by_degeneracy(
            total * factor, pp.band_indices, phonons.degenerate_ids[grid_point]
        )
        return found

    # BLAS is called by each of these threads, and must not start others.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        return np.stack([at(int(point), pool) for point in grid_points], axis=1)


def _same_for_all_points(
    pp: Interaction, phonons: Any, temperatures_k: NDArray[np.float64]
) -> tuple[NDArray[Any], ...]:
    """Return the last arguments of the compiled loop."""
    frequencies = np.asarray(phonons.frequencies)
    units = get_physical_units()
    real = frequencies > pp.cutoff_frequency
    x = np.where(real, frequencies, 1.0) * units.THzToEv / units.KB
    with np.errstate(over="ignore"):
        occupations = 1 / np.expm1(x[..., np.newaxis] / np.asarray(temperatures_k))
    root_mass = np.repeat(np.sqrt(pp.primitive.masses), 3)
    # One row a band.
    vectors = np.swapaxes(phonons.eigenvectors / root_mass[:, np.newaxis], 1, 2)
    atoms = np.array([pp.primitive.p2p_map[image] for image in pp.primitive.s2p_map])
    # Images of an atom next to each other.
    order = np.argsort(atoms, kind="stable")
    phases = np.ascontiguousarray(_phases(pp)[:, :, order])
    return (
        _half_transformed(pp, phases, order),
        phases,
        np.ascontiguousarray(vectors),
        np.searchsorted(atoms[order], np.arange(len(pp.primitive) + 1)),
        np.where(real, frequencies, 0.0),
        occupations,
    )


def _phases(pp: Interaction) -> NDArray[np.complex128]:
    """Return exp(2πi q·(r_k − r_i)), shape (wave vectors, atoms, atoms of the supercell).

    The mean over the images of k that are equally far from i.
    """
    vectors, multiplicity = pp.primitive.get_smallest_vectors()
    wave_vectors = np.asarray(pp.bz_grid.addresses) / np.asarray(pp.bz_grid.D_diag)
    each = np.exp(2j * np.pi * wave_vectors @ vectors.T)
    counts, starts = multiplicity[..., 0], multiplicity[..., 1]
    order = np.argsort(starts.ravel())
    sums = np.add.reduceat(each, starts.ravel()[order], axis=1)
    phases = np.empty((len(each), counts.size), dtype=complex)
    phases[:, order] = sums / counts.ravel()[order]
    return np.swapaxes(phases.reshape(-1, *counts.shape), 1, 2)


def _half_transformed(
    pp: Interaction, phases: NDArray[np.complex128], order: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Return Σ_j Φ(iα, jβ, kγ) exp(iq·(r_j − r_i)), the sum over the images of an atom.

    Parameters
    ----------
    phases
        From `_phases`.
    order
        Of the atoms of the supercell, images of an atom next to each other, in `phases` and in
        what is returned.

    Returns
    -------
    ndarray, shape (wave vectors, i, k, α jβ γ)
    """
    count = len(pp.primitive)
    images = len(order) // count
    fc3 = np.asarray(pp.fc3)
    if len(fc3) == len(order):
        fc3 = fc3[pp.primitive.p2s_map]
    table = np.empty((len(phases), count, len(order), 3, count, 3, 3), dtype=complex)
    for i in range(count):
        ordered = fc3[i][np.ix_(order, order)]
        for j in range(count):
            same = slice(j * images, (j + 1) * images)
            constants = ordered[same].reshape(images, -1)
            for start in range(0, len(phases), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                for part in ("real", "imag"):
                    found = np.ascontiguousarray(getattr(phases, part)[some, i, same]) @ constants
                    getattr(table, part)[some, i, :, :, j] = found.reshape(-1, len(order), 3, 3, 3)
    return table.reshape(len(phases), count, len(order), -1)
