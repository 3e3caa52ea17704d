"""How far the forces of a DFT engine are converged in k-points and cut-off, for one crystal.

The displacements of the atoms of one small cell give it forces of all kinds that supercells have.
They are computed with exactly the k-points and the cut-off of the supercells to come, and again
with the next denser mesh and the next higher cut-off.  No fit to forces of supercells can find out
what that tells: all of them share their settings.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np

from workflows.dft.k_folding import denser_k_spacing, folded
from workflows.dft.settings import k_mesh
from workflows.document_parts import StepCost
from workflows.engines import checked_force
from workflows.errors import CannotCompute
from workflows.few_shot_documents import ForceComparison, ForceConvergenceDocument
from workflows.lattice_dynamics.cells import has_free_positions, phonopy_cell
from workflows.primitive_cells import reduction_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.dft.settings import KMesh, Purpose
    from workflows.document_parts import Provenance
    from workflows.recipes import ForceConvergenceRecipe
    from workflows.single_point import SinglePoint

MOST_ATOMS = 16
"""A conventional cell with more atoms is replaced by the primitive one."""
LEAST_ATOMS = 4
"""A smaller cell is repeated: one atom alone feels no force whatever its place, and in a cell of
two only optical modes at Γ are compared."""
CUTOFF_FACTOR = 1.4
"""From one cut-off to the next: plane waves times 1.66."""
FORCE_NOISE_EV_PER_A = 1e-4
"""What self-consistency leaves in forces; see `energy_tolerance_ev` and GPAW's own tolerance."""
MOST_DOUBLINGS = 2
"""How often displacements are doubled where forces would drown in the noise."""

Setting = Literal["cutoff_ev", "k_spacing_per_a"]
SETTINGS: tuple[Setting, ...] = ("cutoff_ev", "k_spacing_per_a")
"""In this order: what a cut-off lacks shows on the coarsest mesh, where it is cheapest to see."""


class ConvergingEngine(Protocol):
    """What the check asks of an engine; `workflows.dft.engine.DftEngine` has it."""

    name: str

    def cutoff_ev(self, structure: Structure) -> float:
        """Return the plane-wave cut-off for forces on a crystal."""

    def k_spacing_per_a(self) -> float:
        """Return the largest distance of k-points in supercells."""

    def single_point(
        self, structure: Structure, purpose: Purpose, mesh: KMesh | None = None
    ) -> SinglePoint:
        """Return one calculation on a stated k-mesh."""

    def with_settings(self, changes: dict[str, Any]) -> Self:
        """Return the same engine with other settings."""

    def provenance(self) -> Provenance:
        """Return the engine's identity."""


@dataclass(frozen=True)
class FoldingCell:
    """The cell whose forces are compared.

    Parameters
    ----------
    structure
        Undisplaced.
    multiples
        Shape (3, 3), integers: the supercell's lattice vectors in terms of this cell's.
    supercell
        Only its lattice is used.
    """

    structure: Structure
    multiples: NDArray[np.int64]
    supercell: Structure


def folding_cell(conventional: Structure, multiples: tuple[int, int, int]) -> FoldingCell:
    """Return the smallest fit cell that the supercell repeats, so that its k-points can be had.

    The conventional cell; of large ones the primitive cell; of small ones a part of the supercell
    with at least `LEAST_ATOMS` atoms, where there is one.

    Parameters
    ----------
    multiples
        Of the conventional cell in the supercell.

    Raises
    ------
    CannotCompute
        When the supercell is a cell of one atom, which no force acts on.
    """
    supercell = conventional * multiples
    if len(conventional) > MOST_ATOMS:
        reduction = reduction_of(conventional)
        if reduction is None:
            return FoldingCell(conventional, np.diag(multiples), supercell)
        matrix = np.diag(multiples) @ reduction.multiples
        return FoldingCell(reduction.primitive, matrix, supercell)
    repeats = np.ones(3, dtype=np.int64)
    while len(conventional) * np.prod(repeats) < LEAST_ATOMS:
        left = np.array(multiples) // repeats
        edges = np.where(left > 1, repeats * conventional.lattice.abc, np.inf)
        shortest = int(np.argmin(edges))
        factor = next((n for n in range(2, left[shortest] + 1) if left[shortest] % n == 0), 1)
        if factor == 1 or len(conventional) * np.prod(repeats) * factor > MOST_ATOMS:
            break
        repeats[shortest] *= factor
    cell = conventional * tuple(int(n) for n in repeats)
    if len(cell) < 2:
        raise CannotCompute(
            f"{conventional.reduced_formula}: no force acts on the only atom of a cell; the "
            f"convergence of forces needs a supercell that two or more atoms repeat in"
        )
    return FoldingCell(cell, np.diag(np.array(multiples) // repeats), supercell)


@dataclass
class _DisplacedCell:
    """The forces that displacements cause, by engine; keeps count of the calculations."""

    cell: FoldingCell
    recipe: ForceConvergenceRecipe
    distance_a: float
    subtracts_rest: bool
    calls: int = 0
    rest: dict[tuple[float, KMesh], SinglePoint] = field(default_factory=dict)

    def point(self, engine: ConvergingEngine) -> tuple[NDArray[np.float64], SinglePoint]:
        """Return the forces, shape (atoms, 3), and the calculation of the displaced cell."""
        direction = np.random.default_rng(self.recipe.seed).normal(
            size=(len(self.cell.structure), 3)
        )
        direction /= np.linalg.norm(direction, axis=1)[:, np.newaxis]
        found = self._single_point(engine, self.distance_a * direction)
        forces = checked_force(engine.name, self.cell.structure, found.forces_ev_per_a)
        if self.subtracts_rest:
            # What relaxation left, or another cut-off brought, is no force constant.
            key = (engine.cutoff_ev(self.cell.structure), self.mesh(engine))
            if key not in self.rest:
                self.rest[key] = self._single_point(engine, np.zeros_like(direction))
            forces = forces - self.rest[key].forces_ev_per_a
        return forces, found

    def mesh(self, engine: ConvergingEngine) -> KMesh:
        """Return the k-mesh that the engine gives the supercell."""
        return k_mesh(self.cell.supercell, engine.k_spacing_per_a())

    def _single_point(self, engine: ConvergingEngine, shifts_a: NDArray[np.float64]) -> SinglePoint:
        self.calls += 1
        fold = folded(self.mesh(engine), self.cell.multiples)
        structure = fold.in_basis(self.cell.structure)
        moved = type(structure)(
            structure.lattice,
            structure.species,
            structure.cart_coords + shifts_a,
            coords_are_cartesian=True,
        )
        return engine.single_point(moved, "forces", fold.mesh)


def force_convergence(
    engine: ConvergingEngine,
    conventional: Structure,
    multiples: tuple[int, int, int],
    recipe: ForceConvergenceRecipe,
) -> ForceConvergenceDocument:
    """Check, and where needed raise, the cut-off and the k-mesh for forces on supercells.

    First the cut-off, on the engine's own k-mesh, then the mesh.  Each is compared with the next
    one; where forces change by more than `recipe.limit_fraction` the next one is taken and compared
    with the one after it, at most `recipe.most_raises` times.  That makes 2 × most_raises + 3
    calculations at most, twice as many for crystals whose atoms have free positions, and
    `MOST_DOUBLINGS` more where forces are small.

    The measure is the rms difference over the rms force: of that the deviation of the slope from
    one is a part, and forces of a wrong direction are the other part, to which the slope is blind.

    Parameters
    ----------
    engine
        As it would compute the supercells.
    conventional
        Conventional cell of the relaxed crystal.
    multiples
        Of that cell, in the supercells.

    Raises
    ------
    CannotCompute
        When there is no cell on whose atoms forces act; see `folding_cell`.
    EngineError
        When a calculation fails for good.
    """
    started = time.perf_counter()
    cell = folding_cell(conventional, multiples)
    displaced = _DisplacedCell(
        cell, recipe, recipe.distance_a, has_free_positions(phonopy_cell(cell.structure))
    )
    found = _Findings()
    reason = _checked(engine, displaced, found)
    return ForceConvergenceDocument(
        converged=not reason,
        reason=reason,
        raised={} if reason else found.raised,
        relative_residual=math.hypot(*found.residuals.values()) if found.residuals else None,
        comparisons=found.comparisons,
        supercell_multiples=multiples,
        cell_atoms=len(cell.structure),
        displacement_distance_a=displaced.distance_a,
        cost=StepCost.of_force_calls(
            "force convergence", displaced.calls, time.perf_counter() - started
        ),
        provenance=engine.provenance(),
    )


@dataclass
class _Findings:
    comparisons: list[ForceComparison] = field(default_factory=list)
    raised: dict[str, float] = field(default_factory=dict)
    residuals: dict[Setting, float] = field(default_factory=dict)


def _checked(engine: ConvergingEngine, displaced: _DisplacedCell, found: _Findings) -> str:
    """Fill in what is found; return why the forces are not converged, or nothing."""
    recipe = displaced.recipe
    before = displaced.point(engine)
    # Noise then is a third of the limit at most.
    needed = 3 * FORCE_NOISE_EV_PER_A / recipe.limit_fraction
    doublings = 0
    while _rms(before[0]) < needed and doublings < MOST_DOUBLINGS:
        displaced.distance_a *= 2
        doublings += 1
        before = displaced.point(engine)
    if _rms(before[0]) < needed:
        return (
            f"forces on atoms displaced by {displaced.distance_a:.2f} Å are {_rms(before[0]):.1g} "
            f"eV/Å, too small beside the noise of self-consistency to be compared"
        )
    for setting in SETTINGS:
        for attempt in range(recipe.most_raises + 1):
            changes = _next(engine, displaced, setting)
            better = engine.with_settings(changes)
            _check_effect(engine, better, displaced, setting)
            after = displaced.point(better)
            comparison = _compared(engine, better, displaced, setting, before, after)
            found.comparisons.append(comparison)
            found.residuals[setting] = comparison.relative_rms_difference
            if comparison.relative_rms_difference <= recipe.limit_fraction:
                break
            if attempt == recipe.most_raises:
                return _refusal(comparison, recipe)
            engine, before = better, after
            found.raised |= changes
    return ""


def _next(
    engine: ConvergingEngine, displaced: _DisplacedCell, setting: Setting
) -> dict[str, float]:
    if setting == "cutoff_ev":
        cutoff = engine.cutoff_ev(displaced.cell.structure)
        return {"cutoff_ev": float(math.ceil(CUTOFF_FACTOR * cutoff))}
    spacing = denser_k_spacing(displaced.cell.supercell, engine.k_spacing_per_a())
    return {"k_spacing_per_a": spacing}


def _check_effect(
    engine: ConvergingEngine,
    better: ConvergingEngine,
    displaced: _DisplacedCell,
    setting: Setting,
) -> None:
    """Raise `CannotCompute` where a change changes nothing: forces would seem converged."""
    cell = displaced.cell.structure
    if setting == "cutoff_ev":
        without = better.cutoff_ev(cell) <= engine.cutoff_ev(cell)
    else:
        without = displaced.mesh(better) == displaced.mesh(engine)
    if without:
        raise CannotCompute(
            f"engine '{engine.name}': a change of {setting} has no effect, so that the convergence "
            f"of forces cannot be checked; state it by {setting} alone"
        )


def _compared(
    engine: ConvergingEngine,
    better: ConvergingEngine,
    displaced: _DisplacedCell,
    setting: Setting,
    before: tuple[NDArray[np.float64], SinglePoint],
    after: tuple[NDArray[np.float64], SinglePoint],
) -> ForceComparison:
    cell = displaced.cell.structure
    moments = [point.magnetic_moments_mu_b for _, point in (before, after)]
    change = (
        None
        if moments[0] is None or moments[1] is None
        else float(np.abs(moments[1] - moments[0]).max())
    )
    return ForceComparison(
        setting=setting,
        cutoff_ev=(engine.cutoff_ev(cell), better.cutoff_ev(cell)),
        k_spacing_per_a=(engine.k_spacing_per_a(), better.k_spacing_per_a()),
        supercell_k_mesh=(displaced.mesh(engine).divisions, displaced.mesh(better).divisions),
        slope=float(np.vdot(before[0], after[0]) / np.vdot(before[0], before[0])),
        relative_rms_difference=_rms(after[0] - before[0]) / _rms(after[0]),
        rms_force_ev_per_a=_rms(after[0]),
        largest_moment_change_mu_b=change,
    )


def _refusal(comparison: ForceComparison, recipe: ForceConvergenceRecipe) -> str:
    change = f"{100 * comparison.relative_rms_difference:.0f} %"
    limit = f"{100 * recipe.limit_fraction:g} %"
    if comparison.setting == "cutoff_ev":
        before, after = (f"{cutoff:.0f} eV" for cutoff in comparison.cutoff_ev)
        what = f"from a cut-off of {before} to one of {after}"
        remedy = f"take an engine with a cutoff_ev of {after} or more"
    else:
        before, after = ("×".join(map(str, mesh)) for mesh in comparison.supercell_k_mesh)
        what = f"from a {before} to a {after} k-mesh of the supercell"
        remedy = f"take an engine with a k_spacing_per_a of {comparison.k_spacing_per_a[1]:.2f} "
        remedy += "1/Å or less"
    moment = comparison.largest_moment_change_mu_b
    other = f", and magnetic moments by {moment:.1f} μB," if moment and moment > 0.1 else ""
    return f"forces still change by {change}{other} {what} (limit {limit}); {remedy}"


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
