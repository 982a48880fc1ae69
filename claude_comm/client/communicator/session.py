# Written by tools/twins.py from async_session.py: edit that file.
"""A session that this process opened: events report its start and its end, and heartbeats that it is alive.

Law: whatever the block raises leaves it unchanged, and the session has failed. An end that cannot be reported is left
to the projection, which misses the heartbeats of this process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import Self, TypeAlias

from claude_comm.client.communicator.session_heart import SessionHeart
from claude_comm.client.identity import Identity, micros
from claude_comm.delivery.burial import brief
from claude_comm.errors import TransportError
from claude_comm.names import check_session
from claude_comm.progress.events import SessionEvent, SessionOutcome
from claude_comm.telemetry.current import current_session

Tell: TypeAlias = Callable[[SessionEvent, str], None]


class Session:
    """One use of a session, as a context manager; within it, this thread or task works in the session."""

    def __init__(self, name: str, identity: Identity, heart: SessionHeart, tell: Tell) -> None:
        self.name = check_session(name)
        self._identity, self._heart, self._tell = identity, heart, tell
        self._opened_us = 0
        self._token: Token[str] | None = None

    def start(self) -> None:
        """Tells that it started."""
        self._opened_us = micros()
        self._tell(SessionEvent("started", self._identity.instance, self._opened_us), self.name)
        self._heart.opened()

    def end(self, outcome: SessionOutcome = "completed", reason: str = "") -> None:
        """Tells that it ended."""
        self._heart.closed()
        reason = brief(reason, self._identity.most_text)
        self._tell(SessionEvent("ended", self._identity.instance, self._opened_us, outcome, reason), self.name)

    def __enter__(self) -> Self:
        self.start()
        self._token = current_session.set(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            self.end()
            return
        with suppress(TransportError):
            self.end("failed", f"{type(error).__name__}: {error}")

    def _leave(self) -> None:
        if self._token is not None:
            current_session.reset(self._token)
