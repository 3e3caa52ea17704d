"""Settings of a fit: the polynomial, the disturbances to learn, and when it is good enough."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from workflows.recipes import Recipe


class PolynomialRecipe(Recipe):
    """Which polynomial; see `workflows.potentials.polynomial`."""

    cutoff_a: float = Field(6.0, gt=2)
    radial_functions: int = Field(5, ge=2)
    """Gaussians along the distance."""
    angular_momenta: tuple[int, ...] | None = None
    """Largest l of the invariants of second order, of third order, …; empty: pairs alone.  None:
    (4, 4) for one and two elements, (4,) for more: four elements have 14,802 coefficients with the
    one, 2,154 with the other."""
    model_type: Literal[1, 2, 3, 4] = 3
    """pypolymlp's: 3 is polynomials of pair invariants and linear terms of the others."""
    max_power: Literal[1, 2, 3] = 2

    @model_validator(mode="after")
    def _is_a_model(self) -> Self:
        # pypolymlp would end the whole process.
        if self.angular_momenta == () and self.model_type > 2:
            raise ValueError(
                f"model_type {self.model_type} has terms of angular_momenta, and there are none; "
                "take 1 or 2"
            )
        return self


class ExplorationRecipe(Recipe):
    """How cells are disturbed; the numbers are the largest that the potential is to know."""

    min_length_a: float = Field(9.5, gt=0)
    """Wanted edge of the supercells."""
    max_atoms: int = Field(64, gt=1)
    max_displacement_a: float = Field(0.15, gt=0)
    """Root mean square over the atoms; amplitudes are drawn between a tenth of it and all."""
    max_strain_fraction: float = Field(0.05, ge=0, lt=0.3)
    """Of the components of a random strain."""
    temperatures_k: tuple[float, ...] = (300.0,)
    """Of molecular dynamics with the potential itself, from the second round on."""
    dynamics_steps: int = Field(200, ge=0)
    """Of 2 fs; 0 for none."""
    substitutions: float = Field(0.0, ge=0, le=1)
    """Share of the cells in which ions are exchanged for others of the family of like role."""
    vacancies: float = Field(0.0, ge=0, le=1)
    """Share of the cells from which an atom is taken."""


class FitRecipe(Recipe):
    """A potential: train, explore, choose by the indicator, label, train again."""

    polynomial: PolynomialRecipe = PolynomialRecipe()
    exploration: ExplorationRecipe = ExplorationRecipe()
    max_labels: int = Field(40, ge=2)
    """Cells that the label engine computes at most."""
    first_labels: int = Field(5, ge=2)
    labels_per_round: int = Field(4, ge=1)
    proposals_per_round: int = Field(60, ge=4)
    """Disturbed cells among which the next labels are chosen."""
    trusted_force_error_ev_per_a: float = Field(0.01, gt=0)
    """Cells whose expected error is below are trusted; the fit ends when all proposals are."""
    largest_force_error_ev_per_a: float = Field(0.2, gt=0)
    """Cells whose expected error is above lie outside the domain: they get no number."""
    committee: int = Field(24, ge=2)
    """Draws from the posterior whose spread is the indicator: two in every force call, and all of
    them where these leave it open whether a cell lies in the domain."""
    seed: int = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_labels > self.max_labels:
            raise ValueError("first_labels must not exceed max_labels")
        if self.trusted_force_error_ev_per_a >= self.largest_force_error_ev_per_a:
            raise ValueError(
                "trusted_force_error_ev_per_a must be below largest_force_error_ev_per_a"
            )
        return self
