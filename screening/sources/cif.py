"""One ``data_`` block of a CIF: its crystal, and the facts that databases state beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from screening.sources.cif_crystal import crystal_of
from screening.sources.cif_grammar import Tags, crystal_blocks, tags_of
from screening.sources.cif_sites import CELL, is_unknown, number_of
from screening.sources.record import EntryError, Scalar

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

__all__ = ["CifBlock", "crystal_blocks"]

_POSITION = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")

#: Tags, in lower case, of what becomes a number; the first one that states it wins.
#: Where the diffraction experiment and the cell were measured apart, the atoms are of the former.
#: Pressures are in kPa and densities in Mg/m³ (g/cm³) by the IUCr's core dictionary.
_NUMBERS = {
    "temperature_k": ("_diffrn_ambient_temperature", "_cell_measurement_temperature"),
    "pressure_kpa": ("_diffrn_ambient_pressure", "_cell_measurement_pressure"),
    "r_factor": ("_refine_ls_r_factor_all",),
    "density_g_per_cm3": ("_exptl_crystal_density_diffrn",),
}
#: The same of what becomes a text.
_TEXTS = {
    "chemical_name": ("_chemical_name_common", "_chemical_name_systematic"),
    "mineral_name": ("_chemical_name_mineral",),
    "structure_type": ("_chemical_name_structure_type",),
    "title": ("_publ_section_title", "_citation_title"),
}
_YEARS = ("_citation_year", "_journal_year")

_CODES = {
    "cod_code": re.compile(
        r"^[ \t]*_cod_database_code\s+['\"]?(\d{1,12})\b", re.MULTILINE | re.IGNORECASE
    ),
    "icsd_code": re.compile(
        r"^[ \t]*_database_code_icsd\s+['\"]?(\d{1,12})\b", re.MULTILINE | re.IGNORECASE
    ),
}
#: ICSD's standard remark, and the tags of the dictionaries for computed crystals.
_COMPUTED = re.compile(r"structure\s+calculated\s+theoretically|^[ \t]*_(?:tcod|dft)_", re.I | re.M)


class CifBlock:
    """A block that describes a crystal.

    Parameters
    ----------
    text : str
        From the block's name on, as `crystal_blocks` returns it; empty for none.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _tags(self) -> Tags:
        return tags_of(self.text)

    def codes(self) -> dict[str, int]:
        """Return the numbers the entry has in databases, ``cod_code`` and ``icsd_code``.

        They are searched for in the text, so that an entry too damaged to parse has its name.
        """
        found = {key: pattern.search(self.text) for key, pattern in _CODES.items()}
        return {key: int(match[1]) for key, match in found.items() if match}

    def material_id(self) -> str | None:
        """Return ``cod-1000001`` or ``icsd-18189``, or None where the block states no code."""
        # COD's first: its files may quote ICSD's code, never the other way round.
        return next((f"{key.removesuffix('_code')}-{n}" for key, n in self.codes().items()), None)

    def facts(self) -> dict[str, Scalar]:
        """Return what the block states about its crystal, under names that hold the unit.

        ``theoretical`` is given where the block says that the structure was computed, and
        ``experimental`` in entries of ICSD and COD, which else hold what was measured. A block that
        cannot be parsed states its codes only.
        """
        facts: dict[str, Scalar] = dict(self.codes())
        computed = _COMPUTED.search(self.text) is not None
        if facts or computed:
            facts["experimental"] = not computed
        if computed:
            facts["theoretical"] = True
        try:
            tags = self._tags
        except EntryError:  # `structure` says what is wrong
            return facts
        for key, names in _TEXTS.items():
            facts[key] = next(_known(tags, names), None)
        for key, names in _NUMBERS.items():
            facts[key] = next(_numbers(tags, names), None)
        year = next(_numbers(tags, _YEARS), None)
        facts["year"] = None if year is None else int(year)
        facts["oxidation_states"] = _oxidation_states(tags)
        return {key: value for key, value in facts.items() if value is not None}

    def structure(self) -> Structure:
        """Build the crystal, in the cell of the file.

        What was done to it, or does not fit where other statements confirm it, is in its
        ``properties`` under `screening.sources.record.NOTE`.

        Raises
        ------
        EntryError
            When the block is incomplete, sites are shared, partly empty or without a position, or
            what it states contradicts its atoms (see `screening.sources.cif_crystal`).
        """
        if not self.text:
            raise EntryError("it is not a CIF: no 'data_' block describes a crystal")
        tags = self._tags
        missing = [tag for tag in (*CELL, *_POSITION) if not _has(tags, tag)]
        if not (_has(tags, "_atom_site_label") or _has(tags, "_atom_site_type_symbol")):
            missing.append("_atom_site_label")
        if missing:
            if set(missing) <= set(_POSITION) and _has(tags, "_atom_site_cartn_x"):
                raise EntryError("its CIF gives Cartesian positions only, which have no one cell")
            raise EntryError("its CIF lacks {missing}; is it truncated?", missing=missing)
        return crystal_of(tags)


def _has(tags: Tags, tag: str) -> bool:
    return bool(tags.get(tag))


def _known(tags: Tags, names: tuple[str, ...]) -> Iterator[str]:
    """Yield what the first of these tags that states something says, in a loop each of it."""
    for name in names:
        for value in tags.get(name, ()):
            text = " ".join(value.split())
            if not is_unknown(text):
                yield text


def _numbers(tags: Tags, names: tuple[str, ...]) -> Iterator[float]:
    for text in _known(tags, names):
        number = number_of(text)
        if number is not None:
            yield number


def _oxidation_states(tags: Tags) -> str | None:
    """Return them in one text, ``Cl -1, Fe +2, Fe +3``."""
    symbols = tags.get("_atom_type_symbol", [])
    states = tags.get("_atom_type_oxidation_number", [])
    stated = {
        f"{_element(symbol)} {state:+g}"
        for symbol, text in zip(symbols, states, strict=False)
        if (state := number_of(text)) is not None
    }
    return ", ".join(sorted(stated)) or None


def _element(symbol: str) -> str:
    """Return what a type such as ``Fe2+`` begins with."""
    match = re.match(r"[A-Z][a-z]?", symbol)
    return match[0] if match else symbol
