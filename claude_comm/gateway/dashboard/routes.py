"""The pages of the dashboard."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from claude_comm.client.identity import millis
from claude_comm.gateway.core.principals import require_reading
from claude_comm.gateway.core.requests import gateway_of, principal_of
from claude_comm.ops import registry


def routes() -> list[Route]:
    """All of them."""
    return [Route("/", overview)]


async def overview(request: Request) -> Response:
    """Which modules are registered."""
    gateway = gateway_of(request)
    require_reading(principal_of(request))
    directory = await gateway.client.run(registry.everyone(gateway.keys, now_ms=millis()))
    rows = "".join(f"<li>{escape(standing.module)}</li>" for standing in directory.modules)
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>claude-comm</title>"
        f'<link rel="stylesheet" href="/static/gateway.css"><main><h1>Modules</h1><ul>{rows}</ul></main></html>'
    )
