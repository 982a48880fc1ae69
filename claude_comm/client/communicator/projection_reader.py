"""What a communicator reads: messages and progress from the projection of this host, brought up to date first.

Law: reading does not consume. A message is seen from the moment its sending returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from claude_comm.client.identity import Identity
from claude_comm.store import queries, session_list
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.newest import Before
from claude_comm.store.session_list import SessionDetail
from claude_comm.transport.connect import connect

# Messages that one call brings, where nothing else is said.
DEFAULT_LIMIT = 1_000


class ProjectionReader:
    """The projection as one module reads it; safe to share between threads."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._client = connect(identity.settings, identity.signer)

    def messages(self, target: str, limit: int | None, before: str = "") -> list[dict[str, Any]]:
        """The messages sent to a target so far, newest first, as mappings; from after the one with the id `before`."""
        with self._projection() as database:
            last = queries.message(database, before) if before else None
            place = Before(last.time_us, last.number) if last else None
            rows = queries.messages(database, target=target, limit=limit, before=place)
        return [
            {
                "id": row.id,
                "source": row.source,
                "target": row.target,
                "data": row.payload_or_bytes(),
                "timestamp": row.timestamp,
            }
            for row in rows
        ]

    def progress(self, task: str) -> dict[str, float]:
        """The latest report on a task: this module's own where it has made one, else the latest of any module."""
        with self._projection() as database:
            rows = queries.progress(database, task=task)
        rows.sort(key=lambda row: (row.module == self._identity.module, row.time_us))
        completed, total = (rows[-1].completed, rows[-1].total) if rows else (0.0, 0.0)
        return {"completed": completed, "total": total, "percentage": 100 * completed / total if total else 0.0}

    def session(self, name: str) -> SessionDetail | None:
        """One session with its hops, tasks and members; None where nothing of it is known."""
        with self._projection() as database:
            return session_list.session(database, name)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _projection(self) -> Iterator[Database]:
        settings = self._identity.settings
        with open_database(settings.database, max_payload_bytes=settings.projection_payload_bytes) as database:
            caught_up(self._client, database, settings)
            yield database
