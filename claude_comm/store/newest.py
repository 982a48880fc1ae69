"""Which messages are the newest, for every combination of filters, without looking at those that are not.

Law: the answer is by time, then by number, and costs about as much for ten million messages as for ten.

One index answers every filter: (source, target, time), and (session, source, target, time) within a session. The sums
in `traffic` say which pairs there are and when each last spoke. Pairs are read from the one that spoke last, each in
the order of its index; a pair whose last message is older than the oldest of what was found cannot change the answer,
and neither can those after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from typing import TypeAlias

import msgspec

from claude_comm.store.database import Database
from claude_comm.store.statements import Row


class Before(msgspec.Struct, frozen=True):
    """A place in the order: everything older than this message."""

    time_us: int
    number: int


# time_us and number
_TimeAndNumber: TypeAlias = tuple[int, int]

_PAIRS = """
SELECT source, target, last_us FROM traffic
WHERE session = (SELECT id FROM names WHERE name = ?) AND messages > 0 {where}
ORDER BY last_us DESC
"""
_NAMED = "AND {column} = (SELECT id FROM names WHERE name = ?)"
_OLDER = "AND (time_us < ? OR time_us = ? AND number < ?)"
_OF_PAIR = """
SELECT time_us, number FROM packed_messages INDEXED BY {index}
WHERE {session} source = ? AND target = ? AND time_us <= ? {older}
ORDER BY time_us DESC, number DESC LIMIT ?
"""
_OF_ALL = """
SELECT time_us, number FROM packed_messages WHERE time_us <= ? {older} ORDER BY time_us DESC, number DESC LIMIT ?
"""
_LATEST_US = 2**63 - 1


def newest(
    database: Database,
    *,
    source: str = "",
    target: str = "",
    session: str = "",
    limit: int | None = None,
    before: Before | None = None,
) -> list[int]:
    """Their numbers, the newest first. Within a snapshot of the caller."""
    wanted = 2**62 if limit is None else max(0, limit)
    older: tuple[int, ...] = (before.time_us, before.time_us, before.number) if before else ()
    latest_us = before.time_us if before else _LATEST_US
    clause = _OLDER if before else ""
    if not (source or target or session):
        return [number for _, number in database.rows(_OF_ALL.format(older=clause), (latest_us, *older, wanted))]
    latest: list[_TimeAndNumber] = []
    of_session = "session = (SELECT id FROM names WHERE name = ?) AND session != 0 AND" if session else ""
    index = "messages_by_session" if session else "messages_by_pair"
    sql = _OF_PAIR.format(index=index, session=of_session, older=clause)
    named = (session,) if session else ()
    for source_id, target_id, last_us in _pairs(database, source, target, session):
        if len(latest) >= wanted and min(last_us, latest_us) < latest[-1][0]:
            break
        rows = database.rows(sql, (*named, source_id, target_id, latest_us, *older, wanted))
        latest = nlargest(wanted, [*latest, *rows]) if limit is not None else [*latest, *rows]
    return [number for _, number in (latest if limit is not None else sorted(latest, reverse=True))]


def _pairs(database: Database, source: str, target: str, session: str) -> Iterator[Row]:
    """The pairs that spoke, the latest first."""
    given = {"source": source, "target": target}
    where = " ".join(_NAMED.format(column=column) for column, name in given.items() if name)
    return iter(database.rows(_PAIRS.format(where=where), (session, *(name for name in given.values() if name))))
