"""The asyncio driver: the same operations, the same effects, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection

from claude_comm.drive import scripts
from claude_comm.drive.parser import AsyncBulkParser
from claude_comm.drive.server import APPEND_PART, REPLY_TIMEOUT_S, connection_options, outcomes, pack, packed, translate
from claude_comm.effects import Append, Command, Effect, Operation, Post, Reach, Script
from claude_comm.errors import ServerRefused, TransportError

T = TypeVar("T")

# The asyncio twin of each connection class that redis-py's address parser names.
_TWINS: dict[str, type[Connection] | type[UnixDomainSocketConnection]] = {
    "UnixDomainSocketConnection": UnixDomainSocketConnection,
    "SSLConnection": SSLConnection,
}


class AsyncServer:
    """A pool of asyncio connections to one server, for one event loop."""

    reach: Reach = "server"

    def __init__(self, url: str) -> None:
        self.url = url
        options = connection_options(url)
        options["retry"] = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
        options["parser_class"] = AsyncBulkParser
        kind = options.pop("connection_class", None)
        if kind is not None:
            options["connection_class"] = _TWINS[kind.__name__]
        self._pool = ConnectionPool(**options)

    async def one(self, command: Command) -> Any:
        """The reply to one command. Raises ServerRefused or ServerUnreachable."""
        async with self._connection() as connection:
            await connection.send_packed_command(pack(command.args))
            return await connection.read_response(timeout=(command.within_ms + command.wait_ms) / 1000)

    async def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]:
        """The replies to a pipeline, in order; an error reply stands in its place as a ServerRefused.

        `wait_ms` is how long the last command asks the server to wait.
        """
        if not commands:
            return []
        async with self._connection() as connection:
            await connection.send_packed_command(b"".join([pack(command.args) for command in commands]))
            timeout_s = REPLY_TIMEOUT_S + wait_ms / 1000
            return outcomes(await connection._parser.read_many(len(commands), timeout_s))

    async def append(self, posts: Sequence[Post]) -> list[Any]:
        """Entry ids, in order; an error reply stands in its place as a ServerRefused."""
        replies: list[Any] = []
        async with self._connection() as connection:
            unread = 0
            for start in range(0, len(posts), APPEND_PART):
                part = posts[start : start + APPEND_PART]
                await connection.send_packed_command(packed(part))
                replies += await connection._parser.read_many(unread, REPLY_TIMEOUT_S)
                unread = len(part)
            replies += await connection._parser.read_many(unread, REPLY_TIMEOUT_S)
        return outcomes(replies)

    async def close(self) -> None:
        await self._pool.disconnect()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            connection = await self._pool.get_connection()
        except redis.RedisError as error:
            translate(error, self.url)
        try:
            yield connection
        except redis.ResponseError as error:
            translate(error, self.url)
        except (redis.RedisError, OSError) as error:
            await connection.disconnect(nowait=True)
            translate(error, self.url)
        except BaseException:
            # Cancelled between the command and its reply: that reply must not answer the next command.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)


class AsyncCarrier(Protocol):
    """The asyncio twin of `drive.blocking.Carrier`."""

    url: str
    reach: Reach

    async def one(self, command: Command) -> Any: ...
    async def many(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Any]: ...
    async def append(self, posts: Sequence[Post]) -> list[Any]: ...
    async def close(self) -> None: ...


class AsyncLinks:
    """The asyncio twin of `drive.blocking.Links`."""

    def __init__(self, data: AsyncCarrier, control: AsyncCarrier) -> None:
        self.data, self.control = data, control

    async def run(self, operation: Operation[T]) -> T:
        """The operation's result; a cancelled task closes the operation, so that its `finally` runs."""
        with closing(operation):
            try:
                effect = next(operation)
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
