"""The heartbeat of a process that has sessions open: a thread of its own, or a task of its event loop.

Law: a heartbeat that cannot be sent is no failure of what is done in the session; the next is tried. A session that is
over before the first is due costs none.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

from claude_comm.client.identity import Identity, millis
from claude_comm.effects import Operation
from claude_comm.errors import TransportError
from claude_comm.ops import heartbeats
from claude_comm.ops.heartbeats import HEARTBEAT_MS

Run: TypeAlias = Callable[[Operation[Any]], Any]
AsyncRun: TypeAlias = Callable[[Operation[Any]], Awaitable[Any]]


class _Member:
    """What beats, and whether the server has a beat of it."""

    def __init__(self, identity: Identity) -> None:
        self._key, self._name = identity.keys.session_members, f"{identity.module}/{identity.instance}"
        self.sessions = 0
        self._beaten = False

    def due(self) -> Operation[None] | None:
        """What there is to send now: a beat while a session is open, else that there is none any more."""
        if self.sessions > 0:
            self._beaten = True
            return heartbeats.beat(self._key, self._name, now_ms=millis())
        return self.last()

    def last(self) -> Operation[None] | None:
        """Takes the last beat back."""
        beaten, self._beaten = self._beaten, False
        return heartbeats.stop_beating(self._key, self._name) if beaten else None


class SessionHeart:
    """On a daemon thread, started with the first session."""

    def __init__(self, identity: Identity, run: Run) -> None:
        self._member, self._run = _Member(identity), run
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def opened(self) -> None:
        with self._lock:
            self._member.sessions += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="claude-comm sessions", daemon=True)
                self._thread.start()

    def closed(self) -> None:
        with self._lock:
            self._member.sessions -= 1

    def close(self) -> None:
        """Takes back the last heartbeat."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._send(self._member.last())

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_MS / 1000):
            self._send(self._member.due())

    def _send(self, operation: Operation[None] | None) -> None:
        if operation is not None:
            with suppress(TransportError):
                self._run(operation)


class AsyncSessionHeart:
    """On a task of the event loop, started with the first session."""

    def __init__(self, identity: Identity, run: AsyncRun) -> None:
        self._member, self._run = _Member(identity), run
        self._task: asyncio.Task[None] | None = None
        self._later: set[asyncio.Future[None]] = set()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """What `close` waits for: the end of a session whose block did not."""
        self._later.add(asyncio.ensure_future(work))

    def opened(self) -> None:
        self._member.sessions += 1
        if self._task is None:
            self._task = asyncio.ensure_future(self._beat())

    def closed(self) -> None:
        self._member.sessions -= 1

    async def close(self) -> None:
        """Takes back the last heartbeat."""
        for work in self._later:
            await work
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._send(self._member.last())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_MS / 1000)
            await self._send(self._member.due())

    async def _send(self, operation: Operation[None] | None) -> None:
        if operation is not None:
            with suppress(TransportError):
                await self._run(operation)
