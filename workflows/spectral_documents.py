"""What the flow of spectral functions leaves."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pymatgen.core import Structure

from workflows.document_parts import Document, Provenance, StepCost
from workflows.documents import CrystalDocument


class SupercellForcesDocument(Document):
    """Harmonic forces of one decorated supercell.

    Parameters
    ----------
    structure
        Relaxed, sites in the order they came in.
    lost
        How relaxation lost it; there are no forces then.
    phonopy_params
        phonopy's own parameter file (YAML) with displacements and forces; or its blob reference.
    """

    structure: Structure
    lost: str = ""
    volume_a3_per_atom: float
    acoustic_sum_rule_violation_ev_per_a2: float | None = None
    supercell_matrix: list[list[int]] = Field(default_factory=list)
    phonopy_params: dict[str, Any] | str | None = None
    costs: list[StepCost]
    provenance: Provenance


class SpectralCurves(Document):
    """A(q, ω) along a path, kept out of the result document because of its size."""

    distance_per_a: list[list[float]]
    """One list a segment: distance along the path, 2π not included."""
    labels: list[tuple[str, str]]
    """Names of both ends of each segment."""
    frequency_thz: list[float]
    intensity_per_thz: list[list[list[float]]]
    """Same segments, shape (points, frequencies); its integral over the frequency is three times
    the atoms of the lattice's primitive cell."""
    branch_frequency_thz: list[list[list[float]]]
    """Same segments, shape (points, branches); mean over supercells."""
    branch_width_thz: list[list[list[float]]]
    """Standard deviation of the frequency in each branch."""


class SpectralFunctionDocument(CrystalDocument):
    """Phonons of a decorated supercell in the Brillouin zone of the lattice behind it.

    `spectral_width_thz` is the value to rank by: the mean over branches and over the path of the
    standard deviation of the frequency in a branch.  It is how far disorder smears the
    phonons out at zero temperature; anharmonic widths are not in it.
    """

    structure: Structure
    """Relaxed supercell, the first."""
    spectral_width_thz: float | None = None
    """Mean width of a branch along the path, from disorder alone."""
    spectral_width_error_thz: float | None = None
    """Standard error of that over supercells; null with one."""
    no_error_reason: str = ""
    """Why there is no error bar; empty where there is one."""
    supercells: int
    """Decorated supercells of one alloy that the spectral function is the mean of."""
    supercell_atoms: list[int]
    """Of the decorated supercells."""
    parent_atoms: int
    """Of the primitive cell of the lattice behind them."""
    parent_space_group_number: int | None
    """Of that lattice, all elements that share a sublattice taken as one."""
    min_frequency_thz: float | None = None
    """Lowest on the path, of all supercells; negative: imaginary."""
    max_frequency_thz: float | None = None
    weight_error: float | None = None
    """Largest difference of the weights' sum at a wave vector from three times the primitive
    atoms: a check of the unfolding."""
    acoustic_sum_rule_violation_ev_per_a2: float | None = None
    """Largest |Σ_j Φ(i,j)| before symmetrisation, of all supercells: a check of the engine."""
    broadening_thz: float
    """Standard deviation of the Gaussian in the place of each mode."""
    displacement_distance_a: float
    nac: bool = False
    """Never applied here: of polar crystals the splitting of optical modes is left out."""
    volume_a3_per_atom: float
    spectral_function: dict[str, Any] | SpectralCurves | None = None
    """A(q, ω) inline, or the reference to the blob it is stored in."""
