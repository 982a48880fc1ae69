"""Conversations: the messages that belong together by correlation and causation, as a thread.

Law: read only, and total: what others wrote into those fields may lead anywhere and round in a circle, and each message
stands in a thread once.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.records import DeliveryRow, MessageRow

# More than a person reads; a session of a million messages may have one correlation.
MAX_MESSAGES = 10_000


class ConversationTurn(msgspec.Struct, frozen=True):
    """One message of a thread, how deep below the first it stands, and what became of it."""

    message: MessageRow
    depth: int
    deliveries: list[DeliveryRow]


class Thread(msgspec.Struct, frozen=True):
    """A conversation in the order in which it is read: each message below the one that caused it. `left_out` is whether
    there are more than are shown."""

    turns: list[ConversationTurn]
    left_out: bool


def conversation(database: Database, reference: str, *, limit: int = MAX_MESSAGES) -> Thread:
    """The thread of the message with this number, id or start of one. Raises UnknownMessage."""
    start = queries.message(database, reference)
    rows = _related(database, start, limit + 1)
    ordered = _threaded(rows[:limit])
    return Thread(
        [ConversationTurn(row, depth, queries.deliveries(database, row)) for row, depth in ordered],
        left_out=len(rows) > limit,
    )


def _related(database: Database, start: MessageRow, limit: int) -> list[MessageRow]:
    """By correlation, and by causation where that was not carried on; the earliest first."""
    rows: dict[tuple[str, str], MessageRow] = {}
    pending = [start.correlation or start.id, start.id, *([start.causation] if start.causation else [])]
    asked: set[str] = set()
    while pending and len(rows) < limit:
        key = pending.pop(0)
        if not key or key in asked:
            continue
        asked.add(key)
        for row in queries.related(database, key, limit=limit):
            if (row.source, row.id) not in rows:
                rows[row.source, row.id] = row
                # What has the same correlation is found by that; only what has none leads further.
                pending += [row.correlation, row.causation] + ([] if row.correlation else [row.id])
    return sorted(rows.values(), key=lambda row: (row.time_us, row.number))


def _threaded(rows: Sequence[MessageRow]) -> list[tuple[MessageRow, int]]:
    by_id = {row.id: row for row in rows}
    below: dict[str, list[MessageRow]] = {}
    for row in rows:
        parent = row.causation if row.causation in by_id and row.causation != row.id else ""
        below.setdefault(parent, []).append(row)
    ordered: list[tuple[MessageRow, int]] = []
    seen: set[int] = set()
    stack = [(row, 0) for row in reversed(below.get("", []))]
    while stack:
        row, depth = stack.pop()
        if row.number in seen:
            continue
        seen.add(row.number)
        ordered.append((row, depth))
        stack += [(child, depth + 1) for child in reversed(below.get(row.id, []))]
    # A circle has no first one: its messages stand at the end, each by itself.
    return ordered + [(row, 0) for row in rows if row.number not in seen]
