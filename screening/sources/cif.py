"""One ``data_`` block of a CIF: its crystal, and the facts that databases state beside it."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from screening.sources.record import EntryError, Scalar

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure
    from pymatgen.io.cif import CifParser

_POSITION = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_NEEDED = (
    *("_cell_length_a", "_cell_length_b", "_cell_length_c"),
    *("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma"),
    *("_atom_site_label", *_POSITION),
)

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

_HYDROGENS = {"H", "D", "T"}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\)?)?")
#: A total occupancy farther from 1 is disorder, as pymatgen sees it.
_OCCUPANCY_TOLERANCE = 1e-8
#: Fractional coordinates closer than this are one site, as pymatgen sees it.
_SITE_TOLERANCE = 1e-4


def crystal_blocks(text: str) -> list[str]:
    """Return every ``data_`` block that describes a crystal, from its name on.

    Journals and ICSD put text, symmetry tables and powder patterns in blocks of their own.
    """
    blocks = re.split(r"^[ \t]*data_", text, flags=re.MULTILINE | re.IGNORECASE)[1:]
    return [block for block in blocks if "_atom_site_" in block or "_cell_length_" in block]


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
    def _parser(self) -> CifParser:
        from pymatgen.io.cif import CifParser

        return CifParser.from_str(f"data_{self.text}", check_cif=False)

    @cached_property
    def _tags(self) -> dict[str, Any]:
        """Texts, and lists of texts of loops, by the tag as it is written."""
        tags: dict[str, Any] = next(iter(self._parser.as_dict().values()))
        return tags

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                # CIF's tags have no case.
                tags = {tag.lower(): value for tag, value in self._tags.items()}
            except Exception:  # parsers raise anything; `structure` says what is wrong
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
        """Parse the crystal, in the cell of the file.

        Raises
        ------
        EntryError
            When the block is incomplete, or sites are shared, partly empty or without a position,
            or its atoms do not make the formula it states. That is how a file cut off within its
            list of atoms, or one without its hydrogens, is noticed: the parser itself accepts both.
        """
        if not self.text:
            raise EntryError("it is not a CIF: no 'data_' block describes a crystal")
        if missing := [tag for tag in _NEEDED if not self._tags.get(tag)]:
            raise EntryError(f"its CIF lacks {', '.join(missing)}; is it truncated?")
        _refuse_sites(self._tags)
        structure = self._parser.parse_structures(primitive=False, on_error="raise")[0]
        if not structure.is_ordered:
            # Two valences of one element on a site, as in magnetite, are no disorder of elements.
            structure.remove_oxidation_states()
        stated = str(self._tags.get("_chemical_formula_sum", "")).strip(" ?.")
        if stated and structure.is_ordered:
            _refuse_other_formula(structure, stated)
        return structure


def _as_list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _known(tags: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    """Yield what the first of these tags that states something says, in a loop each of it."""
    for name in names:
        for each in _as_list(tags.get(name, "?")):
            text = " ".join(each.split())
            if text not in {"", "?", "."}:
                yield text


def _numbers(tags: dict[str, Any], names: tuple[str, ...]) -> Iterator[float]:
    for text in _known(tags, names):
        number = _number(text)
        if number is not None:
            yield number


def _number(text: str) -> float | None:
    """Read ``293(2)`` as 293, and what is no number, as ``?``, as None."""
    match = _NUMBER.fullmatch(text.strip())
    number = float(match[1]) if match else math.nan
    return number if math.isfinite(number) else None


def _oxidation_states(tags: dict[str, Any]) -> str | None:
    """Return them in one text, ``Cl -1, Fe +2, Fe +3``."""
    symbols = _as_list(tags.get("_atom_type_symbol", []))
    states = _as_list(tags.get("_atom_type_oxidation_number", []))
    stated = {
        f"{_element(symbol)} {state:+g}"
        for symbol, text in zip(symbols, states, strict=False)
        if (state := _number(text)) is not None
    }
    return ", ".join(sorted(stated)) or None


def _element(label: str) -> str:
    """Return the symbol that a label or a type such as ``Fe2`` or ``O2-`` begins with."""
    match = re.match(r"[A-Z][a-z]?", label)
    return match[0] if match else label


def _refuse_sites(tags: dict[str, Any]) -> None:
    """Raise `EntryError` for the first site without a position, shared, or partly empty.

    The parser would read a position of ``.`` as 0, and says of disorder only that there is some.
    """
    labels = _as_list(tags["_atom_site_label"])
    kinds = _as_list(tags.get("_atom_site_type_symbol", labels))
    columns = [_as_list(tags[tag]) for tag in _POSITION]
    occupancies = _as_list(tags.get("_atom_site_occupancy", ["1"] * len(labels)))
    attached = _as_list(tags.get("_atom_site_attached_hydrogens", ["0"] * len(labels)))
    lengths = {len(kinds), len(occupancies), len(attached), *map(len, columns)}
    if lengths != {len(labels)}:
        raise EntryError("the columns of its list of atoms differ in length; is it truncated?")
    elements = [_element(kind) for kind in kinds]
    positions = list(zip(*columns, strict=True))
    for label, element, position in zip(labels, elements, positions, strict=True):
        if any(text.strip() in {"", "?", "."} for text in position):
            if element in _HYDROGENS:
                raise EntryError(f"hydrogen positions are missing: site {_site(label)} has none")
            raise EntryError(f"its site {_site(label)} has no position")
    for label, text in zip(labels, attached, strict=True):
        if number := _number(text):
            said = f"site {_site(label)} carries {number:g} without one"
            raise EntryError(f"hydrogen positions are missing: {said}")
    _refuse_disorder(labels, elements, positions, [_occupancy(text) for text in occupancies])


def _occupancy(text: str) -> float:
    if text.strip() == ".":
        return 0.0  # the parser leaves such an atom out
    number = _number(text)
    return 1.0 if number is None else number


def _refuse_disorder(
    labels: list[str],
    elements: list[str],
    positions: list[tuple[str, ...]],
    occupancies: list[float],
) -> None:
    places: dict[tuple[float, ...], list[int]] = {}
    for index, position in enumerate(positions):
        places.setdefault(_place(position), []).append(index)
    # Mixed sites first: their single occupancies say less.
    for indices in places.values():
        if len({elements[i] for i in indices}) > 1:
            shares = " and ".join(f"{elements[i]} ({occupancies[i]:g})" for i in indices)
            raise EntryError(f"its site {_site(labels[indices[0]])} is mixed: {shares}")
    for indices in places.values():
        total = sum(occupancies[i] for i in indices)
        if abs(total - 1) > _OCCUPANCY_TOLERANCE:
            what = "occupied partly" if total < 1 else "occupied more than once"
            raise EntryError(f"its site {_site(labels[indices[0]])} is {what}, by {total:g}")


def _place(position: tuple[str, ...]) -> tuple[float, ...]:
    """Return fractional coordinates that are equal for equal places."""
    numbers = [_number(text) for text in position]
    # What is no number is the parser's to refuse; it stands for no other place.
    return tuple(
        math.nan if number is None else round(number / _SITE_TOLERANCE) % 10_000
        for number in numbers
    )


def _site(label: str) -> str:
    """Write ``Fe12`` as ``Fe 12``: reasons that differ in numbers alone are counted as one."""
    return re.sub(r"^([A-Za-z]+)(\d+)$", r"\1 \2", label)


def _refuse_other_formula(structure: Structure, stated: str) -> None:
    """Raise `EntryError` unless the atoms make the formula that the block states."""
    from pymatgen.core.composition import Composition

    found = structure.composition.remove_charges()
    wanted = Composition(stated).remove_charges()
    atoms, formula = found.reduced_formula, wanted.reduced_formula
    if atoms == formula:
        return
    said = f"its atoms make {atoms} where _chemical_formula_sum says {formula}"
    heavy_found, heavy_wanted = (
        Composition({each: n for each, n in whole.items() if each.symbol not in _HYDROGENS})
        for whole in (found, wanted)
    )
    heavier = heavy_found.num_atoms / found.num_atoms > heavy_wanted.num_atoms / wanted.num_atoms
    if heavier and heavy_found.reduced_formula == heavy_wanted.reduced_formula:
        raise EntryError(f"hydrogen positions are missing: {said}")
    raise EntryError(f"{said}; are atoms missing, or is it truncated?")
