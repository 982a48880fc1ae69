# Written by tools/twins.py from async_tasks.py: edit that file.
"""Reports on the progress of tasks: how far, how fast, and what they are a part of.

Law: reporting costs a loop no more than two reports a second, whatever it does between them; the first and the last
are always told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import suppress
from contextvars import Token
from typing import Any, TypeAlias, TypeVar

import msgspec

from claude_comm.client.arguments import check_number
from claude_comm.client.identity import micros
from claude_comm.client.module.message_context import task_progress
from claude_comm.errors import ClaudeCommError
from claude_comm.progress.events import TaskProgress, TaskState
from claude_comm.progress.rate import Meter
from claude_comm.telemetry.current import current_task

T = TypeVar("T")
Report: TypeAlias = Callable[[TaskProgress], None]

REPORT_EVERY_S = 0.5
# Tasks whose rates are remembered, for a program that names one for every message.
_MAX_METERS = 1_000
_NOTE_CHARACTERS = 300
# What an event can carry.
MOST_PER_S = 1e300


class Meters:
    """The rates of the tasks that one communicator reports on."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}

    def event(
        self, task: Any, completed: Any, total: Any, *, parent: str = "", state: TaskState = "running", note: str = ""
    ) -> TaskProgress:
        """A report with its rate. Raises ConfigurationError."""
        checked, now_us = task_progress(task, completed, total), micros()
        meter = self._meters.get(checked.task)
        if meter is None:
            if len(self._meters) >= _MAX_METERS:
                self._meters.clear()
            meter = self._meters[checked.task] = Meter(now_us)
        rate = meter.report(checked.completed, now_us)
        if state != "running":
            self._meters.pop(checked.task, None)
        more = {"parent": parent, "state": state, "note": note}
        rate = min(rate, MOST_PER_S)
        return msgspec.structs.replace(checked, rate=rate, started_us=meter.started_us, **more)


def size_of(items: object, total: object) -> float:
    """How many items there will be: what was given, else their number, else 0, which is not known."""
    if total is not None:
        return check_number("total", total)
    return float(len(items)) if isinstance(items, Sized) else 0.0


class TaskLoop:
    """One loop over items that is a task; what is reported within it is a part of it."""

    def __init__(self, report: Report, meters: Meters, task: str, total: float) -> None:
        self._report, self._meters, self._task, self._total = report, meters, task, total
        self._parent = current_task.get()
        self._count = 0
        self._due_s = 0.0

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items one by one. A loop that is left early has stopped; one whose items end by an error has failed."""
        self._tell("running")
        token = current_task.set(self._task)
        try:
            for item in items:
                yield item
                self._done()
        except GeneratorExit:
            _leave(token)
            # The communicator may have been closed before the loop was collected.
            with suppress(ClaudeCommError):
                self._tell("stopped")
            raise
        except BaseException as error:
            _leave(token)
            self._tell("failed", f"{type(error).__name__}: {error}"[:_NOTE_CHARACTERS])
            raise
        _leave(token)
        self._total = self._total or self._count
        self._tell("completed")

    def _done(self) -> None:
        self._count += 1
        if time.monotonic() >= self._due_s:
            self._tell("running")

    def _tell(self, state: TaskState, note: str = "") -> None:
        self._due_s = time.monotonic() + REPORT_EVERY_S
        event = self._meters.event(self._task, self._count, self._total, parent=self._parent, state=state, note=note)
        self._report(event)


def _leave(token: Token[str]) -> None:
    # A generator may be closed in another context than it was begun in.
    with suppress(ValueError):
        current_task.reset(token)
