"""Deliveries: their rows, and what they make of the messages they are of.

Law: a delivery and its message travel on different streams, so either may be folded first. An outcome whose message is
not known waits in `early_deliveries`; the batch that brings the message joins the two, and the result is the same.
Every sum changes by the difference between what a row said and what it says now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from claude_comm.progress.events import Buried, Handled, Retried, Settled
from claude_comm.progress.fold import Happened
from claude_comm.store.name_table import NameTable
from claude_comm.store.packing import pack_id, pack_ids
from claude_comm.store.recent_messages import Identity, RecentMessages, StoredMessage
from claude_comm.store.rows import NewMessages
from claude_comm.store.statements import Row, Writer, insert_rows, select_with
from claude_comm.store.traffic import BURIED, HANDLED, NOTHING, RETRYING, Traffic

# message id, source, consumer, status, attempts, settled_us, latency_us, burials, reason, path; and a row, which has
# the message's number for the first two. Plain tuples: there may be one for each message.
OutcomeRow: TypeAlias = tuple[str, int, int, int, int, int, int, int, str, str]
_Stored: TypeAlias = tuple[Any, ...]

_OUTCOME = "message_id, source, consumer, status, attempts, settled_us, latency_us, burials, reason, path"
_COLUMNS = "message, consumer, status, attempts, settled_us, latency_us, burials, reason, path"
_STATUS, _LATENCY, _BURIALS = 2, 5, 6
# Of a message that was handled at its first delivery.
_PLAIN_COLUMNS = "message, consumer, status, attempts, settled_us, latency_us"
_NO_MORE = (0, "", "")

_ANY_EARLY = "SELECT 1 FROM early_deliveries LIMIT 1"
# CROSS JOIN fixes the order: from the few new rows, one look into the index for each.
_EARLY_OF_NEW = f"""
SELECT {", ".join(f"e.{name}" for name in _OUTCOME.split(", "))}, m.number, m.session, m.target
FROM packed_messages AS m CROSS JOIN early_deliveries AS e ON e.message_id = m.message_id AND e.source = m.source
WHERE m.number >= ?
"""
_FORGET_EARLY = """
DELETE FROM early_deliveries WHERE (message_id, source) IN
    (SELECT message_id, source FROM packed_messages WHERE number >= ?)
"""
# One row a statement: a delivery may be in a batch twice, and each is added to what is there by then.
_INSERT_EARLY = f"""
INSERT INTO early_deliveries ({_OUTCOME}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id, source, consumer) DO UPDATE SET
    status = excluded.status, attempts = excluded.attempts, settled_us = excluded.settled_us,
    latency_us = excluded.latency_us, burials = burials + excluded.burials, reason = excluded.reason,
    path = excluded.path
"""
_REPLACE = "ON CONFLICT (message, consumer) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[2:]
)
_MESSAGES_OF = """
SELECT w.position, m.number, m.session, m.target
FROM wanted AS w CROSS JOIN packed_messages AS m ON m.message_id = w.message_id AND m.source = w.source
"""
_STORED_BETWEEN = f"SELECT {_COLUMNS} FROM packed_deliveries WHERE message BETWEEN ? AND ?"
_STORED_OF = f"SELECT {_COLUMNS} FROM wanted AS w CROSS JOIN packed_deliveries AS d ON d.message = w.number"
# Reading a range also reads what lies between; beyond this many messages for each one wanted, one look each is less.
_SPARSE = 4


class SettledIn(msgspec.Struct, frozen=True):
    """A consumer settled messages of this session; `burials` of them for the first time in this batch."""

    session: int
    consumer: int
    burials: int = 0


def store(
    writer: Writer,
    names: NameTable,
    recent: RecentMessages,
    happened: Sequence[Happened],
    new: NewMessages,
    traffic: Traffic,
) -> list[SettledIn]:
    """Stores the outcomes in new events and joins them to messages, and new messages to outcomes stored earlier. Adds
    to `traffic` and `recent`; returns what their sessions gain."""
    folding = _Folding({}, traffic)
    for *outcome, number, session, target in _early(writer, new.first):
        folding.fold(cast(OutcomeRow, outcome), number, session, target)
    outcomes = [*_outcomes(names.numbers(writer, _consumers(happened)), happened)]
    recent.refresh(writer)
    recent.add(_of_batch(new))
    messages = _messages(writer, outcomes, recent)
    folding.load(writer, messages, new.first)
    return _settle(writer, outcomes, messages, folding)


def settle(writer: Writer, outcomes: Sequence[OutcomeRow], traffic: Traffic) -> None:
    """Stores these outcomes of messages that are stored, or are not known; without their sessions' gains."""
    messages = _messages(writer, outcomes, RecentMessages())
    folding = _Folding({}, traffic)
    folding.load(writer, messages, _NO_NUMBER)
    _settle(writer, outcomes, messages, folding)


def _settle(
    writer: Writer, outcomes: Sequence[OutcomeRow], messages: Sequence[StoredMessage | None], folding: _Folding
) -> list[SettledIn]:
    """In their order: the last of a delivery is the one that stands."""
    for outcome, message in zip(outcomes, messages, strict=True):
        if message:
            folding.fold(outcome, *message)
        else:
            writer.execute(_INSERT_EARLY, (pack_id(outcome[0]), *outcome[1:]))
    insert_rows(writer, "packed_deliveries", _PLAIN_COLUMNS, list(folding.plain.values()))
    insert_rows(writer, "packed_deliveries", _COLUMNS, list(folding.changed.values()), _REPLACE)
    return [SettledIn(*key, burials) for key, burials in folding.gained.items()]


# Beyond every number.
_NO_NUMBER = 2**62


class _Folding:
    """Outcomes one by one, over what is stored of their messages: by message and consumer."""

    def __init__(self, stored: dict[int, dict[int, _Stored]], traffic: Traffic) -> None:
        self._stored, self._traffic = stored, traffic
        # By message: handled, and nothing else known of it. There may be one for each message of a batch.
        self.plain: dict[int, tuple[int, int, int, int, int, int]] = {}
        self.changed: dict[tuple[int, int], _Stored] = {}
        self.gained: dict[tuple[int, int], int] = {}

    def load(self, writer: Writer, messages: Iterable[StoredMessage | None], first_new: int) -> None:
        """What is stored of these messages; of those numbered from `first_new` nothing can be."""
        self._stored |= _stored(writer, {message[0] for message in messages if message and message[0] < first_new})

    def fold(self, outcome: OutcomeRow, number: int, session: int, target: int) -> None:
        _, source, consumer, status, attempts, settled_us, latency_us, burials, reason, path = outcome
        if session:
            self.gained[session, consumer] = self.gained.get((session, consumer), 0) + burials
        if number not in self._stored:
            if status == HANDLED and not burials and number not in self.plain:
                self.plain[number] = (number, consumer, status, attempts, settled_us, latency_us)
                self._traffic.plain(session, source, target, consumer, latency_us)
                return
            self._load_plain(number)
        of_message = self._stored[number]
        burials += self._again(of_message, outcome, session, target)
        row = (number, consumer, status, attempts, settled_us, latency_us, burials, reason, path)
        of_message[consumer] = self.changed[number, consumer] = row

    def _load_plain(self, number: int) -> None:
        """Something more becomes of a message in this batch, or the first thing is not that it was handled."""
        plain = self.plain.pop(number, None)
        self._stored[number] = {}
        if plain:
            self._stored[number][plain[1]] = self.changed[number, plain[1]] = (*plain, *_NO_MORE)

    def _again(self, of_message: dict[int, _Stored], outcome: OutcomeRow, session: int, target: int) -> int:
        """Adds an outcome beside those of the message so far; the burials of this delivery so far."""
        _, source, consumer, status, _, _, latency_us, *_ = outcome
        before = of_message.get(consumer)
        others = [row[_STATUS] for other, row in of_message.items() if other != consumer]
        worst = max([*others, before[_STATUS]] if before else others, default=NOTHING)
        self._traffic.message(session, source, target, worst, max([*others, status]))
        if before is None:
            self._traffic.another(session, source, target, consumer, status, latency_us)
            return 0
        self._traffic.changed(session, source, consumer, before[_STATUS], before[_LATENCY], status, latency_us)
        return int(before[_BURIALS])


def _early(writer: Writer, first_message: int) -> list[Row]:
    """Taken out of the table: outcomes of messages that are new."""
    if not writer.execute(_ANY_EARLY).fetchone():
        return []
    early = writer.execute(_EARLY_OF_NEW, (first_message,)).fetchall()
    writer.execute(_FORGET_EARLY, (first_message,))
    return early


# Where they stand in a row of a message.
_SOURCE, _TARGET, _SESSION = 2, 3, 5


def _of_batch(new: NewMessages) -> dict[Identity, StoredMessage]:
    """The messages that are new, by id and source."""
    return {
        (fact.envelope.id, row[_SOURCE]): (row[0], row[_SESSION], row[_TARGET])
        for fact, row in zip(new.sent, new.rows, strict=True)
    }


def _messages(writer: Writer, outcomes: Sequence[OutcomeRow], recent: RecentMessages) -> list[StoredMessage | None]:
    """The message of each outcome: often one that was stored lately, else it is looked up."""
    find = recent.find
    messages = [find(outcome[:2]) for outcome in outcomes]
    places = [at for at, message in enumerate(messages) if message is None]
    ids = pack_ids([outcomes[at][0] for at in places])
    wanted = [(at, id_, outcomes[at][1]) for at, id_ in zip(places, ids, strict=True)]
    for at, *message in select_with(writer, "wanted", "position, message_id, source", wanted, _MESSAGES_OF):
        messages[at] = tuple(message)
    return messages


def _stored(writer: Writer, numbers: set[int]) -> dict[int, dict[int, _Stored]]:
    """The deliveries of these messages that are stored, by message and consumer."""
    if not numbers:
        return {}
    low, high = min(numbers), max(numbers)
    if high - low < _SPARSE * len(numbers):
        rows: Iterator[Row] = writer.execute(_STORED_BETWEEN, (low, high))
    else:
        rows = select_with(writer, "wanted", "number", [(number,) for number in sorted(numbers)], _STORED_OF)
    stored: dict[int, dict[int, _Stored]] = {}
    for row in rows:
        if row[0] in numbers:
            stored.setdefault(row[0], {})[row[1]] = row
    return stored


def _consumers(happened: Sequence[Happened]) -> Iterator[str]:
    """Every name that an outcome needs."""
    for fact in happened:
        event = fact.event
        if isinstance(event, Handled):
            yield fact.module
            yield from {delivery.source for delivery in event.deliveries}
        elif isinstance(event, Retried | Buried):
            yield fact.module
            yield event.delivery.source


def _outcomes(numbers: dict[str, int], happened: Sequence[Happened]) -> Iterator[OutcomeRow]:
    for fact in happened:
        event = fact.event
        if isinstance(event, Handled):
            consumer = numbers[fact.module]
            for delivery in event.deliveries:
                settled_us = delivery.settled_us
                yield (
                    delivery.id,
                    numbers[delivery.source],
                    consumer,
                    HANDLED,
                    delivery.attempts,
                    settled_us,
                    settled_us - delivery.sent_us,
                    0,
                    "",
                    "",
                )
        elif isinstance(event, Retried):
            yield outcome(numbers, event.delivery, fact.module, RETRYING, reason=event.reason)
        elif isinstance(event, Buried):
            yield outcome(numbers, event.delivery, fact.module, BURIED, 1, event.reason, event.path)


def outcome(
    numbers: dict[str, int],
    delivery: Settled,
    consumer: str,
    status: int,
    burials: int = 0,
    reason: str = "",
    path: str = "",
) -> OutcomeRow:
    return (
        delivery.id,
        numbers[delivery.source],
        numbers[consumer],
        status,
        delivery.attempts,
        delivery.settled_us,
        delivery.settled_us - delivery.sent_us,
        burials,
        reason,
        path,
    )
