"""Serving the gateway with uvicorn: sockets, time limits on headers, and an end that tells the clients.

Law: a connection that does not finish its headers in time is closed, whoever opened it and however many there are. On
SIGTERM and SIGINT clients are told where to go on, before the sockets close.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from claude_comm.errors import ConfigurationError
from claude_comm.gateway.app import create_app
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.stopping import StoppedBySignal
from claude_comm.gateway.live.wire import Wire

# Beyond what clients of ours send in headers: what is longer is refused before it is kept.
MAX_HEADER_BYTES = 32 * 1024
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # asyncio turns Nagle's waiting off only for sockets that name their protocol, which these do not: without this
        # the second of two small frames waits for the client's delayed ACK, 40 ms. Accepted sockets inherit it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"cannot listen at {host}:{port}: {error}. Name another with --port.") from None


def address_of(listening: socket.socket) -> str:
    """The address that a browser of this machine takes."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


async def serve(
    gateway: Gateway,
    listening: socket.socket,
    started: Callable[[], None] = lambda: None,
    made: Callable[[Server], None] = lambda _: None,
) -> None:
    """Serves until a signal comes, or whoever is given the server sets its `should_exit`. Raises what starting the
    gateway raises."""
    limits = gateway.options.limits
    config = uvicorn.Config(
        create_app(gateway),
        http=_protocol(limits.header_s, limits.connections),
        ws=Wire,
        ws_max_size=limits.frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=limits.ping_s,
        ws_ping_timeout=limits.ping_s,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=int(limits.drain_s) + 1,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    async with gateway:
        server = Server(config, gateway, started)
        made(server)
        await server.serve(sockets=[listening])


class Server(StoppedBySignal):
    """Tells the clients before it closes their sockets."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._gateway, self._tell_started = gateway, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._gateway.drain()
        await super().shutdown(sockets)


def _protocol(header_s: float, connections: int) -> type[asyncio.Protocol]:
    class Patient(H11Protocol):
        """Waits so long for the headers of a request, and no longer."""

        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > connections:
                transport.abort()
            else:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            elif self._late is None:
                self._wait()

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            self._stop_waiting()
            super().handle_websocket_upgrade(event)

        def _wait(self) -> None:
            self._late = self.loop.call_later(header_s, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Patient


def run(gateway: Gateway, listening: socket.socket, started: Callable[[], None] = lambda: None) -> None:
    """Serves on an event loop of its own. Raises what starting the gateway raises."""
    with listening:
        asyncio.run(serve(gateway, listening, started))
