"""The gateway as one ASGI application: the guard, the routes of HTTP, and beside them the WebSocket's own callable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.api import asyncapi, openapi
from claude_comm.gateway.api.routes import ROUTES
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.guard import Guard, problem_response
from claude_comm.gateway.core.plain_page import not_shown, wants_page
from claude_comm.gateway.core.problems import Problem, problem_of
from claude_comm.gateway.core.requests import csrf_of
from claude_comm.gateway.core.runs import ActiveRuns
from claude_comm.gateway.dashboard.routes import routes as pages
from claude_comm.gateway.live.hub import Hub
from claude_comm.gateway.live.socket import Socket

SOCKET = "/v1/socket"
STATIC = Path(__file__).parent / "static"
_TITLES = {404: ("not_found", "there is nothing here."), 405: ("wrong_method", "this takes another method.")}


def create_app(gateway: Gateway) -> ASGIApp:
    """The application; its lifespan starts and stops the gateway."""
    application = Starlette(
        routes=_routes(),
        lifespan=_lifespan,
        exception_handlers={ClaudeCommError: _refused, HTTPException: _not_served, Exception: _failed},
    )
    application.state.gateway = gateway
    application.state.hub = hub = Hub(gateway)
    application.state.runs = ActiveRuns(gateway)
    application.state.openapi = openapi.document(ROUTES, pages())
    application.state.asyncapi = asyncapi.document(SOCKET)
    return Guard(_Application(application, hub), gateway)


class _Application:
    """The router, and beside it what is too hot for one."""

    def __init__(self, application: Starlette, hub: Hub) -> None:
        self._application, self._hub = application, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] == SOCKET:
            await Socket(self._hub, scope, receive, send).run()
            return
        await self._application(scope, receive, send)


def _routes() -> list[BaseRoute]:
    return [*(route.mounted() for route in ROUTES), Mount("/static", StaticFiles(directory=STATIC)), *pages()]


@asynccontextmanager
async def _lifespan(application: Starlette) -> AsyncIterator[None]:
    async with application.state.gateway:
        yield


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClaudeCommError)
    problem = problem_of(error)
    if wants_page(request.headers, request.method):
        return not_shown("That is not shown", problem.detail, problem.status, csrf_of(request))
    return problem_response(problem)


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _TITLES.get(error.status_code, ("refused", str(error.detail)))
    if wants_page(request.headers, request.method):
        return not_shown("Not found", f"there is nothing at {request.scope['path']}.", error.status_code)
    response = problem_response(Problem(error.status_code, code, detail))
    response.headers.update(error.headers or {})
    return response


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has it, and the client is told nothing of its inside."""
    request.app.state.gateway.log.error(
        "gateway.failed", path=request.url.path, exc_info=(type(error), error, error.__traceback__)
    )
    return problem_response(Problem(500, "failed", "the gateway failed at this; its log says why."))
