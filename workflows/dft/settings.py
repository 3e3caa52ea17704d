"""What the settings of all DFT programs share, validated before anything is queued.

A plain pydantic model without heavy imports, so that an engine's YAML is checked on a login node.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pymatgen.core import Structure

Purpose = Literal["forces", "relaxation", "dielectric"]
"""What a calculation is for: which cut-off and k-points it gets, and whether stress."""

MAGNETIC_MOMENT_MU_B: dict[str, float] = {
    # Initial moments of the Materials Project's input sets.
    **dict.fromkeys(("Cr", "Fe", "Mn", "Ni", "V", "Mo", "W"), 5.0),
    "Co": 0.6,
    **{"Ce": 5.0, "Pr": 5.0, "Nd": 5.0, "Pm": 5.0, "Sm": 5.0, "Eu": 10.0, "Gd": 7.0},
    **{"Tb": 6.0, "Dy": 5.0, "Ho": 4.0, "Er": 3.0, "Tm": 2.0, "Yb": 1.0},
}
"""Elements that make a calculation spin-polarised where `spin` is ``auto``, and their start."""

LEAST_MOMENT_MU_B = 0.6
"""Start of all other elements, as in these input sets, where `spin` is ``on``."""

F_SHELL = frozenset(
    {"Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu"}
)
"""Elements whose Hubbard U is on the f shell; that of all others is on the d shell."""

LEAST_GAP_EV = 0.05
"""A crystal with a smaller gap counts as a metal: it has no Born charges."""

RELAXATION_CUTOFF_FACTOR = 1.3
"""Cut-off for relaxing a cell over that for forces, where the settings state none."""

HUBBARD_ANIONS = frozenset({"O", "F"})
"""Hubbard U is applied only to compounds of these, as the Materials Project does."""


SAFE_TO_CHANGE = frozenset(
    {"max_scf_steps", "mixer_beta", "eigensolver", "mixing_beta", "diagonalization", "incar"}
)
"""Settings that a retry may change: how self-consistency is reached, not what it is."""


class DftSettings(BaseModel):
    """What all programs share.

    Parameters
    ----------
    functional
        Exchange and correlation.
    cutoff_ev
        Plane-wave cut-off for forces on supercells.  None takes the largest of the elements'
        recommended ones.
    relaxation_cutoff_ev
        Cut-off for relaxing the cell, where stress needs more; None takes 1.3 times the other.
    energy_cutoff_ev
        Cut-off for energies that are compared with those of other crystals, one for all of them.
        None takes the largest for relaxation of the elements that the program knows.
    k_spacing_per_a
        Largest distance of k-points in supercells, 2π included (VASP's KSPACING); see `k_mesh`.
    relaxation_k_spacing_per_a
        The same for the relaxation of the primitive cell.
    dielectric_k_spacing_per_a
        The same for Born charges and ε∞.
    smearing_ev
        Width of the Fermi-Dirac distribution.
    energy_tolerance_ev
        Self-consistency: change of the total energy, as each program counts it: an atom (pw.x), a
        valence electron (GPAW), the cell (VASP).
    spin
        ``auto`` is spin-polarised where an element of `MAGNETIC_MOMENT_MU_B` is present; with
        ``on`` other elements have a moment to begin with, too.
    hubbard_u_ev
        U on the d (or f) shell, by element, in compounds of O or F (rotationally invariant).
    max_scf_steps
        Self-consistency steps before a run counts as not converged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    functional: Literal["PBE", "PBEsol", "LDA"] = "PBE"
    cutoff_ev: float | None = Field(None, gt=0)
    relaxation_cutoff_ev: float | None = Field(None, gt=0)
    energy_cutoff_ev: float | None = Field(None, gt=0)
    k_spacing_per_a: float = Field(0.35, gt=0)
    relaxation_k_spacing_per_a: float = Field(0.25, gt=0)
    dielectric_k_spacing_per_a: float = Field(0.3, gt=0)
    smearing_ev: float = Field(0.02, gt=0)
    energy_tolerance_ev: float = Field(1e-7, gt=0)
    spin: Literal["auto", "on", "off"] = "auto"
    hubbard_u_ev: dict[str, float] = Field(default_factory=dict)
    max_scf_steps: int = Field(100, gt=0)

    def k_spacing(self, purpose: Purpose) -> float:
        """Return the largest distance of k-points, in 1/Å."""
        return {
            "forces": self.k_spacing_per_a,
            "relaxation": self.relaxation_k_spacing_per_a,
            "dielectric": self.dielectric_k_spacing_per_a,
        }[purpose]

    def is_spin_polarised(self, structure: Structure) -> bool:
        """Return whether this crystal is computed with spin."""
        if self.spin != "auto":
            return self.spin == "on"
        symbols = {element.symbol for element in structure.composition.elements}
        return not symbols.isdisjoint(MAGNETIC_MOMENT_MU_B)

    def initial_moment_mu_b(self, symbol: str) -> float:
        """Return the moment that a spin-polarised calculation begins with on an element."""
        # Without any, self-consistency would never find one, as that of O2.
        others = LEAST_MOMENT_MU_B if self.spin == "on" else 0.0
        return MAGNETIC_MOMENT_MU_B.get(symbol, others)

    def hubbard_u(self, structure: Structure) -> dict[str, float]:
        """Return U in eV of the elements of this crystal that get one."""
        symbols = {element.symbol for element in structure.composition.elements}
        if symbols.isdisjoint(HUBBARD_ANIONS):
            return {}
        return {each: u for each, u in self.hubbard_u_ev.items() if each in symbols and u}


@dataclass(frozen=True)
class KMesh:
    """A k-mesh.

    Parameters
    ----------
    divisions
        Along the three reciprocal axes.
    shift
        1 along each axis where the mesh is shifted off Γ by half a division, as pw.x writes it.
    """

    divisions: tuple[int, int, int]
    shift: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def off_gamma(cls, divisions: tuple[int, int, int]) -> Self:
        """Return Monkhorst and Pack's mesh: shifted along every axis with even divisions."""
        a, b, c = (int(n % 2 == 0) for n in divisions)
        return cls(divisions, (a, b, c))

    def points(self) -> list[list[float]]:
        """Return the points in units of the reciprocal axes, shape (points, 3)."""
        axes = [
            [(2 * i + shift) / (2 * n) for i in range(n)]
            for n, shift in zip(self.divisions, self.shift, strict=True)
        ]
        return [[x - round(x) for x in point] for point in itertools.product(*axes)]


def k_mesh(structure: Structure, spacing_per_a: float) -> KMesh:
    """Return the k-mesh whose points are at most so far apart.

    In cells with right angles even meshes are shifted off Γ: time reversal then halves them, while
    all points of a Γ-centred 2×2×2 mesh are their own partners.  In other cells a shift could
    break the symmetry of the crystal.

    Parameters
    ----------
    spacing_per_a
        In 1/Å, 2π included.
    """
    # 1e-3: one mesh for a cell that round-off makes a hair smaller.
    a, b, c = (
        max(1, math.ceil(length / spacing_per_a - 1e-3))
        for length in structure.lattice.reciprocal_lattice.abc
    )
    right_angles = all(abs(angle - 90) < 1e-3 for angle in structure.lattice.angles)
    return KMesh.off_gamma((a, b, c)) if right_angles else KMesh((a, b, c))
