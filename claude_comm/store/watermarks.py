"""The watermarks of a projection: how far it has stored each stream, reported so that publishers may forget their
copies and the janitor may trim.

Law: what is reported as stored was committed before; what is reported as durable is on the disk, and was reported as
stored `DURABLE_AFTER_MS` before. Only what moved is reported, and while nothing moves, a sign of life: its reply tells
whether the registry still has the rest. When a stream moved backwards, nothing is durable until all of it is stored
anew.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections import deque
from collections.abc import Mapping

from claude_comm.names import PROGRESS_WORKER, Keys
from claude_comm.ops import projection_progress
from claude_comm.ops.projection_progress import REPEAT_MS, REPORT_EVERY_MS, HeldPositions, Stored
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings
from claude_comm.store import checkpoints
from claude_comm.store.checkpoints import START, Checkpoint, position
from claude_comm.store.database import Database
from claude_comm.transport.driver import Client

# An outbox believes a receipt 5 s after the send and looks twice a second, while the stream still holds the entry.
DURABLE_AFTER_MS = 8_000
# How often positions are put on the disk, to be reported as durable later.
SYNC_EVERY_MS = 1_000


class WatermarkReporter:
    """What one projection has reported. Only one that `follows` the streams reports positions as durable; one that
    catches up once ends before it could know that its report was seen."""

    def __init__(self, *, follows: bool = False, signer: Signer | None = None, mute: bool = False) -> None:
        """With a `signer` it signs what it reports; a `mute` one reports nothing, since nobody would believe it."""
        self._signer, self._mute = signer, mute
        self._stored: Stored = {}
        self._unreported: dict[str, Checkpoint] = {}
        self._reported_ms: int | None = None
        # Whether a report failed: nobody knows how much of it arrived.
        self._failed = False
        self._durable = DurablePositions() if follows else None

    def report(self, client: Client, database: Database, keys: Keys) -> None:
        """Reports the positions that moved, or that are durable by now; at the least a sign of life, if that is due.
        Raises TransportError, StoreError."""
        # Waits are by a clock that cannot be set: with the other, one put back an hour would be silence for an hour.
        now_ms = time.monotonic_ns() // 1_000_000
        if self._mute:
            return
        if self._reported_ms is not None and now_ms - self._reported_ms < REPORT_EVERY_MS:
            return
        with database.read() as reader:
            self._unreported.update(database.checkpoints.take_moved(reader))
        moved = {key: point.entry_id for key, point in self._unreported.items()}
        if self._durable:
            self._durable.moved(moved, self._stored)
        self._stored.update(moved)
        if not self._unreported and self._reported_ms is not None and now_ms - self._reported_ms < REPEAT_MS:
            return
        failed, self._failed = self._failed, True
        durable = self._durable.due(now_ms) if self._durable else None
        held = self._send(client, database, keys, self._unreported, durable)
        whole = self._durable.positions if self._durable else {}
        if failed or held.stored < len(self._stored) or held.durable < len(whole):
            # The registry has lost what it was told before.
            self._send(client, database, keys, checkpoints.load(database), whole or None)
        self._unreported, self._reported_ms, self._failed = {}, now_ms, False
        if self._durable:
            self._durable.reported(moved, now_ms, database)

    def _send(
        self,
        client: Client,
        database: Database,
        keys: Keys,
        points: Mapping[str, Checkpoint],
        durable: Stored | None,
    ) -> HeldPositions:
        stored = {key: point.entry_id for key, point in points.items()}
        counts = {key: point.entries for key, point in points.items()}
        report = projection_progress.report(
            keys, name(database), stored, durable=durable, counts=counts, signer=self._signer
        )
        return client.run(report)


def reporter_of(settings: Settings, *, follows: bool = False) -> WatermarkReporter:
    """The reporter of this home, signing where its progress worker may. Raises ConfigurationError."""
    if settings.signing == "off":
        return WatermarkReporter(follows=follows)
    from claude_comm.runtime.trusted_keys import service_signer  # PyNaCl is an extra

    signer = service_signer(settings, PROGRESS_WORKER)
    mute = signer is None and settings.signing == "require"
    return WatermarkReporter(follows=follows, signer=signer, mute=mute)


class DurablePositions:
    """Positions on their way from stored to durable: those that moved, in the order of their reports."""

    def __init__(self) -> None:
        self.positions: Stored = {}
        self._unsynced: Stored = {}
        self._waiting: deque[tuple[int, Stored]] = deque()
        self._synced_ms: int | None = None
        self._began_anew = True

    def moved(self, moved: Stored, stored: Stored) -> None:
        """These positions moved from where they are in `stored`."""
        if any(position(id_) < position(stored.get(key, START)) for key, id_ in moved.items()):
            self._waiting.clear()
            self.positions, self._unsynced, self._began_anew = {}, dict(stored), True

    def due(self, now_ms: int) -> Stored | None:
        """What has become durable since the last call; empty to begin with, and where a stream moved backwards: then
        nothing is."""
        if self._began_anew:
            self._began_anew = False
            return {}
        new: Stored = {}
        while self._waiting and now_ms - self._waiting[0][0] >= DURABLE_AFTER_MS:
            new.update(self._waiting.popleft()[1])
        self.positions.update(new)
        return new or None

    def reported(self, moved: Stored, now_ms: int, database: Database) -> None:
        """Flushes what was reported as stored to the disk, if that is due. Raises StoreError."""
        self._unsynced.update(moved)
        if self._unsynced and (self._synced_ms is None or now_ms - self._synced_ms >= SYNC_EVERY_MS):
            database.sync()
            self._waiting.append((now_ms, self._unsynced))
            self._unsynced, self._synced_ms = {}, now_ms


def name(database: Database) -> str:
    """The projection in this file of this host."""
    place = f"{socket.gethostname()}:{database.path.resolve()}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]
