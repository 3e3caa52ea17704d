"""Labelled frames: cells with the energy, forces and stress that an engine computed for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field
from pymatgen.core import Structure

from workflows.document_parts import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workflows.single_point import SinglePoint


class Frame(Document):
    """A cell to be labelled, and how it was made."""

    structure: Structure
    origin: str
    """Name of the crystal and of the way it was disturbed."""
    round_number: int = 0
    """Of the fit, in which it was chosen; 0 before there was a potential."""
    predicted_forces_ev_per_a: list[list[float]] | None = None
    """Of the potential that chose it; None before there is one."""
    expected_force_error_ev_per_a: float | None = Field(None, ge=0)
    """Of that potential."""
    leverage: float | None = Field(None, ge=0)
    """Of that potential, when the cell was chosen."""

    def in_json(self) -> dict[str, Any]:
        """Return its fields in JSON's types."""
        plain = self.model_dump(mode="json", exclude={"structure"})
        return {**plain, "structure": self.structure.as_dict()}


class LabelledFrame(Frame):
    """A cell with what the label engine computed for it."""

    forces_ev_per_a: list[list[float]]
    """Shape (atoms, 3)."""
    energy_ev: float | None = None
    """Of the whole cell; None where it was not kept, as of displaced supercells of phonons."""
    stress_ev_per_a3: list[float] | None = None
    """Shape (6,), in ASE's order xx, yy, zz, yz, xz, xy and sign; None where not computed."""
    cutoff_ev: float | None = None
    """Plane-wave cut-off of energy and stress, one for a whole fit; None without one."""
    found_force_error_ev_per_a: float | None = Field(None, ge=0)
    """Root mean square over the components, of the potential that chose it."""

    @property
    def forces(self) -> NDArray[np.float64]:
        """Forces, shape (atoms, 3), in eV/Å."""
        return np.asarray(self.forces_ev_per_a, dtype=np.float64)


def labelled(frame: Frame, point: SinglePoint) -> LabelledFrame:
    """Return a cell with what was computed for it."""
    known = frame.model_dump(exclude={"predicted_forces_ev_per_a"})
    known["structure"] = frame.structure
    found = None
    if frame.predicted_forces_ev_per_a is not None:
        wrong = np.asarray(frame.predicted_forces_ev_per_a) - point.forces_ev_per_a
        found = float(np.sqrt((wrong**2).mean()))
    stress = point.stress_ev_per_a3
    return LabelledFrame(
        **known,
        energy_ev=point.energy_ev,
        forces_ev_per_a=point.forces_ev_per_a.tolist(),
        stress_ev_per_a3=None if stress is None else stress.tolist(),
        cutoff_ev=point.cutoff_ev,
        found_force_error_ev_per_a=found,
    )


def cutoffs_ev(frames: Sequence[LabelledFrame]) -> list[float | None]:
    """Return the plane-wave cut-offs that energies of labelled cells have, None for none."""
    found = {frame.cutoff_ev for frame in frames if frame.energy_ev is not None}
    return sorted(found, key=lambda cutoff_ev: cutoff_ev or 0.0)


def compositions(structures: list[Structure], elements: list[str]) -> NDArray[np.float64]:
    """Return how many atoms of each element cells hold, shape (cells, elements)."""
    counts: Any = [
        [sum(site.specie.symbol == symbol for site in structure) for symbol in elements]
        for structure in structures
    ]
    return np.asarray(counts, dtype=np.float64).reshape(len(structures), len(elements))
