"""Moves the rows of a database up to schema 5 into the packed tables of schema 6.

Law: within the migration's transaction, and never more than a page of rows in memory. Rows go through the functions
that store a batch, so that sums, names and packed ids are what they would be had this release read the streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.progress.fold import SentEntry
from claude_comm.store import deliveries, rows
from claude_comm.store.deliveries import OutcomeRow
from claude_comm.store.name_table import NameTable
from claude_comm.store.packing import pack_entry, pack_id
from claude_comm.store.statements import Row, Writer, insert_rows
from claude_comm.store.traffic import BURIED, HANDLED, RETRYING, Traffic

_PAGE = 10_000
_STATUSES = {"handled": HANDLED, "retrying": RETRYING, "buried": BURIED}
_ANY_SIZE = 2**62

_TRACKED = """
INSERT INTO tracked_communications
    (id, session_id, source_module, target_module, message_type, status, metrics, created_at)
SELECT id, session_id, source_module, target_module, message_type, status, metrics, created_at
FROM old_communications AS c WHERE NOT EXISTS (SELECT 1 FROM old_messages AS m WHERE m.communication = c.id)
"""
_BEGIN_SEQUENCE = """
INSERT INTO sqlite_sequence (name, seq)
SELECT 'packed_messages', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'packed_messages')
"""
# New numbers are beyond whatever was given out as a number or as an id.
_RESERVE = """
UPDATE sqlite_sequence SET seq = max(
    seq, coalesce((SELECT max(id) FROM tracked_communications), 0)
) WHERE name = 'packed_messages'
"""
_OLD_TABLES = ("old_messages", "old_events", "old_deliveries", "old_communications")


def move(writer: Writer) -> None:
    """Moves all rows and drops the old tables."""
    names = NameTable()
    writer.execute("CREATE INDEX old_messages_by_communication ON old_messages (communication)")
    writer.execute(_TRACKED)
    for page in _pages(writer, "old_messages"):
        _messages(writer, names, page)
    writer.execute(_BEGIN_SEQUENCE)
    writer.execute(_RESERVE)
    for page in _pages(writer, "old_events"):
        _events(writer, names, page)
    for page in _pages(writer, "old_deliveries"):
        _deliveries(writer, names, page)
    for table in _OLD_TABLES:
        writer.execute(f"DROP TABLE {table}")


def _pages(writer: Writer, table: str) -> Iterator[list[dict[str, Any]]]:
    """All rows of a table in the order of their numbers, as mappings."""
    after = -(2**62)
    while True:
        cursor = writer.execute(f"SELECT * FROM {table} WHERE number > ? ORDER BY number LIMIT {_PAGE}", (after,))
        columns = [column[0] for column in cursor.description]
        page = [dict(zip(columns, row, strict=True)) for row in cursor]
        if not page:
            return
        yield page
        after = page[-1]["number"]


def _messages(writer: Writer, names: NameTable, page: Sequence[Mapping[str, Any]]) -> None:
    # Each under the number that people know.
    sent = [_sent(row) for row in page]
    packed = rows.message_rows(writer, names, sent, [row["number"] for row in page], _ANY_SIZE)
    rows.insert_message_rows(writer, packed)
    Traffic().write(writer, page[0]["number"])


def _sent(row: Mapping[str, Any]) -> SentEntry:
    envelope = Envelope(
        id=row["message_id"],
        source=row["source"],
        target=row["target"],
        type=row["type"],
        time=row["time_us"],
        session=row["session"],
        correlation=row["correlation"],
        causation=row["causation"],
        reply_to=row["reply_to"],
        agreement=row["agreement"],
        traceparent=row["traceparent"],
        content_type=row["content_type"],
        headers=msgspec.json.decode(row["headers"], type=dict[str, str]),
        data=msgspec.Raw(row["data"]),
    )
    return SentEntry(row["stream"], row["entry_id"], row["size_bytes"], envelope)


def _events(writer: Writer, names: NameTable, page: Sequence[Mapping[str, Any]]) -> None:
    texts = {row[name] for row in page for name in ("source", "module", "kind", "session", "stream")}
    numbers = names.numbers(writer, texts)
    packed: list[Row] = [
        (
            row["number"],
            pack_id(row["event_id"]),
            *(numbers[row[name]] for name in ("source", "module", "kind", "session")),
            row["time_us"],
            numbers[row["stream"]],
            pack_entry(row["entry_id"]),
            bytearray(b"" if row["kind"] == "handled" else row["data"]),
        )
        for row in page
    ]
    insert_rows(writer, "packed_events", rows.EVENT_COLUMNS, packed)


def _deliveries(writer: Writer, names: NameTable, page: Sequence[Mapping[str, Any]]) -> None:
    numbers = names.numbers(writer, {row[name] for row in page for name in ("source", "consumer")})
    traffic = Traffic()
    deliveries.settle(writer, [_outcome(row, numbers) for row in page], traffic)
    traffic.write(writer, _ANY_SIZE)


def _outcome(row: Mapping[str, Any], numbers: Mapping[str, int]) -> OutcomeRow:
    return (
        row["message_id"],
        numbers[row["source"]],
        numbers[row["consumer"]],
        _STATUSES[row["status"]],
        row["attempts"],
        row["settled_us"],
        row["settled_us"] - row["sent_us"],
        row["burials"],
        row["reason"],
        row["path"],
    )
