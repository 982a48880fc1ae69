"""Messages for a person who browses: filtered, a page at a time, with how much was looked at.

Law: read only, and bounded in time. What an index answers (sender, target, session, time, "failed") is answered by one;
what no index does (type, text, a place in the payload) is looked for from the newest on, until the page is full or
the time is up. A page says how many messages it has looked at and of how many, and where the next one goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.newest import Before, newest
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.records import DeliveryRow, MessageRow

# Rows read at a time while something is looked for that no index has.
_STRIDE = 500
_LAST_NUMBER = 2**62

Matches = Callable[[MessageRow], bool]


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages; what is empty lets all through. Times are microseconds since the epoch; `failed` are those that
    a consumer has buried, or will try again."""

    source: str = ""
    target: str = ""
    session: str = ""
    type: str = ""
    since_us: int = 0
    until_us: int = 0
    failed: bool = False


class Browsed(msgspec.Struct, frozen=True):
    """One message, and what became of it at each consumer."""

    message: MessageRow
    deliveries: list[DeliveryRow]


class BrowsePage(msgspec.Struct, frozen=True):
    """The newest first. `searched` messages were looked at of about `of`; `after` is the number of the message after
    which the next page begins, 0 at the end."""

    rows: list[Browsed]
    searched: int
    of: int
    after: int
    took_ms: float


_COUNT = """
SELECT coalesce(sum(messages), 0) FROM traffic WHERE session = {session} {where}
"""
_OF_SESSION = "coalesce((SELECT id FROM names WHERE name = ?), -1)"
_NAMED = "AND {column} = (SELECT id FROM names WHERE name = ?)"
_PRUNED = "SELECT coalesce(sum(messages), 0) FROM pruned"
_TIME = "SELECT time_us FROM packed_messages WHERE number = ?"
_FAILED = """
SELECT DISTINCT message FROM packed_deliveries INDEXED BY deliveries_not_handled
WHERE status = ? AND status != 1 AND message < ? ORDER BY message DESC LIMIT ?
"""


def browse(
    database: Database,
    chosen: MessageFilter,
    *,
    limit: int,
    after: int = 0,
    matches: Matches | None = None,
    within_s: float = 0.4,
    clock: Callable[[], float] = time.monotonic,
) -> BrowsePage:
    """A page of the messages that are chosen and that `matches`."""
    began_s = clock()
    kept: list[MessageRow] = []
    searched, last, more = 0, after, False
    indexed = matches is None and not chosen.type
    with database.snapshot():
        for row in _candidates(database, chosen, after, limit + 1 if indexed else _STRIDE):
            is_late = searched and searched % _STRIDE == 0 and clock() - began_s > within_s
            if len(kept) == limit or is_late:
                more = True
                break
            searched, last = searched + 1, row.number
            if _fits(row, chosen) and (matches is None or matches(row)):
                kept.append(row)
        deliveries = deliveries_of(database, [row.number for row in kept])
        whole = _count(database, chosen)
    took_ms = (clock() - began_s) * 1000
    page = [Browsed(row, deliveries[row.number]) for row in kept]
    return BrowsePage(page, searched, whole, last if more else 0, took_ms)


def _candidates(database: Database, chosen: MessageFilter, after: int, stride: int) -> Iterator[MessageRow]:
    """The messages after that one which an index chooses, the newest first."""
    while True:
        rows = _stride(database, chosen, after, stride)
        for row in rows:
            if row.time_us < chosen.since_us and not chosen.failed:
                return
            yield row
        if len(rows) < stride:
            return
        after = rows[-1].number


def _stride(database: Database, chosen: MessageFilter, after: int, count: int) -> list[MessageRow]:
    """The next messages after that one, older ones last."""
    if chosen.failed:
        numbers = _failed(database, after or _LAST_NUMBER, count)
    else:
        before = _place(database, after) or (Before(chosen.until_us, _LAST_NUMBER) if chosen.until_us else None)
        numbers = newest(
            database, source=chosen.source, target=chosen.target, session=chosen.session, limit=count, before=before
        )
    return queries.numbered(database, numbers)


def _place(database: Database, number: int) -> Before | None:
    rows = database.rows(_TIME, (number,)) if number else []
    return Before(rows[0][0], number) if rows else None


def _failed(database: Database, before: int, count: int) -> list[int]:
    numbers: set[int] = set()
    for status in (2, 3):
        numbers.update(number for (number,) in database.rows(_FAILED, (status, before, count)))
    return sorted(numbers, reverse=True)[:count]


def _fits(row: MessageRow, chosen: MessageFilter) -> bool:
    return (
        chosen.type in ("", row.type)
        and chosen.source in ("", row.source)
        and chosen.target in ("", row.target)
        and chosen.session in ("", row.session)
        and row.time_us >= chosen.since_us
        and (not chosen.until_us or row.time_us <= chosen.until_us)
    )


def _count(database: Database, chosen: MessageFilter) -> int:
    """How many messages the indexed part of the filter chooses, from the sums; those that were pruned are taken off
    where all are meant."""
    given = {"source": chosen.source, "target": chosen.target}
    where = " ".join(_NAMED.format(column=column) for column, name in given.items() if name)
    values = [*([chosen.session] if chosen.session else []), *(name for name in given.values() if name)]
    ((count,),) = database.rows(_COUNT.format(session=_OF_SESSION if chosen.session else "0", where=where), values)
    if not where and not chosen.session:
        count -= database.rows(_PRUNED)[0][0]
    return int(count)
