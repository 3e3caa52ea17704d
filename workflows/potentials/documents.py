"""What the fit of a potential leaves behind."""

from __future__ import annotations

from pydantic import Field

from workflows.document_parts import Document
from workflows.documents import TargetDocument
from workflows.potentials.calibration import Calibrations
from workflows.potentials.frames import LabelledFrame
from workflows.potentials.potential import PotentialNumbers


class FitRound(Document):
    """A potential on the way, and what the next cells said of it."""

    labels: int
    """Labelled cells that it was fitted to."""
    force_error_ev_per_a: float
    """Root mean square over the labelled cells, each left out of the fit in turn."""
    noise_ev_per_a: float
    prior_precision: float
    largest_expected_error_ev_per_a: float
    """Of all cells proposed in this round: of forces, or of the cell's energy as a force."""
    trusted_fraction: float
    """Of the cells proposed in this round, those with an expected error that is trusted."""
    outside_fraction: float
    found_force_error_ev_per_a: float | None = None
    """Of this potential on the cells that were labelled next, before they were fitted to."""
    expected_force_error_ev_per_a: float | None = None
    """Of the same cells, expected beforehand."""
    wall_s: float = 0.0
    """Of training and choosing, labels left out."""


class FittedPotentialDocument(TargetDocument):
    """A potential, how well it does on cells left out, and how it came about."""

    elements: list[str]
    formulas: list[str]
    """Crystals whose disturbed cells it was fitted to."""
    label_engine: str
    label_cutoff_ev: float | None = None
    """Plane-wave cut-off of all labels; None for potentials."""
    generation: int = 0
    """How many potentials came before, each from the labels of the one before it."""
    n_labels: int
    n_new_labels: int
    """Of these, computed for this fit; the others had been paid for."""
    failed_labels: list[str] = Field(default_factory=list)
    """Cells that the label engine could not compute, each with the reason."""
    n_features: int
    force_error_ev_per_a: float | None
    """Root mean square over the labelled cells, each left out of the fit in turn."""
    force_error_of_error_ev_per_a: float | None
    """Standard error of that number over the cells."""
    energy_error_ev_per_atom: float | None = None
    """The same of energies; None where labels have none."""
    stress_error_gpa: float | None = None
    calibration_ratio: float | None = None
    """Found over expected force error of cells labelled after the first round, geometric mean."""
    finished: str = ""
    """Why no more cells were labelled."""
    min_volume_a3_per_atom: float
    max_volume_a3_per_atom: float
    min_distance_a: float
    """Shortest between atoms in the training cells."""
    content_hash: str
    """Of the potential."""
    rounds: list[FitRound]
    calibration: Calibrations
    """Of the potential: its cells, each left out, and the line through them."""
    numbers: PotentialNumbers = Field(repr=False)
    """The potential itself."""
    frames: list[LabelledFrame] = Field(repr=False)
    """The training cells."""
