"""Effective force constants at a temperature, from a self-consistent loop of thermal snapshots.

A harmonic crystal that vibrates at a temperature has atoms whose displacements u are normally
distributed, with quantum statistics.  Of all harmonic crystals the one with

    Φ₂ = ⟨∂²V/∂u∂u⟩, the mean over its own distribution,

has the lowest free energy by the inequality of Gibbs and Bogoliubov: the self-consistent harmonic
approximation (D. J. Hooton, Philos. Mag. 46, 422 (1955); I. Errea, M. Calandra and F. Mauri, Phys.
Rev. B 89, 064302 (2014)).  For a normal distribution partial integration gives ⟨F uᵀ⟩⟨u uᵀ⟩⁻¹ =
−⟨∂²V/∂u∂u⟩, so that the least-squares fit of −Φ₂u to the forces F on snapshots of the
distribution is that mean, up to the scatter of the sample.  The fit is repeated with snapshots of
its own result until that changes no more (O. Hellman, P. Steneteg, I. A. Abrikosov and S. I. Simak,
Phys. Rev. B 87, 104111 (2013) fit to molecular dynamics in the same way; A. van Roekeghem, J.
Carrete and N. Mingo, Comput. Phys. Commun. 263, 107945 (2021) have this loop with forces from
first principles, and phonopy's own ``MLPSSCHA`` with those of a potential).

Snapshots come in mirrored pairs, u and −u.  Forces of even and of odd order in u are then fitted
apart: second-order force constants need few pairs, and third-order ones, −½⟨Φ₃⟩uu, are not
blurred by the fourth order, which is large at such displacements.

What is left out: the lattice stays that of zero temperature (no thermal expansion), atoms whose
sites symmetry does not fix keep their positions, and the free energy's Hessian, which has a term of
third order more and tells when a crystal changes its phase (R. Bianco et al., Phys. Rev. B 96,
014111 (2017)), is not computed.  At self-consistency all modes are real by construction; a crystal
counts as not stabilised where the fits have imaginary modes all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from workflows.effective_documents import EffectiveCycle
from workflows.errors import EngineError
from workflows.lattice_dynamics.capability import fit_refusal, third_order_basis_size
from workflows.lattice_dynamics.cells import displaced, has_free_positions
from workflows.lattice_dynamics.third_order import (
    ThirdOrderForceConstants,
    ThirdOrderPlan,
    equations_of_pairs,
    unexplained,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py
    from pymatgen.core import Structure

    from workflows.recipes import EffectiveForceConstantsRecipe

    Forces = Callable[[list[Structure]], Sequence[NDArray[np.float64]]]

START_FRACTION = 0.3
"""Least frequency of the first distribution, over the root mean square of all.  The harmonic modes
say little about it: an imaginary one near zero would throw atoms on one another."""
LEAST_FRACTION = 0.05
"""Least frequency of later distributions, over the root mean square.  No crystal has sound so slow;
where it is needed the loop has not converged."""
MIXING = 0.5
"""Part of a fit in the next force constants.  With all of it the loop would not converge where a
mode is bistable: one that is too soft has too wide a distribution, which makes it too stiff by more
than it was too soft.  With half of it the samples also scatter it less."""
SECOND_ORDER_OVERDETERMINATION = 4.0
"""Equations per unknown of the fits of second order, at least: fourth-order forces, which are
averaged over, scatter them."""
JACKKNIFE_GROUPS = 4
FAILURES = (ArithmeticError, LookupError, RuntimeError, ValueError)
"""What engines and fits raise where the numbers are at fault, and not the machine."""


class ThermalDistribution:
    """Displacements of the atoms of a supercell that vibrates with given force constants.

    Quantum statistics, by phonopy's `RandomDisplacements`; of imaginary modes |ω| is taken.  The
    three acoustic modes at Γ, which move the crystal as a whole, are left out.

    Parameters
    ----------
    model
        Phono3py object of the supercell.
    second_order
        Compact force constants, shape (primitive atoms, atoms, 3, 3), eV/Å².
    least_fraction
        No mode is softer than this fraction of the root mean square frequency.
    """

    def __init__(
        self, model: Phono3py, second_order: NDArray[np.float64], least_fraction: float
    ) -> None:
        from phonopy.phonon.random_displacements import RandomDisplacements

        self._random = RandomDisplacements(model.supercell, model.primitive, second_order)
        signed = self._random.frequencies
        gamma = int(np.flatnonzero((np.abs(self._random.qpoints) < 1e-8).all(axis=1))[0])
        acoustic = np.argsort(np.abs(signed[gamma]))[:3]
        vibrations = np.ones(signed.shape, dtype=bool)
        vibrations[gamma, acoustic] = False
        self.frequencies_thz: NDArray[np.float64] = signed[vibrations]
        """At the q-points of the supercell, half of those that are not their own mirror image;
        imaginary modes are negative."""
        self.rms_thz = float(np.sqrt((self.frequencies_thz**2).mean()))
        least_thz = least_fraction * self.rms_thz
        self.lifted = int((np.abs(self.frequencies_thz) < least_thz).sum())
        lifted = np.where(vibrations, np.maximum(np.abs(signed), least_thz), 0.0)
        self._random.frequencies = lifted

    def pairs(self, temperature_k: float, pairs: int, seed: int, first: int) -> NDArray[np.float64]:
        """Return displacements, all u before all −u, shape (2 · pairs, atoms, 3), Å.

        Parameters
        ----------
        first
            Number of the first pair: the same seed and number give the same random numbers.
        """
        self._random.run(
            temperature_k, number_of_snapshots=pairs, random_seed=seed, first_snapshot=first
        )
        drawn = np.asarray(self._random.u)
        return np.concatenate([drawn, -drawn])

    def relative_change(self, other: ThermalDistribution) -> float:
        """Return how far another one's frequencies are, root mean square, relative to these."""
        apart = other.frequencies_thz - self.frequencies_thz
        return float(np.sqrt((apart**2).mean())) / self.rms_thz


class EffectiveFit:
    """Least-squares fits of force constants to forces on a supercell, by symfc.

    The symmetry-adapted basis of each order is found once, for all fits.

    Parameters
    ----------
    cutoff_a
        Atoms farther apart have no third-order force constants; None keeps all.
    """

    def __init__(self, model: Phono3py, cutoff_a: float | None) -> None:
        from symfc import Symfc
        from symfc.utils.utils import SymfcAtoms

        cell = model.supercell
        self._symfc = Symfc(
            SymfcAtoms(
                cell=cell.cell, scaled_positions=cell.scaled_positions, numbers=cell.numbers
            ),
            spacegroup_operations=model.symmetry.symmetry_operations,
            cutoff=None if cutoff_a is None else {3: cutoff_a},
        )
        self._symfc.compute_basis_set(orders=[2])

    @property
    def second_order_unknowns(self) -> int:
        """Independent second-order force constants."""
        return int(self._symfc.basis_set[2].basis_set.shape[1])

    def second_order(
        self, displacements: NDArray[np.float64], forces: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return compact second-order force constants, in eV/Å².

        To mirrored pairs alone, whose third-order forces are orthogonal to those of second order:
        those of a fit with both orders are the same.
        """
        self._solve([2], displacements, forces)
        return np.array(self._symfc.force_constants[2])

    def both_orders(
        self, displacements: NDArray[np.float64], forces: NDArray[np.float64]
    ) -> ThirdOrderForceConstants:
        """Return compact force constants of second and third order, fitted together."""
        if 3 not in self._symfc.basis_set:
            self._symfc.compute_basis_set(orders=[3])
        self._solve([2, 3], displacements, forces)
        found = self._symfc.force_constants
        return ThirdOrderForceConstants(np.array(found[2]), np.array(found[3]), None)

    def _solve(
        self, orders: list[int], displacements: NDArray[np.float64], forces: NDArray[np.float64]
    ) -> None:
        self._symfc.displacements, self._symfc.forces = displacements, forces
        self._symfc.solve(orders=orders)


@dataclass
class EffectiveForceConstants:
    """What the loop found.

    Parameters
    ----------
    model
        Phono3py object of the supercell, without forces.
    drawn_with
        Second-order force constants that the last snapshots were drawn with, compact, eV/Å².
    found
        Third order fitted to the last snapshots; of second order the mean of that fit and
        `drawn_with`, which scatters less than either.  None where the loop ended before.
    fitted
        That fit itself.
    without
        The same without a group of the last pairs, for each of `JACKKNIFE_GROUPS` groups.  The
        variance of what follows from them is (g − 1)/g Σ(xᵢ − x̄)², with g groups.
    unexplained_fraction
        Forces on the last snapshots that `found` does not explain over the forces, root mean
        squares.
    cycles, force_calls
        Of the whole loop.
    converged, reason
        Whether the last fit agrees with what its snapshots were drawn with, or why not.
    """

    model: Phono3py
    drawn_with: NDArray[np.float64]
    found: ThirdOrderForceConstants | None = None
    fitted: ThirdOrderForceConstants | None = None
    without: list[ThirdOrderForceConstants] = field(default_factory=list)
    unexplained_fraction: float | None = None
    cycles: list[EffectiveCycle] = field(default_factory=list)
    force_calls: int = 0
    converged: bool = False
    reason: str = ""

    def mixed(self, fitted: ThirdOrderForceConstants) -> ThirdOrderForceConstants:
        """Return a fit to the last snapshots with its second order mixed as in every cycle."""
        second = (1 - MIXING) * self.drawn_with + MIXING * fitted.second_order
        return replace(fitted, second_order=second)


def find_effective(
    plan: ThirdOrderPlan,
    second_order: NDArray[np.float64],
    temperature_k: float,
    recipe: EffectiveForceConstantsRecipe,
    forces: Forces,
    is_stable: Callable[[NDArray[np.float64]], bool],
) -> EffectiveForceConstants:
    """Return effective force constants of second and third order.

    What fails on the way, as engines may on atoms displaced so far, is the reason of the result.
    Cycles of few pairs bring second-order force constants to self-consistency.  More pairs, drawn
    with these, are then fitted with both orders together.

    Parameters
    ----------
    plan
        Of the third-order force constants of zero temperature: its supercell is used.
    second_order
        Harmonic force constants of that supercell, compact, eV/Å².
    forces
        Called with displaced supercells; returns their forces, each of shape (atoms, 3), eV/Å.
    is_stable
        Whether second-order force constants of that supercell have no imaginary modes at any q.
        Where those of the last cycle have, no further snapshots are drawn.
    """
    model, cutoff_a = plan.model, plan.recipe.cutoff_a
    basis_size = plan.basis_size or third_order_basis_size(model, cutoff_a)
    result = EffectiveForceConstants(model, np.array(second_order))
    if reason := fit_refusal(basis_size, len(model.supercell)):
        result.reason = reason
        return result
    needed = recipe.overdetermination * basis_size / equations_of_pairs(model, 1)
    pairs = max(JACKKNIFE_GROUPS, recipe.pairs, math.ceil(needed))
    try:
        fit = EffectiveFit(model, cutoff_a)
        _make_self_consistent(result, fit, temperature_k, recipe, forces)
        if is_stable(result.drawn_with):
            _fit_both_orders(result, fit, temperature_k, pairs, recipe, forces)
            return result
        result.reason = (
            f"force constants at {temperature_k:.0f} K still have imaginary modes after "
            f"{len(result.cycles)} cycles"
        )
    except EngineError as error:
        result.reason = str(error)
    except FAILURES as error:
        result.reason = f"{type(error).__name__}: {error}"
    result.converged, result.found = False, None
    return result


def _make_self_consistent(
    result: EffectiveForceConstants,
    fit: EffectiveFit,
    temperature_k: float,
    recipe: EffectiveForceConstantsRecipe,
    forces: Forces,
) -> None:
    """Repeat cycles of second order until the force constants change no more."""
    model = result.model
    # A pair gives as many equations for second order, in its odd part, as for third in its even.
    needed = fit.second_order_unknowns / equations_of_pairs(model, 1)
    pairs = max(recipe.pairs, math.ceil(SECOND_ORDER_OVERDETERMINATION * needed))
    for cycle in range(recipe.max_cycles):
        least = START_FRACTION if cycle == 0 else LEAST_FRACTION
        distribution = ThermalDistribution(model, result.drawn_with, least)
        drawn = _drawn(result, distribution, temperature_k, pairs, recipe.seed)
        result.force_calls += len(drawn)
        # Forces that relaxation has left are even in u and cancel in a pair.
        fitted = fit.second_order(drawn, np.array(forces(displaced(model.supercell, drawn))))
        _judge(result, distribution, drawn, fitted, recipe)
        # The first distribution is a guess, of which nothing is kept.
        part = 1.0 if cycle == 0 else MIXING
        result.drawn_with = (1 - part) * result.drawn_with + part * fitted
        if result.converged:
            return


def _fit_both_orders(
    result: EffectiveForceConstants,
    fit: EffectiveFit,
    temperature_k: float,
    pairs: int,
    recipe: EffectiveForceConstantsRecipe,
    forces: Forces,
) -> None:
    """Draw the last snapshots and fit to them, and to them without each of a few groups."""
    model = result.model
    distribution = ThermalDistribution(model, result.drawn_with, LEAST_FRACTION)
    drawn = _drawn(result, distribution, temperature_k, pairs, recipe.seed)
    undisplaced = int(has_free_positions(model.primitive))
    perfect = np.zeros((undisplaced, *drawn.shape[1:]))
    result.force_calls += undisplaced + len(drawn)
    found = np.array(forces(displaced(model.supercell, np.concatenate([perfect, drawn]))))
    # Forces that relaxation has left on atoms with free positions look like third order.
    acting = found[undisplaced:] - found[:undisplaced].sum(axis=0)
    fitted = fit.both_orders(drawn, acting)
    mixed = result.mixed(fitted)
    result.unexplained_fraction = unexplained(model, mixed, drawn, acting)
    for group in range(JACKKNIFE_GROUPS):
        kept = np.flatnonzero(np.arange(2 * pairs) % pairs % JACKKNIFE_GROUPS != group)
        result.without.append(result.mixed(fit.both_orders(drawn[kept], acting[kept])))
    _judge(result, distribution, drawn, fitted.second_order, recipe)
    result.found, result.fitted = mixed, fitted


def _judge(
    result: EffectiveForceConstants,
    distribution: ThermalDistribution,
    drawn: NDArray[np.float64],
    fitted: NDArray[np.float64],
    recipe: EffectiveForceConstantsRecipe,
) -> None:
    """Add a cycle to the record, and say whether its fit agrees with what it was drawn with."""
    after = ThermalDistribution(result.model, fitted, LEAST_FRACTION)
    cycle = EffectiveCycle(
        snapshots=len(drawn),
        rms_displacement_a=float(np.sqrt((drawn**2).sum(axis=-1).mean())),
        lifted_modes=distribution.lifted,
        min_frequency_thz=float(after.frequencies_thz.min()),
        relative_change=distribution.relative_change(after),
    )
    result.cycles.append(cycle)
    lowest_thz = min(distribution.frequencies_thz.min(), cycle.min_frequency_thz)
    missing = ""
    if cycle.relative_change > recipe.tolerance:
        missing = f"frequencies still changed by {100 * cycle.relative_change:.0f} %"
    elif lowest_thz <= 0:
        missing = "there still were imaginary modes"
    elif cycle.lifted_modes:
        missing = f"{cycle.lifted_modes} modes were too soft to be drawn from"
    result.converged = not missing
    result.reason = f"in cycle {len(result.cycles)} {missing}" if missing else ""


def _drawn(
    result: EffectiveForceConstants,
    distribution: ThermalDistribution,
    temperature_k: float,
    pairs: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return pairs with random numbers that no cycle before has had."""
    first = sum(cycle.snapshots for cycle in result.cycles) // 2
    return distribution.pairs(temperature_k, pairs, seed, first)
