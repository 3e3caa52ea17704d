"""Compositions that nobody has reported, by their chance, beside what is known of their family."""

from __future__ import annotations

import functools
import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screening.messages.errors import ScreenError
from screening.messages.stderr import counted
from screening.recommender.known import KnownList, parsed_formula, read_known, shipped_list
from screening.views.campaign_figures import CampaignFigure
from screening.views.forms import Axis, CurveView, Line, Tick
from screening.views.numbers import subscripted

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.views.forms import Role

MOST_COLUMNS, MOST_ROWS = 20, 20
"""Places on an axis, for their names to be read."""
ASIDE = 0.15
"""By which what is known stands left of its place and what is proposed right, to see both."""
MOST_TOLD = 6
"""Formulas that are told of a place."""
CLASSES: tuple[tuple[str, Role, float], ...] = (
    ("chance from 20 %", "first", 0.20),
    ("5 to 20 %", "second", 0.05),
    ("below 5 %", "third", 0.0),
    ("chance not known", "fourth", -math.inf),
)
"""Legend, role and least chance of what is proposed; the list may teach no chance."""

Place = tuple[str, str]
"""A chemical system as a column and a row: its most electropositive element, and the others."""


@dataclass(frozen=True)
class Proposed:
    """A recommended composition.

    Attributes
    ----------
    formula : str
        Reduced, elements in alphabetical order.
    elements : frozenset of str
    rank : int
        Among those recommended, from 1.
    chance : float or None
    candidate_id : str
        Of its first crystal.
    """

    formula: str
    elements: frozenset[str]
    rank: int
    chance: float | None
    candidate_id: str

    def order(self) -> tuple[float, int]:
        """Return what the best is the least of."""
        return (-1.0 if self.chance is None else -self.chance, self.rank)


def composition_map(proposed: list[Proposed], known_list: KnownList) -> CurveView:
    """Draw chemical systems: what is proposed in them by its chance, and what is known of them.

    A row holds systems that differ in their most electropositive element alone, as LiSbSe2, which
    is proposed, and NaSbSe2 and AgSbSe2, which are known.
    """
    best: dict[Place, list[Proposed]] = defaultdict(list)
    for each in sorted(proposed, key=Proposed.order):
        best[place_of(each.elements)].append(each)
    rows = _first([row for _, row in best], MOST_ROWS)
    shown = {place: found for place, found in best.items() if place[1] in rows}
    known = _known_beside(known_list, rows)
    columns = _first(
        # What is proposed, then what has most known systems in these rows.
        [*(column for column, _ in shown), *_by_count(column for column, _ in known)],
        MOST_COLUMNS,
    )
    shown = {place: found for place, found in shown.items() if place[0] in columns}
    known = {place: found for place, found in known.items() if place[0] in columns}
    x = {name: float(at) for at, name in enumerate(sorted(columns, key=_mendeleev))}
    y = {name: float(at) for at, name in enumerate(sorted(rows, key=_row_order))}
    lines = [
        Line(
            label="known",
            role="guide",
            shape="points",
            x=[x[column] - ASIDE for column, _ in known],
            y=[y[row] for _, row in known],
            texts=[f"known: {_listed(found)}" for found in known.values()],
        ),
        *(_line(label, role, least, shown, x, y) for label, role, least in CLASSES),
    ]
    n_shown = sum(map(len, shown.values()))
    return CurveView(
        name="compositions",
        title=COMPOSITIONS.title,
        caption=_said(n_shown, len(proposed), known_list.name),
        absent="" if n_shown else "Its pool holds no recommended composition.",
        x=_axis("most electropositive element", x),
        y=_axis("other elements", y),
        lines=[line for line in lines if line.x],
    )


def place_of(elements: Iterable[str]) -> Place:
    """Return the column and the row of a chemical system."""
    first, *others = sorted(elements, key=lambda name: (_electronegativity(name), name))
    return first, "–".join(others)


def _line(
    label: str,
    role: Role,
    least: float,
    shown: Mapping[Place, list[Proposed]],
    x: Mapping[str, float],
    y: Mapping[str, float],
) -> Line:
    """Return the systems whose best chance is of one class."""
    chosen = {place: found for place, found in shown.items() if _class_of(found[0]) == least}
    return Line(
        label=label,
        role=role,
        shape="points",
        x=[x[column] + ASIDE for column, _ in chosen],
        y=[y[row] for _, row in chosen],
        ids=[found[0].candidate_id for found in chosen.values()],
        texts=["\n".join(map(_told, found[:MOST_TOLD])) for found in chosen.values()],
    )


def _class_of(best: Proposed) -> float:
    chance = -math.inf if best.chance is None else best.chance
    return next(least for _, _, least in CLASSES if chance >= least)


def _proposed(campaign: Campaign) -> list[Proposed]:
    """Return the recommended compositions of a pool, each once."""
    found: dict[str, Proposed] = {}
    query = {"campaigns": campaign.name, "origins.properties.recommend_rank": {"$exists": True}}
    for document in campaign.database.candidates.find(query, {"origins": 1}, sort=[("_id", 1)]):
        for origin in document["origins"]:
            stated = origin.get("properties", {})
            # As the source names its entries.
            formula, _, _ = str(origin["material_id"]).partition("/")
            if "recommend_rank" in stated and formula not in found:
                found[formula] = Proposed(
                    formula=formula,
                    elements=frozenset(parsed_formula(formula) or ()),
                    rank=int(stated["recommend_rank"]),
                    chance=stated.get("recommend_chance"),
                    candidate_id=str(document["_id"]),
                )
    return list(found.values())


def _is_recommended(campaign: Campaign) -> bool:
    return any(source.partition(":")[0] == "recommend" for source in campaign.config.sources)


def _known_list(campaign: Campaign) -> KnownList:
    """Return the list that the recommendations rest on; the shipped one where it is gone."""
    from screening.sources.recommend import open_recommend

    for source in campaign.config.sources:
        kind, _, rest = source.partition(":")
        if kind == "recommend" and (path := open_recommend(rest).query.known) is not None:
            try:
                return read_known(path)
            except ScreenError:
                break
    return shipped_list()


def _known_beside(known: KnownList, rows: Iterable[str]) -> dict[Place, list[str]]:
    """Return the known compositions in the systems of some rows."""
    rows = set(rows)
    sizes = {row.count("–") + 2 for row in rows}
    found: dict[Place, list[str]] = defaultdict(list)
    for formula in known.formulas:
        if len(formula) in sizes and (place := _place_of(frozenset(formula)))[1] in rows:
            parts = (f"{name}{count if count > 1 else ''}" for name, count in formula.items())
            found[place].append("".join(parts))
    return dict(found)


_place_of = functools.cache(place_of)


@functools.cache
def _electronegativity(name: str) -> float:
    from pymatgen.core import Element

    with warnings.catch_warnings():
        # Noble gases have none, which pymatgen says of each: they come last.
        warnings.simplefilter("ignore")
        value = float(Element(name).X)
    return value if math.isfinite(value) else math.inf


@functools.cache
def _mendeleev(name: str) -> float:
    """Return Pettifor's number, in whose order neighbours are alike."""
    from pymatgen.core import Element

    return float(Element(name).mendeleev_no or math.inf)


def _row_order(row: str) -> list[float]:
    """Order rows by their last element, the anion, first."""
    return [_mendeleev(name) for name in reversed(row.split("–"))]


def _first(names: Iterable[str], most: int) -> list[str]:
    return list(dict.fromkeys(names))[:most]


def _by_count(names: Iterable[str]) -> list[str]:
    counts = Counter(names)
    return sorted(counts, key=lambda name: (-counts[name], name))


def _listed(formulas: list[str]) -> str:
    more = len(formulas) - MOST_TOLD
    shortest = sorted(formulas, key=lambda name: (len(name), name))[:MOST_TOLD]
    return ", ".join(map(subscripted, shortest)) + (f" and {more} more" if more > 0 else "")


def _told(each: Proposed) -> str:
    chance = "not known" if each.chance is None else f"{100 * each.chance:.0f} %"
    return f"{subscripted(each.formula)}: chance {chance}, rank {each.rank}"


def _axis(title: str, places: Mapping[str, float]) -> Axis:
    return Axis(
        title=title,
        low=-0.7,
        high=max(len(places), 1) - 0.3,
        ticks=[Tick(at=at, name=name) for name, at in places.items()],
    )


def _said(shown: int, proposed: int, known: str) -> str:
    which = counted(shown, "recommended composition")
    some = f"{which} of {proposed}, those of the likeliest rows" if shown < proposed else which
    return (
        f"{some}, by the chance of the likeliest of each chemical system to be reported. A row "
        "holds systems that differ in their most electropositive element; a grey dot says that "
        f"something of the system is known ({known}). An empty place has neither."
    )


COMPOSITIONS = CampaignFigure(
    name="compositions",
    help="Recommended compositions by their chance, beside what is known of their family.",
    title="Map of compositions",
    view=lambda campaign: composition_map(_proposed(campaign), _known_list(campaign)),
    kinds=("crystal",),
    is_for=_is_recommended,
)
