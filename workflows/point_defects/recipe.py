"""Settings of the flows of point defects."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from workflows.recipes import ElasticityRelaxationRecipe, Recipe, RelaxationRecipe


class DefectRelaxationRecipe(RelaxationRecipe):
    """Relaxation of the positions around a defect, in a cell that stays as it is."""

    force_tolerance_ev_per_a: float = Field(0.01, gt=0)
    keep_symmetry: bool = False
    """A symmetric start may be a saddle point."""


class PointDefectRecipe(Recipe):
    """What vacancies and exchange pairs have in common: neutral defects in periodic supercells."""

    charge: int = 0
    """Of the defect; others than 0 are refused."""
    image_distance_a: float = Field(10.0, gt=0)
    """Wanted distance of a defect from its nearest periodic image; the value is from the smallest
    supercell that has it."""
    max_atoms: int = Field(220, gt=0)
    """In a supercell; one conventional cell is always allowed."""
    rattle_a: float = Field(0.02, ge=0, le=0.2)
    """Standard deviation of random displacements of all atoms before the relaxation, so that no
    saddle point is taken for a minimum."""
    seed: int = Field(0, ge=0)
    crystal: RelaxationRecipe = ElasticityRelaxationRecipe()
    """Relaxation of the perfect crystal."""
    relaxation: DefectRelaxationRecipe = DefectRelaxationRecipe()

    @field_validator("charge")
    @classmethod
    def _neutral(cls, charge: int) -> int:
        if charge:
            raise ValueError(
                f"{charge:+d}: charged defects are out of scope, because a potential knows neither "
                "charge nor a Fermi level; leave it at 0"
            )
        return charge


class VacancyRecipe(PointDefectRecipe):
    """Neutral vacancies of all symmetry-distinct sites."""

    chemical_potentials_ev: dict[str, float] = Field(default_factory=dict)
    """By element, relative to its reference (the elemental crystal or the molecule), 0 or less; an
    element that is not named has 0, the limit rich in it."""

    @field_validator("chemical_potentials_ev")
    @classmethod
    def _below_the_reference(cls, potentials: dict[str, float]) -> dict[str, float]:
        above = sorted(symbol for symbol, shift in potentials.items() if not shift <= 0)
        if above:
            raise ValueError(
                f"{', '.join(above)}: above its reference, where the pure element would form "
                "instead; give 0 or less"
            )
        return potentials


class ExchangePairRecipe(PointDefectRecipe):
    """Pairs of atoms of two elements that have exchanged their places."""

    elements: tuple[tuple[str, str], ...] | None = None
    """Which elements exchange, as ``[[Li, Fe]]``; null takes the working ion of
    an electrode with each other metal, of other crystals every two metals, and every two elements
    where there are no two metals."""
    nearest: int = Field(1, ge=1, le=10)
    """Of each two symmetry-distinct kinds of sites, so many distinct pairs, nearest first."""

    @model_validator(mode="after")
    def _different(self) -> ExchangePairRecipe:
        for first, second in self.elements or ():
            if first == second:
                raise ValueError(f"elements: {first} and {second} are the same; name two")
        return self
