"""Everything that one message caused: the messages that name it as their cause, and what those caused in turn.

Law: read only, bounded, and total: a message stands in a trace once, wherever the causes lead.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.packing import pack_id
from claude_comm.store.records import DeliveryRow, MessageRow

# More than a person reads.
DEFAULT_LIMIT = 500


class TraceStep(msgspec.Struct, frozen=True):
    """One message of a trace: how deep it lies, whether it is the last one below its cause, and what became of it."""

    message: MessageRow
    depth: int
    last: bool
    deliveries: list[DeliveryRow]


class Trace(msgspec.Struct, frozen=True):
    """The messages in the order of a tree, each below its cause. `left_out` is whether there are more."""

    steps: list[TraceStep]
    left_out: bool


_CAUSED = """
SELECT number FROM packed_messages WHERE causation = ? AND causation != '' ORDER BY time_us, number LIMIT ?
"""


def trace(database: Database, reference: str, *, limit: int = DEFAULT_LIMIT) -> Trace:
    """What the message with this number, id or start of one caused. Raises UnknownMessage."""
    with database.snapshot():
        root = queries.message(database, reference)
        children: dict[int, list[MessageRow]] = {}
        level, seen = [root], {root.number}
        while level and len(seen) <= limit:
            level = [child for row in level for child in _caused(database, row, children, seen, limit)]
        ordered = _ordered(root, children)[:limit]
        deliveries = deliveries_of(database, [row.number for row, _, _ in ordered])
    steps = [TraceStep(row, depth, last, deliveries[row.number]) for row, depth, last in ordered]
    return Trace(steps, len(seen) > limit)


def _caused(
    database: Database, row: MessageRow, children: dict[int, list[MessageRow]], seen: set[int], limit: int
) -> Sequence[MessageRow]:
    """The messages that this one caused, each for the first time."""
    left = limit + 1 - len(seen)
    if left <= 0:
        return ()
    # One that was seen takes a place as well: there are no more of those than were seen.
    rows = database.rows(_CAUSED, (pack_id(row.id), left + len(seen)))
    numbers = [number for (number,) in rows if number not in seen][:left]
    seen.update(numbers)
    children[row.number] = queries.numbered(database, numbers)
    return children[row.number]


def _ordered(root: MessageRow, children: dict[int, list[MessageRow]]) -> list[tuple[MessageRow, int, bool]]:
    """Each message, how deep it lies, and whether it is the last one of its cause."""
    ordered: list[tuple[MessageRow, int, bool]] = []
    stack = [(root, 0, True)]
    while stack:
        row, depth, last = stack.pop()
        ordered.append((row, depth, last))
        below = children.get(row.number, [])
        stack += [(child, depth + 1, child is below[-1]) for child in reversed(below)]
    return ordered
