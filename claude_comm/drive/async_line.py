"""One asyncio connection, stripped to what a round trip needs: the twin of `drive.line`.

Law: as there. redis-py opens the connection; then this protocol takes the place of its streams, whose every write is a
task of its own (`wait_for`), and whose every read is another wait. A cancelled exchange leaves a line that is closed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import hiredis
import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA


class AsyncLine(asyncio.Protocol):
    """A connection of redis-py after `open`. Raises redis-py's errors, and OSError."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._replies: list[Any] = []
        self._wanted = 0
        self._waiter: asyncio.Future[list[Any]] | None = None

    async def open(self) -> None:
        await self._connection.connect()
        self._transport = self._connection._writer.transport
        self._gets = self._connection._parser._reader.gets
        self._feed = self._connection._parser._reader.feed
        self._has_data = self._connection._parser._reader.has_data
        self._streams = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self.send = self._transport.write

    def usable(self) -> bool:
        """Whether nothing came while nobody waited: neither the connection's end nor a stray reply."""
        return not (self._transport.is_closing() or self._has_data())

    async def read(self, count: int, within_s: float) -> list[Any]:
        """The next `count` replies, error replies as values."""
        if not count:
            return []
        self._wanted = count
        waiter: asyncio.Future[list[Any]] = self._loop.create_future()
        self._waiter = waiter
        if self._transport.is_closing():
            raise redis.ConnectionError("the server closed the connection")
        self._gather()
        if waiter.done():
            return waiter.result()
        bound = self._loop.call_later(within_s, self._late, within_s)
        try:
            return await waiter
        finally:
            bound.cancel()

    def close(self) -> None:
        """At once: what is not written yet is not wanted any more."""
        if self._connection.is_connected:
            self._transport.abort()
            self._connection._close()

    def data_received(self, data: bytes) -> None:
        self._feed(data)
        if self._waiter is not None:
            self._gather()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or redis.ConnectionError("the server closed the connection"))
        self._streams.connection_lost(exc)
        if not self.ended.done():
            self.ended.set_result(None)

    def _gather(self) -> None:
        """Takes replies off the reader; hands them over when all that are wanted are there."""
        gets, replies = self._gets, self._replies
        while len(replies) < self._wanted:
            reply = gets()
            if reply is NOT_ENOUGH_DATA:
                return
            if isinstance(reply, redis.ConnectionError):
                self._fail(reply)
                return
            if not isinstance(reply, hiredis.PushNotification):
                replies.append(reply)
        waiter, self._waiter, self._replies = self._waiter, None, []
        if waiter is not None and not waiter.done():
            waiter.set_result(replies)

    def _late(self, within_s: float) -> None:
        self._fail(redis.TimeoutError(f"no reply within {within_s:g} s"))

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
