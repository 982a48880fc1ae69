"""Logging a browser in: a one-time code, or a token, is exchanged for a cookie.

Law: a token is never in an address, and a code there is worth nothing once it was shown.
"""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from claude_comm.gateway.core.requests import form_of, gateway_of, session_of
from claude_comm.gateway.core.sessions import COOKIE, set_cookie

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in - claude-comm</title>
<link rel="stylesheet" href="/static/gateway.css">
</head>
<body>
<main class="login">
<h1>claude-comm</h1>
{problem}
<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required autofocus>
<button type="submit">Log in</button>
</form>
<p>A token is printed by <code>claude-comm module add NAME</code>.
<code>claude-comm gateway --open</code> prints an address that needs none.</p>
</main>
</body>
</html>
"""


async def show(request: Request) -> Response:
    """The form; with a code in the address, the exchange of it."""
    if code := request.query_params.get("code", ""):
        value = gateway_of(request).sessions.exchange(code)
        if value is None:
            return _form("This code was used, or is too old: start the gateway again with --open.", 403)
        return _entered(request, value)
    return _form()


async def enter(request: Request) -> Response:
    """A token, from the form."""
    gateway = gateway_of(request)
    fields = await form_of(request)
    principal = await gateway.holder_of(fields.get("token", "").strip())
    if principal is None:
        return _form("This token does not count.", 403)
    return _entered(request, gateway.sessions.begin(principal))


async def leave(request: Request) -> Response:
    """Ends the session."""
    await form_of(request)
    if session_of(request) is not None:
        gateway_of(request).sessions.end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.headers["set-cookie"] = set_cookie("", secure=request.url.scheme == "https")
    return response


def _form(problem: str = "", status: int = 200) -> Response:
    shown = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return HTMLResponse(_PAGE.format(problem=shown), status)


def _entered(request: Request, value: str) -> Response:
    response = RedirectResponse("/", 303)
    response.headers["set-cookie"] = set_cookie(value, secure=request.url.scheme == "https")
    return response
