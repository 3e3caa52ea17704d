"""Crystals made from a parent by charge-balanced substitution: one YAML, hundreds of candidates."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    model_validator,
)

from screening.candidates.elements import ElementSymbol
from screening.machine import shipped_configs as shipped
from screening.machine.text_files import user_path
from screening.messages.validation import validated
from screening.sources.files import FileSource
from screening.sources.record import SourceError, SourceRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

Composition = dict[str, dict[str, float]]
"""Fractions of the species on each sublattice, by the element that the parent has there."""


PARENT_KINDS = (".cif", ".vasp", ".poscar", "poscar", "contcar")
"""How names of parents end: kinds of file that can hold no more than a crystal."""


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


class Substitutions:
    """The crystals that a YAML describes, in a fixed order.

    Parameters
    ----------
    spec
        As the user wrote it.
    config
        Its content.
    parent
        The parent's cell, as often as `config.supercell` says.
    """

    def __init__(self, spec: str, config: SubstitutionConfig, parent: Structure) -> None:
        self.spec = spec
        self.config = config
        self.parent = parent
        self._count = {
            element.symbol: int(amount) for element, amount in parent.composition.items()
        }
        self._check()

    def _check(self) -> None:
        config = self.config
        named: list[tuple[str, Iterable[str]]] = [
            ("oxidation_states", config.oxidation_states),
            ("sublattices", config.sublattices),
            *(("compositions", each) for each in config.compositions),
        ]
        for part, elements in named:
            for element in elements:
                if element not in self._count:
                    raise SourceError(
                        f"source '{self.spec}': {part}: the parent "
                        f"{self.parent.reduced_formula} has no {element}; it has "
                        f"{', '.join(sorted(self._count))}"
                    )
        missing = sorted(self._count.keys() - config.oxidation_states.keys())
        if missing:
            raise SourceError(
                f"source '{self.spec}': oxidation_states: {', '.join(missing)} of the parent is "
                "not among them"
            )
        charge = self._charge({})
        if charge:
            raise SourceError(
                f"source '{self.spec}': oxidation_states: the parent's charges add up to "
                f"{charge:+g} a cell"
            )

    # ------------------------------------------------------------------------ compositions

    def compositions(self) -> Iterator[Composition]:
        """Yield the parent, every balanced combination, then the further compositions."""
        choices = []
        for host, sublattice in self.config.sublattices.items():
            options: list[tuple[str, dict[str, float]]] = [(host, {host: 1.0})]
            for species, fraction in itertools.product(
                sublattice.species, sorted(set(sublattice.fractions))
            ):
                rest = {host: 1 - fraction} if fraction < 1 else {}
                options.append((host, {**rest, species: fraction}))
            choices.append(options)
        for combination in itertools.product(*choices):
            composition = dict(combination)
            if self._charge(composition) == 0 and self._whole(composition) is None:
                yield composition
        yield from self.config.compositions

    @functools.cached_property
    def _states(self) -> dict[str, float]:
        """Oxidation states of everything that may occur."""
        states = dict(self.config.oxidation_states)
        for sublattice in self.config.sublattices.values():
            for species, state in sublattice.species.items():
                states.setdefault(species, state)
        return states

    def _mean_states(self, composition: Composition) -> dict[str, float]:
        """Return the oxidation state of each element present, the mean where it has several."""
        total: Counter[str] = Counter()
        charge: Counter[str] = Counter()
        for host, count in self._count.items():
            for species, fraction in composition.get(host, {host: 1.0}).items():
                total[species] += count * fraction
                charge[species] += count * fraction * (self._state(host, species) or 0)
        return {species: charge[species] / total[species] for species in sorted(total)}

    def _state(self, host: str, species: str) -> float | None:
        sublattice = self.config.sublattices.get(host)
        if sublattice is not None and species in sublattice.species:
            return sublattice.species[species]
        return self._states.get(species)

    def _charge(self, composition: Composition) -> float:
        """Return the charge of a cell."""
        total = 0.0
        for host, count in self._count.items():
            for species, fraction in composition.get(host, {host: 1.0}).items():
                total += count * fraction * (self._state(host, species) or 0)
        return round(total, 6)

    def _whole(self, composition: Composition) -> str | None:
        """Return why a composition does not fit the cell, or None."""
        for host, species in composition.items():
            total = sum(species.values())
            if abs(total - 1) > 1e-6:
                return f"fractions on the {host} sublattice add up to {total:g}, not 1"
            for element, fraction in species.items():
                atoms = fraction * self._count[host]
                if abs(atoms - round(atoms)) > 1e-6:
                    return (
                        f"{fraction:g} of the {self._count[host]} {host} is no whole number of "
                        f"{element}; take a larger supercell"
                    )
                if self._state(host, element) is None:
                    return f"the oxidation state of {element} is not given"
        return None

    # ------------------------------------------------------------------------------ records

    def records(self) -> Iterator[SourceRecord]:
        """Yield the crystals; a composition that cannot be made gives a record with the reason."""
        yield from self._never_made()
        for composition in self.compositions():
            name = _name(composition) or self.parent.reduced_formula
            reason = self._whole(composition)
            charge = self._charge(composition)
            if reason is None and charge:
                reason = f"its charges add up to {charge:+g} a cell; balance the substitution"
            inputs: dict[str, Any] = {}
            if reason is None:
                reason = self._redox(composition, inputs)
            if reason is not None:
                yield SourceRecord(name, None, reason, name)
                continue
            inputs["oxidation_states"] = self._mean_states(composition)
            for number, structure in enumerate(self._arranged(composition), start=1):
                label = name if self.config.orderings == 1 else f"{name} #{number}"
                yield SourceRecord(
                    label,
                    structure,
                    None,
                    label,
                    properties={"parent": self.config.parent},
                    inputs=inputs,
                )

    def _never_made(self) -> Iterator[SourceRecord]:
        """Yield a record with the reason for each choice that no crystal comes of."""
        made = {
            (host, species, fraction)
            for composition in self.compositions()
            for host, mixture in composition.items()
            for species, fraction in mixture.items()
        }
        for host, sublattice in self.config.sublattices.items():
            for species, fraction in itertools.product(
                sublattice.species, sorted(set(sublattice.fractions))
            ):
                if (host, species, fraction) in made:
                    continue
                rest = {host: 1 - fraction} if fraction < 1 else {}
                choice: Composition = {host: {**rest, species: fraction}}
                charge = self._charge(choice)
                reason = self._whole(choice) or (
                    f"no combination with it is balanced; alone its charges add up to "
                    f"{charge:+g} a cell"
                )
                name = f"{species} for {fraction:g} of the {host}"
                yield SourceRecord(name, None, reason, name)

    def _redox(self, composition: Composition, inputs: dict[str, Any]) -> str | None:
        """Work out how many working ions may leave; return why none may."""
        electrons, ion = self.config.redox_electrons, self.config.working_ion
        if ion is not None:
            inputs["working_ion"] = ion
        if electrons is None or ion is None:
            return None
        ions = given = 0.0
        for host, count in self._count.items():
            for species, fraction in composition.get(host, {host: 1.0}).items():
                ions += count * fraction * (species == ion)
                given += count * fraction * electrons.get(species, 0.0)
        if ions == 0:
            return f"it holds no {ion}"
        charge = self._states.get(ion) or 0
        if charge <= 0:
            return f"the oxidation state of {ion} is not given as positive"
        leaving = int(min(given / charge, ions) + 1e-6)
        if leaving == 0:
            return f"none of its elements can give electrons for the {ion} to leave"
        inputs["remaining_fraction"] = round(1 - leaving / ions, 6)
        return None

    def _arranged(self, composition: Composition) -> list[Structure]:
        """Return the arrangements of lowest electrostatic energy, symmetry-distinct."""
        import numpy as np
        from pymatgen.analysis.structure_matcher import StructureMatcher

        random = np.random.default_rng(self.config.seed)
        arrangements = _arrangements(
            [site.specie.symbol for site in self.parent],
            composition,
            self.config.max_orderings_tried,
            random,
        )
        charges = np.array(
            [
                [
                    float(self._state(host.specie.symbol, species) or 0)
                    for host, species in zip(self.parent, each, strict=True)
                ]
                for each in arrangements
            ]
        )
        energies = np.einsum("ni,ij,nj->n", charges, self._coulomb_ev, charges)
        # Arrangements of equal energy, as all of an isovalent substitution, in a seeded order.
        order = random.permutation(len(arrangements))
        order = order[np.argsort(np.round(energies[order], 3), kind="stable")]
        matcher = StructureMatcher(primitive_cell=False, scale=False, attempt_supercell=False)
        found: list[Structure] = []
        for index in order:
            structure = self.parent.copy()
            for site, species in enumerate(arrangements[index]):
                structure[site] = species
            if not any(matcher.fit(structure, other) for other in found):
                found.append(structure)
            if len(found) == self.config.orderings:
                break
        return found

    @functools.cached_property
    def _coulomb_ev(self) -> NDArray[np.float64]:
        """Ewald energies of pairs of unit charges on the parent's sites, shape (sites, sites)."""
        from pymatgen.core.ewald import EwaldSummation

        unit = self.parent.copy()
        unit.add_oxidation_state_by_site([1] * len(unit))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the cell is charged, which only this one is
            matrix: NDArray[np.float64] = EwaldSummation(unit).total_energy_matrix
        return matrix


def _arrangements(
    hosts: list[str], composition: Composition, most: int, random: np.random.Generator
) -> list[list[str]]:
    """Return ways to put the species on the sites: all of them, or `most` at random.

    Parameters
    ----------
    hosts
        Element of the parent on each site.
    """
    sites = {host: [i for i, each in enumerate(hosts) if each == host] for host in composition}
    fillings = {
        host: [
            each for each, share in species.items() for _ in range(round(share * len(sites[host])))
        ]
        for host, species in composition.items()
    }
    ways = math.prod(
        math.factorial(len(filling))
        // math.prod(math.factorial(filling.count(each)) for each in set(filling))
        for filling in fillings.values()
    )
    found = []

    def filled(chosen: tuple[tuple[str, ...], ...]) -> list[str]:
        result = list(hosts)
        for host, species in zip(sites, chosen, strict=True):
            for site, each in zip(sites[host], species, strict=True):
                result[site] = each
        return result

    if ways <= most:
        distinct = [_distinct_orders(filling) for filling in fillings.values()]
        return [filled(chosen) for chosen in itertools.product(*distinct)]
    for _ in range(most):
        found.append(
            filled(tuple(tuple(random.permutation(filling)) for filling in fillings.values()))
        )
    return found


def _distinct_orders(filling: list[str]) -> list[tuple[str, ...]]:
    """Return the distinct orders of a list, sorted."""
    if not filling:
        return [()]
    found = []
    for first in sorted(set(filling)):
        rest = list(filling)
        rest.remove(first)
        found += [(first, *each) for each in _distinct_orders(rest)]
    return found


def _name(composition: Composition) -> str:
    """Return a name such as ``Fe0.75Zr0.25 P0.5Si0.5``, empty for the parent itself."""
    parts = []
    for host, species in composition.items():
        if species == {host: 1.0}:
            continue
        parts.append(
            "".join(
                f"{el}{fraction:g}" if fraction != 1 else el for el, fraction in species.items()
            )
        )
    return " ".join(parts)


def open_substitutions(rest: str) -> Substitutions:
    """Open ``substitutions:NAME`` or ``substitutions:FILE.yaml``.

    Raises
    ------
    SourceError, ScreenError
        When the YAML or the parent is not there, or something in it is wrong.
    """
    from importlib import resources

    if not rest:
        known = ", ".join(shipped.names("substitutions"))
        raise SourceError(f"source 'substitutions': give a YAML after a colon; shipped: {known}")
    spec = f"substitutions:{rest}"
    what = f"source '{spec}'"
    config = validated(SubstitutionConfig, shipped.read("substitutions", rest), what)
    beside = user_path(rest, what).parent / user_path(config.parent, what)
    shipped_file = resources.files("configs") / "data" / config.parent
    if not Path(config.parent).name.lower().endswith(PARENT_KINDS):
        raise SourceError(
            f"{what}: parent '{config.parent}' is not one of: {', '.join(PARENT_KINDS)}"
        )
    if beside.is_file():
        path = beside
    elif Path(config.parent).name == config.parent and shipped_file.is_file():
        path = Path(str(shipped_file))
    else:
        raise SourceError(f"{what}: parent '{config.parent}' is not beside the YAML")
    records = list(FileSource(spec, path).records())
    if len(records) != 1:
        raise SourceError(
            f"{what}: parent '{config.parent}' holds {len(records)} crystals, not one"
        )
    parent = records[0].structure
    if parent is None:
        reason = records[0].error
        raise SourceError(f"{what}: parent '{config.parent}' cannot be read: {reason}")
    if not parent.is_ordered:
        raise SourceError(f"{what}: parent '{config.parent}' is disordered")
    parent.remove_oxidation_states()
    return Substitutions(spec, config, parent.make_supercell(config.supercell, in_place=False))
