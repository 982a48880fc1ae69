"""Retention: what is old goes, or what is beyond a size; the sums stay.

Law: rows go in short transactions, so that whoever stores waits for one of them at most. A message goes with its
deliveries. `traffic`, `latencies` and `session_stats` hold whatever was ever stored, `shapes` what was folded, `pruned`
how much of it is gone. When a stream is read again from its start, what is older than the newest that was pruned is
taken as known.
"""

from __future__ import annotations

import msgspec

from claude_comm.store import blocks
from claude_comm.store.database import Database
from claude_comm.store.statements import Writer

# Some tens of milliseconds.
ROWS_AT_ONCE = 5_000
# Free pages that are given back to the disk at once: 4 MiB, twice what that many rows of usual size take.
_PAGES_AT_ONCE = 1_024

_OLD_MESSAGES = f"SELECT number, time_us FROM packed_messages WHERE time_us < ? ORDER BY time_us LIMIT {ROWS_AT_ONCE}"
_FIRST_MESSAGES = f"SELECT number, time_us FROM packed_messages ORDER BY time_us LIMIT {ROWS_AT_ONCE}"
_OLD_EVENTS = f"SELECT number FROM packed_events WHERE time_us < ? ORDER BY number LIMIT {ROWS_AT_ONCE}"
# Events are stored about in the order of their times: the first that is young ends the search.
_FIRST_EVENT = "SELECT time_us FROM packed_events ORDER BY number LIMIT 1"
_COUNT = """
UPDATE pruned SET messages = messages + ?, deliveries = deliveries + ?, events = events + ?,
    before_us = max(before_us, ?)
"""


class Pruned(msgspec.Struct, frozen=True):
    """How many rows went."""

    messages: int = 0
    deliveries: int = 0
    events: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(self.messages + other.messages, self.deliveries + other.deliveries, self.events + other.events)


def prune(database: Database, *, before_us: int = 0, max_bytes: int = 0) -> Pruned:
    """Removes what was sent before this moment, and then the oldest until the rest takes no more than `max_bytes` (0:
    any). Raises StoreError."""
    total = Pruned()
    while (step := prune_step(database, before_us=before_us, max_bytes=max_bytes)) != Pruned():
        total += step
    return total


def prune_step(database: Database, *, before_us: int = 0, max_bytes: int = 0) -> Pruned:
    """One short transaction of it; nothing when there is nothing to do."""
    if database.rows(_OLD_MESSAGES, (before_us,)) or _old_events(database, before_us):
        step = _remove(database, before_us)
    elif max_bytes and used_bytes(database) > max_bytes and (first := database.rows(_FIRST_MESSAGES)):
        step = _remove(database, first[-1][1] + 1)
    else:
        return Pruned()
    database.give_back(_PAGES_AT_ONCE)
    return step


def used_bytes(database: Database) -> int:
    """What the rows take; free pages of the file are used again."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (database.rows(f"PRAGMA {name}")[0][0] for name in names)
    return int((pages - free) * size)


def pruned(database: Database) -> Pruned:
    """How much went so far."""
    return database.records(Pruned, "SELECT messages, deliveries, events FROM pruned")[0]


def _old_events(database: Database, before_us: int) -> bool:
    first = database.rows(_FIRST_EVENT)
    return bool(first) and first[0][0] < before_us


def _remove(database: Database, before_us: int) -> Pruned:
    with database.write() as writer:
        messages = writer.execute(_OLD_MESSAGES, (before_us,)).fetchall()
        numbers = ", ".join(str(number) for number, _ in messages)
        deliveries = writer.execute(f"DELETE FROM packed_deliveries WHERE message IN ({numbers})").rowcount
        writer.execute(f"DELETE FROM packed_messages WHERE number IN ({numbers})")
        blocks.prune(writer)
        events = _remove_events(writer, before_us)
        writer.execute("DELETE FROM early_deliveries WHERE settled_us < ?", (before_us,))
        writer.execute("DELETE FROM held WHERE since_us < ?", (before_us,))
        last_us = max((time_us + 1 for _, time_us in messages), default=before_us)
        writer.execute(_COUNT, (len(messages), deliveries, events, last_us))
    return Pruned(len(messages), deliveries, events)


def _remove_events(writer: Writer, before_us: int) -> int:
    first = writer.execute(_FIRST_EVENT).fetchone()
    if first is None or first[0] >= before_us:
        return 0
    numbers = ", ".join(str(number) for (number,) in writer.execute(_OLD_EVENTS, (before_us,)))
    return writer.execute(f"DELETE FROM packed_events WHERE number IN ({numbers})").rowcount
