"""Documents of chains of polymers: their straight conformers, how these stretch, what turns."""

from __future__ import annotations

from pydantic import Field

from workflows.document_parts import Document, Provenance, StepCost
from workflows.documents import TargetDocument


class ChainConformer(Document):
    """A straight, regular conformer at a minimum of its energy."""

    positions_a: list[list[float]]
    """Of one unit's atoms, hydrogen behind the others, shape (atoms, 3); the chain's axis is z."""
    rise_a: float
    """From each unit to the next one, along the axis."""
    twist_deg: float
    """From each unit to the next one, about the axis: 0 or 180."""
    energy_ev: float
    """Of a unit in the endless chain, by the engine's own zero."""
    lowest_curvature_ev_per_a2: float
    """Lowest eigenvalue of the Hessian, rigid motions left out."""
    free_compliance_a2_per_ev: float
    """Growth of the rise for each unit of tension, all else relaxed."""
    held_compliance_a2_per_ev: float
    """The same with transverse springs."""
    volume_a3: float
    """Of a unit: its van der Waals volume over the packing fraction of polymer crystals."""
    seeds: list[int] = Field(default_factory=list)
    """Random starts that led to it."""


class ChainConformersDocument(Document):
    """What random starts of one chain, pulled straight and let go, came to."""

    conformers: list[ChainConformer]
    """Different minima, the one of lowest energy first."""
    lost: str = ""
    """Why there are none, or why one of them is missing."""
    cost: StepCost
    provenance: Provenance


class TorsionProfile(Document):
    """Energy of a chain against the angle about one bond of its backbone."""

    bond: str
    """Its two atoms and their places in the repeat unit, as ``C4–N5``."""
    straight_angle_deg: float
    """In the straight conformer."""
    angles_deg: list[float]
    energies_kj_per_mol: list[float]
    """Above the lowest one; of a fragment, relaxed at each angle."""


class ChainFlexibilityDocument(Document):
    """Torsions of a chain's backbone, and its persistence length."""

    persistence_length_nm: float | None = None
    torsions: list[TorsionProfile] = Field(default_factory=list)
    cost: StepCost


class ConformerSummary(Document):
    """One of the conformers that the value is a mean of."""

    weight: float
    """Boltzmann's, at the recipe's temperature and tension."""
    energy_kj_per_mol: float
    """Above the lowest one, for each unit."""
    rise_a: float
    twist_deg: float
    speed_of_sound_m_per_s: float
    free_speed_of_sound_m_per_s: float
    lowest_curvature_ev_per_a2: float


class ChainStiffnessDocument(TargetDocument):
    """How stiff a polymer's straight chain is, or the reason why it has no such chain.

    `speed_of_sound_m_per_s` is the value to rank by, `speed_of_sound_error_m_per_s` its error bar
    (random starts and length of the oligomers; not the engine's own error).  Of an unstable chain,
    which has no straight conformer at a minimum of its energy, nothing below is there.
    """

    smiles: str
    """Repeat unit, with two ``*``."""
    molar_mass_g_per_mol: float
    """Of the repeat unit."""
    speed_of_sound_m_per_s: float | None = None
    """Of long waves along a chain that weak springs, in the place of its neighbours, keep where it
    is across its axis."""
    speed_of_sound_error_m_per_s: float | None = None
    """Its error bar: scatter between random starts, and oligomers in the place of an endless chain;
    not the engine's own error."""
    longitudinal_modulus_gpa: float | None = None
    """Of such chains side by side; with the speed of sound the same density."""
    free_speed_of_sound_m_per_s: float | None = None
    """The speed of sound without these springs."""
    free_longitudinal_modulus_gpa: float | None = None
    """The modulus without these springs."""
    persistence_length_nm: float | None = None
    """Of a single chain in the heat, by MMFF94 whatever the engine; null where nothing turns."""
    rise_a: float | None = None
    """Length of a unit along the straight chain."""
    area_a2: float | None = None
    """Cross-section of a chain, from its van der Waals volume and a packing fraction of 0.70."""
    conformers: list[ConformerSummary] = Field(default_factory=list)
    conformers_lost: str = ""
    """Why the engine has no minimum near one of MMFF94's conformers, which is then left out of the
    means; empty where it has all."""
    torsions: list[TorsionProfile] = Field(default_factory=list)
