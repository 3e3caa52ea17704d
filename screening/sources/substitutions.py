"""Crystals made from a parent by charge-balanced substitution: one YAML, hundreds of candidates."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.alloys.electrostatic_orderings import coulomb_energies_ev, lowest_orderings
from screening.machine import shipped_configs as shipped
from screening.machine.text_files import user_path
from screening.messages.refusal import Refusal
from screening.messages.validation import validated
from screening.sources.files import FileSource
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord
from screening.sources.substitution_config import Composition, SubstitutionConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core.structure import Structure

PARENT_KINDS = (".cif", ".vasp", ".poscar", "poscar", "contcar")
"""How names of parents end: kinds of file that can hold no more than a crystal."""


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
            *(("compositions", composition) for composition in config.compositions),
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

    def _whole(self, composition: Composition) -> Refusal | None:
        """Return why a composition does not fit the cell, or None."""
        for host, species in composition.items():
            total = sum(species.values())
            if abs(total - 1) > 1e-6:
                return Refusal.of(
                    "fractions on the {host} sublattice add up to {total:g}, not 1",
                    host=host,
                    total=total,
                )
            for element, fraction in species.items():
                atoms = fraction * self._count[host]
                if abs(atoms - round(atoms)) > 1e-6:
                    return Refusal.of(
                        "{fraction:g} of the {count} {host} is no whole number of {element}; take "
                        "a larger supercell",
                        fraction=fraction,
                        count=self._count[host],
                        host=host,
                        element=element,
                    )
                if self._state(host, element) is None:
                    return Refusal.of(
                        "the oxidation state of {element} is not given", element=element
                    )
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
                reason = Refusal.of(
                    "its charges add up to {charge:+g} a cell; balance the substitution",
                    charge=charge,
                )
            inputs: dict[str, Any] = {}
            if reason is None:
                reason = self._redox(composition, inputs)
            if reason is not None:
                yield SourceRecord(name, None, reason, name)
                continue
            inputs["oxidation_states"] = self._mean_states(composition)
            orderings = lowest_orderings(
                self.parent,
                [site.specie.symbol for site in self.parent],
                composition,
                self._state,
                self._coulomb_ev,
                self.config.orderings,
                most_tried=self.config.max_orderings_tried,
                seed=self.config.seed,
            )
            for number, structure in enumerate(orderings, start=1):
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
                reason = self._whole(choice) or Refusal.of(
                    "no combination with it is balanced; alone its charges add up to {charge:+g} "
                    "a cell",
                    charge=charge,
                )
                name = f"{species} for {fraction:g} of the {host}"
                yield SourceRecord(name, None, reason, name)

    @functools.cached_property
    def _coulomb_ev(self) -> NDArray[np.float64]:
        return coulomb_energies_ev(self.parent)

    def _redox(self, composition: Composition, inputs: dict[str, Any]) -> Refusal | None:
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
            return Refusal.of("it holds no {ion}", ion=ion)
        charge = self._states.get(ion) or 0
        if charge <= 0:
            return Refusal.of("the oxidation state of {ion} is not given as positive", ion=ion)
        leaving = int(min(given / charge, ions) + 1e-6)
        if leaving == 0:
            return Refusal.of(
                "none of its elements can give electrons for the {ion} to leave", ion=ion
            )
        inputs["remaining_fraction"] = round(1 - leaving / ions, 6)
        return None


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
    if not rest:
        known = ", ".join(shipped.names("substitutions"))
        raise SourceError(f"source 'substitutions': give a YAML after a colon; shipped: {known}")
    spec = f"substitutions:{rest}"
    what = f"source '{spec}'"
    config = validated(SubstitutionConfig, shipped.read("substitutions", rest), what)
    found = shipped.data_beside(config.parent, user_path(rest, what).parent, what)
    if not Path(config.parent).name.lower().endswith(PARENT_KINDS):
        raise SourceError(
            f"{what}: parent '{config.parent}' is not one of: {', '.join(PARENT_KINDS)}"
        )
    if found is None:
        raise SourceError(f"{what}: parent '{config.parent}' is not beside the YAML")
    records = list(FileSource(spec, Path(str(found))).records())
    if len(records) != 1:
        raise SourceError(
            f"{what}: parent '{config.parent}' holds {len(records)} crystals, not one"
        )
    parent = records[0].content
    if parent is None:
        reason = records[0].error
        raise SourceError(f"{what}: parent '{config.parent}' cannot be read: {reason}")
    if not parent.is_ordered:
        raise SourceError(f"{what}: parent '{config.parent}' is disordered")
    parent.remove_oxidation_states()
    parent.properties.clear()
    return Substitutions(spec, config, parent.make_supercell(config.supercell, in_place=False))


SUBSTITUTIONS = SourcePlugIn(
    name="substitutions",
    usage="substitutions:NAME",
    help="Crystals made from a parent by charge-balanced substitution, as a YAML describes them.",
    open=open_substitutions,
    options=SubstitutionConfig,
)
