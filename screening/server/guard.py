"""Who is let in: hosts, a token; and what browsers are told to refuse."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "matscreen"
"""How the cookie's name begins; the port follows."""
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; "
    # plotly.js sets styles of its own; pictures that are saved pass through data: and blob:.
    "style-src 'self' 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """Wrap a server: refuse foreign hosts and whoever lacks the token, and add `HEADERS`.

    The token comes as ``Authorization: Bearer …``, or once as ``/?token=…``, which is answered with
    a cookie and the address without it.  The cookie holds a number made from the token, so that
    another server of the same machine, which browsers send it to as well, does not learn the
    token.  Its name has the port, so that two servers of a machine do not take it from each other.

    Parameters
    ----------
    app
        The server.
    loopback
        Whether it listens for this machine alone.  Then a request must name this machine as its
        host, by address or as localhost: a page from elsewhere whose name was made to lead here
        (DNS rebinding) does not.
    token
        None lets everybody in who can connect.
    """

    def __init__(self, app: ASGIApp, *, loopback: bool, token: str | None) -> None:
        self._app = app
        self._loopback = loopback
        self._token = token
        self._session = "" if token is None else _session(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): each.decode("latin-1") for key, each in scope["headers"]}
        host, port = _host_and_port(headers.get("host", ""))
        cookie = f"{COOKIE}-{port}" if port else COOKIE

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(key.lower().encode(), each.encode()) for key, each in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        if self._loopback and not is_loopback(host):
            await _refuse(
                with_headers,
                400,
                "this server answers on its own machine only, as localhost or 127.0.0.1",
            )
        elif self._token is None or self._is_known(headers, _cookies(scope, cookie)):
            await self._app(scope, receive, with_headers)
        elif scope["path"] == "/" and self._is_token(_query_token(scope)):
            await _start_session(with_headers, cookie, self._session)
        else:
            await _refuse(
                with_headers,
                401,
                "a token is asked for: open /?token=… once, or send 'Authorization: Bearer …'",
                {"WWW-Authenticate": "Bearer"},
            )

    def _is_known(self, headers: dict[str, str], cookies: list[str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        return any(_same(cookie, self._session) for cookie in cookies)

    def _is_token(self, given: str) -> bool:
        return _same(given, self._token or "")


def _same(given: str, wanted: str) -> bool:
    """Compare in constant time; an empty token never matches."""
    return hmac.compare_digest(given.encode(), wanted.encode()) and wanted != ""


def _session(token: str) -> str:
    return hmac.new(token.encode(), b"matscreen session", hashlib.sha256).hexdigest()


def _host_and_port(header: str) -> tuple[str, str]:
    """Return the two parts of a host header; addresses of IPv6 without their brackets."""
    name, _, port = header.rpartition(":")
    if not (name and port.isascii() and port.isdigit()):
        name, port = header, ""
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name, port


def _query_token(scope: Scope) -> str:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return str(query.get("token", [""])[0])


def _cookies(scope: Scope, name: str) -> list[str]:
    """Return the values of all cookies of a name.

    Browsers send those of all servers of a machine, whatever these put into them: `http.cookies`
    stops at the first that it dislikes.
    """
    sent = [value.decode("latin-1") for key, value in scope["headers"] if key == b"cookie"]
    parts = [part.strip() for part in ";".join(sent).split(";")]
    return [part.removeprefix(f"{name}=") for part in parts if part.startswith(f"{name}=")]


async def _start_session(send: Send, name: str, session: str) -> None:
    cookie = f"{name}={session}; HttpOnly; SameSite=Strict; Path=/"
    headers = {"Location": "/", "Set-Cookie": cookie, "Cache-Control": "no-store"}
    await _answer(send, 303, b"", headers)


async def _refuse(
    send: Send, status: int, reason: str, headers: dict[str, str] | None = None
) -> None:
    body = json.dumps({"detail": reason}, ensure_ascii=False).encode()
    kind = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    await _answer(send, status, body, {**kind, **(headers or {})})


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    encoded = [(key.lower().encode(), each.encode()) for key, each in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": encoded}
    await send(start)
    await send({"type": "http.response.body", "body": body})
