"""`matscreen recommend`: compositions that are in no list, by their chance to exist."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.options import TableFormat, TableFormatOption
from screening.cli.output import print_fitting, print_json, print_records, stdout
from screening.messages.errors import ScreenError
from screening.messages.stderr import say

if TYPE_CHECKING:
    from screening.recommender.ranking import Recommendation
    from screening.recommender.validation import TimeSplit


def recommend(
    elements: Annotated[
        str,
        typer.Option(help="Cations, as Li,Na: each composition holds at least one. [default: any]"),
    ] = "",
    anion: Annotated[str, typer.Option(help="Anions, as S or S,Se. [default: any]")] = "",
    kinds: Annotated[
        str, typer.Option(help="Numbers of elements of a composition, from 2 to 5.")
    ] = "3",
    top: Annotated[int, typer.Option(min=1, help="How many of the best.")] = 50,
    per_family: Annotated[
        Optional[int],
        typer.Option(min=1, help="Most of a family: alike but for one rare earth. [default: all]"),
    ] = None,
    known: Annotated[
        Optional[str],
        typer.Option(help="Your list of known compositions, instead of the shipped one."),
    ] = None,
    years: Annotated[
        int, typer.Option(min=1, max=50, help="Within which the chance is to be reported.")
    ] = 5,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="Judge the method: cut the list at --since, look later."),
    ] = False,
    since: Annotated[Optional[int], typer.Option(help="Year at whose end the list is cut.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="With --validate: repetitions.")] = 1,
    format: TableFormatOption = TableFormat.table,
) -> None:
    """Recommend compositions that are in no list, the likeliest to exist first."""
    from screening.recommender.kept import kept_recommendations
    from screening.recommender.known import computed_by_mp, read_known, shipped_list
    from screening.recommender.ranking import Question, domain_of

    if validate != (since is not None):
        raise ScreenError("--validate and --since go together: --validate --since 2005")
    question = Question(
        elements=_symbols(elements),
        anions=_symbols(anion),
        kinds=_kinds(kinds),
        top=top,
        family=per_family,
        years=years,
        seed=seed,
    )
    domain_of(question.elements, question.anions)
    listed = shipped_list() if known is None else read_known(known)
    if known is not None:
        for remark in listed.remarks:
            say(f"--known '{known}': {remark}")
    if since is not None:
        from screening.recommender.validation import time_split

        if question.elements or question.anions:
            raise ScreenError("--validate: judges the whole space; drop --elements and --anion")
        splits = [
            time_split(listed, kind, since, seed=seed + number)
            for kind in question.kinds
            for number in range(seeds)
        ]
        _show_splits(splits, format)
        return
    found = kept_recommendations(listed, question, computed_by_mp())
    _say_without_chances(found, listed.name, question.kinds)
    if not print_records([_record(row, years) for row in found], format.value):
        _print(found, listed.name, years)


def _say_without_chances(found: list[Recommendation], name: str, asked: tuple[int, ...]) -> None:
    """Say which compositions have no chance, and where that puts them."""
    from screening.recommender.known import parsed_formula

    kinds: dict[bool, set[int]] = {True: set(), False: set()}
    for row in found:
        kinds[row.chance is None].add(len(parsed_formula(row.formula) or ()))
    if absent := sorted(set(asked) - kinds[True] - kinds[False]):
        of = " or ".join(map(str, absent))
        say(f"no composition of {of} elements is among the first {len(found)}")
    if not kinds[True]:
        return
    few = f"{name}: has too few years of first reports to learn from the past"
    if not kinds[False]:
        say(f"{few}; no chances are given, and kinds are ranked by their scores")
        return
    without = " and ".join(map(str, sorted(kinds[True])))
    say(
        f"{few} for compositions of {without} elements: these have no chances, come after those "
        "that have, and are ranked by their scores"
    )


def _symbols(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _kinds(text: str) -> tuple[int, ...]:
    from screening.recommender.compositions import KINDS

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or any(part not in map(str, KINDS) for part in parts):
        known = ", ".join(map(str, KINDS))
        raise ScreenError(f"--kinds '{text}': name numbers of elements among {known}, as 3,4")
    return tuple(sorted({int(part) for part in parts}))


def _record(row: Recommendation, years: int) -> dict[str, Any]:
    energy = None if row.mp_e_hull is None or math.isnan(row.mp_e_hull) else row.mp_e_hull
    return {
        "rank": row.rank,
        "formula": row.formula,
        "score": round(row.score, 6),
        "chance": None if row.chance is None else round(row.chance, 6),
        "chance_within_years": years,
        "balance": row.balance,
        "relatives": " ".join(row.relatives),
        "computed_by_mp": row.mp_e_hull is not None,
        "mp_energy_above_hull_ev_per_atom": energy,
    }


def _print(found: list[Recommendation], name: str, years: int) -> None:
    from screening.cli.fitted_table import Column

    columns = [
        Column("", [str(row.rank) for row in found], right=True),
        Column("formula", [row.formula for row in found]),
        Column("chance", [_percent(row.chance) for row in found], right=True),
        Column("score", [f"{row.score:.2f}" for row in found], right=True, expendable=1),
        Column("nearest known relatives", [", ".join(row.relatives) for row in found]),
        Column("balance", [row.balance for row in found], expendable=3),
        Column(
            "MP, eV/atom above the hull",
            [_energy(row.mp_e_hull) for row in found],
            right=True,
            expendable=2,
        ),
    ]
    print_fitting(
        columns,
        title=f"New to {name}: {len(found)} compositions",
        caption=f"chance: to be reported within {years} years; MP: computed there, not made",
    )


def _percent(chance: float | None) -> str:
    return "" if chance is None else f"{100 * chance:.2g} %"


def _energy(energy: float | None) -> str:
    if energy is None:
        return ""
    return "computed" if math.isnan(energy) else f"{energy:.3f}"


# ------------------------------------------------------------------------------- time splits


def _show_splits(splits: list[TimeSplit], format: TableFormat) -> None:
    if format is TableFormat.json:
        print_json([split.plain() for split in splits])
        return
    if format is TableFormat.csv:
        print_records([row for split in splits for row in _rows(split)], "csv")
        return
    for split in splits:
        _print_split(split)


def _rows(split: TimeSplit) -> list[dict[str, Any]]:
    return [
        {
            "kind": split.kind,
            "since": split.since,
            "seed": split.seed,
            "method": method.method,
            **{f"hits_{top}": hits for top, hits in method.hits.items()},
            **{
                f"times_random_{top}": round(times, 2) for top, times in method.times_random.items()
            },
            "roc_auc": round(method.roc_auc, 4),
            "average_precision": round(method.average_precision, 5),
        }
        for method in split.methods
    ]


def _print_split(split: TimeSplit) -> None:
    from rich.table import Table

    table = Table(
        title=f"{split.kind} elements, known until {split.since}, reported until {split.until}",
        caption=(
            f"{split.n_space:,} compositions ranked; of {split.n_later:,} reported later, "
            f"{split.n_later_inside:,} among them"
        ),
    )
    table.add_column("method")
    tops = list(split.methods[0].hits)
    for top in tops:
        table.add_column(f"in {top:,}", justify="right")
    for name in ("× random at 1,000", "ROC-AUC", "average precision"):
        table.add_column(name, justify="right")
    for method in split.methods:
        times = method.times_random.get(1_000)
        table.add_row(
            method.method,
            *(str(method.hits[top]) for top in tops),
            "" if times is None else f"{times:.0f}",
            f"{method.roc_auc:.3f}",
            f"{method.average_precision:.4f}",
        )
    stdout().print(table)
    if split.chance_sum is None:
        say("no chances: the list has too few years before the cut to calibrate them by")
        return
    hits = split.methods[0].hits.get(1_000)
    say(f"sum of the chances of the first 1,000: {split.chance_sum:.0f}; reported: {hits}")
    for part in split.reliability:
        say(
            f"  {part['first']:,}–{part['last']:,}: mean chance "
            f"{100 * part['mean_chance']:.1f} %, reported {100 * part['reported']:.1f} %"
        )
