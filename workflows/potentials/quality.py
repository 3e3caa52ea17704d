"""How good a fit is, by the labelled cells, each left out in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import GPa

from workflows.potentials.regression import ENERGY_LENGTH_A, VIRIAL_LENGTH_A, left_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflows.potentials.frames import LabelledFrame
    from workflows.potentials.potential import Training


def quality_fields(training: Training, frames: Sequence[LabelledFrame]) -> dict[str, Any]:
    """Return fields of `FittedPotentialDocument` about errors and about the training cells."""
    forces, energies, stresses, weights = [], [], [], []
    for frame, cell in zip(frames, training.cells, strict=True):
        errors = left_out(training.fitted, cell).errors
        forces.append(float((errors[cell.n_cell_rows :] ** 2).mean()))
        weights.append(len(frame.structure))
        whole = errors[: cell.n_cell_rows]
        if frame.energy_ev is not None:
            energies.append(whole[0] * ENERGY_LENGTH_A)
            whole = whole[1:]
        if frame.stress_ev_per_a3 is not None:
            volume_a3 = frame.structure.volume / len(frame.structure)
            stresses.append(whole * VIRIAL_LENGTH_A / volume_a3 / GPa)
    force_error = float(np.sqrt(np.average(forces, weights=weights)))
    found = [
        np.log(frame.found_force_error_ev_per_a / frame.expected_force_error_ev_per_a)
        for frame in frames
        if frame.found_force_error_ev_per_a and frame.expected_force_error_ev_per_a
    ]
    volumes = [frame.structure.volume / len(frame.structure) for frame in frames]
    return {
        "force_error_ev_per_a": force_error,
        "force_error_of_error_ev_per_a": _standard_error(forces, force_error),
        "energy_error_ev_per_atom": _root_mean_square(energies),
        "stress_error_gpa": _root_mean_square(stresses),
        "calibration_ratio": float(np.exp(np.mean(found))) if found else None,
        "min_volume_a3_per_atom": min(volumes),
        "max_volume_a3_per_atom": max(volumes),
        "min_distance_a": min(_shortest_distance_a(frame) for frame in frames),
    }


def _root_mean_square(values: Sequence[Any]) -> float | None:
    return float(np.sqrt(np.mean(np.square(np.hstack(values))))) if values else None


def _standard_error(squares: Sequence[float], root: float) -> float | None:
    """Return the standard error of the root of a mean of squares over cells."""
    if len(squares) < 2 or not root:
        return None
    return float(np.std(squares, ddof=1) / np.sqrt(len(squares)) / (2 * root))


def _shortest_distance_a(frame: LabelledFrame) -> float:
    distances = np.array(frame.structure.distance_matrix)
    np.fill_diagonal(distances, np.inf)
    return float(min(distances.min(), *frame.structure.lattice.abc))
