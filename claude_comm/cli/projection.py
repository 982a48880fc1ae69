"""The projection as a command reads it: brought up to date first, so that what was sent is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store import session_members
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import Database, open_database
from claude_comm.terminal.output import say
from claude_comm.transport.connect import connect

# A command that answers within this says nothing about what it waits for; after that, a line this often.
SAY_EVERY_S = 2.0


@contextmanager
def reading(settings: Settings | None = None) -> Iterator[Database]:
    """The database of this home, caught up with the streams as they are now."""
    current = settings or settings_of_process()
    with opened(current) as database:
        refresh(current, database)
        yield database


def opened(settings: Settings) -> Database:
    """The database of this home, as it is."""
    return open_database(settings.database, max_payload_bytes=settings.projection_payload_bytes)


def refresh(settings: Settings, database: Database) -> int:
    """Brings the projection up to date; how many entries that took. Raises ServerUnreachable."""
    with connect(settings) as client:
        keys, limit = Keys(settings.namespace), settings.max_envelope_bytes
        stored = caught_up(client, database, settings, progress=catch_up_lines(time.monotonic))
        if session_members.end_dead(client, database, keys, time.time_ns() // 1000, max_bytes=limit):
            stored += caught_up(client, database, settings)
        return stored


def catch_up_lines(clock: Callable[[], float]) -> Callable[[int, int], None]:
    """Says how far catching up is, once it takes long."""
    begun_s = last_s = clock()

    def progress(stored: int, whole: int) -> None:
        nonlocal last_s
        now_s = clock()
        if now_s - last_s < SAY_EVERY_S:
            return
        last_s, rate = now_s, stored / (now_s - begun_s)
        left = f", {(whole - stored) / rate:.0f} s left" if whole > stored else ""
        say(f"bringing the projection up to date: {stored:,} of about {whole:,} entries, {rate:,.0f} a second{left}")

    return progress
