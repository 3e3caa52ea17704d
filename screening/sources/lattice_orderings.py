"""The source ``orderings``: all ordered structures of a lattice up to a size, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from screening.alloys.enumeration import enumerated
from screening.alloys.lattice import AlloyLattice
from screening.alloys.need_icet import need_icet
from screening.candidates.elements import ElementSymbol
from screening.candidates.ordering import LATTICE
from screening.machine import shipped_configs as shipped
from screening.machine.text_files import user_path
from screening.messages.validation import validated
from screening.sources.files import FileSource
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord

if TYPE_CHECKING:
    from ase import Atoms


class Range(BaseModel, extra="forbid"):
    """Least and largest fraction of a species."""

    min: float = Field(0.0, ge=0, le=1)
    max: float = Field(1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class OrderingsConfig(BaseModel):
    """What the YAML of a source ``orderings`` says.

    Attributes
    ----------
    lattice : str
        ``fcc``, ``bcc``, ``hcp``, ``sc`` or ``diamond``, or a file of one ordered crystal beside
        the YAML.
    lattice_constant_a : float, optional
        Of a lattice that is named, of the cubic cell or of the hexagonal basal plane, about that of
        the alloys: structures are relaxed from there.
    c_over_a : float, optional
        Of hcp; without it that of close-packed spheres.
    species : list or dict
        Symbols on every site of a lattice that is named; of a file, by the element that the file
        has on these sites.
    max_atoms : int
        In a cell.
    concentrations : dict
        Least and largest fraction, ``{min: 0.1, max: 0.5}``, of a species on the sites that are
        shared; the end members are always there.
    max_structures : int
        With more than that many nothing is done.
    """

    model_config = ConfigDict(extra="forbid")

    lattice: str
    lattice_constant_a: PositiveFloat | None = None
    c_over_a: PositiveFloat | None = None
    species: list[ElementSymbol] | dict[ElementSymbol, list[ElementSymbol]]
    max_atoms: int = Field(8, ge=1, le=30)
    concentrations: dict[ElementSymbol, Range] = Field(default_factory=dict)
    max_structures: int = Field(5000, ge=1)


NAMED = ("fcc", "bcc", "hcp", "sc", "diamond")


class LatticeOrderings:
    """The ordered structures that a YAML describes, small cells first.

    Parameters
    ----------
    spec
        As the user wrote it.
    config
        Its content.
    lattice
        With the species on its sites.
    """

    candidates: Literal["ordering"] = "ordering"

    def __init__(self, spec: str, config: OrderingsConfig, lattice: AlloyLattice) -> None:
        self.spec = spec
        self.config = config
        self.lattice = lattice

    def records(self) -> Iterator[SourceRecord]:
        """Yield the structures, numbered among those of their formula."""
        from pymatgen.io.ase import AseAtomsAdaptor

        stated = self.lattice.model_dump(mode="json")
        numbers: Counter[str] = Counter()
        for structure in self._structures():
            cell = AseAtomsAdaptor.get_structure(structure)
            cell.properties = {LATTICE: stated}
            formula = cell.reduced_formula
            numbers[formula] += 1
            name = f"{formula} {numbers[formula]}"
            yield SourceRecord(name, cell, None, name)

    def _structures(self) -> list[Atoms]:
        bounds = {
            name: (wanted.min, wanted.max) for name, wanted in self.config.concentrations.items()
        }
        found = []
        for structure in enumerated(self.lattice, self.config.max_atoms, bounds):
            found.append(structure)
            if len(found) > self.config.max_structures:
                raise SourceError(
                    f"source '{self.spec}': there are more than max_structures = "
                    f"{self.config.max_structures} structures of up to {self.config.max_atoms} "
                    "atoms; lower max_atoms, narrow concentrations, or raise max_structures"
                )
        return found


def open_orderings(rest: str) -> LatticeOrderings:
    """Open the source that a YAML describes, shipped or the user's own."""
    if not rest:
        known = ", ".join(shipped.names("orderings"))
        raise SourceError(f"source 'orderings': give a YAML after a colon; shipped: {known}")
    spec = f"orderings:{rest}"
    what = f"source '{spec}'"
    need_icet(what)
    config = validated(OrderingsConfig, shipped.read("orderings", rest), what)
    folder = Path() if rest in shipped.names("orderings") else user_path(rest, what).parent
    try:
        named = config.lattice in NAMED
        lattice = _named(config) if named else _of_file(config, folder, spec)
    except ValidationError as error:
        raise SourceError(f"{what}: species: {error.errors()[0]['msg']}") from None
    except ValueError as error:
        raise SourceError(f"{what}: {error}") from None
    for name in config.concentrations:
        if name not in lattice.mixed:
            raise SourceError(
                f"{what}: concentrations: {name} is not among the species that share sites, "
                f"{', '.join(lattice.mixed)}"
            )
    return LatticeOrderings(spec, config, lattice)


def _named(config: OrderingsConfig) -> AlloyLattice:
    from ase.build import bulk

    if config.lattice_constant_a is None:
        raise ValueError(f"lattice {config.lattice} needs lattice_constant_a")
    if not isinstance(config.species, list):
        raise ValueError(f"species: give a list of those on every site of {config.lattice}")
    if config.c_over_a is not None and config.lattice != "hcp":
        raise ValueError("c_over_a is of hcp only")
    ideal = (8 / 3) ** 0.5
    parent = bulk(
        config.species[0],
        config.lattice,
        a=config.lattice_constant_a,
        covera=(config.c_over_a or ideal) if config.lattice == "hcp" else None,
    )
    return AlloyLattice(
        name=config.lattice,
        cell_a=parent.cell.array.tolist(),
        positions=parent.get_scaled_positions().tolist(),
        species=[sorted(config.species)] * len(parent),
    )


def _of_file(config: OrderingsConfig, folder: Path, spec: str) -> AlloyLattice:
    path = shipped.data_beside(config.lattice, folder, f"source '{spec}'")
    if path is None:
        raise ValueError(
            f"lattice '{config.lattice}' is neither one of {', '.join(NAMED)} nor a file beside "
            "the YAML"
        )
    if not isinstance(config.species, dict):
        raise ValueError("species: give them by the element that the file has on their sites")
    if config.lattice_constant_a is not None or config.c_over_a is not None:
        raise ValueError(
            "lattice_constant_a and c_over_a are of named lattices; a file has its own"
        )
    records = list(FileSource(spec, Path(str(path))).records())
    if len(records) != 1 or records[0].content is None or not records[0].content.is_ordered:
        raise ValueError(f"lattice '{config.lattice}' does not hold one ordered crystal")
    parent = records[0].content.get_primitive_structure()
    symbols = [site.specie.symbol for site in parent]
    if missing := sorted(config.species.keys() - set(symbols)):
        raise ValueError(f"species: {', '.join(missing)} is not in '{config.lattice}'")
    return AlloyLattice(
        name=Path(config.lattice).stem.lower().replace("-", "_"),
        cell_a=parent.lattice.matrix.tolist(),
        positions=parent.frac_coords.tolist(),
        species=[sorted(config.species.get(symbol, [symbol])) for symbol in symbols],
    )


ORDERINGS = SourcePlugIn(
    name="orderings",
    usage="orderings:NAME",
    help="All ordered structures of a lattice up to a size, as a YAML describes them; needs icet.",
    open=open_orderings,
    options=OrderingsConfig,
)
