"""One server, reached over asyncio connections: the twin of `transport.pool`, for one event loop.

Law: as there. It is written by hand: what is begun here travels behind what is on its way, without a task of its own.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, TypeAlias

from redis.asyncio import connection as redis_connections
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from claude_comm.addresses import SentinelUrl, on_sentinel, parse_sentinel
from claude_comm.effects import REPLY_WITHIN_MS, Command, Post, Reach
from claude_comm.errors import TransportError
from claude_comm.transport.async_connection import AsyncConnection
from claude_comm.transport.packing import flights
from claude_comm.transport.pool import (
    CONNECT_TIMEOUT_S,
    REPLY_TIMEOUT_S,
    outcomes,
    pack,
    translate,
    translated,
)
from claude_comm.transport.redis_py import connection_options
from claude_comm.transport.replies import Disconnected, ErrorReply

Landed: TypeAlias = Callable[[list[Any] | TransportError], None]

# The asyncio twin of each connection class that redis-py's address parser names.
_TWINS: dict[str, type[redis_connections.Connection] | type[redis_connections.UnixDomainSocketConnection]] = {
    "UnixDomainSocketConnection": redis_connections.UnixDomainSocketConnection,
    "SSLConnection": redis_connections.SSLConnection,
}


def _connections_to(url: str) -> Callable[..., Any]:
    """What makes connections of redis-py to this server, not opened yet. Raises ConfigurationError."""
    options = connection_options(url)
    options["retry"] = Retry(NoBackoff(), 0)
    kind = options.pop("connection_class", None)
    return partial(_TWINS[kind.__name__] if kind is not None else redis_connections.Connection, **options)


class AsyncConnectionPool:
    """Asyncio connections to one server, as many as are used at once, for one event loop."""

    reach: Reach = "server"

    def __init__(self, url: str) -> None:
        self.url = url
        # Those at rest, the one used last on top; and all, for `close`.
        self._idle: list[AsyncConnection] = []
        self._connections: weakref.WeakSet[AsyncConnection] = weakref.WeakSet()
        self._places = parse_sentinel(url) if on_sentinel(url) else None
        self._unopened = _connections_to(url if self._places is None else self._places.server("localhost", 0))
        self._closed = False
        # The connection that carries what was begun, and how much of that has not landed.
        self._stream: AsyncConnection | None = None
        self._aloft = 0

    def __del__(self) -> None:
        # The loop holds each open transport, and that its connection; one with replies to come holds this pool.
        for connection in self._idle:
            connection.drop()

    async def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        replies = await self._exchange([(pack(command.args), 1)], (command.within_ms + command.wait_ms) / 1000)
        if isinstance(replies[0], ErrorReply):
            raise outcomes(replies, self.close_idle)[0]
        return replies[0]

    async def many(self, commands: Sequence[Command], wait_ms: int = 0, within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """The replies to a pipeline, in order; an error reply stands in its place as a ServerRefused.

        `wait_ms` is how long the last command asks the server to wait, `within_ms` how long it may take beyond that.
        """
        if not commands:
            return []
        together = b"".join([pack(command.args) for command in commands])
        replies = await self._exchange([(together, len(commands))], (within_ms + wait_ms) / 1000)
        return outcomes(replies, self.close_idle)

    async def post(
        self,
        commands: Sequence[Command],
        wait_ms: int = 0,
        behind: AsyncPendingReplies | None = None,
        *,
        abreast: bool = True,
    ) -> AsyncPendingReplies:
        """Sends a pipeline and does not wait for its replies. Raises ServerUnreachable.

        `behind` what has not landed it goes on the same connection: the server takes them in this order. Unless they go
        `abreast`, it is sent when that has landed; raises what it failed with.
        """
        together = b"".join([pack(command.args) for command in commands])
        if behind is not None and not abreast and not await behind.land():
            behind.landed()
        connection = behind.followed() if behind is not None else None
        if connection is None:
            connection = await self.take(REPLY_TIMEOUT_S)
        connection.send(together)
        return AsyncPendingReplies(self, connection, len(commands), REPLY_TIMEOUT_S + wait_ms / 1000)

    async def append(self, posts: Sequence[Post], within_ms: int = REPLY_WITHIN_MS) -> list[Any]:
        """Entry ids, in order; an error reply stands in its place as a ServerRefused."""
        replies = await self._exchange(flights(posts), within_ms / 1000)
        return outcomes(replies, self.close_idle)

    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        """Sends these now, on a connection at rest or behind what was begun before; False where there is none.

        `done` is given the entry ids, as `append` returns them, or a ServerUnreachable; in the order of the beginnings.
        """
        connection = self._stream
        if connection is None or not connection.sending():
            while self._idle:
                connection = self._idle.pop()
                if connection.usable():
                    break
                connection.close()
            else:
                return False
            self._stream, self._aloft = connection, 0
        self._aloft += 1
        connection.send(b"".join([together for together, _ in flights(posts)]))
        connection.expect(len(posts), REPLY_TIMEOUT_S, partial(self._land, connection, done))
        return True

    def _land(self, connection: AsyncConnection, done: Landed, replies: list[Any] | Exception) -> None:
        if connection is self._stream:
            self._aloft -= 1
        if isinstance(replies, Exception):
            connection.close()
            done(translated(replies, self.url))
            return
        if connection is self._stream and not self._aloft:
            self._stream = None
            self._idle.append(connection)
        try:
            results = outcomes(replies, partial(self._doubt, connection))
        except TransportError as error:
            done(error)
        else:
            done(results)

    def _doubt(self, connection: AsyncConnection) -> None:
        """Nothing more goes on this connection: what is on its way is still answered there."""
        if connection is self._stream:
            self._stream = None
        connection.retire()
        self.close_idle()

    async def pools(self) -> list[AsyncConnectionPool]:
        """Itself: what a cluster has several of."""
        return [self]

    def borrowed(self, within_s: float) -> AsyncBorrowed:
        """A connection for the length of an `async with`, as `ConnectionPool.borrowed`."""
        return AsyncBorrowed(self, within_s)

    async def take(self, within_s: float) -> AsyncConnection:
        """A connection that is at rest and alive, else a new one, opened within that time.

        Give it to `give_back` or `broken`.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.close()
        step_s, connect_s = min(within_s, REPLY_TIMEOUT_S), min(within_s, CONNECT_TIMEOUT_S)
        try:
            connection = await self._opened(connect_s, step_s)
        except (Disconnected, ErrorReply, OSError) as error:
            translate(error, self.url)
        self._connections.add(connection)
        return connection

    async def _opened(self, connect_s: float, step_s: float) -> AsyncConnection:
        if self._places is not None:
            return await self._opened_primary(self._places, connect_s, step_s)
        connection = AsyncConnection(self._unopened(socket_timeout=step_s, socket_connect_timeout=connect_s))
        await connection.open()
        return connection

    async def _opened_primary(self, places: SentinelUrl, connect_s: float, step_s: float) -> AsyncConnection:
        from claude_comm.transport.sentinel import ASK_ROLE, check_role, primary_url

        unopened = _connections_to(await asyncio.to_thread(primary_url, places, connect_s, step_s))
        connection = AsyncConnection(unopened(socket_timeout=step_s, socket_connect_timeout=connect_s))
        await connection.open()
        try:
            connection.send(pack(ASK_ROLE))
            check_role((await connection.read(1, step_s))[0], places)
        except BaseException:
            connection.close()
            raise
        return connection

    def give_back(self, connection: AsyncConnection) -> None:
        """Takes back a connection all of whose replies were read."""
        self._idle.append(connection)
        if self._closed:  # it was being opened meanwhile
            self.close_idle()

    def broken(self, connection: AsyncConnection, error: BaseException) -> NoReturn:
        """Cancelled between a command and its reply: that reply must not answer the next command."""
        connection.close()
        if isinstance(error, Disconnected | OSError):
            translate(error, self.url)
        raise error

    def close_idle(self) -> None:
        """Ends the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    async def close(self) -> None:
        """Ends all connections, also those in use."""
        self._closed = True
        self._idle.clear()
        connections = list(self._connections)
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.ended for connection in connections], timeout=CONNECT_TIMEOUT_S)

    async def _exchange(self, parts: Iterable[tuple[bytes, int]], within_s: float) -> list[Any]:
        """As `ConnectionPool._exchange`."""
        replies: list[Any] = []
        unread = 0
        async with AsyncBorrowed(self, within_s) as connection:
            for together, count in parts:
                connection.send(together)
                if unread:
                    replies += await connection.read(unread, within_s)
                unread = count
            replies += await connection.read(unread, within_s)
        return replies


class AsyncBorrowed:
    """A connection of an asyncio server for the length of an `async with`."""

    __slots__ = ("_connection", "_pool", "_within_s")

    def __init__(self, pool: AsyncConnectionPool, within_s: float) -> None:
        self._pool, self._within_s = pool, within_s

    async def __aenter__(self) -> AsyncConnection:
        self._connection = await self._pool.take(self._within_s)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._pool.broken(self._connection, error)
        self._pool.give_back(self._connection)


class AsyncPendingReplies:
    """The replies to a pipeline, still to come. Land and read them, or drop them.

    Those of several pipelines may come on one connection: the last of them gives it back.
    """

    def __init__(self, pool: AsyncConnectionPool, connection: AsyncConnection, count: int, within_s: float) -> None:
        self._pool, self._connection, self._last = pool, connection, True
        self._replies: asyncio.Future[list[Any] | TransportError] = asyncio.get_running_loop().create_future()
        connection.expect(count, within_s, self._arrive)

    def followed(self) -> AsyncConnection | None:
        """As `PendingReplies.followed`; None also where the connection has ended meanwhile."""
        if self._replies.done() or not self._connection.sending():
            return None
        self._last = False
        return self._connection

    def arrived(self) -> bool:
        """Whether they are there, or the server does not answer."""
        return self._replies.done()

    async def land(self) -> bool:
        """Waits for them; False if the server does not answer. Whoever is cancelled here has given up nothing."""
        await asyncio.wait([self._replies])
        return not isinstance(self._replies.result(), TransportError)

    def landed(self) -> list[Any]:
        """What has landed, in order; an error reply is a ServerRefused in its place. Raises ServerUnreachable."""
        replies = self._replies.result()
        if isinstance(replies, TransportError):
            raise replies
        return replies

    def drop(self) -> None:
        """Gives up the replies, and the connection with them; one that has landed gave its connection back."""
        if not self._replies.done():
            self._connection.close()

    def _arrive(self, replies: list[Any] | Exception) -> None:
        if isinstance(replies, Exception):
            self._connection.close()
            self._replies.set_result(translated(replies, self._pool.url))
            return
        if self._last:
            self._pool.give_back(self._connection)
        try:
            self._replies.set_result(outcomes(replies, self._pool.close_idle))
        except TransportError as error:
            self._replies.set_result(error)
