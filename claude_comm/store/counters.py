"""Counters of the deliveries that ended neither as handled nor as buried, by module.

`lost` counts entries that were deleted before anybody had handled them, `duplicates` copies that were skipped.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from claude_comm.progress.events import Duplicates, Lost
from claude_comm.progress.fold import Happened
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer, insert_into

LOST, DUPLICATES = "lost", "duplicates"


class _CounterRow(msgspec.Struct, frozen=True):
    module: str
    kind: str
    count: int
    last_us: int


_ADD = f"""
{insert_into("counters", _CounterRow)}
ON CONFLICT (module, kind) DO UPDATE SET
    count = count + excluded.count, last_us = max(last_us, excluded.last_us)
"""


def add(writer: Writer, happened: Iterable[Happened]) -> None:
    """Counts these events, each of which is new to the projection."""
    writer.executemany(_ADD, [msgspec.structs.astuple(row) for fact in happened if (row := _row(fact))])


def counters(database: Database, kind: str) -> dict[str, int]:
    """By module; those with none are left out."""
    return dict(database.rows("SELECT module, count FROM counters WHERE kind = ? ORDER BY module", (kind,)))


def _row(fact: Happened) -> _CounterRow | None:
    if isinstance(fact.event, Lost):
        return _CounterRow(fact.module, LOST, len(fact.event.entries), fact.envelope.time)
    if isinstance(fact.event, Duplicates):
        return _CounterRow(fact.module, DUPLICATES, len(fact.event.deliveries), fact.envelope.time)
    return None
