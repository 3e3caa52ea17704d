"""`matscreen serve`: checks what it was given, listens, and ends with Ctrl-C."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from screening.messages.errors import ScreenError
from screening.messages.stderr import say

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from screening.machine.settings import Settings

EVERYWHERE = ("0.0.0.0", "::")
"""They stand for all addresses of the machine, and are none that others can open."""
SHORTEST_TOKEN = 16
"""Characters of a token: fewer could be guessed."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    token_file: Annotated[
        Optional[Path],
        typer.Option(
            help="File of mode 600 with a token that readers must know. "
            "[default: one made for this run and printed]"
        ),
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let in every user of this machine.")
    ] = False,
) -> None:
    """Serve a dashboard of the campaigns, which follows them while they run."""
    import secrets

    from screening.machine.settings import Settings
    from screening.server.guard import is_loopback
    from screening.store.database import open_database

    require_packages()
    settings = Settings()
    token = the_token(settings, token_file)
    loopback = is_loopback(host)
    if no_token:
        if token is not None:
            raise ScreenError("--no-token: there is a token; leave out the one or the other")
        if not loopback:
            raise ScreenError(
                f"--no-token: others can reach --host {host}, and it needs a token; leave out "
                "--no-token, or --host"
            )
    made = None if no_token or token is not None else secrets.token_hex(24)
    token = token or made
    with listening(host, port) as listener, open_database(settings, must_exist=True) as database:
        from screening.server.app import dashboard

        app = dashboard(database, loopback=loopback, token=token)
        say(f"dashboard: {address(host, listener, token, made)} (Ctrl-C ends it)")
        run(app, listener)


def require_packages() -> None:
    """Raise `ScreenError` unless the packages of the extra `serve` are there."""
    import importlib.util

    needed = ("fastapi", "uvicorn")
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        raise ScreenError(
            f"matscreen serve needs {' and '.join(missing)}; run, in a clone of this project: "
            "pip install '.[serve]'"
        )


def the_token(settings: Settings, token_file: Path | None) -> str | None:
    """Return the token of the option, else of the environment; None where there is none.

    Raises
    ------
    ScreenError
        When its file cannot be read or is open to others, the environment has two, or the token
        is short or cannot be sent.
    """
    from screening.machine.secret_files import read_secret
    from screening.machine.text_files import user_path

    if token_file is not None:
        token = read_secret(user_path(token_file, "--token-file"), "--token-file")
    elif settings.serve_token_file is not None:
        if settings.serve_token is not None:
            raise ScreenError(
                "SCREEN_SERVE_TOKEN and SCREEN_SERVE_TOKEN_FILE are both set; unset one"
            )
        token = read_secret(settings.serve_token_file, "SCREEN_SERVE_TOKEN_FILE")
    elif settings.serve_token is not None:
        token = settings.serve_token.get_secret_value()
    else:
        return None
    if not all("!" <= character <= "~" for character in token):
        raise ScreenError(
            "the token has characters other than letters, digits and signs of ASCII, which "
            "browsers do not send alike; make one with: openssl rand -hex 24"
        )
    if len(token) < SHORTEST_TOKEN:
        raise ScreenError(
            f"the token has fewer than {SHORTEST_TOKEN} characters and could be guessed; make one "
            "with: openssl rand -hex 24"
        )
    return token


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise ScreenError(
            f"--host {host}: is no address of this machine ({error.strerror})"
        ) from None
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
        except OSError as error:
            raise ScreenError(
                f"cannot listen on {host}, port {port} ({error.strerror}); give another --port"
            ) from None
        yield listener


def address(host: str, listener: socket.socket, token: str | None, made: str | None) -> str:
    """Return the address to open; a token that somebody keeps is not printed.

    Parameters
    ----------
    made
        The token, where it was made for this run.
    """
    if host in EVERYWHERE:
        host = socket.gethostname()
    name = f"[{host}]" if ":" in host else host
    ask = "" if token is None else f"?token={made or '… with the token'}"
    return f"http://{name}:{listener.getsockname()[1]}/{ask}"


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Answer until interrupted; what is being answered then is cut off."""
    import uvicorn

    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        # Addresses may hold the token.
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
