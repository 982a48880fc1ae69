"""The routes of the dashboard, for the application that mounts them.

A view is a function from a `System` and a `PageAddress` to a Struct, and a template of that Struct; the page that comes
of it works without script. No list is longer than a page, and no query costs more for a long history than for a short
one.

Law: a view is made on a thread, so that it never holds up the loop that serves WebSockets. A refusal of ours becomes a
page with its sentence and a status that programs understand. An act takes a form of this site: its origin is this
host, and it carries the token of its session.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from claude_comm.errors import ClaudeCommError, ConfigurationError, NotFound, ServerUnreachable, StoreNotReady
from claude_comm.gateway.dashboard import render
from claude_comm.gateway.dashboard.acts import ACTS, Doer, perform
from claude_comm.gateway.dashboard.pages import PAGES, Page, View
from claude_comm.gateway.dashboard.query import PREFIX, PageAddress, link
from claude_comm.gateway.dashboard.render import Visitor
from claude_comm.gateway.dashboard.system import Source
from claude_comm.gateway.dashboard.views import send, what_if

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
# Who looks; it raises for one who may not.
Visit: TypeAlias = Callable[[Request], Visitor]
Sources: TypeAlias = Callable[[Request], Source]

# A contract of many schemas is some hundred kilobytes.
MAX_FORM_BYTES = 2_000_000
MAX_FIELDS = 500
CSRF = "csrf"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes(sources: Sources, visit: Visit) -> list[Route]:
    """All pages and acts, of the systems that requests are about."""
    desk = _Desk(sources, visit)
    shown = [Route(page.path, desk.page(page), methods=["GET"]) for page in PAGES]
    done = [Route(doer.path, desk.act(doer), methods=["POST"]) for doer in ACTS]
    # Before the pages: `/ui/sessions/{name}` takes any path.
    return [
        Route(f"{PREFIX}/charts.css", _charts, methods=["GET"]),
        Route(f"{PREFIX}/find", _found, methods=["GET"]),
        Route(f"{PREFIX}/what-if", desk.weighed(), methods=["POST"]),
        *done,
        *shown,
        Route(f"{PREFIX}/{{rest:path}}", desk.nowhere, methods=["GET"], include_in_schema=False),
    ]


class _Desk:
    """The endpoints."""

    def __init__(self, sources: Sources, visit: Visit) -> None:
        self._sources, self._visit = sources, visit

    def page(self, page: Page) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visitor, source = self._visit(request), self._sources(request)
            return await run_in_threadpool(_shown, source, page, _query(request), visitor)

        return endpoint

    async def nowhere(self, request: Request) -> Response:
        """An address below the pages that is none of them; one with a slash too many leads to its page."""
        visitor, source = self._visit(request), self._sources(request)
        path = _path(request)
        if path.endswith("/"):
            return RedirectResponse(path.rstrip("/") if path.strip("/") != PREFIX.strip("/") else "/", 307)
        text = f"there is no page {request.scope['path']}: the views stand in the navigation."
        html = render.refusal("Not found", text, visitor, namespace=source.settings.namespace)
        return HTMLResponse(html, 404, headers=HEADERS)

    def act(self, doer: Doer) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visitor, source = self._visit(request), self._sources(request)
            try:
                form = await _form(request)
            except ConfigurationError as error:
                return _sorry(source, error, visitor)
            refused = _refused(request, source, visitor, form)
            if refused is not None:
                return refused
            query = _query(request, form)
            return await run_in_threadpool(_done, source, doer, query, visitor)

        return endpoint

    def weighed(self) -> Endpoint:
        """The answer to a what-if: it changes nothing, and takes a form for its size alone."""
        asked = next(page for page in PAGES if page.template == "what_if")

        async def endpoint(request: Request) -> Response:
            visitor, source = self._visit(request), self._sources(request)
            try:
                query = PageAddress(_path(request), await _form(request))
            except ConfigurationError as error:
                return _sorry(source, error, visitor)
            return await run_in_threadpool(_shown, source, asked, query, visitor, what_if.answer)

        return endpoint


def _shown(source: Source, page: Page, query: PageAddress, visitor: Visitor, view: View | None = None) -> Response:
    namespace = source.settings.namespace
    make = view or page.view
    try:
        with source.system() as system:
            shown = make(system, query)
            html = render.page(page, query, shown, visitor, namespace=namespace, now_us=system.now_us)
    except ClaudeCommError as error:
        return _sorry(source, error, visitor)
    return HTMLResponse(html, headers=HEADERS)


def _done(source: Source, doer: Doer, query: PageAddress, visitor: Visitor) -> Response:
    namespace = source.settings.namespace
    try:
        with source.system() as system:
            try:
                done = perform(system, query, doer, visitor.name)
            except ClaudeCommError as error:
                if doer.verb != "send":
                    raise
                page = next(page for page in PAGES if page.template == "send")
                form = send.refused(system, query, error)
                html = render.page(page, query, form, visitor, namespace=namespace, now_us=system.now_us)
                return HTMLResponse(html, 422, headers=HEADERS)
    except ClaudeCommError as error:
        return _sorry(source, error, visitor, "That was not done")
    return RedirectResponse(done.href, 303, headers=HEADERS)


def _refused(request: Request, source: Source, visitor: Visitor, form: dict[str, str]) -> Response | None:
    """Why this form may not act; None where it may."""
    if not _is_own(request) or not hmac.compare_digest(form.pop(CSRF, "").encode(), visitor.csrf.encode()):
        why = "the form was not sent by a page of this gateway, or its login is over: load the page again."
    elif not visitor.may_act:
        why = f"{visitor.name} may look, and change nothing: that takes the scope admin."
    else:
        return None
    html = render.refusal("Refused", why, visitor, namespace=source.settings.namespace)
    return HTMLResponse(html, 403, headers=HEADERS)


def _sorry(
    source: Source, error: ClaudeCommError, visitor: Visitor, otherwise: str = "That cannot be shown"
) -> Response:
    """The page that says why not; `otherwise` is its title where the kind of error has none."""
    status, title = _status(error, otherwise)
    html = render.refusal(title, str(error), visitor, namespace=source.settings.namespace)
    return HTMLResponse(html, status, headers=HEADERS)


def _status(error: ClaudeCommError, otherwise: str) -> tuple[int, str]:
    if isinstance(error, NotFound):
        return 404, "Not found"
    if isinstance(error, ServerUnreachable | StoreNotReady):
        return 503, "Not available now"
    return (400 if isinstance(error, ConfigurationError) else 409), otherwise


async def _charts(_request: Request) -> Response:
    headers = {**HEADERS, "Cache-Control": "max-age=3600"}
    return Response(render.charts_css(), media_type="text/css", headers=headers)


async def _found(request: Request) -> Response:
    """To the page of one message, by the number or id that was typed."""
    reference = request.query_params.get("reference", "").strip()
    return RedirectResponse(link("messages", reference) if reference else link("messages"), 303, headers=HEADERS)


def _query(request: Request, form: Mapping[str, str] | None = None) -> PageAddress:
    return PageAddress(_path(request), {**request.query_params, **(form or {})}, request.path_params)


def _path(request: Request) -> str:
    # The scope's, for that of `request.url` ends at a `?` within a name.
    return quote(request.scope["path"])


def _is_own(request: Request) -> bool:
    """Whether a page of this host sent it: a browser says so in one of two headers, whatever the page does."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    return site in ("same-origin", "none") and (
        origin is None or urlsplit(origin).netloc == request.headers.get("host")
    )


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; the last of those of one name. Raises ConfigurationError for one that is too large, or is
    none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise ConfigurationError(f"the form is over the limit of {MAX_FORM_BYTES:,} bytes: nothing was done.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise ConfigurationError(
            f"the form cannot be read ({error}; at most {MAX_FIELDS} fields of UTF-8 are taken): nothing was done. A "
            "message of more fields is written as JSON."
        ) from None
