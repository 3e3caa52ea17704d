"""What the result of a random alloy of two crystals states."""

from __future__ import annotations

from pydantic import Field

from workflows.documents import CrystalDocument, MeshConductivity


class AlloyConductivityDocument(CrystalDocument):
    """κ of a random alloy as a virtual crystal whose masses are disordered.

    `alloy_kappa_300k_w_per_m_k` is the value to rank by.  An alloy one of whose end members has
    imaginary modes, or is lost in relaxation, is unstable here.
    """

    end_members: list[str]
    """Formulas of the two crystals."""
    fraction: float
    """Of the second."""
    alloy_kappa_300k_w_per_m_k: float | None = None
    """Lattice thermal conductivity of the random alloy at 300 K, tr(κ)/3, extrapolated to an
    infinitely dense q-mesh."""
    alloy_kappa_300k_error_w_per_m_k: float | None = None
    """Its error bar: the three below in quadrature.  What `left_out` names and the engine's own
    error are not in it."""
    dense_mesh_error_w_per_m_k: float | None = None
    """From the extrapolation in the mesh of long waves and of scattering by masses."""
    rate_mesh_error_w_per_m_k: float | None = None
    """From the mesh of three-phonon rates: what the next coarser one changes."""
    fit_error_w_per_m_k: float | None = None
    """From the fits of the end members' force constants; null where they have none."""
    left_out: str = ""
    """What neither the value nor its error bar knows of."""
    end_member_kappas_300k_w_per_m_k: list[float | None]
    """Of the two crystals, by the flow of `lattice-thermal-conductivity`; null for an unstable
    one."""
    kappa_below_end_members_fraction: float | None = None
    """How far κ is below that of the end member that conducts less, as a fraction of it."""
    mass_variance: float | None = None
    """Σ c (1 − m/m̄)² on the shared sites, isotopes included."""
    force_constant_difference_fraction: float | None = None
    """Difference of the end members' harmonic force constants, as a fraction of their mean: how
    large the disorder is that is left out."""
    relaxed_lattice_mismatch_fraction: float | None = None
    """Difference of the cube roots of the end members' relaxed volumes, over their mean."""
    volume_a3_per_atom: float | None = None
    """Of the virtual crystal."""
    nac: bool | None = None
    """Whether the non-analytical term correction (Born charges) was applied: where both end members
    have it."""
    dense_meshes: list[MeshConductivity] = Field(default_factory=list)
    rate_mesh: tuple[int, int, int] | None = None
    """Of three-phonon rates."""
    reused_end_members: list[str] = Field(default_factory=list)
    """Those whose force constants another composition had computed before."""
