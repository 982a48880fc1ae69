"""Whether the projection has what the streams have: nothing lost, nothing doubled, nothing changed.

Law: read only. Every entry that a stream still holds up to its checkpoint is looked up, and its fields are compared
with those of its row. Of each stream there is a digest over what was compared, the same wherever it is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.names import Keys, Stream
from claude_comm.ops import follow
from claude_comm.progress.fold import Fact, Happened, SentEntry, fold_page
from claude_comm.store import checkpoints, queries, rows
from claude_comm.store.database import Database
from claude_comm.store.packing import pack_id
from claude_comm.store.retention import pruned
from claude_comm.transport.driver import Client

_PAGE = 1_000
# Of each stream as many are named.
MOST_NAMED = 20

_EVENT = """
SELECT 1 FROM packed_events WHERE event_id = ? AND source = (SELECT id FROM names WHERE name = ?)
"""
_NUMBER = """
SELECT number FROM packed_messages WHERE message_id = ? AND source = (SELECT id FROM names WHERE name = ?)
"""
_BEFORE = "SELECT before_us FROM pruned"
_SUMS = """
SELECT
    (SELECT coalesce(sum(messages), 0) FROM traffic WHERE session = 0) - (SELECT count(*) FROM packed_messages),
    (SELECT coalesce(sum(handled + retrying + failed), 0) FROM traffic WHERE session = 0)
        - (SELECT count(*) FROM packed_deliveries),
    (SELECT coalesce(sum(deliveries), 0) FROM latencies WHERE session = 0)
        - (SELECT coalesce(sum(handled), 0) FROM traffic WHERE session = 0),
    (SELECT count(*) FROM packed_messages)
        - (SELECT count(*) FROM (SELECT DISTINCT message_id, source FROM packed_messages))
"""


class StreamCheck(msgspec.Struct, frozen=True):
    """One stream: entries that were looked at, and the ids of those that are missing or that differ from their row.
    `pruned` were removed by retention."""

    stream: str
    entries: int
    pruned: int
    missing: list[str]
    differing: list[str]
    digest: str


class Verification(msgspec.Struct, frozen=True):
    """What was compared; `problems` are of the database itself."""

    streams: list[StreamCheck]
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems and not any(check.missing or check.differing for check in self.streams)


def verify(client: Client, database: Database, keys: Keys, *, max_bytes: int) -> Verification:
    """Compares the projection with all streams that it follows, each up to its checkpoint. Raises TransportError."""
    checked: list[StreamCheck] = []
    for key, point in sorted(checkpoints.load(database).items()):
        stream = keys.parse_stream(key.encode())
        if stream is not None:
            facts = _facts(client, stream, point.entry_id, max_bytes)
            checked.append(_check(database, key, facts))
    return Verification(checked, problems(database))


def problems(database: Database) -> list[str]:
    """What is wrong in the database without looking at the streams."""
    with database.snapshot():
        damage = [text for (text,) in database.rows("PRAGMA quick_check(5)") if text != "ok"]
        messages, deliveries, latencies, doubled = database.rows(_SUMS)[0]
        gone = pruned(database)
    differences = {
        "messages summed up but not stored": messages - gone.messages,
        "deliveries summed up but not stored": deliveries - gone.deliveries,
        "latencies that are of no handled delivery": latencies,
        "messages stored twice": doubled,
    }
    return damage + [f"{what}: {count:,}" for what, count in differences.items() if count]


def _facts(client: Client, stream: Stream, until: str, max_bytes: int) -> Iterator[Fact]:
    after = checkpoints.START
    while pages := client.run(follow.read_until({stream.key: after}, until, count=_PAGE)):
        entries = pages[stream.key]
        yield from fold_page(stream, entries, max_bytes=max_bytes)
        after = entries[-1][0].decode()


def _check(database: Database, key: str, facts: Iterator[Fact]) -> StreamCheck:
    ((before_us,),) = database.rows(_BEFORE)
    digest, entries, gone, last, last_gone = hashlib.sha256(), 0, 0, "", ""
    # In their order, each once: an entry may hold several messages.
    missing: dict[str, None] = {}
    differing: dict[str, None] = {}
    for fact in facts:
        entries += fact.entry_id != last
        last = fact.entry_id
        state, compared = _state(database, fact)
        digest.update(compared)
        if state == "missing" and isinstance(fact, SentEntry | Happened) and fact.envelope.time < before_us:
            gone += last != last_gone
            last_gone = last
        elif state != "stored" and _refused(database, fact):
            continue
        elif state != "stored":
            (missing if state == "missing" else differing)[last] = None
    return StreamCheck(key, entries, gone, [*missing][:MOST_NAMED], [*differing][:MOST_NAMED], digest.hexdigest())


def _state(database: Database, fact: Fact) -> tuple[str, bytes]:
    """Whether the row of this fact is `stored`, `missing` or `differing`; and what was compared, as bytes."""
    if isinstance(fact, SentEntry):
        return _message_state(database, fact)
    if isinstance(fact, Happened):
        stored = database.rows(_EVENT, (pack_id(fact.envelope.id), fact.envelope.source))
        return ("stored" if stored else "missing"), f"{fact.envelope.source} {fact.envelope.id}".encode()
    table = "newer" if hasattr(fact, "needs") else "unreadable"
    stored = database.rows(f"SELECT 1 FROM {table} WHERE stream = ? AND entry_id = ?", (fact.stream, fact.entry_id))
    # What a newer release wrote is folded, and gone from there, once it can be read.
    return ("stored" if stored or table == "newer" else "missing"), fact.entry_id.encode()


def _refused(database: Database, fact: Fact) -> bool:
    """Whether it is stored that nobody trusts the entry."""
    place = fact.stream, fact.entry_id
    return bool(database.rows("SELECT 1 FROM doubtful WHERE stream = ? AND entry_id = ? AND refused", place))


def _message_state(database: Database, fact: SentEntry) -> tuple[str, bytes]:
    envelope = fact.envelope
    expected = msgspec.msgpack.encode(_compared(envelope, bytes(envelope.data)))
    numbers = database.rows(_NUMBER, (pack_id(envelope.id), envelope.source))
    if not numbers:
        return "missing", expected
    row = queries.message(database, str(numbers[0][0]))
    data = bytes(envelope.data) if row.digest == rows.digest(envelope.data).hex() else row.data
    return ("stored" if msgspec.msgpack.encode(_compared(row, data)) == expected else "differing"), expected


def _compared(message: Envelope | Any, data: bytes) -> Sequence[object]:
    """A message that lies in a stream twice has one row, so the place is not compared."""
    return (
        message.id,
        message.source,
        message.target,
        message.type,
        message.time if isinstance(message, Envelope) else message.time_us,
        message.session,
        message.agreement,
        message.correlation,
        message.causation,
        message.reply_to,
        message.content_type,
        message.traceparent,
        message.headers,
        data,
    )
