"""From Monte Carlo to free energy of mixing, short-range order and the temperature of ordering.

The temperature of ordering comes from two kinds of runs.  Replica exchange about the change of
phase has a heat capacity, and the temperature of its peak.  And two branches are followed: cooled
from the random alloy, and heated from the ordered ground state.  Their energies are integrated from
where the free energy is known, infinite temperature for the disordered phase and zero for the
ordered one; the two free energies cross where the phases are in equilibrium.  That uses only
temperatures well above the peak of the one branch, and well below it of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from screening.alloys.monte_carlo import BOLTZMANN_EV_PER_K, run
from screening.alloys.replica_exchange import heat_capacity_peak_k
from screening.alloys.supercell import EnergyTerms

Floats = NDArray[np.float64]

ABOVE_PEAK = (4.0, 2.5, 1.8, 1.5, 1.3, 1.2, 1.14, 1.1, 1.06)
"""Temperatures of the branches, in units of that of the peak of the heat capacity; the last one is
the lowest at which the cooled branch surely is disordered."""
NEAR_PEAK = (1.03, 1.0, 0.97)
BELOW_PEAK = (0.94, 0.91, 0.88, 0.83, 0.75, 0.65, 0.5, 0.35)
"""The first one is the highest at which the heated branch surely is ordered."""
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
        None without a ground state, and where no ladder of temperatures holds the peak; the second
        also where the free energies of the runs do not cross near it.  The errors hold the scatter
        over seeds; that of the first half the hysteresis, that of the second half of what the
        curvature of the free energies matters between the branches.
    hysteresis_k : float or None
        Between replica exchange that begins ordered and such that begins random, of the peaks.
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
    near_k = _coarse_peak_k(terms, counts, max(10, sweeps // 4), seeds[0])
    peaks_k = np.empty((2, len(seeds)))
    for run_number, seed in enumerate(seeds):
        random = _random(counts, seed)
        peaks_k[0, run_number] = heat_capacity_peak_k(terms, random, near_k, sweeps, seed)
        if ordered is not None:
            shifted = seed + 2_000_003
            peaks_k[1, run_number] = heat_capacity_peak_k(terms, ordered, near_k, sweeps, shifted)
    if ordered is None:
        peaks_k = peaks_k[:1]
    known = peaks_k[np.isfinite(peaks_k)]
    peak_k = float(known.mean()) if len(known) else near_k
    factors = np.array([*ABOVE_PEAK, *NEAR_PEAK, *BELOW_PEAK])
    temperatures = np.array([np.inf, *(peak_k * factors)])
    cooled, heated = [], []
    for seed in seeds:
        cooled.append(_follow(terms, _random(counts, seed), temperatures, sweeps, seed))
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
        found = _temperatures_of_order(peaks_k, cooled, heated, disordered, up)
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
    peaks_k: Floats,
    cooled: list[Branch],
    heated: list[Branch],
    down: list[Floats],
    up: list[Floats],
) -> dict[str, float | None]:
    """Return both temperatures of ordering, with errors, as fields of `Thermodynamics`.

    Parameters
    ----------
    peaks_k
        Of the heat capacity, shape (2, runs): begun from the random alloy, and ordered.
    """
    runs = len(cooled)
    peak = peak_error = hysteresis = None
    if np.isfinite(peaks_k).all():
        middle = peaks_k.mean(axis=0)
        peak, hysteresis = float(middle.mean()), float((peaks_k[1] - peaks_k[0]).mean())
        peak_error = math.hypot(float(middle.std(ddof=1)) / math.sqrt(runs), hysteresis / 2)
    pairs = [
        (_Continued.at(a, free_a, len(ABOVE_PEAK)), _Continued.at(b, free_b, -len(BELOW_PEAK)))
        for a, b, free_a, free_b in zip(cooled, heated, down, up, strict=True)
    ]
    # All runs, and each left out in turn: of single ones some might not cross.
    sets = [pairs, *(pairs[:k] + pairs[k + 1 :] for k in range(runs))]
    means = [
        tuple(_Continued.mean_of(branch) for branch in zip(*each, strict=True)) for each in sets
    ]
    curved_k, straight_k = (
        np.array([_crossing_k(*pair, curved=curved) for pair in means]) for curved in (True, False)
    )
    is_curved = bool(np.isfinite(curved_k).all())
    crossing, *left_out = curved_k if is_curved else straight_k
    error = math.nan
    # Without a peak nobody knows where each branch is in its phase.
    if peak is not None and np.isfinite([crossing, *left_out]).all():
        scatter = (runs - 1) / runs * float(((left_out - np.mean(left_out)) ** 2).sum())
        from_above_k = 1 / (BOLTZMANN_EV_PER_K * means[0][0].inverse) - crossing
        both = is_curved and math.isfinite(straight_k[0])
        curvature_k = curved_k[0] - straight_k[0] if both else from_above_k
        error = math.hypot(math.sqrt(scatter), curvature_k / 2)
    crosses = math.isfinite(error)
    return {
        "order_temperature_heat_capacity_k": peak,
        "order_temperature_heat_capacity_error_k": peak_error,
        "order_temperature_free_energy_k": float(crossing) if crosses else None,
        "order_temperature_free_energy_error_k": error if crosses else None,
        "hysteresis_k": hysteresis,
    }


@dataclass(frozen=True)
class _Continued:
    """A reduced free energy βF beyond the last temperature of its phase, to second order in β."""

    inverse: float
    reduced: float
    energy_ev: float
    variance_ev2: float

    @classmethod
    def at(cls, branch: Branch, free_ev: Floats, index: int) -> _Continued:
        inverse = float(branch.inverse[index])
        return cls(
            inverse,
            inverse * float(free_ev[index]),
            float(branch.energy_ev[index]),
            float(branch.variance_ev2[index]),
        )

    @classmethod
    def mean_of(cls, runs: Sequence[_Continued]) -> _Continued:
        return cls(*np.array([astuple(each) for each in runs]).mean(axis=0).tolist())


def _crossing_k(above: _Continued, below: _Continued, *, curved: bool) -> float:
    """Return the temperature between two branches at which their free energies are equal.

    βF is concave in β, so that tangents at two points of one curve always cross between them.
    Curves to second order may cross twice there, or not at all.

    Parameters
    ----------
    curved
        Whether the branches are continued to second order, and not along their tangents.

    Returns
    -------
    float
        NaN unless they cross once.
    """
    fine = np.linspace(above.inverse, below.inverse, 4001)

    def gap(order: int) -> Floats:
        values = [
            each.reduced
            + each.energy_ev * (fine - each.inverse)
            - (order - 1) * each.variance_ev2 * (fine - each.inverse) ** 2 / 2
            for each in (above, below)
        ]
        difference: Floats = values[0] - values[1]
        return difference

    signs = np.flatnonzero(np.diff(gap(2 if curved else 1) > 0))
    return float(1 / (BOLTZMANN_EV_PER_K * fine[signs[0]])) if len(signs) == 1 else math.nan
