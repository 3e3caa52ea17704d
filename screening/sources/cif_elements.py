"""Elements of the sites of a CIF, whose labels and types are written in many ways."""

from __future__ import annotations

import re
from functools import lru_cache

from screening.sources.record import EntryError

#: Types that stand for more than one atom; their hydrogens have no positions.
_MOLECULE = re.compile(r"(?:H2O|H3O|OH[23]?|NH[2-4])(?![A-Za-z])", re.IGNORECASE)
#: What programs call an empty site; a label ``Va`` may also be a vanadium.
_VACANCIES = ("va", "vac", "vacancy")


def site_name(label: str) -> str:
    """Write ``Fe12`` as ``Fe 12``, for messages."""
    return re.sub(r"^([A-Za-z]+)(\d+)$", r"\1 \2", label)


@lru_cache(maxsize=1)
def _symbols() -> frozenset[str]:
    from pymatgen.core.periodic_table import Element

    # Of the elements beyond lawrencium there are no crystals: NH4 is no nihonium.
    return frozenset(element.symbol for element in Element if element.Z <= 103) | {"D"}


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    from pymatgen.core.periodic_table import Element

    names = {element.long_name.lower(): element.symbol for element in Element}
    return names | {"aluminium": "Al", "caesium": "Cs", "sulphur": "S", "deuterium": "D"}


@lru_cache(maxsize=4096)
def element_of(text: str, formula_symbols: frozenset[str], is_type: bool) -> str:
    """Return the element that a label or a type such as ``Fe2`` or ``O2-`` begins with.

    Parameters
    ----------
    formula_symbols : frozenset of str
        Elements of the stated formula, empty where there is none.

    Raises
    ------
    EntryError
        When it is a molecule, a vacancy, or no one element.
    """
    match = re.match(r"[A-Za-z]+", text)
    letters = match[0] if match else ""
    word = letters[:2]
    single, double = word[:1].upper(), word.capitalize()
    if letters.lower() in _names():
        return _names()[letters.lower()]
    if re.match("wat", text, re.IGNORECASE) or (is_type and _MOLECULE.match(text)):
        raise EntryError(
            "hydrogen positions are missing: site {site} is a molecule", site=site_name(text)
        )
    if letters.lower() in _VACANCIES[not is_type :] and "V" not in formula_symbols:
        raise EntryError("its site {site} is a vacancy", site=site_name(text))
    known = {symbol for symbol in (single, double) if symbol in _symbols() and symbol}
    if single == "T" and "T" not in formula_symbols and not is_type:
        known.discard("T")  # a tetrahedral site, not tritium
    if double not in known and not formula_symbols and re.match(r"[A-Z][a-z]{4}", text):
        known.clear()  # a word, whatever it begins with
    if not known:
        raise EntryError(
            "its site {site} cannot be parsed: it names no element", site=site_name(text)
        )
    likely = known & formula_symbols or known
    written_as_pair = len(word) == 2 and word[1].islower()
    whole_type = is_type and re.fullmatch(r"[A-Za-z]{2}[\d+\-.]*", text) is not None
    if len(likely) == 1 or written_as_pair or whole_type:
        return double if double in likely else likely.pop() if len(likely) == 1 else double
    raise EntryError(
        "its site {site} may be {single} or {double}; state _atom_site_type_symbol",
        site=site_name(text),
        single=single,
        double=double,
    )
