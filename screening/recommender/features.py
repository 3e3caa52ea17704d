"""What is known around a composition, as numbers.

`Knowledge` is made from the compositions known at the end of a year; `features` describes others
by it. Nothing in it depends on whether a composition itself is known: only unknown ones are
described, so no composition counts itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from screening.recommender.compositions import (
    KINDS,
    N_NUMBERS,
    Compositions,
    Keys,
    packed_columns,
)
from screening.recommender.factors import truncated, weighted
from screening.recommender.known import KnownList
from screening.recommender.likeness import (
    Incidence,
    Likeness,
    incidence,
    learnt_likeness,
    positions_in,
)
from screening.recommender.space import anion_charges
from screening.recommender.states import States

RECENT_YEARS = 6
FADING_YEARS = 5.0
"""Time in which the weight of a report falls to 1/e, where recent reports weigh more."""
RANKS = (8, 16)
_OLD_WEIGHT = 0.1
_PRODUCTS = 2_000_000
"""Products of likenesses held at a time."""

Table = NDArray[np.float32]


@dataclass(frozen=True)
class _Role:
    """Tables element × context of the elements in one role."""

    incidence: Incidence
    tables: dict[str, Table]
    sizes: Table
    latest: Table


class Knowledge:
    """What compositions known at the end of a year say about others of one kind.

    Parameters
    ----------
    known
        Compositions known then.
    kind
        Number of elements of the compositions to describe.
    year
        The end of it.
    states
        Of the cations.
    seed
        Of the factorisation.
    """

    def __init__(
        self, known: KnownList, kind: int, year: int, states: States, *, seed: int = 0
    ) -> None:
        self.kind = kind
        self._states = states
        self._all = {other: known.of_kind(other) for other in KINDS}
        self._year = year
        self.compositions, self.years = self._all[kind]
        self.likeness: Likeness = learnt_likeness(known)
        age = np.where(self.years > 0, year - self.years.astype(np.float32), np.inf)
        self._fresh = np.maximum(_OLD_WEIGHT, np.exp(-age / FADING_YEARS)).astype(np.float32)
        self._roles = [self._role(range(kind - 1), anion=False), self._role([kind - 1], anion=True)]
        self._pairs = self._factorised(seed)

    # ------------------------------------------------------------------------------- tables

    def _role(self, places: range | list[int], *, anion: bool) -> _Role:
        found = incidence(self.compositions, places, np.ones(len(self.years), np.float32))
        alike = self.likeness.anions if anion else self.likeness.cations
        matrix = found.dense()
        fresh = found.dense(np.tile(self._fresh, len(places)))
        tables = {"likeness": alike @ matrix, "fresh_likeness": alike @ fresh}
        tables |= {f"rank_{rank}": truncated(matrix, rank) for rank in RANKS}
        latest = np.zeros(len(found.keys) + 1, dtype=np.float32)
        np.maximum.at(latest, found.columns, np.tile(self.years, len(places)).astype(np.float32))
        since = np.where(latest > 0, self._year - latest, 30.0)
        return _Role(found, tables, matrix.sum(axis=0), since.astype(np.float32))

    def _factorised(self, seed: int) -> tuple[Keys, Table, Table]:
        """Return keys of contexts, and the factors of pairs and of contexts.

        All places of cations share the factors: of a known compound each is a cell.
        """
        last = self.kind - 1
        known = self.compositions
        if not len(known):
            return np.empty(0, np.int64), np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)
        contexts = np.concatenate([known.contexts(place, last) for place in range(last)])
        pairs = np.concatenate([_pair(known, place) for place in range(last)])
        keys, columns = np.unique(contexts, return_inverse=True)
        left, right = weighted(pairs, columns, (N_NUMBERS**2, len(keys)), seed=seed)
        return keys, left, right

    @cached_property
    def _together(self) -> dict[str, NDArray[np.float32]]:
        """How many compounds a cation, or two, and an anion are known in together."""
        found: dict[str, NDArray[np.float32]] = {}
        for kind in KINDS:
            compositions, years = self._all[kind]
            cations, anions = compositions.numbers[:, :-1], compositions.numbers[:, -1]
            one = np.zeros((N_NUMBERS, N_NUMBERS), dtype=np.float32)
            two = np.zeros((N_NUMBERS, N_NUMBERS, N_NUMBERS), dtype=np.float32)
            for place in range(kind - 1):
                np.add.at(one, (cations[:, place], anions), 1)
            for first, second in itertools.permutations(range(kind - 1), 2):
                np.add.at(two, (cations[:, first], cations[:, second], anions), 1)
            found[f"one_{kind}"], found[f"two_{kind}"] = one, two
        recent = np.zeros((N_NUMBERS, N_NUMBERS), dtype=np.float32)
        recent_two = np.zeros((N_NUMBERS, N_NUMBERS, N_NUMBERS), dtype=np.float32)
        for kind in KINDS:
            compositions, years = self._all[kind]
            new = compositions[np.flatnonzero(years > self._year - RECENT_YEARS)]
            for place in range(kind - 1):
                np.add.at(recent, (new.numbers[:, place], new.numbers[:, -1]), 1)
            for first, second in itertools.permutations(range(kind - 1), 2):
                cells = (new.numbers[:, first], new.numbers[:, second], new.numbers[:, -1])
                np.add.at(recent_two, cells, 1)
        return found | {"recent": recent, "recent_two": recent_two}

    @cached_property
    def _counted(self) -> dict[str, tuple[Keys, NDArray[np.float32]]]:
        """How many known compounds have some coefficients, or are of a chemical system."""
        known = self.compositions
        return {
            "shape": _tally(known.shapes),
            "shape_and_anion": _tally(_with_anion(known)),
            "recent_shape_and_anion": _tally(
                _with_anion(known[np.flatnonzero(self.years > self._year - RECENT_YEARS)])
            ),
            "system": _tally(_system(known)),
            **{
                f"system_{kind}": _tally(
                    np.concatenate(
                        [_system(part) for part in _subsystems(self._all[kind][0], self.kind)]
                    )
                )
                for kind in KINDS
                if kind > self.kind
            },
            **{
                f"subsystem_{kind}": _tally(_system(self._all[kind][0]))
                for kind in KINDS
                if 2 < kind < self.kind
            },
        }

    # ------------------------------------------------------------------------------- scores

    def relatives(
        self, compositions: Compositions, names: tuple[str, ...] = ()
    ) -> dict[str, NDArray[np.float32]]:
        """Return what contexts known with other elements say: one column for each place.

        Parameters
        ----------
        compositions
            Unknown ones.
        names
            Tables wanted; all if there are none.

        Returns
        -------
        dict of ndarray, shape (n, k)
            Likeness to the elements known in each place, and its forms.
        """
        n, last = len(compositions), self.kind - 1
        found: dict[str, NDArray[np.float32]] = {}
        for place in range(self.kind):
            role = self._roles[place == last]
            columns = role.incidence.columns_of(compositions.contexts(place))
            numbers = compositions.numbers[:, place]
            values = {
                name: table[numbers, columns]
                for name, table in role.tables.items()
                if name in names or not names
            }
            if not names:
                values |= {"size": role.sizes[columns], "age": role.latest[columns]}
            for name, column in values.items():
                found.setdefault(name, np.empty((n, self.kind), np.float32))[:, place] = column
        return found

    def pair_scores(self, compositions: Compositions) -> NDArray[np.float32]:
        """Return the weighted factorisation's scores, shape (n, k - 1)."""
        keys, left, right = self._pairs
        found = np.zeros((len(compositions), self.kind - 1), np.float32)
        if not len(keys):
            return found
        for place in range(self.kind - 1):
            columns = positions_in(keys, compositions.contexts(place, self.kind - 1))
            some = np.flatnonzero(columns < len(keys))
            pairs = _pair(compositions[some], place)
            found[some, place] = np.einsum("ij,ij->i", left[pairs], right[columns[some]])
        return found

    def analogues(self, compositions: Compositions, sharpness: float = 2.0) -> NDArray[np.float32]:
        """Return likeness to all known compounds of the same coefficients.

        The likeness of two compounds is the product of those of their elements in the same
        places, raised to a power.

        Returns
        -------
        ndarray, shape (n, 3)
            Summed over the known; summed with recent ones weighing more; the largest.
        """
        found = np.zeros((len(compositions), 3), np.float32)
        cations = self.likeness.cations**sharpness
        anions = self.likeness.anions**sharpness
        for rows, numbers, weights in self.same_shape(compositions):
            step = max(1, _PRODUCTS // len(numbers))
            both = np.column_stack([np.ones(len(weights), np.float32), weights])
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                mine = compositions.numbers[part]
                products = anions[np.ix_(mine[:, -1], numbers[:, -1])]
                for place in range(self.kind - 1):
                    products *= cations[mine[:, place]][:, numbers[:, place]]
                found[part, :2] = products @ both
                found[part, 2] = products.max(axis=1)
        return found

    def same_shape(
        self, compositions: Compositions
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.float32]]]:
        """Yield rows of equal coefficients, and the known ones in every order that fits them.

        With the known ones come their weights, larger for recent reports.
        """
        order = np.argsort(compositions.shapes, kind="stable")
        shapes, starts = np.unique(compositions.shapes[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        known_shapes = self.compositions.shapes
        for shape, start, end in zip(shapes, starts, ends, strict=True):
            of_shape = np.flatnonzero(known_shapes == shape)
            if not len(of_shape):
                continue
            known = self.compositions[of_shape]
            counts = known.counts[0]
            orders = [
                [*places, self.kind - 1]
                for places in itertools.permutations(range(self.kind - 1))
                if all(counts[list(places)] == counts[:-1])
            ]
            numbers = np.concatenate([known.numbers[:, places] for places in orders])
            yield order[start:end], numbers, np.tile(self._fresh[of_shape], len(orders))

    # ----------------------------------------------------------------------------- features

    def features(
        self, compositions: Compositions, balances: NDArray[np.uint8]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Return the names and values of the features, shape (n, n_features).

        Cations stand in the order of how well what stands beside them supports them, so that the
        features do not depend on how a formula is written.
        """
        columns: dict[str, NDArray[np.float32]] = {}
        last = self.kind - 1
        relatives = self.relatives(compositions)
        relatives["pair"] = np.column_stack(
            [self.pair_scores(compositions), np.zeros(len(compositions), np.float32)]
        )
        order = np.argsort(-relatives["likeness"][:, :-1], axis=1, kind="stable")
        for name, values in relatives.items():
            mine = np.take_along_axis(values[:, :-1], order, axis=1)
            for place in range(last):
                columns[f"{name}_{place}"] = mine[:, place]
            if name != "pair":
                columns[f"{name}_anion"] = values[:, -1]
            columns[f"{name}_sum"] = values.sum(axis=1)
        for name, column in zip(
            ("analogues", "fresh_analogues", "nearest"), self.analogues(compositions).T, strict=True
        ):
            columns[name] = column
        cations = np.take_along_axis(compositions.numbers[:, :-1], order, axis=1)
        counts = np.take_along_axis(compositions.counts[:, :-1], order, axis=1)
        anions = compositions.numbers[:, -1]
        columns |= self._popularity(compositions, cations, anions)
        columns |= self._charges(compositions)
        columns["balance"] = balances.astype(np.float32)
        properties = element_properties()
        for place in range(last):
            columns[f"count_{place}"] = counts[:, place].astype(np.float32)
            for name, values in properties.items():
                columns[f"{name}_{place}"] = values[cations[:, place]]
        columns["count_anion"] = compositions.counts[:, -1].astype(np.float32)
        for name, values in properties.items():
            columns[f"{name}_anion"] = values[anions]
        return list(columns), np.column_stack(list(columns.values()))

    def _popularity(
        self, compositions: Compositions, cations: NDArray[np.uint8], anions: NDArray[np.uint8]
    ) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = {}
        together = self._together
        for place in range(self.kind - 1):
            for name in ("one_2", f"one_{self.kind}", "recent"):
                found[f"{name}_{place}"] = together[name][cations[:, place], anions]
        if self.kind > 2:
            pairs = list(itertools.combinations(range(self.kind - 1), 2))
            names = [name for name in together if name.startswith("two_")] + ["recent_two"]
            for name in names:
                known = np.column_stack(
                    [together[name][cations[:, a], cations[:, b], anions] for a, b in pairs]
                )
                found[f"{name}_least"] = known.min(axis=1)
                if len(pairs) > 1:
                    found[f"{name}_most"] = known.max(axis=1)
                    found[f"{name}_mean"] = known.mean(axis=1)
        counted = self._counted
        for name, keys in (
            ("shape", compositions.shapes),
            ("shape_and_anion", _with_anion(compositions)),
            ("recent_shape_and_anion", _with_anion(compositions)),
            ("system", _system(compositions)),
        ):
            found[name] = _looked_up(counted[name], keys)
        for name, table in counted.items():
            if name.startswith("system_"):
                found[name] = _looked_up(table, _system(compositions))
            elif name.startswith("subsystem_"):
                parts = _subsystems(compositions, int(name[-1]))
                known = np.column_stack([_looked_up(table, _system(part)) for part in parts])
                found[f"{name}_least"], found[f"{name}_sum"] = known.min(axis=1), known.sum(axis=1)
        return found

    def _charges(self, compositions: Compositions) -> dict[str, NDArray[np.float32]]:
        """Return where the charge of the anions lies between the least and the most of cations."""
        counts = compositions.counts.astype(np.float32)
        full, _ = anion_charges()
        low = (counts[:, :-1] * self._states.lowest[compositions.numbers[:, :-1]]).sum(axis=1)
        high = (counts[:, :-1] * self._states.highest[compositions.numbers[:, :-1]]).sum(axis=1)
        taken = -full[compositions.numbers[:, -1]] * counts[:, -1]
        return {
            "valence_range": (taken - low) / np.maximum(high - low, 1),
            "surplus": (low - taken) / counts.sum(axis=1),
            "atoms": counts.sum(axis=1),
            "anion_part": counts[:, -1] / counts.sum(axis=1),
        }


# ----------------------------------------------------------------------------------- pieces


def _pair(compositions: Compositions, place: int) -> NDArray[np.intp]:
    """Return one number for the cation at a place and the anion."""
    first = compositions.numbers[:, place].astype(np.intp)
    return first * N_NUMBERS + compositions.numbers[:, -1]


def _with_anion(compositions: Compositions) -> Keys:
    return (compositions.shapes << 7) | compositions.numbers[:, -1]


def _system(compositions: Compositions) -> Keys:
    """Return one number for the elements of each composition."""
    cations = np.sort(compositions.numbers[:, :-1], axis=1)
    return packed_columns(np.column_stack([cations, compositions.numbers[:, -1]]), 7)


def _subsystems(compositions: Compositions, kind: int) -> Iterator[Compositions]:
    """Yield compositions with cations left out, so that `kind` elements stay."""
    for places in itertools.combinations(range(compositions.kind - 1), kind - 1):
        columns = [*places, compositions.kind - 1]
        yield Compositions(compositions.numbers[:, columns], compositions.counts[:, columns])


def _tally(keys: Keys) -> tuple[Keys, NDArray[np.float32]]:
    found, counts = np.unique(keys, return_counts=True)
    return found, np.append(counts, 0).astype(np.float32)


def _looked_up(tally: tuple[Keys, NDArray[np.float32]], keys: Keys) -> NDArray[np.float32]:
    return tally[1][positions_in(tally[0], keys)]


@cache
def element_properties() -> dict[str, NDArray[np.float32]]:
    """Return some properties of elements by atomic number; NaN where there is none."""
    import warnings

    from pymatgen.core.periodic_table import Element

    names = ("electronegativity", "radius", "group", "row", "mendeleev")
    found = {name: np.full(N_NUMBERS, np.nan, dtype=np.float32) for name in names}
    with warnings.catch_warnings():
        # Of elements without an electronegativity.
        warnings.simplefilter("ignore")
        for element in Element:
            values = (
                element.X,
                element.atomic_radius,
                element.group,
                element.row,
                element.mendeleev_no,
            )
            for name, value in zip(names, values, strict=True):
                if value is not None:
                    found[name][element.Z] = float(value)
    return found
