"""What the flow of an amorphous polymer leaves."""

from __future__ import annotations

from workflows.document_parts import Document, StepCost
from workflows.documents import TargetDocument


class AmorphousCellDocument(Document):
    """A cell of chains after a step.

    Parameters
    ----------
    state
        The cell as RadonPy writes it.
    """

    state: str
    units_per_chain: int
    atoms: int
    density_g_per_cm3: float | None = None
    equilibrated: bool | None = None
    cost: StepCost


class AxisConductivityDocument(Document):
    """κ along one axis of a cell."""

    axis: str
    kappa_w_per_m_k: float
    gradients_k_per_m: list[float]
    """Temperature gradients in the two halves of the cell."""
    gradients_are_linear: bool
    heat_current_relative_error: float
    cost: StepCost


class AmorphousConductivityDocument(TargetDocument):
    """κ of an isotropic amorphous polymer at one temperature.

    It is that of a melt-quenched glass: a film or fibre whose chains are aligned conducts several
    times as much along them.
    """

    smiles: str
    """Repeat unit, with two ``*``."""
    amorphous_kappa_w_per_m_k: float | None = None
    """Mean over the axes."""
    amorphous_kappa_error_w_per_m_k: float | None = None
    """Standard error: of the mean over the axes, and of the gradients and heat currents.  Neither
    the force field's error is in it nor that of one cell instead of many."""
    temperature_k: float
    density_g_per_cm3: float | None = None
    units_per_chain: int
    atoms: int
    equilibrated: bool | None = None
    """Whether energies, density and radius of gyration fluctuate as RadonPy asks for."""
    axes: list[AxisConductivityDocument]
