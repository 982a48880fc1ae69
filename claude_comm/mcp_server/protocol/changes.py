"""What is told to clients when the registry changes, whichever process changed it.

Law: every server follows the registry's own stream of changes, so that all of them tell. A list is told as changed only
where what is listed is another; who listens by the revision of 2026-07-28 hears it from the bus, an older session by a
notice of its own.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from mcp.server.connection import Connection
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated, ToolsListChanged
from mcp.shared.subscriptions import PromptsListChanged, ServerEvent

from claude_comm.errors import ClaudeCommError
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Caller
from claude_comm.mcp_server.tools import prompts, resources, toolbox
from claude_comm.ops import changes as ops
from claude_comm.registry.changes import RENEGOTIATED
from claude_comm.telemetry.logs import get_logger

_WAIT_MS = 5_000
_AWAY_S = 1.0
_NOTICES: dict[type[ServerEvent], str] = {
    ToolsListChanged: "notifications/tools/list_changed",
    PromptsListChanged: "notifications/prompts/list_changed",
    ResourcesListChanged: "notifications/resources/list_changed",
}


class Changes:
    """Follows the registry for the clients of one process."""

    def __init__(self, desk: Desk) -> None:
        self.bus = InMemorySubscriptionBus()
        self._desk = desk
        self._log = get_logger(desk.settings.log_level, service="mcp")
        # Connections end with their clients; what stands for a session in a handler lives for one request only.
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._subscribed: weakref.WeakKeyDictionary[Connection, set[str]] = weakref.WeakKeyDictionary()
        self._listed: tuple[Any, ...] = ()

    def remember(self, session: ServerSession) -> None:
        """An older session, which is told of changes as long as it lives."""
        self._connections.add(_connection(session))

    def subscribe(self, session: ServerSession, uri: str) -> None:
        self._subscribed.setdefault(_connection(session), set()).add(uri)
        self.remember(session)

    def unsubscribe(self, session: ServerSession, uri: str) -> None:
        self._subscribed.get(_connection(session), set()).discard(uri)

    async def follow(self) -> None:
        """Tells of changes until it is cancelled; a server that is away is waited for."""
        position = ""
        while True:
            try:
                position = position or await self._begin()
                page = await self._desk.run(ops.since(self._desk.keys, position, wait_ms=_WAIT_MS))
                position = page.position
                touched = {change.module for change in page.changes if change.kind in RENEGOTIATED}
                if touched or not page.whole:
                    await self._tell(touched)
            except ClaudeCommError as error:
                self._log.warning("registry.unreachable", error=str(error))
                await asyncio.sleep(_AWAY_S)

    async def _begin(self) -> str:
        position = await self._desk.run(ops.position(self._desk.keys))
        self._listed = await self._lists()
        return position

    async def _lists(self) -> tuple[Any, ...]:
        catalogue, exposure = await self._desk.catalogue(Caller()), self._desk.exposure
        return toolbox.listed(catalogue, exposure), prompts.listed(catalogue, exposure), resources.listed(catalogue)

    async def _tell(self, touched: set[str]) -> None:
        before, self._listed = self._listed, await self._lists()
        kinds: tuple[ServerEvent, ...] = (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged())
        for kind, old, new in zip(kinds, before, self._listed, strict=True):
            if old != new:
                await self._publish(kind)
        for uri in [f"{resources.SCHEME}modules", *(f"{resources.SCHEME}modules/{name}" for name in sorted(touched))]:
            await self._publish(ResourceUpdated(uri=uri))

    async def _publish(self, event: ServerEvent) -> None:
        await self.bus.publish(event)
        for connection in list(self._connections):
            if not isinstance(event, ResourceUpdated):
                await connection.notify(_NOTICES[type(event)], None)
            elif event.uri in self._subscribed.get(connection, ()):
                await connection.notify("notifications/resources/updated", {"uri": event.uri})


def _connection(session: ServerSession) -> Connection:
    # The SDK has no public name for the connection of a session within 2.x.
    return session._connection
