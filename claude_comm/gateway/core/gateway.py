"""What all parts of one gateway share: settings, connections, who may do what, and where blocking work runs.

Law: the gateway is a client like any other: what it does on the server, it does with the operations of a module, a
person or a worker, and as the server's user that its settings name. Blocking work never runs on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from claude_comm.errors import ConfigurationError, TransportError
from claude_comm.gateway.core.errors import GatewayRefusal
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.gateway.core.principals import EVERYTHING, Principal
from claude_comm.gateway.core.projection import ProjectionReader
from claude_comm.gateway.core.sessions import BrowserSessions
from claude_comm.gateway.core.tokens import Tokens
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store.database import Database
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.connect import connect
from claude_comm.transport.connect_async import connect_async
from claude_comm.transport.driver import Client

T = TypeVar("T")

# Blocking work at once: queries of the projection, verdicts, operations that have no asyncio face.
THREADS = 4
# More than so many wait for a thread: the next is told to come back.
MOST_WAITING = 200
ANYBODY = Principal("anonymous", EVERYTHING, is_module=False)


class Gateway:
    """One gateway; an async context manager. `settings` are those of the process, `options` its own."""

    def __init__(self, settings: Settings, options: GatewaySettings | None = None) -> None:
        self.settings, self.options = settings, options or GatewaySettings()
        self.keys = Keys(settings.namespace)
        self.log = get_logger(settings.log_level, service="gateway")
        self.sessions = BrowserSessions(time.monotonic)
        self.tokens = Tokens(settings, self.options.grants)
        self.draining = False
        self.begun_s = time.time()
        self._waiting = 0
        # What is told that the gateway ends, before its sockets close.
        self.on_drain: list[Callable[[], Awaitable[None]]] = []

    @property
    def client(self) -> AsyncClient:
        """The connections of the event loop, to the data server and the control server."""
        return self._client

    async def start(self) -> None:
        """Connects. Raises ServerUnreachable, and ConfigurationError for a public gateway that knows no token."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        self._blocking = await asyncio.to_thread(connect, self.settings)
        self._projection = ProjectionReader(self.settings, self._blocking)
        self._client = connect_async(self.settings)
        try:
            await self._client.run(self.tokens.renew())
        except TransportError as error:
            # It starts in any order: what is away now is met by who asks for it.
            self.log.warning("gateway.server_away", error=str(error))
            return
        if self.options.public and not len(self.tokens):
            await self.stop()
            raise ConfigurationError(
                "--public without tokens is refused: `claude-comm module add NAME` makes the first one."
            )

    async def drain(self) -> None:
        """Takes nothing new, and tells the clients where to go on."""
        self.draining = True
        for tell in self.on_drain:
            await tell()

    async def stop(self) -> None:
        """Ends what is under way, and closes the connections."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._projection.close()
        await self._client.close()
        self._blocking.close()

    async def blocking(self, work: Callable[[Client], T]) -> T:
        """What `work` returns, on a thread, with a connection that blocks. Raises GatewayRefusal if too much waits."""
        return await self._on_thread(lambda: work(self._blocking))

    async def projected(self, query: Callable[[Database], T]) -> T:
        """The answer of the projection to a query, on a thread. Raises StoreError."""
        return await self._on_thread(lambda: self._projection.ask(query))

    async def holder_of(self, token: str) -> Principal | None:
        """Whose token that is. Raises TransportError."""
        return await self._client.run(self.tokens.principal(token))

    async def still(self, principal: Principal) -> Principal | None:
        """Whoever showed a token before, as of now; None where it counts no more. Raises TransportError."""
        return await self._client.run(self.tokens.still(principal))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise GatewayRefusal(503, "busy", "too much waits here already: ask again in a moment.", retry_s=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
