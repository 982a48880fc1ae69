"""Whether the gateway works, for balancers and supervisors; and the metrics of all modules, for Prometheus."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from claude_comm.client.measures import measure
from claude_comm.effects import Command, Operation
from claude_comm.errors import TransportError
from claude_comm.gateway.core.principals import require_reading
from claude_comm.gateway.core.requests import answer, gateway_of, principal_of
from claude_comm.telemetry.exposition import exposition


async def alive(request: Request) -> Response:
    """This process answers."""
    return answer({"status": "alive"})


async def ready(request: Request) -> Response:
    """It can serve: the servers answer, and it is not being drained."""
    gateway = gateway_of(request)
    if gateway.draining:
        return answer({"status": "draining"}, 503)
    try:
        await gateway.client.run(_ping("data"))
        await gateway.client.run(_ping("control"))
    except TransportError:
        return answer({"status": "server_unavailable"}, 503)
    return answer({"status": "ready"})


async def metrics(request: Request) -> Response:
    """The metrics of all modules, as Prometheus reads them; OpenMetrics where it asks for that."""
    require_reading(principal_of(request))
    gateway = gateway_of(request)
    samples = await gateway.blocking(lambda client: measure(client, gateway.settings))
    text, content_type = exposition(samples, request.headers.get("accept", ""))
    return Response(text, headers={"content-type": content_type})


def _ping(on: Literal["data", "control"]) -> Operation[None]:
    yield Command(("PING",), on=on)
