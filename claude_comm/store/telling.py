"""How a projection says how far it is, so that publishers may forget and the janitor may trim.

Law: what is told as stored was committed before; what is told as settled is on the disk, and was told as stored
`SETTLED_AFTER_MS` before. Telling is never more often than needed: while nothing moves, a sign of life. When a stream
moved backwards, nothing is settled until all is stored anew.
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
SETTLED_AFTER_MS = 8_000
# How often positions are put on the disk, to be settled later.
SYNC_EVERY_MS = 1_000


class Teller:
    """What one projection has told. One that `follows` the streams lets go of them; one that catches up once does not
    live long enough to know that what it told was seen."""

    def __init__(self, *, follows: bool = False) -> None:
        self._told: Stored = {}
        self._told_ms: int | None = None
        self._settling = Settling() if follows else None

    def tell(self, client: Client, database: Database, keys: Keys) -> None:
        """Tells the positions if they moved, or if it is time for a sign of life. Raises TransportError, StoreError."""
        # Waits are by a clock that cannot be set: by the other, one put back an hour would be silence for an hour.
        now_ms = time.monotonic_ns() // 1_000_000
        if self._told_ms is not None and now_ms - self._told_ms < REPORT_EVERY_MS:
            return
        points = checkpoints.load(database)
        stored = {key: point.entry_id for key, point in points.items()}
        settled = self._settling.settled(stored, now_ms) if self._settling else None
        if stored != self._told or self._told_ms is None or now_ms - self._told_ms >= REPEAT_MS:
            counts = {key: point.entries for key, point in points.items()}
            client.run(projection_progress.report(keys, name(database), stored, durable=settled, counts=counts))
            self._told, self._told_ms = stored, now_ms
            if self._settling:
                self._settling.told(stored, now_ms, database)


class Settling:
    """Positions on their way from stored to settled."""

    def __init__(self) -> None:
        self._settled: Stored = {}
        self._latest: Stored = {}
        self._waiting: deque[tuple[int, Stored]] = deque()
        self._synced_ms: int | None = None

    def settled(self, stored: Stored, now_ms: int) -> Stored:
        """What is settled by now, given what is stored."""
        if any(position(stored.get(key, START)) < position(id_) for key, id_ in self._latest.items()):
            self._waiting.clear()
            self._settled = {}
        while self._waiting and now_ms - self._waiting[0][0] >= SETTLED_AFTER_MS:
            _, self._settled = self._waiting.popleft()
        self._latest = stored
        return self._settled

    def told(self, stored: Stored, now_ms: int, database: Database) -> None:
        """Puts what was told on the disk, if that is due. Raises StoreError."""
        newest = self._waiting[-1][1] if self._waiting else self._settled
        if stored != newest and (self._synced_ms is None or now_ms - self._synced_ms >= SYNC_EVERY_MS):
            database.sync()
            self._waiting.append((now_ms, stored))
            self._synced_ms = now_ms


def name(database: Database) -> str:
    """The projection in this file of this host."""
    place = f"{socket.gethostname()}:{database.path.resolve()}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]
