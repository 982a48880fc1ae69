"""How many deliveries of each module were lost, and how many were passed over as copies."""

from __future__ import annotations

from collections.abc import Iterable

from claude_comm.progress.events import Duplicates, Lost
from claude_comm.progress.fold import Happened
from claude_comm.store.database import Database, Writer

LOST, DUPLICATES = "lost", "duplicates"

_ADD = """
INSERT INTO tallies (module, kind, count, last_us) VALUES (?, ?, ?, ?)
ON CONFLICT (module, kind) DO UPDATE SET
    count = count + excluded.count, last_us = max(last_us, excluded.last_us)
"""


def add(writer: Writer, happened: Iterable[Happened]) -> None:
    """Counts what these events, each new to the projection, tell."""
    writer.executemany(_ADD, [row for fact in happened if (row := _row(fact))])


def tallies(database: Database, kind: str) -> dict[str, int]:
    """By module; those with none are left out."""
    return dict(database.rows("SELECT module, count FROM tallies WHERE kind = ? ORDER BY module", (kind,)))


def _row(fact: Happened) -> tuple[str, str, int, int] | None:
    if isinstance(fact.event, Lost):
        return fact.module, LOST, len(fact.event.entries), fact.envelope.time
    if isinstance(fact.event, Duplicates):
        return fact.module, DUPLICATES, len(fact.event.deliveries), fact.envelope.time
    return None
