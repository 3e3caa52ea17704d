"""Documents of effective force constants: the cycles of the loop, and what came of it."""

from __future__ import annotations

from typing import Any

from workflows.document_parts import Document


class EffectiveCycle(Document):
    """One turn of the self-consistent loop: snapshots of a distribution, and a fit to them."""

    snapshots: int
    rms_displacement_a: float
    """Root mean square distance of the atoms from their sites, in the snapshots."""
    lifted_modes: int
    """Modes of the distribution that were too soft, or imaginary and too near to zero, to be drawn
    from: they were made stiffer."""
    min_frequency_thz: float
    """Lowest frequency of the fit at the q-points of the supercell; negative: imaginary."""
    relative_change: float
    """Root mean square difference between the frequencies of the fit and those that the snapshots
    were drawn with, over the root mean square of the latter."""


class EffectiveForceConstantsDocument(Document):
    """How force constants were made self-consistent at a temperature, and how far they are.

    Not in them: thermal expansion, and what vibrations do to the mean positions of atoms that
    symmetry does not hold.  Frequencies are those of the self-consistent harmonic approximation
    (the curvature of the energy, averaged over the vibrations), not those of the Hessian of the
    free energy, which third-order force constants make softer.
    """

    temperature_k: float
    supercell_matrix: list[list[int]]
    supercell_atoms: int
    cycles: list[EffectiveCycle]
    """Of second order alone, until they agree; the last one draws more snapshots, and third-order
    force constants are fitted to it as well."""
    snapshots: int
    """Those that the final force constants were fitted to."""
    force_calls: int
    """Of all cycles."""
    converged: bool
    reason: str = ""
    """Why the loop did not converge, or why there are no stable force constants."""
    unexplained_fraction: float | None = None
    """Forces of the final snapshots that the fit does not explain, over the forces; root mean
    squares.  It holds all orders above the third, and is no error: these are averaged over."""
    kappa_300k_mesh_error_w_per_m_k: float | None = None
    kappa_300k_statistical_error_w_per_m_k: float | None = None
    """By the jackknife over groups of the final snapshots, on the coarsest mesh."""
    kappa_300k_consistency_error_w_per_m_k: float | None = None
    """Difference between κ with the second-order force constants that the final snapshots were
    drawn with and κ with those fitted to them; zero in self-consistency."""
    kappa_300k_coherence_w_per_m_k: float | None = None
    """Wigner (coherence) contribution on the densest mesh, not part of κ."""
    thermal_force_constants: dict[str, Any] | None = None
    """``second_order`` (of the supercell of harmonic phonons, eV/Å²) and ``third_order`` (eV/Å³),
    compact; or the blob."""
