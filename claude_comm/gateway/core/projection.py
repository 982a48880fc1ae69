"""The projection as the gateway reads it: one connection for each thread of it, caught up where nobody else does that.

Law: read only, but for catching up, which is what any command does before it reads. A page shows what was sent a second
before it was asked for, whether a progress worker runs or not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from claude_comm.names import PROGRESS_WORKER, Keys
from claude_comm.runtime import worker_processes
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database, open_to_read
from claude_comm.transport.driver import Client

T = TypeVar("T")

FRESH_S = 1.0


class ProjectionReader:
    """Runs queries on the calling thread; safe to share between threads."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self._settings, self._client = settings, client
        self._local = threading.local()
        self._catching = threading.Lock()
        self._fresh_until = 0.0
        self._opened: list[Database] = []

    def ask(self, query: Callable[[Database], T]) -> T:
        """What the query returns. Raises StoreError, ServerUnreachable, and what the query raises."""
        self._refresh()
        database: Database | None = getattr(self._local, "database", None)
        if database is None or database.replaced():
            if database is not None:
                self._opened.remove(database)
                database.close()
            database = self._local.database = open_to_read(self._settings.database)
            self._opened.append(database)
        return query(database)

    def close(self) -> None:
        """Closes the connections of all threads; none of them reads any more."""
        for database in self._opened:
            database.close()
        self._opened.clear()

    def _refresh(self) -> None:
        with self._catching:
            if time.monotonic() < self._fresh_until:
                return
            # A progress worker keeps up by itself; beside it two would do the work of one.
            if not self._settings.database.is_file() or not worker_processes.awake(
                self._settings.home, PROGRESS_WORKER
            ):
                payload = self._settings.projection_payload_bytes
                with open_database(self._settings.database, max_payload_bytes=payload) as database:
                    keys = Keys(self._settings.namespace)
                    catch_up(self._client, database, keys, max_bytes=self._settings.max_envelope_bytes)
            self._fresh_until = time.monotonic() + FRESH_S
