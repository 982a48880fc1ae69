"""Logging a browser in: a one-time code, or a token, is exchanged for a cookie.

Law: a token is never in an address, and a code there is worth nothing once it was shown.
"""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from claude_comm.gateway.core.plain_page import own_address, plain_page
from claude_comm.gateway.core.requests import form_of, gateway_of, session_of
from claude_comm.gateway.core.sessions import COOKIE, set_cookie

_FORM = """{said}<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required autofocus>
<button type="submit">Log in</button>
</form>
<p class="note"><code>claude-comm module add NAME --service</code> prints a token that may see everything;
<code>claude-comm gateway --open</code> prints an address that needs none.</p>
"""
_OVER = "Your login is over: it ended, or its token does not count any more. Log in to go on where you were."


async def show(request: Request) -> Response:
    """The form; with a code in the address, the exchange of it. Who is logged in goes on."""
    onward = own_address(request.query_params.get("next", ""))
    if code := request.query_params.get("code", ""):
        value = gateway_of(request).sessions.exchange(code)
        if value is None:
            return _form("This code was used, or is too old: start the gateway again with --open.", 403)
        return _entered(request, value, onward)
    if session_of(request) is not None:
        return RedirectResponse(onward, 303)
    return _form(_OVER if request.query_params.get("over") else "", onward=onward)


async def enter(request: Request) -> Response:
    """A token, from the form."""
    gateway = gateway_of(request)
    fields = await form_of(request)
    onward = own_address(fields.get("next", ""))
    principal = await gateway.holder_of(fields.get("token", "").strip())
    if principal is None:
        return _form("This token does not count.", 403, onward)
    return _entered(request, gateway.sessions.begin(principal), onward)


async def leave(request: Request) -> Response:
    """Ends the session."""
    await form_of(request)
    if session_of(request) is not None:
        gateway_of(request).sessions.end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.headers["set-cookie"] = set_cookie("", secure=request.url.scheme == "https")
    return response


def _form(problem: str = "", status: int = 200, onward: str = "") -> HTMLResponse:
    role = "alert" if status != 200 else "status"
    said = f'<p role="{role}">{escape(problem)}</p>\n' if problem else ""
    return plain_page("Log in", _FORM.format(said=said, next=escape(onward)), status)


def _entered(request: Request, value: str, onward: str) -> Response:
    response = RedirectResponse(onward, 303)
    response.headers["set-cookie"] = set_cookie(value, secure=request.url.scheme == "https")
    return response
