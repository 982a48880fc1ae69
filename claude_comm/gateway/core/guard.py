"""The guard in front of every route: names, origins, tokens, sizes and headers, before any code of a route runs.

Law: a request is answered under a name of this gateway alone (else a page elsewhere could rebind its own name to this
address), and a page of another origin is refused before anything is read or a WebSocket is accepted. Whoever is known
only by a cookie changes nothing without the session's CSRF token. Every answer has the headers that keep a browser
from running, framing or guessing what it was sent.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import quote, urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.core.errors import GatewayRefusal, forbidden, too_large, unauthorised, unsupported
from claude_comm.gateway.core.gateway import ANYBODY, Gateway
from claude_comm.gateway.core.options import LOOPBACK
from claude_comm.gateway.core.plain_page import again, login_address, wants_page
from claude_comm.gateway.core.principals import Principal
from claude_comm.gateway.core.problems import Problem, problem_of
from claude_comm.gateway.core.sessions import BrowserSession, cookie_of, same

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
SECURITY_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
# What anybody may see: whether it works, how to log in, and files that are in every copy of this package.
OPEN_PATHS = re.compile(r"/(healthz|readyz|login|openapi\.json|asyncapi\.json|static/.*)")
# Forms carry their token in a field, which their routes check: bodies are not read here. No other route takes forms.
FORM_PATHS = re.compile(r"/(login|logout|ui/.*)")
FORM_TYPE = "application/x-www-form-urlencoded"
_IP = re.compile(r"\[[0-9a-f:.]+\]|\d{1,3}(\.\d{1,3}){3}")


class Guard:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app, self._gateway = app, gateway
        options = gateway.options
        self._hosts = {
            *LOOPBACK,
            "[::1]",
            options.host,
            *(urlsplit(origin).hostname or "" for origin in options.origins),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        origin = connection.headers.get("origin", "")
        try:
            self._check_host(connection.headers)
            foreign = self._check_origin(scope, connection.headers)
            if foreign and scope["type"] == "http" and scope["method"] == "OPTIONS":
                await _preflight(origin)(scope, receive, send)
                return
            _check_coding(connection.headers)
            await self._identify(scope, connection)
        except ClaudeCommError as error:
            await self._refuse(scope, receive, send, error)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        bounded = _Bounded(receive, connection.headers, self._gateway.options.limits.body_bytes, self._body_s())
        if bounded.announced > bounded.limit:
            await self._refuse(scope, receive, send, too_large("the body", bounded.limit))
            return
        await self._app(scope, bounded.receive, _with_headers(send, origin if foreign else "", scope["path"]))

    def _body_s(self) -> float:
        return self._gateway.options.limits.body_s

    def _check_host(self, headers: Headers) -> None:
        """Raises GatewayRefusal for a name that is none of this gateway's."""
        hosts = headers.getlist("host")
        name = host_of(hosts[0]) if len(hosts) == 1 else ""
        if name in self._hosts or (self._gateway.options.public and _IP.fullmatch(name)):
            return
        raise GatewayRefusal(
            421, "wrong_host", "this gateway has no such name: start it with --origin for the name it is reached under."
        )

    def _check_origin(self, scope: Scope, headers: Headers) -> bool:
        """Whether the request comes from a page of another, allowed origin. Raises GatewayRefusal for any other."""
        origins = headers.getlist("origin")
        if not origins:
            if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope.get("method") not in SAFE_METHODS:
                raise forbidden("this request comes from a page of another site.")
            return False
        origin = origins[0]
        if len(origins) == 1 and origin in self._gateway.options.origins:
            return urlsplit(origin).netloc != headers.get("host")
        with suppress(ValueError):  # of what is no address
            parts = urlsplit(origin)
            if len(origins) == 1 and parts.scheme in ("http", "https") and parts.netloc == headers.get("host"):
                return False
        raise forbidden("pages of this origin may not use the gateway: start it with --origin to let them.")

    async def _identify(self, scope: Scope, connection: HTTPConnection) -> None:
        """Puts who asks into the scope. Raises GatewayRefusal."""
        principal, session = await self._known(connection)
        scope["principal"], scope["session"] = principal, session
        if scope["type"] == "websocket":
            return  # its first frame may still tell
        if principal is None and not OPEN_PATHS.fullmatch(scope["path"]):
            raise unauthorised()
        if session is None or scope["method"] in SAFE_METHODS:
            return
        is_form = connection.headers.get("content-type", "").startswith(FORM_TYPE)
        if is_form and FORM_PATHS.fullmatch(scope["path"]):
            return
        if not same(connection.headers.get(CSRF_HEADER, ""), session.csrf):
            raise forbidden(f"a browser's request that changes something carries the session's {CSRF_HEADER}.")

    async def _known(self, connection: HTTPConnection) -> tuple[Principal | None, BrowserSession | None]:
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind:
            principal = await self._gateway.holder_of(token.strip()) if kind.lower() == "bearer" else None
            if principal is None:
                raise unauthorised("this token does not count: `claude-comm module add NAME` makes another.")
            return principal, None
        cookie = cookie_of(connection.headers.get("cookie", ""))
        if (session := self._gateway.sessions.find(cookie)) is not None:
            # It began with a token, which may have been revoked since.
            if (holder := await self._gateway.still(session.principal)) is not None:
                return holder, session
            self._gateway.sessions.end(cookie)
        return (ANYBODY if self._gateway.options.anonymous else None), None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: ClaudeCommError) -> None:
        problem = problem_of(error)
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            await deny(send, problem)
            return
        response = _to_login(scope, headers) if problem.status == 401 else None
        if response is None:
            response = problem_response(problem)
        await response(scope, receive, _with_headers(send, "", scope["path"]))


def _check_coding(headers: Headers) -> None:
    """Bodies are read as they come: one that is compressed could be any size. Raises GatewayRefusal."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise unsupported("a body is sent as it is, without content-encoding: send it uncompressed.")


def _to_login(scope: Scope, headers: Headers) -> Response | None:
    """To the login, and back from there, for a person whom nobody knows; None for a program."""
    over = bool(cookie_of(headers.get("cookie", "")))
    if wants_page(headers, scope["method"]):
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return again()
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse(login_address(quote(scope["path"]) + (f"?{query}" if query else ""), over=over), 303)
    if "text/html" in headers.get("accept", "") and FORM_PATHS.fullmatch(scope["path"]):
        return RedirectResponse(login_address(_page_of(headers.get("referer", "")), over=over), 303)
    return None


def _page_of(referer: str) -> str:
    """Where a form stands, from what its browser says; nowhere for what is no address."""
    try:
        return urlsplit(referer)._replace(scheme="", netloc="").geturl()
    except ValueError:
        return ""


class _Bounded:
    """A request's body, up to a size and within a time."""

    def __init__(self, receive: Receive, headers: Headers, limit: int, within_s: float) -> None:
        self._receive, self.limit = receive, limit
        length = headers.get("content-length", "")
        self.announced = int(length) if length.isdecimal() else 0
        self._taken, self._until = 0, time.monotonic() + within_s

    async def receive(self) -> Message:
        if self._until == 0.0:
            return await self._receive()
        try:
            async with asyncio.timeout(max(self._until - time.monotonic(), 0.0)):
                message = await self._receive()
        except TimeoutError:
            raise GatewayRefusal(408, "too_slow", "the body did not come in time: send it at once.") from None
        self._taken += len(message.get("body", b""))
        if self._taken > self.limit:
            raise too_large("the body", self.limit)
        if not message.get("more_body"):
            self._until = 0.0  # from here on it waits for the client to leave
        return message


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = header.lower().rpartition(":")
    return name if colon and (port.isdecimal() or not port) and not name.endswith(":") else header.lower()


def problem_response(problem: Problem) -> Response:
    headers = {"cache-control": "no-store"}
    if problem.retry_s is not None:
        headers["retry-after"] = str(max(1, round(problem.retry_s)))
    if problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="claude-comm"'
    if problem.status in (408, 413):
        headers["connection"] = "close"  # the rest of the body is not read
    return Response(msgspec.json.encode(problem), problem.status, headers, "application/problem+json")


async def deny(send: Send, problem: Problem) -> None:
    """Answers a WebSocket's handshake with a problem, before it is accepted."""
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": msgspec.json.encode(problem)})


def _preflight(origin: str) -> Response:
    return Response(
        status_code=204,
        headers={
            **_cross_origin(origin),
            "access-control-allow-methods": "GET, POST, PUT, DELETE",
            "access-control-allow-headers": "authorization, content-type, last-event-id, "
            "ce-id, ce-type, ce-source, ce-specversion, ce-target, ce-session, ce-correlation, ce-causation",
            "access-control-max-age": "600",
        },
    )


def _cross_origin(origin: str) -> dict[str, str]:
    return {"access-control-allow-origin": origin, "vary": "origin"}


def _with_headers(send: Send, origin: str, path: str) -> Send:
    """Adds the headers of every answer, where a route has not set its own."""
    added: dict[str, str] = dict(SECURITY_HEADERS)
    if not path.startswith("/static/"):
        added["cache-control"] = "no-store"
    if origin:
        added.update(_cross_origin(origin))
        added["cross-origin-resource-policy"] = "cross-origin"
    raw = [(name.encode(), value.encode()) for name, value in added.items()]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Iterable[tuple[bytes, bytes]] = message.get("headers", [])
            given = {name.lower() for name, _ in headers}
            message["headers"] = [*headers, *(pair for pair in raw if pair[0] not in given)]
        await send(message)

    return send_with_headers
