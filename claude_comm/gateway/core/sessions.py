"""Login codes, and the sessions of browsers that were exchanged for them.

Law: a code works once and for ten minutes. A session is known by a random cookie, of which only the hash is kept, in
the memory of this process, and ends with the token that it began with. Each session has a CSRF token that its forms
carry.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import TypeVar

import msgspec

from claude_comm.gateway.core.principals import Principal

T = TypeVar("T")

COOKIE = "claude_comm_session"
CODE_S, SESSION_S = 600.0, 12 * 3600.0
# More than people have browsers: the oldest goes.
_MOST = 10_000


class BrowserSession(msgspec.Struct, frozen=True):
    """A browser that has logged in. `csrf` is what its forms and its requests that change something carry."""

    principal: Principal
    csrf: str
    until_s: float


class BrowserSessions:
    """Codes and sessions of one gateway; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._codes: dict[bytes, tuple[Principal, float]] = {}
        self._sessions: dict[bytes, BrowserSession] = {}

    def new_code(self, principal: Principal) -> str:
        """A one-time code, for whoever it is shown to."""
        code = secrets.token_urlsafe(24)
        _keep(self._codes, _hash(code), (principal, self._clock() + CODE_S))
        return code

    def exchange(self, code: str) -> str | None:
        """The cookie's value for a code that was not used before; None for any other."""
        principal, until_s = self._codes.pop(_hash(code), (None, 0.0))
        if principal is None or until_s < self._clock():
            return None
        return self.begin(principal)

    def begin(self, principal: Principal) -> str:
        """The value of the cookie of a new session."""
        value = secrets.token_urlsafe(32)
        session = BrowserSession(principal, secrets.token_urlsafe(24), self._clock() + SESSION_S)
        _keep(self._sessions, _hash(value), session)
        return value

    def find(self, value: str) -> BrowserSession | None:
        session = self._sessions.get(_hash(value))
        if session is not None and session.until_s < self._clock():
            self.end(value)
            return None
        return session

    def end(self, value: str) -> None:
        self._sessions.pop(_hash(value), None)


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())


def cookie_of(header: str) -> str:
    """The session's cookie in a Cookie header; empty where there is none."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(header)
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def set_cookie(value: str, *, secure: bool) -> str:
    """The Set-Cookie header that begins a session, or ends it with an empty value."""
    age = int(SESSION_S) if value else 0
    return f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _keep(kept: dict[bytes, T], key: bytes, value: T) -> None:
    kept[key] = value
    while len(kept) > _MOST:
        kept.pop(next(iter(kept)))
