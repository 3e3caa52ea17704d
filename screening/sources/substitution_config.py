"""What a YAML of substitutions on a parent crystal states."""

from __future__ import annotations

from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    model_validator,
)

from screening.candidates.elements import ElementSymbol

Composition = dict[str, dict[str, float]]
"""Fractions of the species on each sublattice, by the element that the parent has there."""


class SublatticeConfig(BaseModel):
    """What may stand where the parent has one element.

    Parameters
    ----------
    species
        Oxidation state of each substituent; a mean one, as 3.5, where the element has several.
    fractions
        How much of the sublattice a substituent may take; 0 (none) is always among them.
    """

    model_config = ConfigDict(extra="forbid")

    species: dict[ElementSymbol, float] = Field(min_length=1)
    fractions: list[float] = Field(min_length=1)

    @model_validator(mode="after")
    def _within_one(self) -> Self:
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise ValueError(f"fraction {fraction:g} is not above 0 and at most 1")
        return self


class SubstitutionConfig(BaseModel):
    """Substitutions on a parent crystal.

    Parameters
    ----------
    parent
        Structure file: beside this YAML, or shipped.
    supercell
        Multiples of the parent's cell: larger ones allow finer fractions.
    oxidation_states
        Of the parent's elements, as in `SublatticeConfig.species`.
    sublattices
        By the element that the parent has there; every balanced combination of one substituent a
        sublattice is made.
    compositions
        Further compositions: fractions of all species on each sublattice named.
    redox_electrons
        Electrons that an atom of each element can give up when working ions leave; null takes
        every working ion out, whatever the electrons come from.
    working_ion
        Symbol, where `redox_electrons` limits how many leave.
    orderings
        Arrangements of each composition, of lowest electrostatic energy.
    max_orderings_tried
        Of compositions with more ways to arrange them in the cell so many are drawn at random.
    seed
        Decides between arrangements of equal energy.
    """

    model_config = ConfigDict(extra="forbid")

    parent: str
    supercell: tuple[PositiveInt, PositiveInt, PositiveInt] = (1, 1, 1)
    oxidation_states: dict[ElementSymbol, float]
    sublattices: dict[ElementSymbol, SublatticeConfig] = Field(default_factory=dict)
    compositions: list[Composition] = Field(default_factory=list)
    redox_electrons: dict[ElementSymbol, NonNegativeFloat] | None = None
    working_ion: ElementSymbol | None = None
    orderings: int = Field(1, gt=0)
    max_orderings_tried: int = Field(10_000, gt=0)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.sublattices and not self.compositions:
            raise ValueError("give sublattices, compositions, or both")
        if self.redox_electrons is not None and self.working_ion is None:
            raise ValueError("redox_electrons needs working_ion")
        for composition in self.compositions:
            for species in composition.values():
                if any(fraction <= 0 for fraction in species.values()):
                    raise ValueError("compositions: a fraction is not above 0")
        return self
