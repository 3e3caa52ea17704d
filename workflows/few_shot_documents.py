"""Documents of the route few-shot: the prior, how far forces are converged, and the fit."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from workflows.document_parts import Document, Provenance, StepCost


class ForceComparison(Document):
    """Forces on one displaced cell with two values of one numerical setting."""

    setting: Literal["cutoff_ev", "k_spacing_per_a"]
    """Field of the engine's settings that differs."""
    cutoff_ev: tuple[float, float]
    """Plane-wave cut-off, before and after."""
    k_spacing_per_a: tuple[float, float]
    """Largest distance of k-points in the supercell, 2π included, before and after."""
    supercell_k_mesh: tuple[tuple[int, int, int], tuple[int, int, int]]
    """Divisions of the supercell's k-mesh, before and after; the cell has the same k-points."""
    slope: float
    """Least-squares factor, through the origin, from the forces before to those after."""
    relative_rms_difference: float
    """Root mean square of the difference over that of the forces after."""
    rms_force_ev_per_a: float
    """Root mean square of the components of the forces after."""
    largest_moment_change_mu_b: float | None = None
    """Of the magnetic moment of an atom; null without spin, or where the program states none."""


class ForceConvergenceDocument(Document):
    """How far the forces of a first-principles engine are converged, for one crystal.

    Where `converged` is false no supercell should be computed with this engine: `raised` is empty
    then, and `reason` says why.
    """

    converged: bool
    reason: str = ""
    """Why not; one sentence."""
    raised: dict[str, float] = Field(default_factory=dict)
    """Fields of the engine's settings that had to be raised, for its ``with_settings``."""
    relative_residual: float | None = None
    """What is left: the last relative rms differences of k-mesh and cut-off, in quadrature; a part
    of the error bar of whatever follows from the forces.  Null where nothing was computed."""
    comparisons: list[ForceComparison] = Field(default_factory=list)
    """In the order in which they were made."""
    supercell_multiples: tuple[int, int, int] | None = None
    """Of the conventional cell, in the supercells that forces will be computed on."""
    cell_atoms: int | None = None
    """Atoms of the displaced cell."""
    displacement_distance_a: float | None = None
    cost: StepCost
    provenance: Provenance


class PotentialPriorDocument(Document):
    """What a potential says of the force constants of a crystal that another engine computes."""

    engine: str | None = None
    """The potential; null where there is none that takes the crystal."""
    reason: str = ""
    """Why there is none."""
    second_order: Any = None
    """Compact force constants of the supercell of the snapshots, eV/Å², or the blob."""
    third_order: Any = None
    """The same, eV/Å³."""
    larger_second_order: Any = None
    """Of a larger supercell, where harmonic phonons have one."""
    displacement_distance_a: float
    """Of the snapshots: large enough for third-order forces to stand out of the noise."""
    cost: StepCost
    """Of the potential; not part of the cost of a flow, which counts the engine's force calls."""
    provenance: Provenance | None = None


class FewShotStep(Document):
    """What was known after so many snapshots; κ on the coarsest mesh."""

    snapshots: int
    kappa_300k_w_per_m_k: float
    relative_std: float
    relative_shift: float
    prior_kind: str
    unstable_draws: int


class FewShotDocument(Document):
    """How force constants were fitted to few snapshots with a potential as prior."""

    snapshots: int
    mirrored: bool
    """Whether each snapshot is followed by its mirror image."""
    unknowns: int
    """Of second and third order together."""
    prior_engine: str | None
    prior_reason: str = ""
    """Why there is no potential as prior."""
    prior_kind: str
    """``difference``: the potential's force constants with errors that go with their size;
    ``shape``: only their sizes; ``distance``: no potential, sizes decay with distance."""
    higher_orders_of_potential: bool
    """Whether forces of fourth and higher order were taken from the potential."""
    log_evidences: dict[str, float]
    """Natural logarithms of the marginal likelihood of all fits that were compared."""
    second_order_scale: float
    third_order_scale: float
    """Of the prior, found by evidence; of a difference the relative error of the potential."""
    noise_ev_per_a: float
    """Standard deviation of the part of the forces that was not explained."""
    kappa_posterior_relative_std: float
    """Standard deviation of κ over draws of the posterior, over κ."""
    kappa_posterior_relative_shift: float
    """Mean of κ over these draws less κ, over κ."""
    unstable_draws: int
    """Of the posterior's draws, those with imaginary modes."""
    draws: int
    unused_snapshot_relative_residual: float
    """Force that a fit without the last snapshot (or pair) gets wrong on it, over the force."""
    steps: list[FewShotStep]
