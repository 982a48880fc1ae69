"""What a run waits for, in time that its processes could have used: that each works again, and that all is at rest.

Law: what a child stood in the queue for a processor is not its own: a run beside a busy machine is given as much more.
Linux tells it of each thread (`/proc/PID/task/TID/schedstat`); where it is not told, all time counts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import redis

from tests.chaos.child import Child
from tests.chaos.stage import Stage
from tests.support.clocks import TIMES

_LOOK_S = 0.1
T = TypeVar("T", str, list[str])


class Work:
    """What each child had done when this was made, and which have done nothing since."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._done: dict[str, Callable[[], float]] = {}
        for role, children in stage.children.items():
            for child in children:
                self._done[child.name] = self._measure(role, child)
        self._before = {name: done() for name, done in self._done.items()}

    def idle(self) -> list[str]:
        return [name for name, done in self._done.items() if done() <= self._before[name]]

    def _measure(self, role: str, child: Child) -> Callable[[], float]:
        if role == "projection":
            return lambda: _stored(self._stage.database(child))
        if role in ("publisher", "consumer"):
            mark = b"\nR " if role == "publisher" else b"\nH "
            return lambda: _lines(self._stage.record(child.name), mark)
        return lambda: self._heartbeat(role)

    def _heartbeat(self, worker: str) -> float:
        """The last one of a worker of this name (milliseconds)."""
        try:
            with self._stage.server.client(timeout_s=1.0) as client:
                beats = client.zrange(self._stage.keys.workers, 0, -1, withscores=True)
        except redis.RedisError:
            return 0.0
        return max((at for name, at in beats if name.startswith(f"{worker}/".encode())), default=0.0)


class Queued:
    """How long the processes of a run stood in the queue for a processor, together, since this was made (seconds)."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.seconds = stage, 0.0
        self._last: dict[int, int] = {}
        self.look()
        self.seconds = 0.0

    def look(self) -> None:
        pids = {child.pid for child in self._stage.everyone} | {
            server.pid for server in self._stage.servers if server.up
        }
        for pid in pids - {0}:
            waited = _queued_ns(pid)
            self.seconds += max(waited - self._last.get(pid, 0), 0) / 1e9 if pid in self._last else 0.0
            self._last[pid] = waited


def idle_after(stage: Stage, within_s: float) -> tuple[list[str], float]:
    """Who has done nothing within so long of its own time, and how much of that the last one took."""
    work = Work(stage)
    return _waited(stage, work.idle, within_s)


def unrest_after(stage: Stage, within_s: float) -> tuple[str, float]:
    """What does not come to rest, if anything, and how long it took."""
    # Twice in a row: the first look may have come between two steps.
    return _waited(stage, lambda: stage.unrest() or stage.unrest(), within_s)


def _waited(stage: Stage, missing: Callable[[], T], within_s: float) -> tuple[T, float]:
    """What is still missing after so long of the processes' own time; at most ten times as long by the wall."""
    queued, start = Queued(stage), time.monotonic()
    while left := missing():
        stage.tick()
        time.sleep(_LOOK_S)
        queued.look()
        took_s = time.monotonic() - start
        if took_s - queued.seconds > within_s or took_s > TIMES * within_s:
            break
    return left, max(time.monotonic() - start - queued.seconds, 0.0)


def _queued_ns(pid: int) -> int:
    """Of its thread that waited longest."""
    found = [0]
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            found.append(int(task.read_text().split()[1]))
        except (OSError, IndexError):
            continue
    return max(found)


def _lines(record: Path, mark: bytes) -> int:
    return record.read_bytes().count(mark) if record.exists() else 0


def _stored(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            return int(database.execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
