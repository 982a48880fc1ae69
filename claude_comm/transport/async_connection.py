"""One asyncio connection, stripped to what a round trip needs: the twin of `transport.connection`.

Law: as there. redis-py opens the connection; then this protocol takes the place of its streams, whose every write is a
task of its own (`wait_for`), and whose every read is another wait. A cancelled exchange closes the connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import hiredis
import redis

from claude_comm.transport.redis_py import translated
from claude_comm.transport.replies import NOT_ENOUGH_DATA, Disconnected, ErrorReply, check_version, reader

Done: TypeAlias = Callable[[list[Any] | Exception], None]


class AsyncConnection(asyncio.Protocol):
    """A connection of redis-py after `open`. Raises Disconnected, ErrorReply, and OSError."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        # Who waits for how many replies, in the order of their commands; and what has come for the first of them.
        self._expected: deque[tuple[int, Done, asyncio.TimerHandle]] = deque()
        self._replies: list[Any] = []
        self._retired = False

    async def open(self) -> None:
        await _whole(self._connect(), self._connection._close)
        self._transport = self._connection._writer.transport
        replies = reader()
        self._gets, self._feed, self._has_data = replies.gets, replies.feed, replies.has_data
        self._streams = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self.send = self._transport.write

    async def _connect(self) -> None:
        try:
            await self._connection.connect()
            # redis-py keeps no greeting here: it is asked for again.
            await self._connection.send_command("HELLO")
            check_version(await self._connection.read_response())
        except redis.RedisError as error:
            raise translated(error) from None
        except ErrorReply:
            await self._connection.disconnect(nowait=True)
            raise

    def usable(self) -> bool:
        """Whether nothing came while nobody waited: neither the connection's end nor a stray reply."""
        return not (self._transport.is_closing() or self._has_data())

    def sending(self) -> bool:
        """Whether more may be sent behind what is on its way."""
        return not self._transport.is_closing()

    def expect(self, count: int, within_s: float, done: Done) -> None:
        """Hands `done` the replies to the last `count` commands, or what went wrong. Any number may be expected."""
        self._expected.append((count, done, self._loop.call_later(within_s, self._late, within_s)))

    async def read(self, count: int, within_s: float) -> list[Any]:
        """The next `count` replies, error replies as values."""
        if not count:
            return []
        if self._transport.is_closing():
            raise Disconnected("the server closed the connection")
        waiter: asyncio.Future[list[Any]] = self._loop.create_future()

        def hand_over(replies: list[Any] | Exception) -> None:
            if waiter.done():
                return
            if isinstance(replies, Exception):
                waiter.set_exception(replies)
            else:
                waiter.set_result(replies)

        self.expect(count, within_s, hand_over)
        self._gather()
        return await waiter

    def drop(self) -> None:
        """As `close`, from any thread, soon; nothing where the loop is over."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.close)

    def retire(self) -> None:
        """Closes it when all that is expected has come."""
        self._retired = True
        if not self._expected:
            self.close()

    def close(self) -> None:
        """At once: what is not written yet is not wanted any more."""
        if self._connection.is_connected:
            self._transport.abort()
            self._connection._close()

    def data_received(self, data: bytes) -> None:
        self._feed(data)
        if self._expected:
            self._gather()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or Disconnected("the server closed the connection"))
        self._streams.connection_lost(exc)
        if not self.ended.done():
            self.ended.set_result(None)

    def _gather(self) -> None:
        """Takes replies off the reader, and hands them over to each who has all of theirs."""
        gets = self._gets
        while self._expected:
            count, done, bound = self._expected[0]
            replies = self._replies
            missing = count - len(replies)
            while missing:
                reply = gets()
                if reply is NOT_ENOUGH_DATA:
                    return
                # Nearly every reply is the id of an entry.
                if reply.__class__ is bytes or not isinstance(reply, hiredis.PushNotification):
                    replies.append(reply)
                    missing -= 1
            bound.cancel()
            self._expected.popleft()
            self._replies = []
            done(replies)
        if self._retired:
            self.close()

    def _late(self, within_s: float) -> None:
        self._fail(Disconnected(f"no reply within {within_s:g} s"))

    def _fail(self, error: Exception) -> None:
        expected, self._expected = self._expected, deque()
        for _, done, bound in expected:
            bound.cancel()
            done(error)


async def _whole(connecting: Coroutine[Any, Any, None], undo: Callable[[], object]) -> None:
    """Awaits it, and ends when it is cancelled. redis-py connects with `asyncio.wait_for`, which before Python 3.12
    forgets a cancellation that comes together with its result: the task would go on, and wait for a server that does
    not answer while its program waits for the task to end."""
    task = asyncio.ensure_future(connecting)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        # What it ends with is nobody's business any more, and no reason for the loop to complain; if it has connected
        # nevertheless, nobody else would close that.
        task.add_done_callback(lambda ended: (ended.cancelled() or ended.exception(), undo()))
        raise
    task.result()
