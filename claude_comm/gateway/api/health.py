"""Whether the gateway works, for balancers and supervisors; the numbers of it are in `metrics`."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from claude_comm.effects import Command, Operation
from claude_comm.errors import TransportError
from claude_comm.gateway.core.requests import answer, gateway_of


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


def _ping(on: Literal["data", "control"]) -> Operation[None]:
    yield Command(("PING",), on=on)
