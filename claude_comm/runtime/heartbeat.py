"""Heartbeats: an instance says in the registry that it lives, for as long as it does.

Law: a heartbeat that cannot be sent is never a failure of what beats: it is logged once, and tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from claude_comm.effects import Operation
from claude_comm.errors import TransportError
from claude_comm.ops import heartbeats
from claude_comm.ops.heartbeats import HEARTBEAT_MS
from claude_comm.telemetry.logs import EventLog

# `Client.run`: the transport stands on this package, so the client is not named here.
Run: TypeAlias = Callable[[Operation[Any]], Any]


class Heartbeat:
    """That of one member (`module/instance` or `worker/instance`) of a sorted set of the registry."""

    def __init__(self, run: Run, key: str, member: str, log: EventLog) -> None:
        self._run, self._key, self._member, self._log = run, key, member, log
        self._due = 0.0
        self._reached = True

    @property
    def reached(self) -> bool:
        """Whether the last one was heard, or none was due yet."""
        return self._reached

    def beat_if_due(self) -> None:
        """Beats, if the last time is long enough ago."""
        now = time.monotonic()
        if now < self._due:
            return
        try:
            self.beat()
        except TransportError as error:
            if self._reached:
                self._log.warning("heartbeat.failed", member=self._member, error=str(error))
            self._reached = False
        else:
            self._due, self._reached = now + HEARTBEAT_MS / 1000, True

    def beat(self) -> bool:
        """Beats now; True. Raises TransportError."""
        self._run(heartbeats.beat(self._key, self._member, now_ms=time.time_ns() // 1_000_000))
        return True

    def stop(self) -> None:
        """Takes it back at once: whoever ended on purpose is not waited for. Raises TransportError."""
        self._run(heartbeats.stop_beating(self._key, self._member))


@contextmanager
def beating(heartbeat: Heartbeat, log: EventLog) -> Iterator[None]:
    """Beats from a thread of its own while the block lasts, so that a long batch does not look like a death."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(heartbeat, stop), name="claude-comm heartbeat", daemon=True)
    try:
        # Within the `try`: a signal that ends the process at once must not leave a heartbeat that nobody takes back.
        thread.start()
        yield
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()
        try:
            heartbeat.stop()
        except TransportError as error:
            log.warning("heartbeat.left", error=str(error))


def _beat(heartbeat: Heartbeat, stop: threading.Event) -> None:
    while True:
        heartbeat.beat_if_due()
        if stop.wait(HEARTBEAT_MS / 1000):
            return
