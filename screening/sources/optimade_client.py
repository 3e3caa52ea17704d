"""Pages of an OPTIMADE server: fetched politely, kept on disk, followed within one host.

The package's own `optimade.client.OptimadeClient` (1.5) is not used for this: it gathers all pages
before it returns any, keeps none of what came before an interruption, ignores ``Retry-After`` and
503, asks a busy server again for ever, and follows ``links.next`` to any host.
"""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from screening.machine.atomic_files import write_whole
from screening.sources.record import SourceError, first_line

if TYPE_CHECKING:
    import requests

TRIES = 5
"""Times a page is asked for while the server is busy or the connection breaks."""
TIMEOUT_S = (10, 120)
"""To connect, and between two pieces of an answer."""
PAGE_TIMEOUT_S = 600
"""For a whole answer, however steadily it trickles."""
LONGEST_WAIT_S = 120
"""A server that asks for a longer pause is better asked another day."""
LARGEST_PAGE_BYTES = 64 * 2**20
"""Of an unpacked answer; a page of 100 crystals takes about 1 MB."""
REDIRECTS = 5
PAGES_WITHOUT_NEW = 3
"""Pages in a row that give no new entry and are followed all the same: some servers link on for
ever to such pages, others give one where all entries of a stretch are filtered out."""

BUSY = (429, 502, 503, 504)
"""Answers that are another one a moment later."""


class _BusyError(Exception):
    """The server, or the way to it, does not answer now; another try may."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


@dataclass
class Pages:
    """The pages of one query.

    Parameters
    ----------
    spec
        Source as the user wrote it, for messages.
    folder
        Where the pages are kept; those there are not asked for again.
    first_url
        Called for the address of the first page, unless that is there already.
    filtered
        Whether the query takes a part of the database only.

    Attributes
    ----------
    incomplete : str or None
        Once iterated to the end: why entries are missing, as half a sentence.
    """

    spec: str
    folder: Path
    first_url: Callable[[], str]
    filtered: bool = True
    incomplete: str | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the pages kept, then those fetched now: ``url``, ``next`` and ``data``.

        They end where the server says so, or where it would lead round in circles.
        """
        import requests

        url: str | None = None
        pause_s = 0.0
        seen: set[str] = set()
        end = _End()
        with requests.Session() as session:
            session.headers.update(
                {"User-Agent": "matscreen", "Accept": "application/vnd.api+json, application/json"}
            )
            for number in count(1):
                page = self._kept(number)
                if page is None:
                    time.sleep(pause_s)
                    try:
                        page = self._fetch(session, url or self.first_url())
                    except SourceError as error:
                        if not end.is_empty:
                            raise
                        self.incomplete = f"page {number - 1} is empty, and after it: {error}"
                        return
                    self._keep(number, page)
                    # The server's wish between two requests, which is not always moderate.
                    pause_s = min(page["pause_s"], LONGEST_WAIT_S)
                yield page
                seen.add(page["url"])
                url = page["next"]
                self.incomplete = end.reason(page, number, back=url in seen)
                if end.reached:
                    return

    # -------------------------------------------------------------------------------- disk

    def _path(self, number: int) -> Path:
        return self.folder / f"page-{number:04d}.json.gz"

    def _kept(self, number: int) -> dict[str, Any] | None:
        """Return a page of an earlier run; one that is damaged counts as not there."""
        try:
            with gzip.open(self._path(number), "rt", encoding="utf-8") as text:
                page = json.load(text)
        except (OSError, EOFError, zlib.error, ValueError):
            return None
        return page if isinstance(page, dict) and {"url", "next", "data"} <= set(page) else None

    def _keep(self, number: int, page: dict[str, Any]) -> None:
        """Write a page so that no reader ever sees half of it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(number), gzip.compress(json.dumps(page).encode()))
        except OSError as error:
            raise self._error(
                f"its pages cannot be kept in {self.folder} ({first_line(error)}); "
                "set SCREEN_DIRECTORY to a place that can be written"
            ) from None

    # ------------------------------------------------------------------------------- network

    def _error(self, reason: str) -> SourceError:
        return SourceError(f"source '{self.spec}': {reason}")

    def _fetch(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Ask for a page, again and again while the server is busy."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._page(session, url)
            except _BusyError as busy:
                reason = f"{urlsplit(url).netloc}: {busy}"
                # 1, 2, 4, 8 s, as nobody said how long.
                pause_s = 2.0 ** (attempt - 1) if busy.pause_s is None else busy.pause_s
            if pause_s > LONGEST_WAIT_S:
                reason += f", and asks to wait {pause_s:.0f} s"
                break
            if attempt < TRIES:
                time.sleep(pause_s)
        raise self._error(f"{reason}; run the command again later, pages already fetched are kept")

    def _page(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Ask once.

        Raises
        ------
        _BusyError
            When another try may succeed.
        SourceError
            When it may not.
        """
        status, body = self._answer(session, url)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if status != 200:
            raise self._error(_complaint(status, answer, url))
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise self._error(
                f"{url.partition('?')[0]} gives no list of entries in JSON; is it OPTIMADE? "
                "A base URL is what stands before /v1/structures"
            )
        links, meta = answer.get("links"), answer.get("meta")
        following = links.get("next") if isinstance(links, dict) else None
        if isinstance(following, dict):
            following = following.get("href")
        if following and not isinstance(following, str):
            raise self._error(
                f"{url.partition('?')[0]}: its link to the next page is no text but "
                f"{plain(json.dumps(following))}"
            )
        meta = meta if isinstance(meta, dict) else {}
        pause_s = meta.get("request_delay")
        counts = [meta.get("data_returned"), None if self.filtered else meta.get("data_available")]
        return {
            "url": url,
            "next": self._same_host(url, following) if following else None,
            "data": answer["data"],
            "more": meta.get("more_data_available"),
            "matching": max((count for count in counts if type(count) is int), default=None),
            "pause_s": pause_s if isinstance(pause_s, int | float) and pause_s > 0 else 0,
        }

    def _answer(self, session: requests.Session, url: str) -> tuple[int, bytes]:
        """Return status and body, redirects within the host followed."""
        import requests

        for _ in range(REDIRECTS + 1):
            try:
                with session.get(
                    url, timeout=TIMEOUT_S, stream=True, allow_redirects=False
                ) as response:
                    if response.is_redirect:
                        url = self._same_host(url, response.headers["location"])
                        continue
                    if response.status_code in BUSY:
                        pause_s = _retry_after(response.headers.get("retry-after"))
                        raise _BusyError(f"answers {response.status_code}", pause_s)
                    return response.status_code, self._body(response)
            except requests.exceptions.SSLError as error:
                raise self._error(f"{urlsplit(url).netloc}: {plain(str(error))}") from None
            except (requests.ConnectionError, requests.Timeout) as error:
                raise _BusyError(f"cannot be reached ({type(error).__name__})") from None
            except requests.exceptions.ChunkedEncodingError:
                raise _BusyError("the connection broke") from None
            except (requests.RequestException, ValueError) as error:
                # ValueError: of a redirect to what is no URL.
                raise self._error(f"{urlsplit(url).netloc}: {plain(str(error))}") from None
        raise self._error(f"{urlsplit(url).netloc} redirects for ever")

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        end = time.monotonic() + PAGE_TIMEOUT_S
        for piece in response.iter_content(2**16):
            body += piece
            if len(body) > LARGEST_PAGE_BYTES:
                raise self._error(
                    f"a page has more than {LARGEST_PAGE_BYTES >> 20} MiB; add &page_limit=10"
                )
            if time.monotonic() > end:
                raise _BusyError(f"a page takes longer than {PAGE_TIMEOUT_S} s")
        return bytes(body)

    def _same_host(self, url: str, link: str) -> str:
        """Return where a link of a page leads; it must not lead to another server.

        A server could otherwise have this machine ask what only it can reach.
        """
        here = urlsplit(url)
        try:
            target = urljoin(url, link)
            there = urlsplit(target)
            same = (here.hostname, here.port) == (there.hostname, there.port)
        except ValueError:  # brackets that do not match, a port that is no number
            same = False
        if not same or there.username is not None or there.scheme not in ("http", "https"):
            raise self._error(
                f"{here.netloc} links to '{plain(link)}', which is another server; "
                "where you trust that one, give it as the base URL"
            )
        if here.scheme == "https":
            # Servers behind a proxy often do not know that they are reached by https.
            return there._replace(scheme="https").geturl()
        return target


class _End:
    """Whether a page is the last one, and whether the entries up to it are all that match.

    A server says so in several ways, which need not agree: by a link, by ``more_data_available``
    and by the number of entries that match, ``data_returned``.
    """

    def __init__(self) -> None:
        self.reached = False
        self._n_without_new = 0
        """Pages in a row, up to the last one, that gave no entry which was not there before."""
        self._repeating: int | None = None
        """The first page whose entries were all there before."""
        self._ids: set[str] = set()
        self.is_empty = False
        """Whether the last page had no entries."""

    def reason(self, page: dict[str, Any], number: int, *, back: bool) -> str | None:
        """Take the next page; return why entries are missing if it is the last."""
        names = [entry.get("id") for entry in page["data"] if isinstance(entry, dict)]
        ids = {name for name in names if isinstance(name, str)}
        self.is_empty = not page["data"]
        if ids and ids <= self._ids:
            self._repeating = self._repeating or number
        # Entries without a name are refused one by one, and may all be different.
        has_new = bool(ids - self._ids) or (not ids and not self.is_empty)
        self._n_without_new = 0 if has_new else self._n_without_new + 1
        self._ids |= ids
        # Pages that an earlier version kept do not say.
        more = page.get("more")
        at_a_limit = self._n_without_new == PAGES_WITHOUT_NEW
        last = page["next"] is None or (self.is_empty and more is False)
        self.reached = back or at_a_limit or last
        if not self.reached:
            return None
        if back:
            return f"the link of page {number} goes back to an earlier page"
        if self._repeating is not None:
            return f"page {self._repeating} repeats entries of earlier pages"
        if more is True and page["next"] is None:
            return f"page {number} says that more entries follow, and gives no link to them"
        if more is True:
            return f"the last {PAGES_WITHOUT_NEW} pages are empty, and say that more entries follow"
        stated = page.get("matching")
        if isinstance(stated, int) and stated > len(self._ids):
            return f"the server says that {stated} entries match, and gave {len(self._ids)}"
        return None


# ------------------------------------------------------------------------------------- messages


def plain(text: str) -> str:
    """Return what a server says in a line, nothing in it that a terminal obeys."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(line.split()).rstrip(".:")
    return line if len(line) <= 240 else f"{line[:240]}…"


def _complaint(status: int, answer: Any, url: str) -> str:
    """Return what the server says is wrong, and the remedy."""
    host = urlsplit(url).netloc
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    said = (first.get("detail") or first.get("title")) if isinstance(first, dict) else None
    detail = f": {plain(str(said))}" if said else ""
    remedies = {
        400: "correct the filter",
        404: "a base URL is what stands before /v1/structures",
    }
    if "page_limit" in detail:
        remedy = "give a smaller one, as &page_limit=20"
    else:
        remedy = remedies.get(status, "try again later, or ask the provider")
    return f"{host} answers {status}{detail}; {remedy}"


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of the header, which states them or a date."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,9}", value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
