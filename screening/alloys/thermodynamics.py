"""From Monte Carlo to free energy of mixing, short-range order and the temperature of ordering.

Two branches are followed at one composition: cooled from the random alloy, and heated from the
ordered ground state.  The temperature of ordering comes from both of them in two ways.  One takes
the heat capacity, whose peak is where the runs themselves change phase.  The other integrates the
energy from where the free energy is known, infinite temperature for the disordered phase and zero
for the ordered one, and takes where the two free energies cross; it uses only points at which each
branch is still in its phase.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K, run
from screening.alloys.supercell import EnergyTerms

Floats = NDArray[np.float64]

IN_UNITS_OF_PEAK = (4.0, 2.5, 1.8, 1.5, 1.3, 1.2, 1.14, 1.09, 1.045, 1.0)
"""Temperatures above the peak of the heat capacity, which a coarse run finds, and below it:"""
BELOW_PEAK = (0.955, 0.915, 0.88, 0.83, 0.75, 0.65, 0.5, 0.35)
FEWEST_RUNS = 3
"""Seeds that an error bar takes."""


@dataclass(frozen=True)
class Branch:
    """What one run saw on its way; infinite temperature first, energies of the supercell."""

    temperatures_k: Floats
    energy_ev: Floats
    variance_ev2: Floats
    unlike: Floats
    """Shape (shells, temperatures)."""

    @property
    def inverse(self) -> Floats:
        """Inverse temperatures, in 1/eV."""
        with np.errstate(divide="ignore"):
            return np.where(
                np.isinf(self.temperatures_k), 0.0, 1 / (BOLTZMANN_EV_PER_K * self.temperatures_k)
            )

    @property
    def heat_capacity_k(self) -> Floats:
        """In units of Boltzmann's constant, of the supercell."""
        return self.variance_ev2 * self.inverse**2


class Thermodynamics(BaseModel):
    """What Monte Carlo says of one composition; of lists one number a temperature, ascending.

    Error bars are standard errors of the mean over seeds.  They hold what sampling contributes,
    not the errors of the cluster expansion or of the engine, and not that of the supercell's size.

    Attributes
    ----------
    composition : dict
        Fractions of the species that share sites.
    sites : int
        That are shared, in the supercell.
    seeds, sweeps : int
        Runs, and exchanges that are tried for each site at each temperature of each run, half as
        many of them before anything is counted.
    temperatures_k : list of float
    mixing_energy_ev_per_atom, mixing_free_energy_ev_per_atom : list of float
        Of the phase that is stable; beside them their errors.
    heat_capacity_k_per_atom : list of float
        Of the disorder, in units of Boltzmann's constant.
    short_range_order : list of list of float
        Warren–Cowley parameter of the first two shells: one minus the fraction of unlike neighbours
        over that of the random alloy; shape (shells, temperatures).
    ordered_from : str
        Id of the ordered structure that was heated, empty where the hull has none at this
        composition.
    order_temperature_heat_capacity_k, order_temperature_free_energy_k : float or None
        None without a ground state; the first where the heat capacity of a run is largest at an end
        of the range of temperatures, the second where the free energies of a run do not cross.
    hysteresis_k : float or None
        Between heating and cooling, of the peaks; half of it is part of the error of the first.
    """

    model_config = ConfigDict(extra="forbid")

    composition: dict[str, float]
    sites: int
    seeds: int
    sweeps: int
    temperatures_k: list[float]
    mixing_energy_ev_per_atom: list[float]
    mixing_energy_error_ev_per_atom: list[float]
    mixing_free_energy_ev_per_atom: list[float]
    mixing_free_energy_error_ev_per_atom: list[float]
    heat_capacity_k_per_atom: list[float]
    heat_capacity_error_k_per_atom: list[float]
    short_range_order: list[list[float]]
    short_range_order_error: list[list[float]]
    ordered_from: str = ""
    order_temperature_heat_capacity_k: float | None = None
    order_temperature_heat_capacity_error_k: float | None = None
    order_temperature_free_energy_k: float | None = None
    order_temperature_free_energy_error_k: float | None = None
    hysteresis_k: float | None = None


def mixing_entropy_k(counts: Sequence[int]) -> float:
    """Return the entropy of all arrangements, in units of Boltzmann's constant, of a supercell."""
    ways = math.lgamma(sum(counts) + 1) - sum(math.lgamma(count + 1) for count in counts)
    return float(ways)


def thermodynamics(
    terms: EnergyTerms,
    counts: Sequence[int],
    ordered: NDArray[np.int64] | None,
    degeneracy: int,
    sweeps: int,
    seeds: Sequence[int],
    ordered_from: str = "",
) -> Thermodynamics:
    """Follow one composition in temperature.

    Parameters
    ----------
    terms
        Their energies are of mixing.
    counts
        Sites of the supercell with each species.
    ordered
        Occupation of the supercell by the ground state of this composition, shape (sites,), None
        where there is none: then only the disordered branch is followed.
    degeneracy
        Ground states of equal energy in the supercell, as translations and rotations give them.
    sweeps
        At each temperature.
    seeds
        One run each; at least three, for error bars.
    """
    if len(seeds) < FEWEST_RUNS:
        raise ValueError(f"take at least {FEWEST_RUNS} seeds, for error bars")
    sites = sum(counts)
    if ordered is not None and np.bincount(ordered, minlength=len(counts)).tolist() != list(counts):
        raise ValueError("the ordered structure has another composition")
    peak_k = _coarse_peak_k(terms, counts, max(10, sweeps // 4), seeds[0])
    above = [np.inf, *(peak_k * factor for factor in IN_UNITS_OF_PEAK)]
    temperatures = np.array([*above, *(peak_k * factor for factor in BELOW_PEAK)])
    cooled, heated = [], []
    for seed in seeds:
        start = _random(counts, seed)
        cooled.append(_follow(terms, start, temperatures, sweeps, seed))
        if ordered is not None:
            heated.append(_follow(terms, ordered, temperatures[::-1], sweeps, seed + 1_000_003))
    entropy_k = mixing_entropy_k(counts)
    disordered = [_free_energy_down(branch, entropy_k) for branch in cooled]
    stable = np.array([branch.energy_ev for branch in cooled])
    free = np.array(disordered)
    capacity = np.array([branch.heat_capacity_k for branch in cooled])
    unlike = np.array([branch.unlike for branch in cooled])
    found: dict[str, float | None] = {}
    if ordered is not None:
        up = [_free_energy_up(branch, terms.energy_ev(ordered), degeneracy) for branch in heated]
        found = _temperatures_of_order(cooled, heated, disordered, up)
        below = ordered_is_stable(free, np.array(up))
        stable[:, below] = np.array([branch.energy_ev for branch in heated])[:, below]
        free[:, below] = np.array(up)[:, below]
        capacity[:, below] = np.array([b.heat_capacity_k for b in heated])[:, below]
        unlike[:, :, below] = np.array([b.unlike for b in heated])[:, :, below]
    shares = np.array(counts) / sites
    random_unlike = 1 - float((shares * (np.array(counts) - 1)).sum()) / (sites - 1)
    order = 1 - unlike / random_unlike
    finite = np.flatnonzero(np.isfinite(temperatures))[::-1]

    def means(values: Floats) -> list[float]:
        mean: list[float] = values[..., finite].mean(axis=0).tolist()
        return mean

    def errors(values: Floats) -> list[float]:
        spread = values[..., finite].std(axis=0, ddof=1) / math.sqrt(len(seeds))
        listed: list[float] = spread.tolist()
        return listed

    atoms = len(terms.atoms)
    return Thermodynamics(
        composition=dict(zip(terms.species, shares.tolist(), strict=True)),
        sites=sites,
        seeds=len(seeds),
        sweeps=sweeps,
        temperatures_k=temperatures[finite].tolist(),
        mixing_energy_ev_per_atom=means(stable / atoms),
        mixing_energy_error_ev_per_atom=errors(stable / atoms),
        mixing_free_energy_ev_per_atom=means(free / atoms),
        mixing_free_energy_error_ev_per_atom=errors(free / atoms),
        heat_capacity_k_per_atom=means(capacity / atoms),
        heat_capacity_error_k_per_atom=errors(capacity / atoms),
        short_range_order=[means(order[:, shell]) for shell in range(2)],
        short_range_order_error=[errors(order[:, shell]) for shell in range(2)],
        ordered_from=ordered_from,
        **found,
    )


def _random(counts: Sequence[int], seed: int) -> NDArray[np.int64]:
    filled = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(filled).astype(np.int64)


def _coarse_peak_k(terms: EnergyTerms, counts: Sequence[int], sweeps: int, seed: int) -> float:
    """Return about where the heat capacity is largest, from a quick run down in temperature."""
    start = _random(counts, seed)
    random = run(terms, start, np.inf, sweeps, seed)
    # The width of energies sets the scale of temperatures at which they matter.
    scale_k = float(random.energies_ev.std()) / BOLTZMANN_EV_PER_K / math.sqrt(len(start)) * 10
    temperatures = np.concatenate([[np.inf], scale_k * np.geomspace(3.0, 0.1, 18)])
    branch = _follow(terms, start, temperatures, sweeps, seed)
    # The energy that is given off between two temperatures, as a coarse grid may miss the peak.
    drops = -np.diff(branch.energy_ev[1:]) / -np.diff(branch.temperatures_k[1:])
    k = int(np.argmax(drops))
    return float(np.sqrt(branch.temperatures_k[1 + k] * branch.temperatures_k[2 + k]))


def _follow(
    terms: EnergyTerms,
    start: NDArray[np.int64],
    temperatures: Floats,
    sweeps: int,
    seed: int,
) -> Branch:
    """Run through temperatures in their order; a third of the sweeps settles at each."""
    occupation = start
    energy, variance, unlike = [], [], []
    for step, temperature in enumerate(temperatures):
        settled = run(
            terms, occupation, float(temperature), max(1, sweeps // 2), seed + 7919 * step
        )
        sampled = run(
            terms, settled.occupation, float(temperature), sweeps, seed + 104729 * step + 1
        )
        occupation = sampled.occupation
        energy.append(float(sampled.energies_ev.mean()))
        variance.append(float(sampled.energies_ev.var()))
        unlike.append([float(sampled.unlike_first.mean()), float(sampled.unlike_second.mean())])
    order = np.argsort(-temperatures, kind="stable")
    return Branch(
        temperatures_k=temperatures[order],
        energy_ev=np.array(energy)[order],
        variance_ev2=np.array(variance)[order],
        unlike=np.array(unlike).T[:, order],
    )


def _integrals(branch: Branch) -> Floats:
    """Return the integral of the energy over inverse temperature between neighbours.

    Trapezoids, corrected by the slopes at their ends, dE/dβ = −variance.
    """
    steps = np.diff(branch.inverse)
    means = (branch.energy_ev[:-1] + branch.energy_ev[1:]) / 2
    bends = -branch.variance_ev2[:-1] + branch.variance_ev2[1:]
    areas: Floats = steps * means + steps**2 / 12 * bends
    return areas


def _free_energy_down(branch: Branch, entropy_k: float) -> Floats:
    """Return free energies (eV) integrated from infinite temperature, where −βF is the entropy."""
    reduced = np.concatenate([[-entropy_k], -entropy_k + np.cumsum(_integrals(branch))])
    return _over_inverse(reduced, branch.inverse)


def _free_energy_up(branch: Branch, ground_ev: float, degeneracy: int) -> Floats:
    """Return free energies (eV) integrated from the lowest temperature.

    There excitations are few, and the energy above the ground state goes as U ~ exp(−βε), so that
    its integral to β = ∞ is U/ε; the variance of the energy, −dU/dβ = εU, tells ε.
    """
    lowest = -1
    inverse = branch.inverse
    excited = max(branch.energy_ev[lowest] - ground_ev, 0.0)
    gap = branch.variance_ev2[lowest] / excited if excited > 0 else np.inf
    start = inverse[lowest] * ground_ev - math.log(degeneracy) - excited / gap
    areas = _integrals(branch)
    reduced = start - np.concatenate([np.cumsum(areas[::-1])[::-1], [0.0]])
    return _over_inverse(reduced, inverse)


def _over_inverse(reduced: Floats, inverse: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.where(inverse > 0, reduced / np.where(inverse > 0, inverse, 1.0), -np.inf)


def ordered_is_stable(down: Floats, up: Floats) -> NDArray[np.bool_]:
    """Return at which temperatures the heated branch has the lower free energy, mean over runs.

    From the lowest temperature up to the first one where it has not.  A run that stays in a phase
    beyond its stability has too high a free energy, and keeps what it has too much when it changes
    phase; far above the change the two branches are one phase, and differ by noise.

    Parameters
    ----------
    down, up
        Of the cooled and the heated branch (eV), shape (runs, temperatures), infinite temperature
        first.
    """
    lower = up.mean(axis=0) < down.mean(axis=0)
    stable: NDArray[np.bool_] = np.logical_and.accumulate(lower[::-1])[::-1]
    return stable


def _temperatures_of_order(
    cooled: list[Branch], heated: list[Branch], down: list[Floats], up: list[Floats]
) -> dict[str, float | None]:
    """Return both temperatures of ordering, with errors, as fields of `Thermodynamics`."""
    peaks_down = np.array([heat_capacity_peak_k(branch) for branch in cooled])
    peaks_up = np.array([heat_capacity_peak_k(branch) for branch in heated])
    middle = (peaks_down + peaks_up) / 2
    runs = len(cooled)
    peak = peak_error = hysteresis = None
    if np.isfinite(middle).all():
        peak, hysteresis = float(middle.mean()), float(np.mean(peaks_up - peaks_down))
        grid = cooled[0].temperatures_k
        here = int(np.argmin(np.abs(grid - peak)))
        spacing = float(abs(grid[max(here, 2) - 1] - grid[min(here + 1, len(grid) - 1)]) / 2)
        peak_error = math.sqrt(
            float(middle.var(ddof=1)) / runs + (hysteresis / 2) ** 2 + spacing**2 / 12
        )
    crossings = np.array(
        [_crossing_k(*each) for each in zip(cooled, heated, down, up, strict=True)]
    )
    crossed = bool(np.isfinite(crossings).all())
    return {
        "order_temperature_heat_capacity_k": peak,
        "order_temperature_heat_capacity_error_k": peak_error,
        "order_temperature_free_energy_k": float(crossings.mean()) if crossed else None,
        "order_temperature_free_energy_error_k": (
            float(crossings.std(ddof=1)) / math.sqrt(runs) if crossed else None
        ),
        "hysteresis_k": hysteresis,
    }


def heat_capacity_peak_k(branch: Branch) -> float:
    """Return where the heat capacity is largest, by a parabola through three points of its log.

    NaN where that is the first or the last temperature: it may be larger beyond.
    """
    capacity, temperatures = branch.heat_capacity_k[1:], branch.temperatures_k[1:]
    k = int(np.argmax(capacity))
    if not 0 < k < len(capacity) - 1:
        return math.nan
    near = slice(k - 1, k + 2)
    x = np.log(temperatures[near] / temperatures[k])
    bend, slope, _ = np.polyfit(x, np.log(capacity[near]), 2)
    return float(temperatures[k] * np.exp(np.clip(-slope / (2 * bend), x.min(), x.max())))


def _crossing_k(cooled: Branch, heated: Branch, down: Floats, up: Floats) -> float:
    """Return the temperature of equal free energies, NaN where the branches do not cross.

    Each is continued beyond its own change of phase, to second order in inverse temperature.
    """
    inverse = cooled.inverse
    top, bottom = _last_in_phase(cooled, heated)
    if top is None or bottom is None:
        return math.nan
    fine = np.linspace(inverse[1], inverse[-1], 4001)

    def continued(branch: Branch, free: Floats, last: int, *, towards_cold: bool) -> Floats:
        reduced = np.where(inverse > 0, inverse * np.where(np.isfinite(free), free, 0.0), np.nan)
        own = slice(1, last + 1) if towards_cold else slice(last, None)
        inside = np.interp(fine, inverse[own], reduced[own])
        step = fine - inverse[last]
        beyond = (
            reduced[last] + branch.energy_ev[last] * step - branch.variance_ev2[last] * step**2 / 2
        )
        outside = step > 0 if towards_cold else step < 0
        return np.where(outside, beyond, inside)

    gap = continued(cooled, down, top, towards_cold=True) - continued(
        heated, up, bottom, towards_cold=False
    )
    signs = np.flatnonzero(np.diff(np.sign(gap)) != 0)
    near = [
        k
        for k in signs
        if inverse[max(top - 2, 1)] <= fine[k] <= inverse[min(bottom + 2, -1 + len(inverse))]
    ]
    if not near:
        return math.nan
    return float(1 / (BOLTZMANN_EV_PER_K * fine[near[0]]))


def _last_in_phase(cooled: Branch, heated: Branch) -> tuple[int | None, int | None]:
    """Return the lowest temperature at which the cooled run is disordered, the highest at which the
    heated one is ordered, as indices.

    The run changes phase between the two temperatures between which it gives off most energy; the
    points next to that have a part of it already.
    """

    def jump(branch: Branch) -> int:
        slopes = np.diff(branch.energy_ev[1:]) / np.diff(branch.temperatures_k[1:])
        return 1 + int(np.argmax(slopes))

    top, bottom = jump(cooled) - 1, jump(heated) + 2
    last = len(cooled.temperatures_k) - 1
    return (top if top >= 1 else None), (bottom if bottom <= last else None)
