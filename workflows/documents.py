"""Result documents: the vocabulary that the physics and the campaign share.

Every number carries its unit in its field name.  These classes are what reaches MongoDB, so a
renamed field is a schema change: raise `SCHEMA_VERSION` and say so in the changelog.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pymatgen.core import Structure

SCHEMA_VERSION = 2

Outcome = Literal["computed", "unstable"]
"""What a finished flow found.  Unstable crystals have a reason instead of a value: imaginary modes,
an elastic tensor that is not positive, or a cell that relaxation lost.  A flow that raised has no
document: it is `failed`."""


class Document(BaseModel):
    """A stored record; unknown fields are refused, so that a typo is not silently dropped."""

    # Exported tables explain their columns with the docstrings of the fields.
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Provenance(Document):
    """Which engine and which code produced a number.

    Parameters
    ----------
    engine
        Name of the engine (``sevennet-0``, ``emt``, ``vasp``, …).
    calculator
        Import path of the calculator behind it.
    arguments
        Arguments that the calculator was built with.
    versions
        Versions of the packages that shaped the number.
    hostname
        Machine that ran the step.
    """

    engine: str
    calculator: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    hostname: str = ""


FORCE_CALLS = "force calls"
"""Unit of cost: calculations of the energy and forces of a cell."""


class StepCost(Document):
    """What one step of a flow cost: its name, the cost in its unit, and wall time."""

    step: str
    cost: float
    cost_unit: str
    wall_s: float

    @classmethod
    def of_force_calls(cls, step: str, calls: float, wall_s: float) -> Self:
        """Return the cost of a step that asked an engine for forces so many times."""
        return cls(step=step, cost=calls, cost_unit=FORCE_CALLS, wall_s=wall_s)


def total_cost(costs: Sequence[StepCost]) -> dict[str, Any]:
    """Return what all steps of a flow cost, as fields of a `TargetDocument`.

    Raises
    ------
    ValueError
        When they are counted in several units.
    """
    units = {step.cost_unit for step in costs}
    if len(units) != 1:
        raise ValueError(f"costs of one flow are in {' and '.join(sorted(units))}; take one unit")
    return {
        "cost": sum(step.cost for step in costs),
        "cost_unit": units.pop(),
        "wall_s": sum(step.wall_s for step in costs),
        "costs": list(costs),
    }


class TargetDocument(Document):
    """What the result of every target states; its own numbers come on top."""

    schema_version: int = SCHEMA_VERSION
    outcome: Outcome
    reason: str = ""
    cost: float
    """Of all steps, in `cost_unit`."""
    cost_unit: str
    wall_s: float
    costs: list[StepCost]
    provenance: Provenance


class CrystalDocument(TargetDocument):
    """What the result of every target of crystals states."""

    formula: str
    """Of the candidate; of an electrode the discharged one."""


class RelaxationDocument(Document):
    """A cell relaxed under its own symmetry, or positions alone in a given cell.

    Where `lost` says that the crystal did not survive, the numbers are those of its last step;
    nothing may be computed from them.
    """

    structure: Structure
    lost: str = ""
    """How the crystal flew apart or collapsed; empty for one that relaxed."""
    energy_ev_per_atom: float | None
    volume_a3_per_atom: float
    volume_error_fraction: float | None = None
    """Bound of what a tighter relaxation would change the volume by; null for a given cell."""
    initial_volume_a3_per_atom: float
    max_force_ev_per_a: float | None
    max_stress_gpa: float | None
    stress_gpa: list[float] | None = None
    """xx, yy, zz, yz, xz, xy; positive: the cell is stretched."""
    steps: int
    space_group_number: int | None
    """Only a record; null where the search for symmetry fails."""
    cost: StepCost
    provenance: Provenance


class DielectricDocument(Document):
    """Born effective charges and electronic dielectric tensor of a primitive cell.

    Parameters
    ----------
    structure
        Cell whose Cartesian frame and order of sites the tensors refer to.
    born_charges_e
        Shape (atoms, 3, 3), first index the polarisation, second the displacement; None where the
        crystal has none, as a metal.
    dielectric_tensor
        ε∞, shape (3, 3).
    source
        Engine that computed them, or the database they came with.
    reason
        Why there are none.
    """

    structure: Structure
    born_charges_e: list[list[list[float]]] | None = None
    dielectric_tensor: list[list[float]] | None = None
    source: str
    reason: str = ""
    wall_s: float = 0.0


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

    @classmethod
    def of_lost_crystal(cls, lost: str, provenance: Provenance) -> Self:
        """Return the document of a crystal that there is nothing to compute of."""
        cost = StepCost.of_force_calls("force convergence", 0, 0.0)
        return cls(converged=False, reason=lost, cost=cost, provenance=provenance)


class SpectrumDocument(Document):
    """Curves of a phonon calculation, kept out of the result document because of their size."""

    dos_frequency_thz: list[float]
    dos_per_thz: list[float]
    """Phonon density of states per primitive cell, normalised to 3 × the number of atoms."""
    band_distance_per_a: list[list[float]]
    """One list a segment of the seekpath path: distance along the path, 2π not included."""
    band_frequency_thz: list[list[list[float]]]
    """Same segments, shape (points, branches); imaginary modes are negative."""
    band_labels: list[tuple[str, str]]


class PhononDocument(Document):
    """Harmonic phonons and the verdict of the stability gate."""

    stable: bool
    lost: str = ""
    """How relaxation lost the crystal: it has no phonons then, and all numbers are null."""
    min_frequency_thz: float | None = None
    """Lowest frequency on the gate's q-mesh, acoustic modes at Γ left out; negative: imaginary."""
    stability_threshold_thz: float | None = None
    stability_mesh: tuple[int, int, int] | None = None
    max_frequency_thz: float | None = None
    acoustic_sum_rule_violation_ev_per_a2: float | None = None
    """Largest |Σ_j Φ(i,j)| before symmetrisation: a check of the engine's forces."""
    supercell_matrix: list[list[int]] = Field(default_factory=list)
    supercell_atoms: int | None = None
    displacement_distance_a: float | None = None
    nac: bool
    """Whether the non-analytical term correction (Born charges) was applied."""
    nac_source: str | None = None
    """Engine or database that the Born charges came from."""
    nac_reason: str = ""
    """Why the correction was not applied."""
    dielectric_cost: StepCost | None = None
    """What computing the Born charges cost, where they were not known."""
    cost: StepCost
    provenance: Provenance
    spectrum: dict[str, Any] | SpectrumDocument | None = None
    """Inline, or the reference to the blob it is stored in."""
    phonopy_params: dict[str, Any] | str | None = None
    """phonopy's own parameter file (YAML) with displacements and forces; or its blob reference."""

    @classmethod
    def of_lost_crystal(cls, lost: str, step: str, provenance: Provenance) -> Self:
        """Return the document of a crystal that there is nothing to compute of."""
        cost = StepCost.of_force_calls(step, 0, 0.0)
        return cls(
            stable=False, lost=lost, nac=False, nac_reason=lost, cost=cost, provenance=provenance
        )


class MeshConductivity(Document):
    """κ on one q-mesh."""

    mesh: tuple[int, int, int]
    kappa_300k_w_per_m_k: float
    wall_s: float


class TransportDocument(Document):
    """Mode-resolved curves at 300 K on the densest mesh."""

    frequency_thz: list[float]
    cumulative_kappa_of_frequency_w_per_m_k: list[float]
    mean_free_path_angstrom: list[float]
    cumulative_kappa_of_mean_free_path_w_per_m_k: list[float]


class ThermalConductivityDocument(CrystalDocument):
    """Lattice thermal conductivity of one crystal, or the reason why it has none.

    `kappa_300k_w_per_m_k` is the value to rank by: the isotropic mean tr(κ)/3 at 300 K,
    extrapolated to an infinitely dense q-mesh, `kappa_300k_error_w_per_m_k` its error bar
    (q-mesh and force-constant fit in quadrature; not the engine's own error).
    """

    structure: Structure
    kappa_300k_w_per_m_k: float | None = None
    """Isotropic mean of the lattice thermal conductivity at 300 K, tr(κ)/3, extrapolated in the
    q-mesh."""
    kappa_300k_error_w_per_m_k: float | None = None
    """Its error bar: q-mesh and fit of the force constants in quadrature; not the engine's own."""
    kappa_300k_real_modes_w_per_m_k: float | None = None
    """Of an unstable crystal: κ of its modes that are not imaginary.  An estimate for the case that
    the imaginary ones are an error of the engine; nothing is ranked by it as if it were κ."""
    kappa_300k_real_modes_error_w_per_m_k: float | None = None
    """Error bar of that: q-mesh and fit in quadrature."""
    kappa_300k_mesh_error_w_per_m_k: float | None = None
    kappa_300k_fit_error_w_per_m_k: float | None = None
    kappa_300k_larger_supercell_w_per_m_k: float | None = None
    """The same from larger supercells, on request: how much κ moves with their size."""
    kappa_300k_direct_w_per_m_k: float | None = None
    """Direct solution of the linearised Boltzmann equation on the densest mesh, on request."""
    kappa_300k_coherence_w_per_m_k: float | None = None
    """Wigner (coherence) contribution on the densest mesh, not part of the value above."""
    temperatures_k: list[float] = Field(default_factory=list)
    kappa_tensor_w_per_m_k: list[list[float]] = Field(default_factory=list)
    """Shape (temperatures, 6): xx, yy, zz, yz, xz, xy on the densest mesh, in the Cartesian frame
    of `structure`."""
    meshes: list[MeshConductivity] = Field(default_factory=list)
    isotope_scattering: bool | None = None
    nac: bool | None = None
    """Whether the non-analytical term correction (Born charges) was applied."""
    nac_source: str | None = None
    """Engine or database that the Born charges came from."""
    nac_reason: str | None = None
    """Why the correction was not applied."""
    solver: str | None = None
    gruneisen_rms: float | None = None
    """Root mean square of the mode Grüneisen parameters, weighted by heat capacity at 300 K."""
    third_order_route: str | None = None
    third_order_supercell_matrix: list[list[int]] | None = None
    third_order_supercells: int | None = None
    third_order_basis_size: int | None = None
    third_order_cutoff_a: float | None = None
    displacement_distance_a: float | None = None
    min_frequency_thz: float | None = None
    max_frequency_thz: float | None = None
    volume_a3_per_atom: float
    """Of the relaxed crystal, or of the last step of one that was lost."""
    spectrum: dict[str, Any] | SpectrumDocument | None = None
    transport: dict[str, Any] | TransportDocument | None = None
    phono3py_params: dict[str, Any] | str | None = None
    """phono3py's own parameter file (YAML) with all displacements and forces, or its blob."""


class ElectrodeState(Document):
    """A composition between charged and discharged; quantities for a formula unit of the host."""

    formula: str
    working_ions: float
    """Working ions for a formula unit of the host."""
    energy_ev: float
    volume_a3: float
    volume_error_fraction: float | None = None
    """Bound of what a tighter relaxation would change the volume by."""
    structure: Structure
    relaxation_steps: int


class VoltageStep(Document):
    """Voltage between two compositions that are neighbours on the path."""

    working_ions_charged: float
    working_ions_discharged: float
    voltage_v: float


class InsertionDocument(CrystalDocument):
    """What an insertion electrode does when its working ion leaves.

    `delta_volume_fraction` is the value to rank by: max(V)/min(V) − 1 over the compositions on the
    path, V the volume of a formula unit of the host (the Materials Project's ``max_delta_volume``).
    Quantities of one step are of the whole path, from charged to discharged.  An unstable
    electrode, one of whose crystals flew apart or collapsed, has nothing that follows from them.
    """

    charged_formula: str
    host_formula: str
    working_ion: str
    structure: Structure
    """Discharged, relaxed."""
    charged_structure: Structure
    """Charged, relaxed; of an unstable electrode as its last step left it."""
    delta_volume_fraction: float | None = None
    """max(V)/min(V) − 1 over the compositions on the path, V the volume of a formula unit of the
    host."""
    delta_volume_error_fraction: float | None = None
    """Bound of what a tighter relaxation would change that by; not the engine's own error."""
    signed_delta_volume_fraction: float | None = None
    """V(charged)/V(discharged) − 1: negative where the host shrinks when the ion leaves."""
    strain_a_fraction: float | None = None
    strain_b_fraction: float | None = None
    strain_c_fraction: float | None = None
    """Changes of the cell edges on charging; null where a source gave the charged crystal."""
    max_principal_strain_fraction: float | None = None
    """Largest principal strain in magnitude, with its sign."""
    average_voltage_v: float | None = None
    """Against the metal of the working ion."""
    voltages: list[VoltageStep] = Field(default_factory=list)
    gravimetric_capacity_mah_per_g: float
    """Of the discharged crystal, for the ions that leave."""
    volumetric_capacity_mah_per_cm3: float | None = None
    specific_energy_wh_per_kg: float | None = None
    topotactic: bool | None = None
    """Whether the framework survived; null where the two cells cannot be compared."""
    topotactic_reason: str = ""
    host_rms_displacement_fraction: float | None = None
    """Displacement of the host's atoms over the cube root of the volume of an atom."""
    host_dimensionality: int | None = None
    """Of the charged crystal: 3 a framework, 2 layers that only van der Waals forces hold, less
    chains or molecules; null where its bonds cannot be found."""
    weakly_bonded_host: bool | None = None
    """Whether the charged crystal is less than a framework: its volume then hangs on dispersion,
    which PBE and potentials that learned from it lack."""
    energy_above_hull_ev_per_atom: float | None = None
    """Of the discharged crystal, as its source states it; null where it states none."""
    path: list[ElectrodeState] = Field(default_factory=list)
    """Compositions, charged first."""
    lost_orderings: str = ""
    """Orderings that relaxation lost, and how; others of their composition are on the path."""
    metal_energy_ev_per_atom: float | None = None
    volume_a3_per_atom: float


class ElasticityDocument(CrystalDocument):
    """Elastic constants of one crystal, and what they say of sound and heat.

    `slack_kappa_300k_w_per_m_k` is the value to rank by: Slack's estimate of the lattice thermal
    conductivity at 300 K.  Moduli are Hill's means of Voigt's and Reuss's bounds; nothing below
    them is there for a crystal that is mechanically unstable, nor the tensor for one that
    relaxation lost.
    """

    structure: Structure
    slack_kappa_300k_w_per_m_k: float | None = None
    """Slack's estimate of the lattice thermal conductivity at 300 K."""
    elastic_tensor_gpa: list[list[float]] | None = None
    """Shape (6, 6), in Voigt's notation and order xx, yy, zz, yz, xz, xy, in the Cartesian frame of
    `structure`."""
    min_eigenvalue_gpa: float | None = None
    """Lowest eigenvalue of the tensor (in Kelvin's notation); not positive: unstable."""
    asymmetry_gpa: float | None = None
    """Largest |Cij − Cji| before symmetrisation: a check of the engine's stresses and of the
    strain."""
    bulk_modulus_gpa: float | None = None
    """Hill's mean of Voigt's and Reuss's bounds."""
    shear_modulus_gpa: float | None = None
    """Hill's mean of Voigt's and Reuss's bounds."""
    poisson_ratio: float | None = None
    pugh_ratio: float | None = None
    """Bulk over shear modulus; above 1.75 metals tend to be ductile."""
    universal_anisotropy: float | None = None
    """Ranganathan and Ostoja-Starzewski's index, 0 for an isotropic crystal."""
    longitudinal_velocity_m_per_s: float | None = None
    transverse_velocity_m_per_s: float | None = None
    mean_velocity_m_per_s: float | None = None
    debye_temperature_k: float | None = None
    """From the mean velocity, all modes counted: what heat capacities are compared with."""
    acoustic_debye_temperature_k: float | None = None
    """Of the acoustic modes alone, the one in Slack's formula."""
    gruneisen_parameter: float | None = None
    """Estimated from Poisson's ratio."""
    primitive_atoms: int | None = None
    """Atoms in the primitive cell."""
    strain_fraction: float
    strained_cells: int
    """Symmetry-distinct ones, whose stress was computed."""
    volume_a3_per_atom: float
