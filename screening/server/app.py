"""What the dashboard answers: the pages, and the forms of `screening.views` as JSON.

It only reads.  Each answer about a campaign has a tag that changes when the campaign does, and a
reader who names it is told in a few bytes that nothing has (status 304).
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from screening.campaigns.campaign import Campaign
from screening.machine.clock import now
from screening.messages.errors import ScreenError
from screening.pages import linked_names, page_text, plotly_text
from screening.ranking.cache import RankingMemory, revision_of
from screening.ranking.entries import Outcome
from screening.server.guard import Guard
from screening.store.cache import SingleFlight
from screening.views.campaign_figures import figures_of
from screening.views.candidate import candidate_view
from screening.views.forms import AnyPicture, CampaignLine, CandidateView, Overview, RankingPage
from screening.views.overview import campaigns, overview
from screening.views.ranking import ranking_page

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from screening.store.database import Database

MAX_ROWS = 500
"""Rows of the ranking in one answer."""
MOST_ANSWERS = 64
"""Answers kept in memory, those asked for last."""


class Problem(BaseModel):
    """Why there is no answer, in a sentence."""

    detail: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "A token is asked for."},
    404: {"model": Problem, "description": "There is no such campaign or candidate."},
    422: {"model": Problem, "description": "The question cannot be answered."},
    503: {"model": Problem, "description": "The database does not answer."},
}


def dashboard(database: Database, *, loopback: bool, token: str | None) -> ASGIApp:
    """Return the server of a database's campaigns.

    Parameters
    ----------
    loopback, token
        See `screening.server.guard.Guard`.
    """
    app = FastAPI(
        title="matscreen",
        version=version("matscreen"),
        description="Campaigns, as `matscreen report` shows them.  Everything is read-only.",
        # Both load their programs from the network.
        docs_url=None,
        redoc_url=None,
        # A question has one address; redirects would leave the path that the page is under.
        redirect_slashes=False,
    )
    _add_pages(app)
    _add_api(app, database)
    _add_problems(app)
    return Guard(app, loopback=loopback, token=token)


# ------------------------------------------------------------------------------------------- pages


def _add_pages(app: FastAPI) -> None:
    files = {f"pages/{name}": page_text(name).encode() for name in linked_names()}
    files["pages/plotly.js"] = plotly_text().encode()
    files[""] = page_text("index.html").encode()
    tags = {path: _tag(body) for path, body in files.items()}

    def serve(path: str, request: Request) -> Response:
        kind = mimetypes.guess_type(path or "index.html")[0] or "text/plain"
        return _unless_known(request, tags[path], lambda: files[path], kind)

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        return serve("", request)

    @app.get("/pages/{name}", include_in_schema=False)
    def asset(name: str, request: Request) -> Response:
        if f"pages/{name}" not in files:
            raise HTTPException(404, f"there is no file '{name}'")
        return serve(f"pages/{name}", request)


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _unless_known(
    request: Request, tag: str, make: Callable[[], bytes], kind: str = "application/json"
) -> Response:
    """Answer, or say that what the reader has is still right."""
    # Kept by the browser, but never used without asking.
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in (known.strip() for known in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(make(), media_type=kind, headers=headers)


# --------------------------------------------------------------------------------------------- API


def _add_api(app: FastAPI, database: Database) -> None:
    answers: SingleFlight[bytes] = SingleFlight(MOST_ANSWERS)
    memory = RankingMemory()

    def opened(name: str) -> Campaign:
        try:
            return Campaign.open(database, name)
        except ScreenError as error:
            raise HTTPException(404, str(error)) from None

    def whole(
        name: str,
        request: Request,
        what: str,
        view: Callable[[Campaign], BaseModel],
        tag_of: Callable[[Campaign], str] = campaign_tag,
    ) -> Response:
        """Answer with a form that hangs on nothing but what the tag is made of."""
        campaign = opened(name)
        # Taken first: should the campaign change meanwhile, the tag is the older one.
        tag = tag_of(campaign)

        def make() -> bytes:
            with memory.used():
                return view(campaign).model_dump_json().encode()

        return _unless_known(
            request,
            tag,
            lambda: answers.get((what, campaign.name), lambda: tag, lambda _: make()),
        )

    api: dict[str, Any] = {"responses": PROBLEMS, "tags": ["campaigns"]}

    @app.get("/api/v1/campaigns", response_model=list[CampaignLine], **api)
    def list_campaigns() -> Any:
        """All campaigns, the newest first."""
        return _fresh([campaign.model_dump(mode="json") for campaign in campaigns(database)])

    @app.get("/api/v1/campaigns/{name}", response_model=Overview, **api)
    def get_overview(name: str, request: Request) -> Any:
        """A campaign at a glance."""
        return whole(name, request, "", overview, overview_tag)

    def overview_tag(campaign: Campaign) -> str:
        """Return a campaign's tag; while it is not finished with the minute: its speed changes."""
        tag = campaign_tag(campaign)
        # Whether it is finished takes as long as the answer, and changes with the campaign only.
        finished = answers.get(
            ("is_exhausted", campaign.name),
            lambda: tag,
            lambda _: str(campaign.is_exhausted()).encode(),
        )
        return tag if finished == b"True" else _tag(f"{tag} {now():%Y-%m-%dT%H:%M}".encode())

    @app.get("/api/v1/campaigns/{name}/ranking", response_model=RankingPage, **api)
    def get_ranking(
        name: str,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 50,
        sort: Annotated[str, Query(max_length=100)] = "rank",
        descending: bool = False,
        outcome: Outcome | None = None,
        search: Annotated[str, Query(max_length=200)] = "",
    ) -> Any:
        """Some rows of the ranking; those without a value come last, however they are sorted."""
        with memory.used():
            page = ranking_page(
                opened(name),
                offset=offset,
                limit=limit,
                sort=sort,
                descending=descending,
                outcome=outcome,
                search=search,
            )
        return _fresh(page.model_dump(mode="json"))

    @app.get("/api/v1/campaigns/{name}/figures/{figure}", response_model=AnyPicture, **api)
    def get_figure(name: str, figure: str, request: Request) -> Any:
        """A picture of the campaign; the overview lists those that it has."""
        known = {shown.name: shown for shown in figures_of(opened(name))}
        if figure not in known:
            raise HTTPException(
                404, f"campaign '{name}' has no figure '{figure}'; known: {', '.join(known)}"
            )
        return whole(name, request, figure, known[figure].view)

    @app.get(
        "/api/v1/campaigns/{name}/candidates/{candidate_id}", response_model=CandidateView, **api
    )
    def get_candidate(name: str, candidate_id: str) -> Any:
        """All that is known of one candidate."""
        campaign = opened(name)
        try:
            with memory.used():
                view = candidate_view(campaign, candidate_id)
        except ScreenError as error:
            raise HTTPException(404, str(error)) from None
        return _fresh(view.model_dump(mode="json"))


def campaign_tag(campaign: Campaign) -> str:
    """Return what changes whenever what is stored of a campaign may; takes a few short queries."""
    content = [
        revision_of(campaign),
        campaign.status,
        len(campaign.queue.running_picks()),
    ]
    return _tag(json.dumps(content).encode())


def _fresh(content: Any) -> Response:
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


# ---------------------------------------------------------------------------------------- problems


def _add_problems(app: FastAPI) -> None:
    from pymongo.errors import OperationFailure, PyMongoError

    def said(status: int, sentence: str) -> Response:
        return JSONResponse({"detail": sentence}, status, headers={"Cache-Control": "no-store"})

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        plain = {404: "there is nothing at this address", 405: "everything here is read-only"}
        is_own = error.detail not in ("Not Found", "Method Not Allowed")
        return said(error.status_code, error.detail if is_own else plain[error.status_code])

    @app.exception_handler(RequestValidationError)
    async def on_question(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return said(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(ScreenError)
    async def on_screen(_: Request, error: ScreenError) -> Response:
        return said(422, str(error))

    @app.exception_handler(PyMongoError)
    async def on_database(_: Request, error: PyMongoError) -> Response:
        # Its text names hosts, and says nothing to who reads the page.
        if isinstance(error, OperationFailure):
            return said(503, f"the database refused ({type(error).__name__})")
        return said(503, "the database does not answer")

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> Response:
        # uvicorn writes the traceback to the terminal.
        return said(500, "the dashboard failed at this; its terminal says more")
