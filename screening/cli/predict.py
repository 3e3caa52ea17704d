"""`matscreen predict`: a whole library, ranked by a model of known values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from screening.cli.options import (
    LogOption,
    MinimizeOption,
    SurrogateOption,
    TableFormat,
    TableFormatOption,
    ValueKeyOption,
    WorkersOption,
)
from screening.cli.output import (
    cell,
    counting,
    how_good,
    print_fitting,
    print_records,
    say_left_out,
    say_remarks,
    with_spread,
)
from screening.messages.errors import ScreenError
from screening.messages.quantities import heading, unit_of
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.candidates.filters import CandidateFilters
    from screening.candidates.kinds import CandidateKind
    from screening.sources import Source
    from screening.studies.known_values import KnownValues
    from screening.studies.library import Library

MAX_LIBRARY_SITES = 200
"""Atoms in the primitive cell of what a library's ranking takes, unless its filters say more."""
FACT_HEADINGS = {"energy_above_hull_ev_per_atom": "above hull / eV/atom", "band_gap_ev": "gap / eV"}


def predict(
    training: Annotated[str, typer.Option(help="Source of candidates whose values are known.")],
    value_key: ValueKeyOption,
    pool: Annotated[str, typer.Option(help="Source of candidates to rank.")],
    minimize: MinimizeOption = True,
    log: LogOption = False,
    bound: Annotated[
        Optional[float], typer.Option(help="Rank by the chance of a better value than this.")
    ] = None,
    filters: Annotated[
        Optional[str], typer.Option(help="Filters as YAML: 'experimental: true'.")
    ] = None,
    top: Annotated[Optional[int], typer.Option(min=1, help="Only the best so many.")] = 25,
    surrogate: SurrogateOption = None,
    workers: WorkersOption = None,
    format: TableFormatOption = TableFormat.table,
) -> None:
    """Rank a whole library by a model fitted to known values; computes nothing."""
    from screening.candidates.kinds import candidate_kind
    from screening.choosing.config import SurrogateConfig
    from screening.choosing.surrogates import SURROGATES
    from screening.machine.threads import usable_cores
    from screening.messages.validation import check_plug_in
    from screening.sources import open_source
    from screening.sources.record import check_kind, kind_of, remarks_of
    from screening.studies.known_values import read_table
    from screening.studies.library import rank_library
    from screening.targets.scale import Scale

    check_plug_in("--surrogate", surrogate, SURROGATES.names())
    config = SurrogateConfig.model_validate({} if surrogate is None else {"kind": surrogate})
    scale = Scale(direction="minimize" if minimize else "maximize", logarithmic=log)
    if bound is not None and not scale.usable(bound):
        raise ScreenError(f"--bound: give a number{' above 0' if log else ''}, not {bound:g}")
    scaled_bound = None if bound is None else scale.to_model(bound)
    workers = workers or usable_cores()
    source, known = open_source(pool), open_source(training)
    kind = candidate_kind(kind_of(source))
    check_kind(known, kind, "the library consists of")
    wanted = _filters(filters, kind)
    table = read_table(known.records(), value_key, kind=kind, scale=scale, workers=workers)
    library = _read(source, kind, wanted, remarks_of(known), workers)
    ranked, calibration = rank_library(table, library, config, bound=scaled_bound)
    unit = unit_of(value_key)
    _say_what_was_read(library, table, kind)
    words = how_good(asdict(calibration), unit, log=log)
    say(f"each of them left out once: {words}")
    std_name = "predicted_log10_std" if log else f"predicted_{value_key}_std"
    records = []
    for row in ranked[:top]:
        facts = {name: value for name, value in row.items() if not name.startswith("predicted_")}
        value = scale.from_model(row["predicted_mean"])
        records.append({**facts, f"predicted_{value_key}": value, std_name: row["predicted_std"]})
    if print_records(records, format):
        return
    chance = ""
    if bound is not None:
        chance = f"P(value {'<' if minimize else '>'} {bound:g} {unit}".rstrip() + ")"
    predictions = [
        with_spread(record[f"predicted_{value_key}"], record[std_name], log) for record in records
    ]
    named = "predicted" if unit else f"predicted {value_key.replace('_', ' ')}"
    _print_table(
        records,
        (heading(named, unit), predictions),
        chance,
        title=f"the best {len(records)} of {len(library.facts)} {kind.plural} "
        f"by predicted {value_key}",
    )


def _filters(stated: str | None, kind: CandidateKind) -> CandidateFilters:
    """Return the filters of an option, which is YAML."""
    import yaml

    from screening.messages.validation import validated

    try:
        content = yaml.safe_load(stated or "{}")
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        raise ScreenError("--filters: expected YAML as 'experimental: true'")
    limit = {"max_sites": MAX_LIBRARY_SITES} if "max_sites" in kind.filters.model_fields else {}
    return validated(kind.filters, {**limit, **content}, "--filters")


def _read(
    source: Source,
    kind: CandidateKind,
    filters: CandidateFilters,
    remarks: list[str],
    workers: int,
) -> Library:
    """Read a library; its remarks come after those of the training set."""
    from screening.intake.parsed_entries import parsed_entries
    from screening.machine.settings import Settings
    from screening.sources.record import remarks_of
    from screening.store.database import open_database
    from screening.studies.library import read_library

    with open_database(Settings()) as database, counting(f"{kind.plural} read") as on_entry:
        entries = parsed_entries(source, kind, database, filters.refusal, workers)
        library = read_library(entries, kind, on_entry)
    library.remarks.extend([*remarks, *remarks_of(source)])
    if not library.facts:
        say_remarks(library.remarks)
        reasons = "; ".join(f"{group.count} × {group.reason}" for group in library.refused)
        raise ScreenError(f"source '{source.spec}': none of its {kind.plural} is left: {reasons}")
    return library


def _say_what_was_read(library: Library, table: KnownValues, kind: CandidateKind) -> None:
    taken, refused = len(library.facts), sum(group.count for group in library.refused)
    say(
        f"{counted(taken + library.duplicates + refused, 'entry', 'entries')} read, "
        f"{taken} {kind.plural}, {counted(library.duplicates, 'duplicate')}, "
        f"{refused} left out; the model knows {counted(len(table.values), 'value')}"
    )
    say_left_out(library.refused, "left out")
    say_remarks(library.remarks)
    say_left_out(table.left_out, "the model left out")


def _print_table(
    records: list[dict[str, Any]], predicted: tuple[str, list[str]], chance: str, *, title: str
) -> None:
    """Print the best of a library.

    Parameters
    ----------
    predicted
        Heading and cells of the predictions.
    chance
        Heading of the chances to beat a bound; empty where none was given.
    """
    from screening.candidates.candidate import SHOWN_FACTS
    from screening.cli.fitted_table import Column

    columns = [
        Column("rank", [str(record["rank"]) for record in records], True),
        Column("candidate", [record["candidate_id"] for record in records]),
        Column("material", [record["material_id"] for record in records], expendable=8),
        Column(*predicted, True),
    ]
    if chance:
        chances = [f"{100 * record['chance']:.0f} %" for record in records]
        columns.append(Column(chance, chances, True))
    columns += [
        Column(
            FACT_HEADINGS.get(name, name),
            [cell(record.get(name)) for record in records],
            True,
            expendable=number,
        )
        for number, name in enumerate(SHOWN_FACTS, start=1)
    ]
    columns.append(Column("nearest", [record["nearest"] for record in records], expendable=7))
    print_fitting(
        columns,
        title=title,
        caption="predictions with one standard deviation; nearest: of those the model knows",
        elsewhere=" (--format csv has them)",
    )
