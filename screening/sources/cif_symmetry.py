"""Which symmetry operations a CIF may mean: those it lists, or those of the group that it names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from screening.candidates.symmetry_search import asked
from screening.sources.cif_grammar import Tags
from screening.sources.record import EntryError

if TYPE_CHECKING:
    import gemmi

Floats = NDArray[np.float64]

_LISTED = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_symmetry_equiv_pos_as_xyz_",
    "_space_group_symop_magn_operation_xyz",
    "_space_group_symop_magn_operation_mxmymz_xyz",
)
_CENTRINGS = ("_space_group_symop_magn_centering_xyz",)
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m_ref",
    "_space_group_name_h-m_alt_",
    "_symmetry_space_group_name_h_m",
    "_symmetry_space_group_name_h-m_",
)
_NUMBERS = (
    "_space_group_it_number",
    "_symmetry_int_tables_number",
    "_symmetry_group_it_number",
)


@dataclass(frozen=True, eq=False)
class Operations:
    """A space group in one setting.

    Attributes
    ----------
    name : str
        For messages, as ``R -3 m:H``.
    number : int
        Of its type, 1 to 230.
    rotations : array of float, shape (n, 3, 3)
    translations : array of float, shape (n, 3)
        What they do to fractional coordinates.
    key : frozenset of str
        The operations as triplets; equal for equal settings.
    """

    name: str
    number: int
    rotations: Floats
    translations: Floats
    key: frozenset[str]


class Meaning(NamedTuple):
    """One set of operations that a CIF may mean.

    Attributes
    ----------
    operations : Operations
    said_by : str
        What in the file says so, for messages.
    rank : int
        By the conventions of crystallography, 0 comes before 1.
    whole_cell : bool
        Whether it means that the list of atoms is that of the whole cell although the file
        names a group of more symmetry, which the atoms must then have.
    """

    operations: Operations
    said_by: str
    rank: int = 0
    whole_cell: bool = False


@dataclass(frozen=True)
class Symmetry:
    """What a CIF says about its symmetry.

    Attributes
    ----------
    meanings : list of Meaning
        All that it may mean; more than one where it contradicts itself or leaves the setting open.
    contradiction : str or None
        What contradicts what.
    number : int or None
        The type of group that the file names.
    is_stated : bool
        False where the file says nothing about symmetry.
    """

    meanings: list[Meaning]
    contradiction: str | None
    number: int | None
    is_stated: bool = True


def stated_symmetry(tags: Tags) -> Symmetry:
    """Read what a block says about its symmetry.

    Raises
    ------
    EntryError
        When it names a group that nobody knows and lists no operations.
    """
    listed = _listed(tags)
    named, number, unknown = _named(tags)
    types = {meaning.operations.number for meaning in named} | ({number} if number else set())
    if listed is not None and (len(listed.key) > 1 or types <= {1}):
        return _of_listed(listed, named, number)
    if number is not None and not any(m.operations.number == number for m in named):
        named_numbers = {meaning.operations.number for meaning in named}
        contradiction = None
        if named:
            contradiction = (
                f"its symbol {named[0].operations.name} is of number {min(named_numbers)}, "
                f"and its number is {number}"
            )
        named = named + [Meaning(group, f"number {number}") for group in _of_number(number)]
    else:
        contradiction = None
        named = [m for m in named if number is None or m.operations.number == number]
    if not named and listed is None:
        if unknown:
            raise EntryError(
                "its CIF lists no operations, and '{unknown}' is no space group that is "
                "known; add _space_group_symop_operation_xyz",
                unknown=unknown,
            )
        return Symmetry([Meaning(identity(), "no symmetry")], None, None, is_stated=False)
    if not contradiction and len({m.said_by for m in named}) > 1:
        contradiction = "its Hall symbol and its Hermann-Mauguin symbol are of two settings"
    types = {meaning.operations.number for meaning in named}
    stated = types.pop() if len(types) == 1 else None
    if listed is not None:
        named = [*named, Meaning(identity(), "the identity alone", 0, whole_cell=True)]
    return Symmetry(named, contradiction, stated)


def _of_listed(listed: Operations, named: list[Meaning], number: int | None) -> Symmetry:
    """Compare operations with the group that is named beside them."""
    first = Meaning(listed, "the listed operations")
    others: list[Meaning] = []
    contradiction = None
    if named and all(meaning.operations.key != listed.key for meaning in named):
        others = named
        contradiction = (
            f"its operations are those of {listed.name}, and its symbol is "
            f"{named[0].operations.name}"
        )
    if number is not None and number != listed.number:
        others = others + [Meaning(group, f"number {number}") for group in _of_number(number)]
        contradiction = contradiction or (
            f"its operations are of number {listed.number}, and its number is {number}"
        )
    return Symmetry([first, *others], contradiction, listed.number)


@lru_cache(maxsize=1)
def identity() -> Operations:
    """Return the group P 1."""
    return _operations(("x,y,z",))


def _listed(tags: Tags) -> Operations | None:
    texts = next((tags[tag] for tag in _LISTED if _said(tags, tag)), None)
    if texts is None:
        return None
    centrings = next((tags[tag] for tag in _CENTRINGS if _said(tags, tag)), ["x,y,z"])
    # Those of magnetic groups end with the reversal of time.
    short = [tuple(",".join(text.split(",")[:3]) for text in kind) for kind in (texts, centrings)]
    return _closed(*short)


@lru_cache(maxsize=64)
def _closed(texts: tuple[str, ...], centrings: tuple[str, ...]) -> Operations:
    """Return listed operations as a group.

    Raises
    ------
    EntryError
        When one cannot be understood, or they make no group.
    """
    import gemmi

    listed = []
    for text in (*texts, *centrings):
        try:
            listed.append(gemmi.Op(text.replace(" ", "").replace("\t", "")))
        except (ValueError, RuntimeError) as error:
            raise EntryError(
                "its symmetry operation '{text}' cannot be understood; is it truncated?", text=text
            ) from error
    operations = listed[: len(texts)]
    if set(centrings) != {"x,y,z"}:
        operations = [centring * op for centring in listed[len(texts) :] for op in operations]
    # Some programs leave out the identity, which every group has.
    distinct = tuple(sorted({_triplet(op) for op in (*operations, gemmi.Op())}))
    group = gemmi.GroupOps([gemmi.Op(triplet) for triplet in distinct])
    group.add_missing_elements()
    whole = {_triplet(op) for op in group}
    if whole != set(distinct):
        raise EntryError(
            "its list of {n_distinct} symmetry operations is no group: {n_whole} are missing; "
            "is it truncated?",
            n_distinct=len(distinct),
            n_whole=len(whole - set(distinct)),
        )
    return _operations(distinct)


def _triplet(op: gemmi.Op) -> str:
    text: str = op.wrap().triplet()
    return text


@lru_cache(maxsize=256)
def _operations(triplets: tuple[str, ...]) -> Operations:
    import gemmi

    ops = [gemmi.Op(triplet) for triplet in triplets]
    rotations = np.array([op.rot for op in ops], dtype=float) / gemmi.Op.DEN
    translations = np.array([op.tran for op in ops], dtype=float) / gemmi.Op.DEN
    group: gemmi.SpaceGroup | None = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(ops))
    if group is not None:
        name, number = group.xhm(), group.number
    else:
        number = _type_number(rotations, translations)
        name = f"{gemmi.find_spacegroup_by_number(number).hm} in a setting of its own"
    return Operations(name, number, rotations, translations, frozenset(triplets))


def _type_number(rotations: Floats, translations: Floats) -> int:
    import spglib

    # A lattice that the rotations keep: the mean of what they make of any.
    metric = np.einsum("nji,jk,nkl->il", rotations, np.eye(3), rotations) / len(rotations)
    lattice = np.linalg.cholesky(metric).T
    whole = np.rint(rotations).astype(int)
    found = asked(spglib.get_spacegroup_type_from_symmetry, whole, translations, lattice, 1e-4)
    if found is None:
        raise EntryError("its list of symmetry operations makes no space group; is it damaged?")
    return int(found.number)


# ----------------------------------------------------------------------------------------- names


def _named(tags: Tags) -> tuple[list[Meaning], int | None, str]:
    """Return the settings that symbols name, the number, and a symbol that nobody knows."""
    hall = [
        Meaning(_operations(triplets), f"the Hall symbol {text}")
        for text in _texts(tags, _HALL)
        if (triplets := _of_hall(text))
    ]
    symbols: list[Meaning] = []
    unknown = ""
    for text in _texts(tags, _SYMBOLS):
        settings = settings_of_symbol(text)
        unknown = unknown or ("" if settings else text)
        new = [Meaning(_of_table(index), f"the symbol {text}", rank) for index, rank in settings]
        # Of two symbols, as the short and the full one, what both say.
        both = [m for m in new if any(m.operations.key == o.operations.key for o in symbols)]
        symbols = both or symbols + new
    for text in _texts(tags, _HALL):
        unknown = unknown or ("" if hall else text)
    if hall and symbols:
        both = [m for m in symbols if any(m.operations.key == h.operations.key for h in hall)]
        # A symbol says nothing against a Hall symbol of its type that is in no table.
        known = any(
            m.operations.key == setting.key
            for m in hall
            for setting in _of_number(m.operations.number)
        )
        same_types = {m.operations.number for m in symbols} == {m.operations.number for m in hall}
        named = both or ([*hall] if same_types and not known else [*hall, *symbols])
    else:
        named = hall or symbols
    number = None
    for text in _texts(tags, _NUMBERS):
        if re.fullmatch(r"\d{1,3}", text) and 1 <= int(text) <= 230:
            number = int(text)
            break
    return named, number, unknown


def _said(tags: Tags, tag: str) -> bool:
    return any(text.strip() not in {"", "?", "."} for text in tags.get(tag, ()))


def _texts(tags: Tags, names: Iterable[str]) -> list[str]:
    found = [" ".join(tags[tag][0].split()) for tag in names if _said(tags, tag)]
    return list(dict.fromkeys(found))


@lru_cache(maxsize=256)
def _of_hall(symbol: str) -> tuple[str, ...]:
    import gemmi

    text = symbol.replace("_", " ").replace("''", '"')
    try:
        group = gemmi.symops_from_hall(text)
    except (ValueError, RuntimeError):
        plain = text.replace(" ", "").lower()
        known = (g for g in gemmi.spacegroup_table() if _compact(g.hall) == plain)
        setting = next(known, None)
        if setting is None:
            return ()
        group = setting.operations()
    return tuple(sorted({_triplet(op) for op in group}))


@lru_cache(maxsize=1)
def _table() -> list[gemmi.SpaceGroup]:
    import gemmi

    return list(gemmi.spacegroup_table())


@lru_cache(maxsize=600)
def _of_table(index: int) -> Operations:
    triplets = tuple(sorted({_triplet(op) for op in _table()[index].operations()}))
    found = _operations(triplets)
    return Operations(
        _table()[index].xhm(), found.number, found.rotations, found.translations, found.key
    )


@lru_cache(maxsize=230)
def _of_number(number: int) -> tuple[Operations, ...]:
    found: dict[frozenset[str], Operations] = {}
    for index, group in enumerate(_table()):
        if group.number == number:
            operations = _of_table(index)
            found.setdefault(operations.key, operations)
    return tuple(found.values())


def _compact(symbol: str) -> str:
    return symbol.replace(" ", "").lower()


@lru_cache(maxsize=1)
def _names() -> dict[str, dict[int, int]]:
    """Return the settings, by their place in the table, that a symbol without blanks names."""
    names: dict[str, dict[int, int]] = defaultdict(dict)
    for index, group in enumerate(_table()):
        symbols = {group.hm, group.short_name()}
        if 3 <= group.number <= 15:
            # 'P 21/c' is short for 'P 1 21/c 1', and in old works for the other axes' too.
            centring, *axes = group.hm.split()
            short = centring + "".join(axis for axis in axes if axis != "1")
            rank = 0 if group.hm.split()[1] == "1" and group.hm.split()[-1] == "1" else 1
            names[_compact(short)].setdefault(index, rank)
        if group.number >= 200:
            symbols |= {symbol.replace("-3", "3") for symbol in symbols}
        for symbol in symbols:
            names[_compact(symbol)][index] = 0
    return names


@lru_cache(maxsize=1)
def _full_names() -> dict[str, dict[int, int]]:
    """Return the same of full symbols, as 'P 21/n 21/m 21/a', which gemmi's table has not."""
    import gemmi
    import spglib

    by_operations = defaultdict(list)
    for index, group in enumerate(_table()):
        by_operations[frozenset(_triplet(op) for op in group.operations())].append(index)
    names: dict[str, dict[int, int]] = defaultdict(dict)
    for hall_number in range(1, 531):
        kind = asked(spglib.get_spacegroup_type, hall_number)
        if kind is None:
            continue
        group_operations = gemmi.symops_from_hall(kind.hall_symbol.replace("=", '"'))
        key = frozenset(_triplet(op) for op in group_operations)
        for index in by_operations[key]:
            names[_compact(kind.international_full.replace("_", ""))][index] = 0
    return names


@lru_cache(maxsize=512)
def settings_of_symbol(symbol: str) -> tuple[tuple[int, int], ...]:
    """Return the settings that a Hermann-Mauguin symbol may mean.

    Parameters
    ----------
    symbol : str
        Short or full, with or without blanks, ``_`` or parentheses of screws, in any case, in
        the old writing of cubic groups, with ``:1``, ``:2``, ``:H``, ``:R`` or ICSD's ``S``,
        ``Z``, ``H``, ``R`` at its end.

    Returns
    -------
    tuple of (int, int)
        Place in gemmi's table, and rank by convention; none where nobody knows the symbol.
    """
    plain = re.sub(r"[\s_~'\"]|\((?=\d\))|(?<=\(\d)\)", "", symbol).lower()
    plain = plain.replace("{", "(").replace("}", ")").replace("[", "(").replace("]", ")")
    plain = re.sub(r"([346])[\u0304\u0305]|[\u0304\u0305]([346])", r"-\1\2", plain)
    plain = re.sub(r"[\u2011-\u2015]", "-", plain)
    if numbered := re.fullmatch(r"(.+?)[(,;]?(?:no\.?|#|\()(\d{1,3})\)?", plain):
        # Its number behind it says the same once more, or nobody knows the symbol.
        settings = settings_of_symbol(numbered[1])
        return tuple(
            setting for setting in settings if _table()[setting[0]].number == int(numbered[2])
        )
    plain = re.sub(r"\((hexagonal|h)(axes)?\)$", ":h", plain)
    plain = re.sub(r"\((rhombohedral|r)(axes)?\)$", ":r", plain)
    plain = re.sub(r"\(?origin(choice)?([12])\)?$", r":\2", plain)
    if plain.startswith("h"):
        plain = f"r{plain[1:].partition(':')[0]}:h"
    base, colon, suffix = plain.partition(":")
    if not colon and (match := re.fullmatch(r"(.+[^hrsz])([hrsz]{1,2})", plain)):
        base, suffix = match[1], match[2]
    found = _names().get(base) or _full_names().get(base) or _with_e(base)
    if suffix:
        found = _with_suffix(found, suffix)
    return tuple(found.items())


def _with_e(symbol: str) -> dict[int, int]:
    """Return the settings of a symbol with ``e``, a glide along two axes: of each of the two."""
    found: dict[int, int] = {}
    for glide in "abc" if "e" in symbol else "":
        found |= _names().get(symbol.replace("e", glide), {})
    return found


def _with_suffix(found: dict[int, int], suffix: str) -> dict[int, int]:
    """Keep the settings that a suffix names; it may also name what a group has only one of."""
    letters = {"s": "1", "z": "2"}
    wanted = {letters.get(letter, letter) for letter in suffix}
    kept = {
        index: rank
        for index, rank in found.items()
        if _table()[index].ext.lower() in wanted or _table()[index].qualifier == suffix
    }
    if kept:
        # The cell tells hexagonal from rhombohedral axes, whatever is said of them.
        others = {i: 1 for i in found if i not in kept and _table()[i].ext in {"H", "R"}}
        return {**kept, **others}
    known = wanted <= {"1", "2", "h", "r"}
    plain = {i: rank for i, rank in found.items() if _table()[i].ext in {"\0", "", " "}}
    return plain if known else {}
