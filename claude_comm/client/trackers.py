"""Trackers: sessions and operations by name, for programs that have no communicator of their own.

Law: trackers have no events of their own: they report those of a communicator's sessions, tasks and files, and read
their answers from the projection.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from claude_comm.client.communicator.async_communicator import AsyncModuleCommunicator
from claude_comm.client.communicator.async_session import AsyncSession
from claude_comm.client.communicator.projection_reader import ProjectionReader
from claude_comm.client.communicator.tasks import Meters
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.burial import brief
from claude_comm.errors import ConfigurationError, UnknownSession
from claude_comm.progress.events import TaskState
from claude_comm.settings import Settings
from claude_comm.store.session_list import SessionDetail
from claude_comm.telemetry.current import InSession, current_session

DEFAULT_NAME = "progress-tracker"
# The task that a session's own progress is, where none is named.
DEFAULT_TASK = "session"


class AsyncProgressTracker:
    """Sessions that are started and ended by calls. `name` is the module that reports. An async context manager."""

    def __init__(self, name: str = DEFAULT_NAME, *, settings: Settings | None = None) -> None:
        self._communicator = AsyncModuleCommunicator(name, settings=settings)
        self._projection = ProjectionReader(self._communicator.identity)
        self._sessions: dict[str, AsyncSession] = {}

    async def start_session(self, session_id: str) -> None:
        """Opens a session. Raises ConfigurationError for one that this tracker has open already."""
        if session_id in self._sessions:
            raise ConfigurationError(f"the session {session_id!r} is open already: end it first.")
        opened = self._communicator.session(session_id)
        await opened.start()
        self._sessions[session_id] = opened

    async def update_progress(
        self, session_id: str, completed: float, total: float, *, task: str = DEFAULT_TASK
    ) -> None:
        """Reports how far a task of the session is. Raises UnknownSession for one that is not open here."""
        with InSession(self._open(session_id).name):
            await self._communicator.track_progress(task, completed, total)

    async def end_session(
        self, session_id: str, *, outcome: Literal["completed", "failed"] = "completed", reason: str = ""
    ) -> None:
        """Ends a session. Raises UnknownSession for one that is not open here."""
        await self._open(session_id).end(outcome, reason)
        del self._sessions[session_id]

    async def get_session_info(self, session_id: str) -> dict[str, Any] | None:
        """The session as `claude-comm session show --json` has it, without its messages: totals, `hops`, `tasks`, each
        with its `percentage` and `eta_s`, and `members`. None where nothing of it is known."""
        detail = await asyncio.to_thread(self._projection.session, session_id)
        return None if detail is None else _as_document(detail)

    async def close(self) -> None:
        """Ends the sessions that are open as failed, and closes every connection."""
        for session_id in list(self._sessions):
            await self.end_session(session_id, outcome="failed", reason="it was left open")
        self._projection.close()
        await self._communicator.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self, session_id: str) -> AsyncSession:
        if session_id not in self._sessions:
            raise UnknownSession(session_id)
        return self._sessions[session_id]


class ProgressTracker:
    """Operations that start, and are completed or fail. `name` is the module that reports. A context manager, safe to
    share between threads; what is reported within a session of this thread or task belongs to that session."""

    def __init__(self, name: str = DEFAULT_NAME, *, settings: Settings | None = None) -> None:
        self._publisher = Publisher(name, settings=settings)
        self._meters = Meters()
        # By operation, its total.
        self._totals: dict[str, float] = {}

    def start_operation(self, operation: str, *, total: float = 1) -> None:
        """Reports that it has started; `total` is its size, in units of any kind."""
        self._tell(operation, 0, total, "running")
        self._totals[operation] = total

    def complete_operation(self, operation: str) -> None:
        """Reports that it is complete. Raises ConfigurationError for one that was not started."""
        total = self._started(operation)
        self._tell(operation, total, total, "completed")
        del self._totals[operation]

    def fail_operation(self, operation: str, error: object = "") -> None:
        """Reports that it failed, and why. Raises ConfigurationError for one that was not started."""
        total = self._started(operation)
        why = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        self._tell(operation, 0, total, "failed", brief(why, self._publisher.identity.most_text))
        del self._totals[operation]

    def close(self) -> None:
        """Closes every connection."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self, operation: str) -> float:
        if operation not in self._totals:
            raise ConfigurationError(f"the operation {operation!r} was not started: call start_operation first.")
        return self._totals[operation]

    def _tell(self, operation: str, completed: float, total: float, state: TaskState, note: str = "") -> None:
        event = self._meters.event(operation, completed, total, state=state, note=note)
        self._publisher.tell(event, session=current_session.get())


def _as_document(detail: SessionDetail) -> dict[str, Any]:
    tasks = [{**msgspec.to_builtins(task), "percentage": task.percentage, "eta_s": task.eta_s} for task in detail.tasks]
    document: dict[str, Any] = msgspec.to_builtins(detail)
    return {**document["summary"], "hops": document["hops"], "tasks": tasks, "members": document["members"]}
