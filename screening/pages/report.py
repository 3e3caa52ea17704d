"""A campaign as one HTML file that can be mailed, printed and read without this program.

The file holds the page, plotly.js and the campaign's documents (`screening.views.forms`), all
but the page compressed.  Its content security policy names the programs in it by their hashes and
forbids the network: text of a source or an error that got where it does not belong would still not
run.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from screening.machine.atomic_files import unpublished_files
from screening.messages.errors import ScreenError
from screening.pages import page_text, plotly_text

if TYPE_CHECKING:
    import datetime

    from screening.campaigns.campaign import Campaign
    from screening.views.forms import AnyPicture, Overview, RankingRow

MARK = "<!doctype html>\n<!-- matscreen report -->\n"
"""How a report begins: such a file may be replaced by a newer one."""
MAX_ROWS = 20_000
"""Rows of the ranking that a report holds: all that were computed, and the best predictions."""
ATTEMPTS = 3
"""Times that a campaign which changes in between is read again."""
MAX_DETAILS_MB = 12.0
"""Size, as they stand in the file, up to which details of candidates are taken in."""
PREDICTED_DETAILS = 20
"""Candidates of which there is only a prediction that come with their crystal, the best first."""
BLOCK = 25
"""Candidates whose details are read together."""


@dataclass(frozen=True)
class CampaignDocuments:
    """All that a report shows but the details of candidates.

    Parameters
    ----------
    rows
        Of the ranking, in its order.
    total
        Candidates in the whole of it.
    figures
        Pictures of the campaign by name.
    """

    overview: Overview
    rows: list[RankingRow]
    total: int
    figures: dict[str, AnyPicture]


def documents_of(campaign: Campaign) -> CampaignDocuments:
    """Read what a report shows of a campaign, all at one moment where that can be had."""
    from screening.ranking.cache import revision_of

    for _ in range(ATTEMPTS):
        revision = revision_of(campaign)
        documents = _documents_now(campaign)
        if revision_of(campaign) == revision:
            break
    return documents


def _documents_now(campaign: Campaign) -> CampaignDocuments:
    from screening.views.campaign_figures import figures_of
    from screening.views.overview import overview
    from screening.views.ranking import ranking_page

    page = ranking_page(campaign, limit=MAX_ROWS)
    rows = page.rows
    if page.total > len(rows):
        rows = _computed_and_best(campaign, rows, page.total)
    return CampaignDocuments(
        overview=overview(campaign),
        rows=rows,
        total=page.total,
        figures={figure.name: figure.view(campaign) for figure in figures_of(campaign)},
    )


def _computed_and_best(campaign: Campaign, top: list[RankingRow], total: int) -> list[RankingRow]:
    """Return all rows that were computed, wherever they stand, and the best predictions."""
    from screening.ranking.entries import Outcome
    from screening.views.ranking import ranking_page

    computed = [
        row
        for outcome in get_args(Outcome)
        if outcome != "predicted"
        for row in ranking_page(campaign, outcome=outcome, limit=total).rows
    ]
    predicted = (row for row in top if row.outcome == "predicted")
    room = max(MAX_ROWS - len(computed), 0)
    return sorted([*computed, *islice(predicted, room)], key=lambda row: row.rank)


def detailed_rows(rows: Iterable[RankingRow], top: int | None) -> list[RankingRow]:
    """Return the candidates whose details a report takes in, those that matter most first.

    Parameters
    ----------
    top
        The best so many of those that were computed; None takes them all, and the best
        `PREDICTED_DETAILS` that are predicted.
    """
    rows = list(rows)
    computed = [row for row in rows if row.outcome != "predicted"]
    if top is not None:
        return computed[:top]
    predicted = [row for row in rows if row.outcome == "predicted"]
    return computed + predicted[:PREDICTED_DETAILS]


def write_report(
    path: Path,
    campaign: Campaign,
    *,
    top: int | None,
    on_candidate: Callable[[], None] = lambda: None,
) -> Written:
    """Write a campaign's report, whole or not at all.

    Parameters
    ----------
    top
        See `detailed_rows`.
    on_candidate
        Called for each candidate that was read.

    Raises
    ------
    ScreenError
        When the file cannot be written.
    """
    from screening.machine.clock import now
    from screening.views.candidate import candidate_views

    documents = documents_of(campaign)
    rows = detailed_rows(documents.rows, top)

    def details_of(block: list[RankingRow]) -> list[str]:
        return [packed(view.model_dump_json()) for view in candidate_views(campaign, block)]

    details: dict[str, str] = {}
    blocks = (rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK))
    texts = chain.from_iterable(map(details_of, blocks))
    for row, text in zip(rows, _up_to(MAX_DETAILS_MB, texts), strict=False):
        details[row.candidate_id] = text
        on_candidate()
    text = page(documents, details, written=now())
    with unpublished_files([path], force=True) as folder:
        (folder / path.name).write_text(text, "utf-8", newline="\n")
    size_mb = path.stat().st_size / 1e6
    return Written(
        size_mb=size_mb,
        computed=sum(row.outcome != "predicted" for row in rows[: len(details)]),
        predicted=sum(row.outcome == "predicted" for row in rows[: len(details)]),
        left_out=len(rows) - len(details),
    )


@dataclass(frozen=True)
class Written:
    """What became of a report.

    Parameters
    ----------
    size_mb
    computed, predicted
        Candidates with all their details.
    left_out
        Candidates that should have had them, but the file would have become too large.
    """

    size_mb: float
    computed: int
    predicted: int
    left_out: int


def check_replaceable(path: Path, *, force: bool) -> None:
    """Raise `ScreenError` where a report would replace what is no report, or has no folder."""
    if path.is_dir():
        raise ScreenError(f"--output {path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ScreenError(f"--output {path}: there is no folder {path.parent}")
    if force or not path.exists():
        return
    with contextlib.suppress(OSError), path.open("rb") as file:
        if file.read(len(MARK)) == MARK.encode():
            return
    raise ScreenError(f"--output {path}: exists and is no report; give another name, or --force")


def page(
    documents: CampaignDocuments, details: dict[str, str], *, written: datetime.datetime
) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    details
        Packed `CandidateView` by candidate id.
    written
        When, for the reader.
    """
    plotly = plotly_text()
    content = {
        "overview": documents.overview.model_dump(mode="json"),
        "rows": [row.model_dump(mode="json") for row in documents.rows],
        "total": documents.total,
        "figures": {name: view.model_dump(mode="json") for name, view in documents.figures.items()},
    }
    moment = written.strftime("%-d %B %Y, %H:%M UTC")
    holders = [
        _holder(packed(json.dumps(content)), {"id": "documents", "data-written": moment}),
        *(_holder(text, {"data-candidate": key}) for key, text in details.items()),
        _holder(packed(plotly), {"id": "plotly"}),
    ]
    source = page_text("index.html")
    first = source.index('<script src="pages/')
    source = source[:first] + "".join(holders) + source[first:]
    source, programs = _with_files(source)
    policy = _policy([plotly, *programs])
    title = html.escape(f"{documents.overview.name} – matscreen")
    source = source.replace("<title>matscreen</title>", f"{policy}<title>{title}</title>", 1)
    return source.replace("<!doctype html>\n", MARK, 1)


def packed(text: str) -> str:
    """Return a text compressed, in letters that mean nothing in HTML."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def _up_to(size_mb: float, texts: Iterable[str]) -> Iterator[str]:
    """Give texts while all of them together are no larger than this."""
    total = 0
    for text in texts:
        total += len(text)
        if total > size_mb * 1e6:
            return
        yield text


def _holder(text: str, attributes: dict[str, str]) -> str:
    said = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return f'<script type="text/plain"{said}>{text}</script>\n'


def _with_files(source: str) -> tuple[str, list[str]]:
    """Put the files that the page names into it; return it, and the programs among them."""
    programs: list[str] = []

    def style(match: re.Match[str]) -> str:
        return f"<style>\n{page_text(match[1])}</style>"

    def program(match: re.Match[str]) -> str:
        programs.append(f"\n{page_text(match[1])}")
        return f"<script>{programs[-1]}</script>"

    source = re.sub(r'<link rel="stylesheet" href="pages/([a-z]+\.css)">', style, source)
    source = re.sub(r'<script src="pages/([a-z_]+\.js)"></script>', program, source)
    return source, programs


def _policy(programs: list[str]) -> str:
    """Return the policy: these programs run, and nothing is loaded from anywhere."""
    digests = [
        base64.b64encode(hashlib.sha256(program.encode()).digest()).decode() for program in programs
    ]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # plotly.js sets styles of its own; pictures that are saved pass through data: and blob:.
    rules = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n'
