"""Which polymers are worth computing at all."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from screening.candidates.candidate import Candidate
from screening.candidates.elements import ElementSymbol, elements_refusal
from screening.candidates.filters import CandidateFilters
from screening.candidates.polymer import Polymer
from screening.messages.refusal import Refusal
from screening.molecules.chemical_groups import GroupName, atoms_of_group, rings_by_themselves

LiquidCrystalSet = Literal["lc", "not-lc", "either", "neither"]


class PolymerFilters(CandidateFilters):
    """Which polymers a campaign looks at.

    Attributes
    ----------
    include_elements : list of str, optional
        The only elements allowed.
    exclude_elements : list of str, optional
        Elements that are not allowed.
    min_heavy_atoms, max_heavy_atoms : int, optional
        Fewest and most atoms of the repeat unit that are no hydrogen.
    max_molar_mass_g_per_mol : float, optional
        Of the repeat unit.
    require_groups : list of str, optional
        Groups that must all be there; ``configs/chemical_groups.yaml`` has their names.
    exclude_groups : list of str, optional
        Groups that are not allowed.
    max_synthesis_steps : int, optional
        Reactions that lead from what is bought to all monomers.
    max_monomer_sa_score : float, optional
        Of the monomer that is hardest to make, 1 to 10.
    buyable : True, optional
        Only polymers of which all precursors can be bought.
    regular : True, optional
        Only polymers of which all units are the same.
    min_probability_liquid_crystalline : float, optional
        As learned from labelled polymers, 0 to 1.
    liquid_crystal_set : list of str, optional
        Conformal sets that are allowed: ``lc``, ``not-lc``, ``either``, ``neither``.
    inside_domain : True, optional
        Only polymers to which labelled polymers are near.
    where_unknown : {'refuse', 'keep'}
        What happens to a polymer of which one of the last seven is not known.
    """

    include_elements: list[ElementSymbol] | None = None
    exclude_elements: list[ElementSymbol] | None = None
    min_heavy_atoms: int = Field(default=1, ge=1)
    max_heavy_atoms: int | None = Field(default=None, ge=1)
    max_molar_mass_g_per_mol: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    require_groups: list[GroupName] | None = None
    exclude_groups: list[GroupName] | None = None
    max_synthesis_steps: int | None = Field(default=None, ge=0)
    max_monomer_sa_score: float | None = Field(default=None, ge=1, le=10)
    buyable: Literal[True] | None = None
    regular: Literal[True] | None = None
    min_probability_liquid_crystalline: float | None = Field(default=None, ge=0, le=1)
    liquid_crystal_set: list[LiquidCrystalSet] | None = Field(default=None, min_length=1)
    inside_domain: Literal[True] | None = None

    @model_validator(mode="after")
    def _can_be_fulfilled(self) -> Self:
        if self.max_heavy_atoms is not None and self.min_heavy_atoms > self.max_heavy_atoms:
            raise ValueError(
                f"min_heavy_atoms {self.min_heavy_atoms} is above max_heavy_atoms "
                f"{self.max_heavy_atoms}"
            )
        both = set(self.require_groups or []) & set(self.exclude_groups or [])
        if both:
            raise ValueError(f"require_groups and exclude_groups both name {_listed(both)}")
        barred = set(self.exclude_elements or [])
        if self.include_elements is not None and set(self.include_elements) <= barred:
            raise ValueError("exclude_elements names all of include_elements")
        return self

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Return why a polymer stays out of the campaign; None lets it in."""
        assert isinstance(candidate, Polymer)
        checks = (
            self._of_elements,
            self._of_size,
            self._of_synthesis,
            self._learned,
            self._of_groups,
        )
        reasons = (check(candidate) for check in checks)
        return next(filter(None, reasons), None) or super().refusal(candidate)

    def _of_elements(self, polymer: Polymer) -> Refusal | None:
        excluded = {"exclude_elements": self.exclude_elements or []}
        return elements_refusal(polymer.elements, self.include_elements, excluded)

    def _of_size(self, polymer: Polymer) -> Refusal | None:
        n = polymer.n_heavy_atoms
        atoms = "it has {n} atoms besides hydrogen in the repeat unit"
        if n < self.min_heavy_atoms:
            text = f"{atoms}, fewer than min_heavy_atoms = {self.min_heavy_atoms}"
            return Refusal.of(text, n=n)
        if self.max_heavy_atoms is not None and n > self.max_heavy_atoms:
            return Refusal.of(f"{atoms}, more than max_heavy_atoms = {self.max_heavy_atoms}", n=n)
        most = self.max_molar_mass_g_per_mol
        if most is not None and polymer.molar_mass_g_per_mol > most:
            return Refusal.of(
                "its repeat unit weighs {mass:.1f} g/mol, more than "
                f"max_molar_mass_g_per_mol = {most:g}",
                mass=polymer.molar_mass_g_per_mol,
            )
        return None

    def _of_synthesis(self, polymer: Polymer) -> Refusal | None:
        asked = {
            "synthesis_steps": self.max_synthesis_steps,
            "monomer_sa_score": self.max_monomer_sa_score,
            "buyable": self.buyable,
            "regular": self.regular,
        }
        for field, limit in asked.items():
            if limit is None:
                continue
            value = getattr(polymer, field)
            if value is None:
                if self.where_unknown == "refuse":
                    return Refusal.of(f"its {field} is not known")
            elif field == "buyable" and not value:
                return Refusal.of("one of its precursors is not stated to be buyable")
            elif field == "regular" and not value:
                return Refusal.of("its monomers enter the chain either way round")
            elif not isinstance(limit, bool) and value > limit:
                return Refusal.of(
                    f"its {field} is {{value:g}}, above max_{field} = {limit:g}", value=value
                )
        return None

    def _learned(self, polymer: Polymer) -> Refusal | None:
        least, sets = self.min_probability_liquid_crystalline, self.liquid_crystal_set
        probability = polymer.probability_liquid_crystalline
        if least is None and sets is None and self.inside_domain is None:
            return None
        if probability is None:
            if self.where_unknown == "refuse":
                return Refusal.of("its probability_liquid_crystalline is not known")
            return None
        if least is not None and probability < least:
            return Refusal.of(
                "its probability_liquid_crystalline is {p:.2f}, below "
                f"min_probability_liquid_crystalline = {least:g}",
                p=probability,
            )
        if sets is not None and polymer.liquid_crystal_set not in sets:
            return Refusal.of(
                "its liquid_crystal_set is '{found}', not among the allowed ones",
                found=polymer.liquid_crystal_set,
            )
        if self.inside_domain and not polymer.inside_domain:
            return Refusal.of("no labelled polymer is near: it is outside of the domain")
        return None

    def _of_groups(self, polymer: Polymer) -> Refusal | None:
        required, excluded = self.require_groups or [], self.exclude_groups or []
        if not required and not excluded:
            return None
        from rdkit import Chem

        molecule = rings_by_themselves(Chem.MolFromSmiles(polymer.smiles))
        if lacking := [name for name in required if not atoms_of_group(molecule, name)]:
            return Refusal.of("it lacks {groups} of require_groups", groups=lacking)
        if bad := [name for name in excluded if atoms_of_group(molecule, name)]:
            return Refusal.of("it contains {groups}, among exclude_groups", groups=bad)
        return None


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
