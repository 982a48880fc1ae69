"""Deliveries: their rows, and what they make of the messages they are of.

Law: a delivery and its message travel on different streams, so either may be folded first. Whichever comes second
joins the two, and the result is the same: the message's communication takes its status from all its deliveries,
its session counts every burial once and lists every consumer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from claude_comm.progress.events import Buried, Handled, Retried, Settled
from claude_comm.progress.fold import Happened
from claude_comm.store.database import Database, Writer, insert_into, records


class _Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    number: int
    source: str
    message_id: str
    consumer: str
    status: str
    attempts: int
    sent_us: int
    settled_us: int
    reason: str = ""
    path: str = ""
    burials: int = 0


class _Joined(msgspec.Struct, frozen=True):
    """A delivery that was known before its message."""

    source: str
    message_id: str
    session: str
    consumer: str
    burials: int


# In the order of the consumer's events stream: a delivery that was buried, redriven and handled is handled.
_UPSERT = f"""
{insert_into("deliveries", _Delivery)}
ON CONFLICT (message_id, source, consumer) DO UPDATE SET
    status = excluded.status, attempts = excluded.attempts, sent_us = excluded.sent_us,
    settled_us = excluded.settled_us, reason = excluded.reason, path = excluded.path,
    burials = burials + excluded.burials
"""

# CROSS JOIN fixes the order: from the few new rows, one look into the index for each.
_OF_NEW_MESSAGES = """
SELECT m.source, m.message_id, m.session, d.consumer, d.burials
FROM messages AS m CROSS JOIN deliveries AS d ON d.message_id = m.message_id AND d.source = m.source
WHERE m.number >= ?
"""
_CONSUMERS_OF_NEW = """
SELECT DISTINCT m.session, d.consumer
FROM deliveries AS d CROSS JOIN messages AS m ON m.message_id = d.message_id AND m.source = d.source
WHERE d.number >= ? AND m.session != ''
"""
_SESSION_OF = "SELECT session FROM messages WHERE message_id = ? AND source = ?"

# A topic has several consumers: one that buried it is a failure, whatever the others did; else one that will try again
# keeps it open; and the slowest one counts.
_STATUS = """
UPDATE module_communications AS c SET (status, metrics) = (
    SELECT
        CASE
            WHEN max(d.status = 'buried') THEN 'failed'
            WHEN max(d.status = 'retrying') THEN 'retrying'
            ELSE 'handled'
        END,
        json_set(
            c.metrics, '$.latency_ms', max(max(d.settled_us - d.sent_us, 0)) / 1000.0,
            '$.attempts', max(d.attempts),
            '$.handled', sum(d.status = 'handled'), '$.failed', sum(d.status = 'buried')
        )
    FROM deliveries AS d WHERE d.message_id = ?1 AND d.source = ?2
)
WHERE c.id = (SELECT m.communication FROM messages AS m WHERE m.message_id = ?1 AND m.source = ?2)
"""


_ANY_SETTLED = "SELECT 1 FROM deliveries WHERE consumer = ? AND status != 'retrying' LIMIT 1"
_SETTLED_BY = "SELECT 1 FROM deliveries WHERE message_id = ? AND source = ? AND consumer = ? AND status != 'retrying'"


class SettledIn(msgspec.Struct, frozen=True):
    """A consumer settled messages of this session; `burials` of them for the first time in this batch."""

    session: str
    consumer: str
    burials: int = 0


def store(writer: Writer, happened: Sequence[Happened], first_message: int) -> list[SettledIn]:
    """Stores the deliveries in new events and joins them to messages, and new messages (those numbered from
    `first_message`) to deliveries stored earlier. Returns what their sessions gain."""
    joined = records(writer.execute(_OF_NEW_MESSAGES, (first_message,)), _Joined)
    gained = [SettledIn(row.session, row.consumer, row.burials) for row in joined if row.session]
    first = 1 + int(writer.execute("SELECT coalesce(max(number), 0) FROM deliveries").fetchone()[0])
    new = list(_rows(happened, first))
    if new:
        writer.executemany(_UPSERT, map(msgspec.structs.astuple, new))
        gained += records(writer.execute(_CONSUMERS_OF_NEW, (first,)), SettledIn)
        gained += _burials(writer, happened)
    touched = {(row.message_id, row.source) for row in joined} | {(row.message_id, row.source) for row in new}
    writer.executemany(_STATUS, sorted(touched))
    return gained


def has_settled(database: Database, consumer: str) -> bool:
    """Whether this module is known to have handled or buried anything."""
    return bool(database.rows(_ANY_SETTLED, (consumer,)))


def settled_by(database: Database, consumer: str, messages: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these messages, by source and id, this module is known to have handled or buried for good."""
    return {message for message in messages if database.rows(_SETTLED_BY, (message[1], message[0], consumer))}


def _burials(writer: Writer, happened: Sequence[Happened]) -> Iterator[SettledIn]:
    """One for every burial in these events whose message is known; the others wait for theirs."""
    for fact in happened:
        if isinstance(fact.event, Buried):
            buried = fact.event.delivery
            for (session,) in writer.execute(_SESSION_OF, (buried.id, buried.source)).fetchall():
                if session:
                    yield SettledIn(session, fact.module, 1)


def _rows(happened: Sequence[Happened], first: int) -> Iterator[_Delivery]:
    number = first
    for fact in happened:
        event = fact.event
        if isinstance(event, Handled):
            for delivery in event.deliveries:
                yield _row(number, delivery, fact.module, "handled")
                number += 1
        elif isinstance(event, Retried):
            yield _row(number, event.delivery, fact.module, "retrying", event.reason)
            number += 1
        elif isinstance(event, Buried):
            yield _row(number, event.delivery, fact.module, "buried", event.reason, event.path, burials=1)
            number += 1


def _row(
    number: int, delivery: Settled, consumer: str, status: str, reason: str = "", path: str = "", burials: int = 0
) -> _Delivery:
    return _Delivery(
        number=number,
        source=delivery.source,
        message_id=delivery.id,
        consumer=consumer,
        status=status,
        attempts=delivery.attempts,
        sent_us=delivery.sent_us,
        settled_us=delivery.settled_us,
        reason=reason,
        path=path,
        burials=burials,
    )
