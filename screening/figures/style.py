"""What all figures share: style, size, labels, and how they are written to files."""

from __future__ import annotations

import contextlib
import functools
import io
import math
from collections.abc import Callable, Iterator
from importlib import resources
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from screening.machine.atomic_files import unpublished_files
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_MM = 85.0
"""A column of most journals."""
WIDTHS_MM = (70.0, 400.0)
"""Narrower ones have no room for their text, wider ones no paper."""
ROWS = 3
"""Lines that names along an axis may take."""
ENDINGS = (".png", ".svg", ".pdf")
MM_PER_INCH = 25.4

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
GREY, LIGHT_GREY = "#6E6E6E", "#E8E8E8"

OUTCOMES: dict[str, tuple[str, str]] = {
    "computed": ("o", BLUE),
    "infeasible": ("s", ORANGE),
    "unstable": ("^", VERMILION),
    "failed": ("x", "black"),
    "predicted": (".", GREY),
}
"""Marker and colour of each outcome."""

Parameters = ParamSpec("Parameters")


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Use the product's style for a while."""
    import matplotlib

    with (
        resources.as_file(resources.files("configs") / "figures.mplstyle") as path,
        matplotlib.rc_context(),
    ):
        # What the user has set for plots of their own must not reach these.
        matplotlib.rcdefaults()
        matplotlib.rc_file(path, use_default_template=False)
        yield


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Have a function draw under the product's style."""

    @functools.wraps(draw)
    def drawn(*arguments: Parameters.args, **options: Parameters.kwargs) -> Figure:
        with style():
            return draw(*arguments, **options)

    return drawn


def new_figure(width_mm: float, height: float) -> Figure:
    """Return an empty figure.

    Parameters
    ----------
    height
        As a fraction of the width; of wide figures the height grows more slowly.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height_mm = height * min(width_mm, WIDTH_MM + 0.4 * max(width_mm - WIDTH_MM, 0))
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
    FigureCanvasAgg(figure)
    return figure


def plain_log_ticks(axis: Any, most: int = 6) -> None:
    """Label a logarithmic axis with plain numbers, as many of them as can be read.

    Parameters
    ----------
    most
        Numbers that there is room for.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    densest = next((ticks for ticks in _TICKS if _count(ticks, low, high) <= most), _TICKS[-1])
    axis.set_major_locator(LogLocator(subs=densest, numticks=50))
    axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=50))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


_TICKS = (tuple(float(digit) for digit in range(1, 10)), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
"""Multiples of powers of ten that an axis may label, the densest first."""


def _count(multiples: tuple[float, ...], low: float, high: float) -> int:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return sum(low <= multiple * 10.0**power <= high for power in powers for multiple in multiples)


def name_places(figure: Figure, axes: Axes, places: list[float], names: list[str]) -> None:
    """Name places along the lower axis; where names would overlap, some stand lower."""
    axes.set_xticks(places, names)
    figure.draw_without_rendering()
    gap = 0.02 * axes.get_window_extent().width
    ends = [float("-inf")] * ROWS
    lowered = []
    labels = axes.get_xticklabels()
    for place, name, label in sorted(zip(places, names, labels, strict=True), key=itemgetter(0)):
        box = label.get_window_extent()
        free = (row for row in range(ROWS) if box.x0 > ends[row] + gap)
        row = next(free, ROWS - 1)
        ends[row] = box.x1
        lowered.append((place, "\n" * row + name))
    axes.set_xticks([place for place, _ in lowered], [name for _, name in lowered])


def checked_path(path: Path) -> Path:
    """Return a path that a figure can be written to.

    Raises
    ------
    ScreenError
        When its ending is unknown or its folder is not there.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ScreenError(
            f"-o {path}: a figure's name ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        )
    if not path.parent.is_dir():
        raise ScreenError(f"-o {path}: there is no folder '{path.parent}'; make it first")
    if path.is_dir():
        raise ScreenError(f"-o {path}: is a folder; name a file")
    return path


def save(figure: Figure, path: Path, title: str) -> None:
    """Write a figure to a file, whole or not at all; the same figure gives the same file.

    Parameters
    ----------
    title
        For readers of the file's properties.
    """
    ending = checked_path(path).suffix.lower()
    undated: dict[str, Any] = {
        ".png": {"Title": title, "Software": None},
        ".svg": {"Title": title, "Date": None, "Creator": "matscreen"},
        ".pdf": {"Title": title, "CreationDate": None, "ModDate": None, "Creator": "matscreen"},
    }[ending]
    # Drawn first: on a full disk matplotlib's way to close a PDF fails by an error of its own.
    drawn = io.BytesIO()
    with style():
        figure.savefig(drawn, format=ending[1:], metadata=undated)
    with unpublished_files([path], force=True) as work:
        (work / path.name).write_bytes(drawn.getvalue())
