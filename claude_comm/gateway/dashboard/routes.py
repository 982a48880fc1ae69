"""The pages of the dashboard as the gateway serves them: to whoever the guard knows, with the gateway's own settings.

Law: who may read everything sees the pages, and who has the scope `admin` may act; nobody gets here whom the guard has
not let in.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from claude_comm.gateway.core.principals import require_reading
from claude_comm.gateway.core.requests import csrf_of, gateway_of, principal_of
from claude_comm.gateway.dashboard import desk
from claude_comm.gateway.dashboard.render import Visitor
from claude_comm.gateway.dashboard.system import Source


def routes() -> list[Route]:
    """All of them."""
    return desk.routes(_source, _visitor)


def _visitor(request: Request) -> Visitor:
    """Raises GatewayRefusal for one who may not read everything."""
    principal = principal_of(request)
    require_reading(principal)
    return Visitor(principal.name, principal.admin, csrf_of(request))


def _source(request: Request) -> Source:
    """One for each gateway, made when its first page is asked for and closed when the gateway ends."""
    state, gateway = request.app.state, gateway_of(request)
    if not hasattr(state, "dashboard"):
        source = Source(gateway.settings)
        state.dashboard = source

        async def close() -> None:
            source.close()

        gateway.on_drain.append(close)
    return state.dashboard  # type: ignore[no-any-return]
