"""A session that this process opened: events report its start and its end, and heartbeats that it is alive.

Law: whatever the block raises leaves it unchanged, and the session has failed. An end that cannot be reported is left
to the projection, which misses the heartbeats of this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import Self, TypeAlias

from claude_comm.client.communicator.session_heart import AsyncSessionHeart
from claude_comm.client.identity import Identity, micros
from claude_comm.delivery.burial import brief
from claude_comm.errors import TransportError
from claude_comm.names import check_session
from claude_comm.progress.events import SessionEvent, SessionOutcome
from claude_comm.telemetry.current import current_session

AsyncTell: TypeAlias = Callable[[SessionEvent, str], Awaitable[None]]


class AsyncSession:
    """One use of a session, as a context manager; within it, this thread or task works in the session."""

    def __init__(self, name: str, identity: Identity, heart: AsyncSessionHeart, tell: AsyncTell) -> None:
        self.name = check_session(name)
        self._identity, self._heart, self._tell = identity, heart, tell
        self._opened_us = 0
        self._token: Token[str] | None = None

    async def start(self) -> None:
        """Tells that it started."""
        self._opened_us = micros()
        await self._tell(SessionEvent("started", self._identity.instance, self._opened_us), self.name)
        self._heart.opened()

    async def end(self, outcome: SessionOutcome = "completed", reason: str = "") -> None:
        """Tells that it ended."""
        self._heart.closed()
        reason = brief(reason, self._identity.most_text)
        await self._tell(SessionEvent("ended", self._identity.instance, self._opened_us, outcome, reason), self.name)

    async def __aenter__(self) -> Self:
        await self.start()
        self._token = current_session.set(self.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            await self.end()
            return
        with suppress(TransportError):
            await self.end("failed", f"{type(error).__name__}: {error}")

    # asyncio only
    def __enter__(self) -> Self:
        """The same without waiting until the start is reported: `close` of the communicator waits for it."""
        self._started = asyncio.ensure_future(self.start())
        self._token = current_session.set(self.name)
        return self

    # asyncio only
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        outcome: SessionOutcome = "completed" if error is None else "failed"
        reason = "" if error is None else f"{type(error).__name__}: {error}"
        self._heart.later(self._end_later(outcome, reason))

    # asyncio only
    async def _end_later(self, outcome: SessionOutcome, reason: str) -> None:
        await self._started
        await self.end(outcome, reason)

    def _leave(self) -> None:
        if self._token is not None:
            current_session.reset(self._token)
