"""The projection as a command reads it: brought up to date first, so that what was sent is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.transport.connect import connect


@contextmanager
def reading(settings: Settings | None = None) -> Iterator[Database]:
    """The database of this home, caught up with the streams as they are now."""
    current = settings or settings_of_process()
    with open_database(current.database) as database:
        refresh(current, database)
        yield database


def refresh(settings: Settings, database: Database) -> None:
    """Brings the projection up to date. Raises ServerUnreachable."""
    with connect(settings) as client:
        catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
