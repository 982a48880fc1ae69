"""How a projection says how far it is, so that publishers may forget and the janitor may trim.

Law: what is told was committed before. Telling is never more often than needed: while nothing moves, a sign of life.
"""

from __future__ import annotations

import hashlib
import socket
import time

from claude_comm.drive.blocking import Links
from claude_comm.names import Keys
from claude_comm.ops import receipts
from claude_comm.ops.receipts import REPEAT_MS, TELL_EVERY_MS, Stored
from claude_comm.store import checkpoints
from claude_comm.store.database import Database


class Teller:
    """What one projection has told."""

    def __init__(self) -> None:
        self._told: Stored = {}
        self._told_ms = 0

    def tell(self, links: Links, database: Database, keys: Keys) -> None:
        """Tells the positions if they moved, or if it is time for a sign of life. Raises TransportError."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms - self._told_ms < TELL_EVERY_MS:
            return
        stored = {key: point.entry_id for key, point in checkpoints.load(database).items()}
        if stored != self._told or now_ms - self._told_ms >= REPEAT_MS:
            links.run(receipts.tell(keys, name(database), stored, now_ms=now_ms))
            self._told, self._told_ms = stored, now_ms


def name(database: Database) -> str:
    """The projection in this file of this host."""
    place = f"{socket.gethostname()}:{database.path.resolve()}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]
