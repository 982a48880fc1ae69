"""The asyncio driver: the same operations, the same effects, awaited."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, NoReturn, Protocol, Self, TypeAlias, TypeVar

import redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from claude_comm.effects import Append, Command, Effect, Operation, Post, Reach, Script
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.transport import scripts
from claude_comm.transport.async_connection import AsyncLine
from claude_comm.transport.driver import first_batch
from claude_comm.transport.pool import (
    APPEND_PART,
    CONNECT_TIMEOUT_S,
    REPLY_TIMEOUT_S,
    connection_options,
    outcomes,
    pack,
    packed,
    refused,
    translate,
    translated,
)

T = TypeVar("T")
Landed: TypeAlias = Callable[[list[Any] | TransportError], None]

# The asyncio twin of each connection class that redis-py's address parser names.
_TWINS: dict[str, type[Connection] | type[UnixDomainSocketConnection]] = {
    "UnixDomainSocketConnection": UnixDomainSocketConnection,
    "SSLConnection": SSLConnection,
}


class AsyncServer:
    """Asyncio connections to one server, as many as are used at once, for one event loop."""

    reach: Reach = "server"

    def __init__(self, url: str) -> None:
        self.url = url
        options = connection_options(url)
        options["retry"] = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
        kind = options.pop("connection_class", None)
        self._connection = partial(_TWINS[kind.__name__] if kind is not None else Connection, **options)
        # Those at rest, the one used last on top; and all, for `close`.
        self._idle: list[AsyncLine] = []
        self._lines: weakref.WeakSet[AsyncLine] = weakref.WeakSet()
        # The connection that carries what was begun, and how much of that has not landed.
        self._stream: AsyncLine | None = None
        self._aloft = 0

    async def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        (reply,) = await self._exchange([(pack(command.args), 1)], (command.within_ms + command.wait_ms) / 1000)
        if isinstance(reply, redis.RedisError):
            raise refused(reply)
        return reply

    async def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]:
        """The replies to a pipeline, in order; an error reply stands in its place as a ServerRefused.

        `wait_ms` is how long the last command asks the server to wait.
        """
        if not commands:
            return []
        together = b"".join([pack(command.args) for command in commands])
        return outcomes(await self._exchange([(together, len(commands))], REPLY_TIMEOUT_S + wait_ms / 1000))

    async def append(self, posts: Sequence[Post]) -> list[Any]:
        """Entry ids, in order; an error reply stands in its place as a ServerRefused."""
        parts = (posts[start : start + APPEND_PART] for start in range(0, len(posts), APPEND_PART))
        return outcomes(await self._exchange(((packed(part), len(part)) for part in parts), REPLY_TIMEOUT_S))

    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        """Sends these now, on a connection at rest or behind what was begun before; False where there is none.

        `done` is given the entry ids, as `append` returns them, or a ServerUnreachable; in the order of the beginnings.
        """
        line = self._stream
        if line is None or not line.sending():
            while self._idle:
                line = self._idle.pop()
                if line.usable():
                    break
                line.close()
            else:
                return False
            self._stream, self._aloft = line, 0
        self._aloft += 1
        line.send(packed(posts))
        line.expect(len(posts), REPLY_TIMEOUT_S, partial(self._land, line, done))
        return True

    def _land(self, line: AsyncLine, done: Landed, replies: list[Any] | Exception) -> None:
        if line is self._stream:
            self._aloft -= 1
        if isinstance(replies, Exception):
            line.close()
            done(translated(replies, self.url))
            return
        if line is self._stream and not self._aloft:
            self._stream = None
            self._idle.append(line)
        done(outcomes(replies))

    def held(self) -> AsyncHeld:
        """A connection for the length of an `async with`, as `Server.held`."""
        return AsyncHeld(self)

    async def take(self) -> AsyncLine:
        """A connection that is at rest and alive, else a new one. Give it to `rest` or `broken`."""
        while self._idle:
            line = self._idle.pop()
            if line.usable():
                return line
            line.close()
        line = AsyncLine(self._connection())
        try:
            await line.open()
        except (redis.RedisError, OSError) as error:
            translate(error, self.url)
        self._lines.add(line)
        return line

    def rest(self, line: AsyncLine) -> None:
        """Takes back a connection all of whose replies were read."""
        self._idle.append(line)

    def broken(self, line: AsyncLine, error: BaseException) -> NoReturn:
        """Cancelled between a command and its reply: that reply must not answer the next command."""
        line.close()
        if isinstance(error, redis.RedisError | OSError):
            translate(error, self.url)
        raise error

    def close_idle(self) -> None:
        """Ends the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    async def close(self) -> None:
        """Ends all connections, also those in use."""
        self._idle.clear()
        lines = list(self._lines)
        for line in lines:
            line.close()
        if lines:
            await asyncio.wait([line.ended for line in lines], timeout=CONNECT_TIMEOUT_S)

    async def _exchange(self, parts: Iterable[tuple[bytes, int]], within_s: float) -> list[Any]:
        """As `Server._exchange`."""
        replies: list[Any] = []
        unread = 0
        async with AsyncHeld(self) as line:
            for together, count in parts:
                line.send(together)
                if unread:
                    replies += await line.read(unread, within_s)
                unread = count
            replies += await line.read(unread, within_s)
        return replies


class AsyncHeld:
    """A connection of an asyncio server for the length of an `async with`."""

    __slots__ = ("_line", "_server")

    def __init__(self, server: AsyncServer) -> None:
        self._server = server

    async def __aenter__(self) -> AsyncLine:
        self._line = await self._server.take()
        return self._line

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._server.broken(self._line, error)
        self._server.rest(self._line)


class AsyncBegun(Generic[T]):
    """The asyncio twin of `transport.driver.Begun`."""

    def __init__(self, links: AsyncLinks, operation: Operation[T], replies: asyncio.Future[list[Any]]) -> None:
        self._links, self._operation, self._replies = links, operation, replies

    async def land(self) -> bool:
        """Waits for the replies and leaves the rest to `finish`; False if the server does not answer."""
        await asyncio.wait([self._replies])
        return self._replies.exception() is None

    async def finish(self) -> T:
        """The operation's result. Land it before: to be cancelled here gives the operation up."""
        await self.land()
        return await self._links._go_on(self._operation, self._first_reply)

    def drop(self) -> None:
        """Gives the operation up: what the server did of it stands."""
        if not self._replies.cancel():
            self._replies.exception()  # looked at, or asyncio complains that nobody did
        self._operation.close()

    def _first_reply(self) -> Effect:
        try:
            replies = self._replies.result()
        except TransportError as error:
            return self._operation.throw(error)
        return self._operation.send(replies)


class AsyncCarrier(Protocol):
    """The asyncio twin of `transport.driver.Carrier`."""

    url: str
    reach: Reach

    async def one(self, command: Command) -> Any: ...
    async def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]: ...
    async def append(self, posts: Sequence[Post]) -> list[Any]: ...
    def begin(self, posts: Sequence[Post], done: Landed) -> bool: ...
    async def close(self) -> None: ...


class AsyncLinks:
    """The asyncio twin of `transport.driver.Links`."""

    def __init__(self, data: AsyncCarrier, control: AsyncCarrier) -> None:
        self.data, self.control = data, control

    async def run(self, operation: Operation[T]) -> T:
        """The operation's result; a cancelled task closes the operation, so that its `finally` runs."""
        return await self._go_on(operation, operation.__next__)

    async def _go_on(self, operation: Operation[T], first: Callable[[], Effect]) -> T:
        try:
            effect = first()
            while True:
                try:
                    reply = await self._perform(effect)
                except TransportError as error:
                    effect = operation.throw(error)
                else:
                    effect = operation.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            operation.close()

    def begin(self, operation: Operation[T]) -> AsyncBegun[T]:
        """The twin of `transport.driver.Links.begin`: the first effect is sent when the caller awaits next."""
        try:
            batch = first_batch(operation)
        except BaseException:
            operation.close()
            raise
        return AsyncBegun(self, operation, asyncio.ensure_future(self.data.many(batch.commands, batch.wait_ms)))

    async def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Append):
            return await self.data.append(effect.posts)
        server = self.data if effect.on == "data" else self.control
        if isinstance(effect, Script):
            return await self._evaluate(server, effect)
        return (
            await server.one(effect)
            if isinstance(effect, Command)
            else await server.many(effect.commands, effect.wait_ms)
        )

    async def _evaluate(self, server: AsyncCarrier, script: Script) -> Any:
        try:
            return await server.one(scripts.by_digest(script))
        except ServerRefused as refusal:
            if refusal.code != scripts.UNKNOWN:
                raise
        return await server.one(scripts.by_text(script))

    async def close(self) -> None:
        await self.data.close()
        if self.control is not self.data:
            await self.control.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
