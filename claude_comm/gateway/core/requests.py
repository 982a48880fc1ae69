"""What routes read from a request, and how they answer.

Law: a body is decoded once, within its limits of size and depth, or refused with the reason.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from claude_comm.gateway.core.errors import forbidden, unauthorised, unsupported, unusable
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.options import LEAST_DEPTH
from claude_comm.gateway.core.principals import Principal
from claude_comm.gateway.core.sessions import BrowserSession, same

T = TypeVar("T")
JSON = "application/json"
MAX_DIGITS = 9


def gateway_of(request: Request) -> Gateway:
    return cast(Gateway, request.app.state.gateway)


def principal_of(request: Request) -> Principal:
    """Who asks. Raises GatewayRefusal where nobody is known."""
    principal = request.scope.get("principal")
    if not isinstance(principal, Principal):
        raise unauthorised()
    return principal


def session_of(request: Request) -> BrowserSession | None:
    """The browser's session; None for whoever shows a token."""
    session = request.scope.get("session")
    return session if isinstance(session, BrowserSession) else None


def csrf_of(request: Request) -> str:
    """What a form of this session carries in its field `csrf`; empty where no cookie is."""
    session = session_of(request)
    return session.csrf if session else ""


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, its CSRF token checked. Raises GatewayRefusal."""
    check_charset(request)
    try:
        fields = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=200))
    except ValueError as error:
        raise unusable(f"the form cannot be read: {error}.") from None
    session = session_of(request)
    if session is not None and not same(fields.pop("csrf", ""), session.csrf):
        raise forbidden("this form is not of your session: load the page again.")
    return fields


async def json_of(request: Request) -> Any:
    """The body as JSON. Raises GatewayRefusal."""
    check_charset(request)
    return decode_json(await request.body(), gateway_of(request).options.limits.json_depth)


def check_charset(request: Request) -> None:
    """JSON and forms are UTF-8. Raises GatewayRefusal for a body that says that it is in another encoding."""
    match = _CHARSET.search(request.headers.get("content-type", ""))
    if match is not None and match[1].lower() not in _UTF8:
        raise unsupported(f"charset {match[1]!r} is not read: send the body as UTF-8.")


_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]*)', re.IGNORECASE)
_UTF8 = ("utf-8", "utf8", "us-ascii", "ascii")


def decode_json(body: bytes, depth: int) -> Any:
    """JSON that is nested no deeper than that. Raises GatewayRefusal."""
    if depth_of(body) > depth:
        raise unusable(f"the JSON is nested deeper than {depth} levels.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise unusable(f"the body is no JSON: {error}.") from None


def depth_of(body: bytes) -> int:
    """How deep brackets nest; 0 where there are so few that no limit can be met."""
    if body.count(b"[") + body.count(b"{") <= LEAST_DEPTH:
        return 0
    brackets = _TEXT.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def check_depth(value: object, depth: int) -> None:
    """Raises GatewayRefusal for a value that is nested deeper than that; level by level, so that it is never this
    program's stack that decides."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return
        parts = (held.values() if isinstance(held, dict) else held for held in level)
        level = [item for part in parts for item in part if isinstance(item, dict | list)]
    if level:
        raise unusable(f"the data is nested deeper than {depth} levels.")


# A text, also one that does not end.
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEP)


def convert(value: object, kind: type[T]) -> T:
    """The value as that Struct. Raises GatewayRefusal."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise unusable(f"{error}.") from None


def answer(value: object, status: int = 200, **headers: str) -> Response:
    """The value as JSON."""
    return Response(msgspec.json.encode(value), status, headers, JSON)


def limit_of(request: Request, default: int = 100, most: int = 1_000) -> int:
    """The `limit` in the address. Raises GatewayRefusal."""
    return number_of(request, "limit", 1, most, default)


def number_of(request: Request, name: str, least: int, most: int, default: int | None = None) -> int:
    """A whole number in the address; without a default the least. Raises GatewayRefusal."""
    text = request.query_params.get(name, str(least if default is None else default))
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS) or not least <= int(text) <= most:
        raise unusable(f"{name}: from {least:,} to {most:,}.")
    return int(text)
