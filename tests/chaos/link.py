"""A link that can be cut: a relay between clients and the server, in a thread of the supervisor.

`cut` drops every connection; `tear` lets half of the next reply (or request) through and drops that connection: the
server has done what it was asked, and the client does not know; `stall` holds everything back for a while; `half_open`
loses whatever is sent, both ways, on the connections that there are: nothing tells either end.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Literal

from tests.support.waiting import PATIENCE_S

Way = Literal["request", "reply"]
_CHUNK = 65536


class Link:
    """Listens on `here`, forwards to `there`; both are Unix sockets."""

    def __init__(self, here: Path, there: Path) -> None:
        self.here, self._there = here, there
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._tear: Way | None = None
        self._deaf: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE_S)

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._cut)

    def tear(self, way: Way) -> None:
        self._tear = way

    def stall(self, seconds: float) -> None:
        def hold() -> None:
            self._open.clear()
            self._loop.call_later(seconds, self._open.set)

        self._loop.call_soon_threadsafe(hold)

    def half_open(self, seconds: float) -> None:
        def lose() -> None:
            deaf = set(self._writers)
            self._deaf |= deaf
            self._loop.call_later(seconds, self._drop, deaf)

        self._loop.call_soon_threadsafe(lose)

    def lead(self, there: Path) -> None:
        """From now on to another server; the connections to the one before are dropped."""
        self._there = there
        self.cut()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._relay, str(self.here))

    async def _close(self) -> None:
        self._server.close()
        self._cut()
        self._open.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _drop(self, writers: set[asyncio.StreamWriter]) -> None:
        self._deaf -= writers
        for writer in writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, before = await asyncio.open_unix_connection(str(self._there))
        except OSError:
            writer.transport.abort()
            return
        both = {writer, before}
        self._writers |= both
        pumps = [
            self._loop.create_task(self._pump(reader, before, both, "request")),
            self._loop.create_task(self._pump(behind, writer, both, "reply")),
        ]
        self._tasks.update(pumps)
        await asyncio.gather(*pumps, return_exceptions=True)
        self._tasks.difference_update(pumps)
        self._writers -= both

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, both: set[asyncio.StreamWriter], way: Way
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await self._open.wait()
                if writer in self._deaf:
                    continue
                torn = self._tear == way
                if torn:
                    self._tear = None
                    data = data[: len(data) // 2]
                writer.write(data)
                await writer.drain()
                if torn:
                    break
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in both:
                end.close() if end is writer else end.transport.abort()
