"""The watermarks of a projection: how far it has stored each stream, reported so that publishers may forget their
copies and the janitor may trim.

Law: what is reported as stored was committed before; what is reported as durable is on the disk, and was reported as
stored `DURABLE_AFTER_MS` before. Nothing is reported more often than needed: while nothing moves, a sign of life. When
a stream moved backwards, nothing is durable until all of it is stored anew.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections import deque

from claude_comm.names import Keys
from claude_comm.ops import projection_progress
from claude_comm.ops.projection_progress import REPEAT_MS, REPORT_EVERY_MS, Stored
from claude_comm.store import checkpoints
from claude_comm.store.checkpoints import START, position
from claude_comm.store.database import Database
from claude_comm.transport.driver import Client

# An outbox believes a receipt 5 s after the send and looks twice a second, while the stream still holds the entry.
DURABLE_AFTER_MS = 8_000
# How often positions are put on the disk, to be reported as durable later.
SYNC_EVERY_MS = 1_000


class WatermarkReporter:
    """What one projection has reported. Only one that `follows` the streams reports positions as durable; one that
    catches up once ends before it could know that its report was seen."""

    def __init__(self, *, follows: bool = False) -> None:
        self._reported: Stored = {}
        self._reported_ms: int | None = None
        self._durable = DurablePositions() if follows else None

    def report(self, client: Client, database: Database, keys: Keys) -> None:
        """Reports the positions if they moved, or if a sign of life is due. Raises TransportError, StoreError."""
        # Waits are by a clock that cannot be set: with the other, one put back an hour would be silence for an hour.
        now_ms = time.monotonic_ns() // 1_000_000
        if self._reported_ms is not None and now_ms - self._reported_ms < REPORT_EVERY_MS:
            return
        points = checkpoints.load(database)
        stored = {key: point.entry_id for key, point in points.items()}
        durable = self._durable.current(stored, now_ms) if self._durable else None
        if stored != self._reported or self._reported_ms is None or now_ms - self._reported_ms >= REPEAT_MS:
            counts = {key: point.entries for key, point in points.items()}
            client.run(projection_progress.report(keys, name(database), stored, durable=durable, counts=counts))
            self._reported, self._reported_ms = stored, now_ms
            if self._durable:
                self._durable.reported(stored, now_ms, database)


class DurablePositions:
    """Positions on their way from stored to durable."""

    def __init__(self) -> None:
        self._current: Stored = {}
        self._latest: Stored = {}
        self._waiting: deque[tuple[int, Stored]] = deque()
        self._synced_ms: int | None = None

    def current(self, stored: Stored, now_ms: int) -> Stored:
        """What is durable by now, given what is stored."""
        if any(position(stored.get(key, START)) < position(id_) for key, id_ in self._latest.items()):
            self._waiting.clear()
            self._current = {}
        while self._waiting and now_ms - self._waiting[0][0] >= DURABLE_AFTER_MS:
            _, self._current = self._waiting.popleft()
        self._latest = stored
        return self._current

    def reported(self, stored: Stored, now_ms: int, database: Database) -> None:
        """Flushes what was reported as stored to the disk, if that is due. Raises StoreError."""
        newest = self._waiting[-1][1] if self._waiting else self._current
        if stored != newest and (self._synced_ms is None or now_ms - self._synced_ms >= SYNC_EVERY_MS):
            database.sync()
            self._waiting.append((now_ms, stored))
            self._synced_ms = now_ms


def name(database: Database) -> str:
    """The projection in this file of this host."""
    place = f"{socket.gethostname()}:{database.path.resolve()}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]
