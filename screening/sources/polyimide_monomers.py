"""The monomers of a library of polyimides: bought, or made of diols by named routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from screening.candidates.polymer import Monomer
from screening.machine.shipped_configs import data_beside
from screening.machine.text_files import NoTextError, lines_of
from screening.messages.refusal import Refusal, RefusedError
from screening.sources.delimited import table_rows
from screening.sources.imide_chemistry import (
    ReadyMonomer,
    attached,
    check_role,
    diamine,
    dianhydride,
    main_part,
    role_of,
)
from screening.sources.polyimide_config import MonomerList, PolyimideConfig, Role, StatedMonomer
from screening.sources.record import SourceError
from screening.sources.synthetic_accessibility import sa_score

READY = {"dianhydride": dianhydride, "diamine": diamine}


@dataclass(frozen=True)
class Building:
    """A monomer, and what it is in a chain."""

    monomer: Monomer
    ready: ReadyMonomer


@dataclass
class Monomers:
    """What a library is made of.

    Attributes
    ----------
    dianhydrides, diamines : list of Building
        All different, those that are bought first.
    left_out : Counter
        How many molecules of each role were left out, by role and reason.
    refused : list of (str, Refusal)
        Molecules that are not what their list says, by name.
    """

    dianhydrides: list[Building] = field(default_factory=list)
    diamines: list[Building] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: list[tuple[str, Refusal]] = field(default_factory=list)


@dataclass(frozen=True)
class _Molecule:
    """A molecule of a list that has a role."""

    stated: StatedMonomer
    name: str
    structure: Any
    buyable: bool | None


def read_monomers(config: PolyimideConfig, folder: Path, what: str) -> Monomers:
    """Return the monomers of a library.

    Parameters
    ----------
    folder
        Where the YAML is, and tables that it names.
    what
        The source, in messages.

    Raises
    ------
    SourceError
        When a table is not there or has not the columns it should have.
    """
    found = Monomers()
    molecules: dict[Role, list[_Molecule]] = {"dianhydride": [], "diamine": [], "diol": []}
    for listed in config.monomers:
        for stated in _stated(listed, folder, what):
            _sort_in(stated, listed, config, molecules, found)
    for role, buildings in (("dianhydride", found.dianhydrides), ("diamine", found.diamines)):
        seen: set[str] = set()
        for monomer, structure in _made(role, molecules, config, found):
            ready = READY[role](structure)
            if ready.smiles in seen:
                continue
            seen.add(ready.smiles)
            facts = {
                "smiles": ready.smiles,
                "symmetric": ready.symmetric,
                "sa_score": round(sa_score(structure), 2),
            }
            buildings.append(Building(monomer.model_copy(update=facts), ready))
    return found


def _made(
    role: str, molecules: dict[Role, list[_Molecule]], config: PolyimideConfig, found: Monomers
) -> Iterator[tuple[Monomer, Any]]:
    """Yield the monomers of a role, bought ones first, each with its molecule."""
    for molecule in molecules[role]:  # type: ignore[index]
        yield (
            Monomer(
                role=role,
                name=molecule.name,
                smiles="",
                precursor_cid=_digits(molecule.stated.cid),
                precursor_name=molecule.stated.name,
                buyable=molecule.buyable,
            ),
            molecule.structure,
        )
    for route in config.routes:
        if route.makes != role:
            continue
        for diol in molecules["diol"]:
            try:
                check_role(diol.structure, "diol", route.exclude)
                structure = attached(diol.structure, route.attach)
                check_role(structure, route.makes, config.exclude.get(route.makes, []))
            except RefusedError as error:
                found.left_out[f"diol for {route.name}", str(error)] += 1
                continue
            number = _digits(diol.stated.cid) or diol.name
            yield (
                Monomer(
                    role=role,
                    name=f"{route.code}{number}",
                    smiles="",
                    precursor_cid=_digits(diol.stated.cid),
                    precursor_name=diol.stated.name,
                    route=route.name,
                    n_steps=len(route.steps),
                    buyable=diol.buyable,
                ),
                structure,
            )


def _sort_in(
    stated: StatedMonomer,
    listed: MonomerList,
    config: PolyimideConfig,
    molecules: dict[Role, list[_Molecule]],
    found: Monomers,
) -> None:
    """Put a molecule to those of its role, or note why it has none."""
    name = _name(stated, config)
    role = listed.role
    try:
        structure = main_part(stated.smiles)
        role = role or role_of(structure)
        if role is None:
            return
        check_role(structure, role, config.exclude.get(role, []))
    except RefusedError as error:
        if listed.role is not None:
            found.refused.append((name, error.refusal))
        else:
            found.left_out[role or "molecule", str(error)] += 1
        return
    molecules[role].append(_Molecule(stated, name, structure, listed.buyable))


def _stated(listed: MonomerList, folder: Path, what: str) -> Iterator[StatedMonomer]:
    if listed.file is None:
        yield from listed.entries
        return
    place = data_beside(listed.file, folder, what)
    if place is None:
        raise SourceError(f"{what}: table '{listed.file}' is not beside the YAML")
    columns = {
        part: column.lower()
        for part, column in listed.columns.model_dump().items()
        if column is not None
    }
    try:
        with place.open("rb") as raw:
            for _, row in table_rows(lines_of(raw)):
                if isinstance(row, NoTextError):
                    raise row
                if missing := [column for column in columns.values() if column not in row]:
                    raise SourceError(
                        f"{what}: table '{listed.file}' has no column '{missing[0]}'; it has "
                        f"{', '.join(row)}"
                    )
                yield StatedMonomer(**{part: row[column] for part, column in columns.items()})
    except NoTextError as error:
        raise SourceError(f"{what}: table '{listed.file}': {error}") from None
    except OSError as error:
        raise SourceError(f"{what}: table '{listed.file}' cannot be read ({error})") from None


def _digits(cid: str) -> str:
    return cid.upper().removeprefix("CID").strip()


def _name(stated: StatedMonomer, config: PolyimideConfig) -> str:
    """Return the short name of a molecule: from the YAML, else its number, else its own name."""
    number = _digits(stated.cid)
    known = config.names.get(f"CID{number}") or config.names.get(number)
    return known or (f"CID{number}" if number else stated.name or stated.smiles)
