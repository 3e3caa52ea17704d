"""What several commands print: JSON, tables that fit, counts that run, numbers as cells."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from rich.console import Console

    from screening.campaigns.campaign import Campaign
    from screening.cli.fitted_table import Column
    from screening.intake.refusal_groups import LeftOut
    from screening.ranking.entries import RankedRow
    from screening.targets.objectives import Objective

SAY_EVERY_S = 30.0
SHOWN_REFUSALS = 20

# -------------------------------------------------------------------------------------- stdout


def print_json(value: Any) -> None:
    """Print JSON to stdout; dates become ISO strings, NaN becomes null."""
    from screening.messages.terminal import encodes

    plain = _plain(value)
    text = json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False)
    # JSON has a way to write what the terminal has not.
    print(text if encodes(text) else json.dumps(plain, indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


def print_records(records: Sequence[dict[str, Any]], format: str) -> bool:
    """Print records as JSON or CSV; return False where a table was asked for instead."""
    if format == "json":
        print_json(records)
    elif format == "csv":
        from screening.exports.csv_cells import write_csv

        write_csv(records, sys.stdout)
    else:
        return False
    return True


def stdout() -> Console:
    """Return a console that writes to stdout."""
    from screening.messages.plain_console import PlainConsole

    # Names and reasons come from others: a bracket in them is a bracket.  Piped into a file a
    # table must not be folded to 80 columns.
    console = PlainConsole(markup=False)
    return console if console.is_terminal else PlainConsole(width=160, markup=False)


def print_fitting(columns: Sequence[Column], **options: Any) -> None:
    """Print a table of what fits the terminal; options are those of `fitted_table.fitting`."""
    from screening.cli.fitted_table import fitting

    out = stdout()
    # Lines that are too long all the same are the terminal's to fold.
    out.print(fitting(columns, out.width, **options), crop=False)


def title_of(campaign: Campaign) -> str:
    """Return the title of a campaign's tables."""
    return ": ".join(filter(None, (campaign.name, campaign.config.description)))


# -------------------------------------------------------------------------------------- stderr


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[], None]]:
    """Show a running count: live on a terminal, now and then elsewhere."""
    from screening.messages.plain_console import stderr_console

    console = stderr_console()
    if not console.is_terminal:
        yield _now_and_then(what)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn(f"{what}: {{task.completed}}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda: progress.advance(task)


def _now_and_then(what: str) -> Callable[[], None]:
    """Return what counts, and says so every half minute, for logs."""
    done, said_at = 0, time.monotonic()

    def count() -> None:
        nonlocal done, said_at
        done += 1
        if time.monotonic() - said_at > SAY_EVERY_S:
            said_at = time.monotonic()
            say(f"{what}: {done}")

    return count


def say_left_out(reasons: Sequence[LeftOut], verb: str, kept: str = "") -> None:
    """Say why entries were left out, a line a reason.

    Parameters
    ----------
    kept
        Where those are that are not shown.
    """
    for group in reasons[:SHOWN_REFUSALS]:
        if group.count == 1 and group.example:
            say(f"  {verb} {group.example}: {group.reason}")
        else:
            first = f"; first: {group.example}" if group.example else ""
            say(f"  {verb} {group.count} ×: {group.reason}{first}")
    if len(reasons) > SHOWN_REFUSALS:
        say(f"  and {counted(len(reasons) - SHOWN_REFUSALS, 'more reason')}{kept}")


def say_remarks(remarks: Sequence[str]) -> None:
    """Say what sources left out before it was an entry."""
    for remark in remarks:
        say(f"  {remark}")


def how_good(calibration: Mapping[str, float], unit: str, *, log: bool) -> str:
    """Put the fields of a model's calibration in words; `log` where it models logarithms."""
    rms = calibration["rms"]
    error = f"a factor of {10**rms:.2g}" if log else f"{rms:.2g} {unit}".rstrip()
    return (
        f"typical error {error}, {100 * calibration['within_one_std']:.0f} % within one standard "
        f"deviation (68 % is right), rank correlation {calibration['rank_correlation']:.2f}"
    )


# ------------------------------------------------------------------------------- numbers as text


def digits(value: float, count: int = 3) -> str:
    """Return a number with so many significant digits, zeros at its end among them."""
    return f"{value:#.{count}g}".rstrip(".")


def with_error(value: float | None, error: float | None) -> str:
    """Return a value with its error bar, to the same decimal place."""
    if value is None:
        return ""
    if error is None:
        return digits(value)
    if not 1e-6 < error < 1e4:
        return f"{digits(value)} ± {digits(error, 2)}"
    # Two digits of the error, rounded before they are counted, and the value to the same place.
    decimals = max(1 - math.floor(math.log10(float(f"{error:.1e}"))), 0)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def with_spread(value: float, std: float, log: bool, unit: str = "") -> str:
    """Return a predicted value with its standard deviation, a factor where `log`."""
    number = f"{digits(value)} {unit}".rstrip()
    return f"{number} ×/÷ {digits(10**std, 2)}" if log else f"{number} ± {digits(std, 2)}"


def prediction(value: float | None, std: float | None, objective: Objective, unit: str = "") -> str:
    """Return what is predicted of a candidate; empty where nothing is."""
    if value is None:
        return ""
    if std is None:
        return f"{digits(value)} {unit}".rstrip()
    return with_spread(value, std, objective.logarithmic, unit)


def total_error(row: RankedRow, objective: Objective) -> str:
    """Return a result's total error and expectation in words, empty where nothing is said of it."""
    if row.total_std is None:
        return f"; no total error: {row.error_basis}" if row.error_basis else ""
    size = f"×/÷ {digits(10**row.total_std, 2)}"
    if not objective.logarithmic:
        size = f"± {digits(row.total_std, 2)} {objective.unit}".rstrip()
    expected = prediction(row.expected_value, row.expected_std, objective, objective.unit)
    unlike = ", unlike all of them" if row.extrapolated else ""
    chance = ""
    if row.probability_unstable is not None:
        of = "of the estimate without imaginary modes "
        chance = f", unstable in first principles with probability {row.probability_unstable:.2f}"
    else:
        of = ""
    return (
        f"; total error {of}{size}, first principles expected to find {expected}{chance} "
        f"(by {row.error_basis}{unlike})"
    )


def as_computed(campaign: Campaign) -> str:
    """Say that a best value is as computed, where a ranking orders by what is expected instead."""
    from screening.targets.error_tables import error_table

    known = error_table(campaign.objective.value_field, campaign.engine)
    return "" if known is None else ", as computed"


def short(value: Any) -> str:
    """Return a stored value in few characters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list):
        return ", ".join(map(short, value))
    return str(value)


def cell(value: Any) -> str:
    """Return a further field of a row; empty where it has none."""
    return "" if value is None else short(round(value, 3) if isinstance(value, float) else value)


def duration(seconds: float) -> str:
    """Return a time in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
