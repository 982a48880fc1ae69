"""Pages that the gateway shows outside of the dashboard: the login, and why something is not shown.

Law: whatever a page says of a request is escaped here. Where a person goes on is an address of the dashboard, never of
another site.
"""

from __future__ import annotations

import re
from html import escape
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse

from claude_comm.escaping import clean

OVERVIEW, LOGIN = "/", "/login"
_MAX_ADDRESS = 4_000
# One slash alone, or a page below `/ui/`. After two slashes a browser reads a host, however many more there are.
_OWN = re.compile(r"/(ui/|[?#]|\Z)")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{head}<title>{title} · claude-comm</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/gateway.css">
</head>
<body>
<main>
<p class="brand"><img src="/static/icon.svg" width="22" height="22" alt=""> claude-comm</p>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
# A page of another site led here, and the cookie is not sent with such a step (SameSite=Strict): this page takes the
# step again by itself.
_AGAIN = '<meta http-equiv="refresh" content="0">\n'


def plain_page(title: str, body: str, status: int = 200, head: str = "") -> HTMLResponse:
    """`body` and `head` are markup."""
    return HTMLResponse(_PAGE.format(title=escape(title), body=body, head=head), status)


def again() -> HTMLResponse:
    """The page that asks for the same address once more, from this site."""
    return plain_page("One moment", '<p><a href="">Go on</a></p>', head=_AGAIN)


def not_shown(title: str, text: str, status: int, csrf: str = "") -> HTMLResponse:
    """Why there is no page; with a CSRF token, whoever is logged in may log out."""
    leave = _LEAVE.format(csrf=escape(csrf)) if csrf else ""
    body = f'<p role="alert">{escape(clean(text))}</p>\n<p><a href="{OVERVIEW}">Go to the overview</a></p>\n{leave}'
    return plain_page(title, body, status)


_LEAVE = (
    '<form method="post" action="/logout"><input type="hidden" name="csrf" value="{csrf}">'
    "<button>Log out, to log in as somebody else</button></form>"
)


def wants_page(headers: Headers, method: str) -> bool:
    """Whether a person follows a link or types an address, rather than a program asks."""
    return method in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def login_address(address: str, *, over: bool) -> str:
    """Where somebody logs in who was on the way to `address`; `over` says that a login of theirs has ended."""
    given = {"next": own_address(address), "over": "1" if over else ""}
    given = {name: value for name, value in given.items() if value and value != OVERVIEW}
    return f"{LOGIN}?{urlencode(given)}" if given else LOGIN


def own_address(address: str) -> str:
    """The address, where it is one of a page of the dashboard; else that of the overview."""
    plain = len(address) <= _MAX_ADDRESS and address.isprintable() and "\\" not in address
    return address if plain and _OWN.match(address) else OVERVIEW
