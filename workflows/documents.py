"""Result documents: the vocabulary that the physics and the campaign share.

Every number carries its unit in its field name.  These classes are what reaches MongoDB, so a
renamed field is a schema change: raise `SCHEMA_VERSION` and say so in the changelog.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field
from pymatgen.core import Structure

from workflows.document_parts import Document, Provenance, StepCost
from workflows.effective_documents import EffectiveForceConstantsDocument
from workflows.few_shot_documents import FewShotDocument, ForceConvergenceDocument

SCHEMA_VERSION = 2

Outcome = Literal["computed", "unstable"]
"""What a finished flow found.  Unstable crystals have a reason instead of a value: imaginary modes,
an elastic tensor that is not positive, or a cell that relaxation lost.  A flow that raised has no
document: it is `failed`."""


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


class EnergyBasis(Document):
    """What energies must agree in before they are subtracted; null for potentials."""

    energy_cutoff_ev: float | None = None
    """Plane-wave cut-off of the energy: one for all crystals that it is compared with."""
    spin_polarised: bool | None = None
    """Whether it was computed with spin; without magnetic elements that changes nothing."""
    hubbard_u_ev: dict[str, float] | None = None
    """U of the elements that have one in this crystal."""


class RelaxationDocument(EnergyBasis):
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
    stress_convergence_gpa: float | None = None
    """Largest change of a component of the stress by the next higher cut-off; null without one."""
    relaxation_cutoff_ev: float | None = None
    """That was converged; null for potentials."""
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
    """Its error bar: q-mesh and fit of the force constants in quadrature, on the route few-shot
    those of the volume and of the convergence of forces, too; not the engine's own."""
    kappa_300k_real_modes_w_per_m_k: float | None = None
    """Of an unstable crystal: κ of its modes that are not imaginary.  An estimate for the case that
    the imaginary ones are an error of the engine; nothing is ranked by it as if it were κ."""
    kappa_300k_real_modes_error_w_per_m_k: float | None = None
    """Error bar of that: q-mesh and fit in quadrature."""
    kappa_300k_effective_w_per_m_k: float | None = None
    """Of an unstable crystal that vibrations at 300 K stabilise: κ with the effective force
    constants of that temperature.  Nothing is ranked by it."""
    kappa_300k_effective_error_w_per_m_k: float | None = None
    """Error bar of that: q-mesh, sample and self-consistency in quadrature."""
    stabilised_at_300k: bool | None = None
    """Of an unstable crystal: whether its effective force constants at 300 K have no imaginary
    modes; null where they were not looked for, or not found."""
    min_effective_frequency_300k_thz: float | None = None
    """Lowest frequency of these force constants on the q-mesh of the stability gate."""
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
    cubic_anharmonicity_300k: float | None = None
    """Third-order part of the forces on atoms that vibrate at 300 K, root mean squares; a lower
    bound of how anharmonic the crystal is."""
    beyond_three_phonons: str | None = None
    """What κ by three phonons may miss, where the anharmonicity is large."""
    third_order_route: str | None = None
    third_order_supercell_matrix: list[list[int]] | None = None
    third_order_supercells: int | None = None
    third_order_basis_size: int | None = None
    third_order_cutoff_a: float | None = None
    force_convergence: ForceConvergenceDocument | None = None
    """How far first-principles forces are converged, on the route few-shot."""
    few_shot: FewShotDocument | None = None
    """How the force constants were fitted, on the route few-shot."""
    effective_force_constants: EffectiveForceConstantsDocument | None = None
    """How force constants at 300 K were found, of an unstable crystal."""
    displacement_distance_a: float | None = None
    min_frequency_thz: float | None = None
    max_frequency_thz: float | None = None
    volume_a3_per_atom: float
    """Of the relaxed crystal, or of the last step of one that was lost."""
    spectrum: dict[str, Any] | SpectrumDocument | None = None
    transport: dict[str, Any] | TransportDocument | None = None
    phono3py_params: dict[str, Any] | str | None = None
    """phono3py's own parameter file (YAML) with all displacements and forces, or its blob."""
    force_constants: dict[str, Any] | None = None
    """On the route few-shot, whose forces alone do not determine them: ``second_order`` (of the
    supercell of harmonic phonons, eV/Å²) and ``third_order`` (eV/Å³), compact; or the blob."""


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


class InsertionDocument(EnergyBasis, CrystalDocument):
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


class OrderingDocument(EnergyBasis, CrystalDocument):
    """Energy of one ordered structure of a lattice, relaxed.

    A structure that leaves its lattice in relaxation is ``unstable``: its energy is that of another
    crystal, and says nothing of the lattice.  Energies of mixing and above the hull follow from
    those of all structures together, and are no part of it.
    """

    structure: Structure
    """Relaxed, or as the last step left it."""
    energy_ev_per_atom: float | None = None
    volume_a3_per_atom: float
    lattice_strain: float | None = None
    """Norm of the deviatoric part of the Hencky strain between the lattice and the relaxed cell."""
    lattice_displacement: float | None = None
    """Displacement of the atoms from the sites, root mean square over the cube root of the volume
    of an atom."""
    max_force_ev_per_a: float | None = None
    max_stress_gpa: float | None = None
    space_group_number: int | None = None


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
    strained: list[RelaxationDocument] = Field(default_factory=list, repr=False)
    """These cells, with positions relaxed: labels for a potential."""
    volume_a3_per_atom: float


class EnergyDocument(EnergyBasis, CrystalDocument):
    """Energy of one relaxed crystal, and where it stands among others of the same engine.

    What depends on the other crystals (null here) is derived whenever results are read, from all
    energies that the same engine has computed with the same recipe.  It is at 0 K and without
    pressure, and has no error bar: what the relaxation leaves is below 1 meV, and what the engine
    itself is wrong by is not known.
    """

    structure: Structure
    """Relaxed."""
    energy_ev_per_atom: float | None
    """As the engine gives it: comparable with the same engine's alone; null for a crystal that
    relaxation lost."""
    volume_a3_per_atom: float
    hull_distance_ev_per_atom: float | None = None
    """Energy above the convex hull; of a crystal on the hull, how far it is below the hull of all
    other compositions, as a negative number.  A lower bound while competitors are missing; null
    where those that are known do not make up its composition."""
    formation_energy_ev_per_atom: float | None = None
    """From the lowest computed crystal of each element; null where one is missing."""
    stability_verdict: str | None = None
    """``unstable`` (something computed decomposes it), ``no decomposition found``, or
    ``unknown`` (no decomposition can be computed, because elements are missing)."""
    decomposes_into: str | None = None
    """What it decomposes into, or would first, with the fractions of its atoms."""
    missing_competitors: str | None = None
    """Compositions of its elements that are known and have no energy of this engine."""
    missing_competitors_count: int | None = None
    """How many they are."""
    polymorphs: str | None = None
    """Where other crystals of its composition are computed: whether it is the lowest, how far above
    it, and how many are within 10 meV an atom, which count as equal."""
    hull_diagram: list[dict[str, float | str | bool]] | None = None
    """What a diagram of its elements shows: formula and formation energy of each crystal."""
