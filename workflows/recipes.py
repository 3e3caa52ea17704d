"""Recipes: the scientific settings of a flow, validated before anything is queued.

Plain pydantic models without heavy imports, so that a campaign's YAML can be checked on a login
node in milliseconds.  Makers take them as fields.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Recipe(BaseModel):
    """Frozen settings; an unknown field is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def as_dict(self) -> dict[str, Any]:
        """Return the form in which monty stores objects, so that Makers can hold recipes."""
        identity = {"@module": type(self).__module__, "@class": type(self).__name__}
        return {**identity, **self.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the recipe that `as_dict` described."""
        return cls.model_validate({k: v for k, v in content.items() if not k.startswith("@")})


class RelaxationRecipe(Recipe):
    """Relaxation of cell and positions."""

    force_tolerance_ev_per_a: float = Field(1e-4, gt=0)
    """Largest force on an atom; phonons need it tight."""
    stress_tolerance_gpa: float = Field(1e-3, gt=0)
    """Largest principal stress of the cell."""
    volume_tolerance_fraction: float = Field(5e-4, gt=0)
    """The relaxation goes on until the volume is known to this fraction of itself."""
    max_steps: int = Field(500, gt=0)
    keep_symmetry: bool = True
    """Whether the crystal keeps the space group it starts with."""


class PhononRecipe(Recipe):
    """Harmonic force constants by finite displacements, and the stability gate."""

    min_length_a: float = Field(9.5, gt=0)
    """Wanted edge of the supercell."""
    max_atoms: int = Field(128, gt=0)
    distance_a: float = Field(0.01, gt=0)
    stability_mesh_length_a: float = Field(40.0, gt=0)
    stability_threshold_thz: float = Field(-0.1, le=0)
    """A crystal with a frequency below this (imaginary modes count as negative) is unstable."""
    spectrum_mesh_length_a: float = Field(60.0, gt=0)


class ThirdOrderRecipe(Recipe):
    """How third-order force constants are sampled.

    ``random-pairs`` displaces every atom of a few supercells by `distance_a` in random
    directions, takes each with its mirror image (u and −u), and fits with symfc.  The mirror
    image cancels every odd power of u in the mean force, so that neither the harmonic nor the
    fourth-order term can leak into the third.  ``finite-displacements`` displaces every
    symmetry-distinct pair of atoms.  ``few-shot`` fits second and third order together to as few
    random snapshots as it takes, with a potential as prior, and computes more until κ is sure
    enough.  ``auto`` is few-shot with engines whose supercells are dear (first principles), and
    random pairs with others.
    """

    route: Literal["auto", "random-pairs", "finite-displacements", "few-shot"] = "auto"
    min_length_a: float = Field(9.5, gt=0)
    max_atoms: int = Field(64, gt=0)
    distance_a: float = Field(0.03, gt=0)
    cutoff_a: float | None = Field(None, gt=0)
    """Atoms farther apart are taken as not interacting; None keeps all the supercell holds."""
    overdetermination: float = Field(1.5, ge=1)
    """Random pairs: equations per unknown of the fit.  With few-shot no more snapshots are computed
    than would fit all force constants so well without a prior."""
    max_relative_error: float = Field(0.1, gt=0)
    """Few-shot: snapshots are added until the error bar of κ that the fit leaves is no larger."""
    max_snapshots: int = Field(12, ge=2)
    """Few-shot: and at most so many; κ then has the error bar that is left."""
    min_pairs: int = Field(2, ge=1)
    seed: int = Field(0, ge=0)


class ForceConvergenceRecipe(Recipe):
    """How far first-principles forces must be converged before supercells are computed."""

    limit_fraction: float = Field(0.03, gt=0, lt=1)
    """Largest rms change of the forces, over their rms, by the next denser k-mesh and by the next
    higher cut-off.  It bounds a common factor of the forces as well as their scatter.  Forces that
    are all 3 % too large make κ 4.5 % too large."""
    most_raises: int = Field(2, ge=0, le=4)
    """How often the cut-off, and how often the k-mesh, may be raised before the crystal is given
    up."""
    distance_a: float = Field(0.03, gt=0)
    """Displacement of each atom, in a random direction; doubled up to twice where the forces are
    too small beside the noise of self-consistency."""
    seed: int = Field(0, ge=0)


class EffectiveForceConstantsRecipe(Recipe):
    """Self-consistent force constants at 300 K, for crystals with imaginary modes."""

    pairs: int = Field(3, ge=2)
    """Mirrored pairs of thermal snapshots in each cycle that makes second order self-consistent."""
    max_cycles: int = Field(8, ge=1)
    """And at most so many of these cycles."""
    tolerance: float = Field(0.05, gt=0, lt=1)
    """The force constants are self-consistent when a cycle changes the frequencies by no more:
    root mean square of the change over that of the frequencies.  Three pairs scatter by 3 %."""
    overdetermination: float = Field(2.0, ge=2.0)
    """Equations per unknown of the third-order fit at the end; it takes as many pairs as that
    needs.  With less, a fit without a group of pairs, for the error bar, might lack equations."""
    seed: int = Field(0, ge=0)


class TransportRecipe(Recipe):
    """Thermal conductivity: temperatures, q-meshes, scattering."""

    temperatures_k: tuple[float, ...] = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0)
    mesh_lengths_a: tuple[float, ...] = (23.0, 29.0, 36.0)
    """Lengths of the q-mesh series, ascending; the value is extrapolated from them."""
    max_mesh_points: int = Field(1400, ge=27)
    """Where the densest mesh would have more points, as in small cells, the whole series is made
    coarser: the time of a solution grows with the square of this number.  Cells of one atom, with
    half the branches, get 2.8 times as many."""
    isotopes: bool = True
    direct_solution: bool = False
    """Also solve the linearised Boltzmann equation directly, on the densest mesh."""
    gruneisen_mesh_length_a: float = Field(20.0, gt=0)

    @model_validator(mode="after")
    def _check_series(self) -> TransportRecipe:
        if 300.0 not in self.temperatures_k:
            raise ValueError("temperatures_k must contain 300.0, the temperature ranked by")
        if len(self.mesh_lengths_a) < 3 or list(self.mesh_lengths_a) != sorted(
            set(self.mesh_lengths_a)
        ):
            raise ValueError("mesh_lengths_a must be at least three ascending lengths")
        return self


class ThermalConductivityRecipe(Recipe):
    """Everything between a crystal and its lattice thermal conductivity."""

    supercell_check: bool = False
    """Compute κ also from the next larger supercells, and say how much it moves; costs several
    times as much again."""
    nac: Literal["auto", "off"] = "auto"
    """Non-analytical term correction: ``auto`` applies it wherever Born charges are known, from
    the source of the crystal or from an engine that computes them."""
    unstable: Literal["auto", "estimate", "stop"] = "auto"
    """Crystals with imaginary modes: ``estimate`` computes κ of their other modes too, beside the
    verdict and not in its place; ``stop`` saves that cost.  ``auto`` estimates with engines whose
    supercells take seconds (potentials), which are often wrong about soft modes."""
    effective_force_constants: EffectiveForceConstantsRecipe | None = (
        EffectiveForceConstantsRecipe()
    )
    """Crystals with imaginary modes: look for κ with self-consistent force constants at 300 K, with
    engines whose supercells take seconds and unless ``unstable`` says ``stop``; null leaves it
    out."""
    relaxation: RelaxationRecipe = RelaxationRecipe()
    phonons: PhononRecipe = PhononRecipe()
    force_convergence: ForceConvergenceRecipe | None = ForceConvergenceRecipe()
    """Few-shot with first principles: check before the snapshots, in a small cell, that forces are
    converged in k-points and cut-off; null leaves it out."""
    third_order: ThirdOrderRecipe = ThirdOrderRecipe()
    transport: TransportRecipe = TransportRecipe()


class EndMemberRecipe(ThermalConductivityRecipe):
    """The crystals that a random alloy is made of: those with imaginary modes end there."""

    unstable: Literal["auto", "estimate", "stop"] = "stop"
    effective_force_constants: EffectiveForceConstantsRecipe | None = None


class AlloyConductivityRecipe(Recipe):
    """κ of a random alloy as a virtual crystal between two end members, with disordered masses."""

    end_members: EndMemberRecipe = EndMemberRecipe()
    """Their force constants; `transport` has the meshes of three-phonon rates, the two densest of
    its series, and whether isotopes scatter."""
    dense_mesh_factors: tuple[float, float] = (2.0, 2.5)
    """Divisions of the two meshes on which κ is computed, ascending, in those of the densest mesh
    of three-phonon rates."""

    @model_validator(mode="after")
    def _check_factors(self) -> Self:
        lower, higher = self.dense_mesh_factors
        if not 1 <= lower < higher:
            raise ValueError("dense_mesh_factors must be two ascending numbers, 1 or more")
        return self


class ElectrodeRelaxationRecipe(RelaxationRecipe):
    """Relaxation of electrodes, whose volumes need no forces as small as phonons do."""

    force_tolerance_ev_per_a: float = Field(0.02, gt=0)
    stress_tolerance_gpa: float = Field(0.05, gt=0)


# fmt: off
WorkingIon = Literal[
    "Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Zn", "Al", "Y", "Be", "Sr", "Ba", "Sc", "Ga", "In",
]
# fmt: on


class InsertionRecipe(Recipe):
    """An insertion electrode: which ion leaves, how far, and in how many steps."""

    working_ion: WorkingIon | None = None
    """Symbol of the ion that leaves; null takes what the source names, or else the first of Li, Na,
    K, Rb, Cs, Mg, Ca, Zn, Al, Y that the crystal holds."""
    remaining_fraction: float = Field(0.0, ge=0, lt=1)
    """Working ions left in the charged crystal, as a fraction of those in the discharged one; not
    used where the source gives the charged crystal."""
    intermediate_steps: int = Field(0, ge=0, le=7)
    """Compositions between charged and discharged that are computed too."""
    max_orderings: int = Field(2, gt=0, le=20)
    """Symmetry-distinct orderings of lowest electrostatic energy relaxed for each of them."""
    relaxation: ElectrodeRelaxationRecipe = ElectrodeRelaxationRecipe()


class ElasticityRelaxationRecipe(RelaxationRecipe):
    """Relaxation of crystals and of strained cells for elastic constants."""

    force_tolerance_ev_per_a: float = Field(1e-3, gt=0)
    stress_tolerance_gpa: float = Field(0.01, gt=0)
    volume_tolerance_fraction: float = Field(5e-3, gt=0)


class EnergyRelaxationRecipe(RelaxationRecipe):
    """Relaxation for energies: what these tolerances leave is below 0.1 meV an atom in a solid with
    a bulk modulus of 100 GPa."""

    force_tolerance_ev_per_a: float = Field(0.01, gt=0)
    stress_tolerance_gpa: float = Field(0.05, gt=0)
    volume_tolerance_fraction: float = Field(5e-3, gt=0)


class EnergyRecipe(Recipe):
    """Energy of a relaxed crystal, for hulls: all that are compared need one recipe."""

    relaxation: EnergyRelaxationRecipe = EnergyRelaxationRecipe()


class ElasticityRecipe(Recipe):
    """Elastic constants by finite strains."""

    strain_fraction: float = Field(0.005, ge=2e-3, le=0.03)
    """Each of the six strains is applied with this size and both signs.  A smaller one drowns in
    the engine's noise, and symmetry can no longer tell the strained cell from the other."""
    stability_threshold_gpa: float = Field(0.0, ge=0)
    """A crystal whose elastic tensor has an eigenvalue that is not above this is unstable."""
    relaxation: ElasticityRelaxationRecipe = ElasticityRelaxationRecipe()
    """Of the crystal, and of the positions in each strained cell."""


class SpectralFunctionRecipe(Recipe):
    """Phonons of decorated supercells, unfolded into the lattice behind them."""

    mixed_elements: tuple[tuple[str, ...], ...] | None = None
    """Elements that share a sublattice, as ``[[In, Ga]]``; null takes all metals as one group and
    all other elements as another."""
    min_length_a: float = Field(9.5, gt=0)
    """Wanted edge of the cell in which atoms are displaced: the supercell, repeated."""
    max_atoms: int = Field(128, gt=0)
    """In that cell; the supercell that is given is always allowed."""
    distance_a: float = Field(0.01, gt=0)
    path_points: int = Field(31, ge=2, le=201)
    """Wave vectors on each segment of seekpath's path."""
    broadening_thz: float = Field(0.1, gt=0)
    """Standard deviation of the Gaussian in the place of each mode, for the picture alone."""
    stability_threshold_thz: float = Field(-0.1, le=0)
    """A supercell with a frequency below this is unstable."""
    relaxation: RelaxationRecipe = RelaxationRecipe()


class OrderingRelaxationRecipe(RelaxationRecipe):
    """Relaxation of ordered structures, whose energies need no forces as small as phonons do."""

    force_tolerance_ev_per_a: float = Field(5e-3, gt=0)
    stress_tolerance_gpa: float = Field(0.02, gt=0)
    volume_tolerance_fraction: float = Field(5e-3, gt=0)


class OrderingRecipe(Recipe):
    """An ordered structure of a lattice, relaxed, and whether it stayed on the lattice."""

    relaxation: OrderingRelaxationRecipe = OrderingRelaxationRecipe()
    most_strain: float = Field(0.1, gt=0)
    """Largest change of shape, the norm of the deviatoric part of the Hencky strain, with which a
    structure still is one of its lattice.  Between fcc and bcc it is 0.28 (Bain)."""
    most_displacement: float = Field(0.15, gt=0)
    """The same for displacements from the sites, root mean square over the cube root of the volume
    of an atom."""


class ChainStiffnessRecipe(Recipe):
    """Straight conformers of a polymer's chain, how they stretch, and its persistence length."""

    starts: int = Field(3, ge=1, le=20)
    """Random conformers that are pulled straight and let go; their scatter is the error bar, which
    needs two."""
    seed: int = Field(0, ge=0)
    tension_ev_per_a: float = Field(0.6, gt=0, le=1.5)
    """While they are pulled; 0.624 is a nanonewton."""
    force_tolerance_ev_per_a: float = Field(1e-3, gt=0)
    """Of conformers at rest, with the engine."""
    displacement_a: float = Field(0.01, gt=0)
    """Of each atom, for the Hessian."""
    max_steps: int = Field(400, gt=0)
    """Until a conformer is at rest."""
    max_conformers: int = Field(3, ge=1)
    """Of largest weight, that the engine computes."""
    energy_window_ev: float = Field(0.13, gt=0)
    """Conformers above the lowest one under tension by more, for each unit, are left out: five
    times the heat."""
    transverse_spring_kcal_per_mol_a2: float = Field(1.0, ge=0)
    """On every atom but hydrogen, across the axis, in the place of the chains around; results have
    the values without them, too."""
    temperature_k: float = Field(300.0, gt=0)
    """Of the weights of conformers, of torsions and of bending."""
    aligning_tension_ev_per_a: float = Field(0.02, ge=0)
    """On a chain among aligned ones, in the weights of its conformers: a stress of about 0.1 GPa,
    as films and fibres are drawn with.  In a vacuum alone a chain would rather curl up."""
    torsion_points: int = Field(24, ge=12)
    """Of each scan, around the circle."""
