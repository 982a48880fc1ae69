"""Keeping the projection up for a view that is refreshed, a bounded time at each refresh.

Law: a view never stops to catch up: what is left over is said, and stored at the next refresh. Where a progress worker
runs for this database, it does the work, and the view only reads.
"""

from __future__ import annotations

import time

from claude_comm.names import PROGRESS_WORKER, Keys
from claude_comm.runtime import worker_processes
from claude_comm.settings import Settings
from claude_comm.store.catch_up import first_count, step, trust_of
from claude_comm.store.database import Database
from claude_comm.store.survey import Survey, survey
from claude_comm.store.watermarks import reporter_of
from claude_comm.transport.driver import Client

# How often it is seen whether there are new streams, and whether a worker runs.
SURVEY_S = 2.0


class KeepUp:
    """One view's share of the projecting."""

    def __init__(self, client: Client, database: Database, settings: Settings) -> None:
        self._client, self._database, self._settings = client, database, settings
        self._keys = Keys(settings.namespace)
        self._survey: Survey | None = None
        self._surveyed_s = 0.0
        self._count = first_count(1)
        self._reporter = reporter_of(settings)
        self._trust = trust_of(settings)

    def refresh(self, within_s: float) -> bool:
        """Stores what is new for up to that long; whether everything is stored. Raises TransportError, StoreError."""
        ends_s = time.monotonic() + within_s
        current = self._current()
        while current is not None and current.streams:
            done = step(
                self._client,
                self._database,
                current.streams.values(),
                count=self._count,
                max_bytes=self._settings.max_envelope_bytes,
                behind=True,
                trust=self._trust,
            )
            self._count = done.count
            if not done.projected.entries:
                break
            self._reporter.report(self._client, self._database, self._keys)
            if time.monotonic() > ends_s:
                return False
        return True

    def _current(self) -> Survey | None:
        """The streams to read; None while a worker reads them."""
        now_s = time.monotonic()
        if self._surveyed_s and now_s - self._surveyed_s < SURVEY_S:
            return self._survey
        self._surveyed_s = now_s
        if worker_processes.awake(self._settings.home, PROGRESS_WORKER):
            self._survey = None
        else:
            self._survey = survey(self._client, self._database, self._keys)
        return self._survey
