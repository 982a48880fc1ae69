"""The messages of one session in the order in which they were sent, a page at a time.

Law: a page costs the same wherever it lies and however many messages the session has: its pairs are read each in the
order of the index, from a key on.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge, nsmallest

import msgspec

from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.newest import Before, newest
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.records import DeliveryRow, MessageRow
from claude_comm.store.traffic import BURIED, RETRYING


class TimelineRow(msgspec.Struct, frozen=True):
    """One message, and what became of it at each consumer."""

    message: MessageRow
    deliveries: list[DeliveryRow]


class TimelinePage(msgspec.Struct, frozen=True):
    """Messages in their order. `more` is whether others follow; `after` is the number from which they do."""

    rows: list[TimelineRow]
    more: bool

    @property
    def after(self) -> int:
        return self.rows[-1].message.number if self.rows else 0


_SESSION = "(SELECT id FROM names WHERE name = ?) AND session != 0"
_PAIRS = f"SELECT source, target, first_us FROM traffic WHERE session = {_SESSION} AND messages > 0 ORDER BY first_us"
_OF_PAIR = f"""
SELECT time_us, number FROM packed_messages INDEXED BY messages_by_session
WHERE session = {_SESSION} AND source = ? AND target = ? AND time_us >= ? AND (time_us > ? OR number > ?)
ORDER BY time_us, number LIMIT ?
"""
_FAILURES = f"""
SELECT d.message FROM packed_deliveries AS d INDEXED BY deliveries_not_handled
CROSS JOIN packed_messages AS m ON m.number = d.message
WHERE d.status = ? AND d.status != 1 AND d.message > ? AND m.session = {_SESSION.replace("session !=", "m.session !=")}
ORDER BY d.message LIMIT ?
"""
_ANY_FAILED = f"SELECT sum(failed), sum(retrying) FROM traffic WHERE session = {_SESSION}"
_TIME = "SELECT time_us FROM packed_messages WHERE number = ?"


def timeline(
    database: Database, session: str, *, limit: int, after: int = 0, failed: bool = False, last: bool = False
) -> TimelinePage:
    """A page of messages, the earliest first: those after the message numbered `after`, else from the start, or with
    `last` from the end. `failed` are those alone that were buried or wait for another attempt, by their numbers."""
    with database.snapshot():
        if failed:
            numbers = _failed(database, session, after, limit + 1)
        elif last:
            numbers = newest(database, session=session, limit=limit)[::-1]
        else:
            numbers = _following(database, session, after, limit + 1)
        rows = queries.numbered(database, numbers[:limit])
        deliveries = deliveries_of(database, [row.number for row in rows])
    return TimelinePage([TimelineRow(row, deliveries[row.number]) for row in rows], len(numbers) > limit)


def _following(database: Database, session: str, after: int, wanted: int) -> list[int]:
    times = database.rows(_TIME, (after,))
    place = Before(times[0][0], after) if times else Before(-1, 0)
    earliest: list[tuple[int, int]] = []
    for source, target, first_us in database.rows(_PAIRS, (session,)):
        if len(earliest) >= wanted and first_us > earliest[-1][0]:
            # Neither this pair nor those after it had spoken by then.
            break
        values = (session, source, target, place.time_us, place.time_us, place.number, wanted)
        earliest = nsmallest(wanted, [*earliest, *database.rows(_OF_PAIR, values)])
    return [number for _, number in earliest]


def _failed(database: Database, session: str, after: int, wanted: int) -> list[int]:
    buried, retrying = database.rows(_ANY_FAILED, (session,))[0]
    numbers: list[Iterator[int]] = []
    for status, count in ((BURIED, buried), (RETRYING, retrying)):
        if count:
            # Of a message to a topic, several consumers may have failed.
            rows = database.rows(_FAILURES, (status, after, session, 2 * wanted))
            numbers.append(number for (number,) in rows)
    return list(dict.fromkeys(merge(*numbers)))[:wanted]
