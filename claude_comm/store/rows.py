"""From facts to rows, one function a table; each returns what was new.

Law: a row is inserted under a number that this transaction chose, one above the last; where a unique index turned
some away, those that got in are the numbers that exist. So one statement serves a batch, and what it inserted is
known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.progress.fold import Happened, Sent, Unreadable
from claude_comm.store.database import Writer
from claude_comm.store.times import iso

F = TypeVar("F")

_MESSAGE = f"INSERT INTO messages VALUES ({', '.join('?' * 19)}) ON CONFLICT (message_id, source) DO NOTHING"
_COMMUNICATION = f"INSERT INTO module_communications VALUES ({', '.join('?' * 8)})"
_EVENT = f"INSERT INTO events VALUES ({', '.join('?' * 10)}) ON CONFLICT (event_id, source) DO NOTHING"
_FILE_OPERATION = (
    "INSERT INTO file_operations (session_id, operation_type, file_path, status, details, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
# In the order of the module's events stream: the last one read is the latest, whatever its clock said.
_PROGRESS = (
    "INSERT OR REPLACE INTO progress (module, task, completed, total, session, time_us) VALUES (?, ?, ?, ?, ?, ?)"
)
_UNREADABLE = (
    "INSERT INTO unreadable (stream, entry_id, reason, size_bytes, prefix) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (stream, entry_id, prefix) DO NOTHING"
)


def insert_messages(writer: Writer, sent: Sequence[Sent]) -> tuple[list[Sent], int]:
    """The messages that were new, with their communications; and the number that the first of the batch was given."""
    first = 1 + _last(writer, "SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
    communication = 1 + _last(writer, "SELECT max(id) FROM module_communications")
    writer.executemany(
        _MESSAGE, [_message(fact, first + index, communication + index) for index, fact in enumerate(sent)]
    )
    numbers = writer.execute("SELECT number FROM messages WHERE number >= ?", (first,)).fetchall()
    new = [number - first for (number,) in numbers]
    writer.executemany(_COMMUNICATION, [_communication(sent[index], communication + index) for index in new])
    return [sent[index] for index in new], first


def insert_events(writer: Writer, happened: Sequence[Happened]) -> list[Happened]:
    """The events that were new."""
    first = 1 + _last(writer, "SELECT max(number) FROM events")
    writer.executemany(_EVENT, [_event(fact, first + index) for index, fact in enumerate(happened)])
    numbers = writer.execute("SELECT number FROM events WHERE number >= ?", (first,)).fetchall()
    return [happened[number - first] for (number,) in numbers]


def insert_file_operations(writer: Writer, happened: Sequence[Happened]) -> None:
    writer.executemany(
        _FILE_OPERATION,
        [
            (fact.envelope.session, event.operation, event.path, event.status, fact.details, iso(fact.envelope.time))
            for fact in happened
            if isinstance(event := fact.event, FileOperation)
        ],
    )


def upsert_progress(writer: Writer, happened: Sequence[Happened]) -> None:
    writer.executemany(
        _PROGRESS,
        [
            (fact.module, event.task, event.completed, event.total, fact.envelope.session, fact.envelope.time)
            for fact in happened
            if isinstance(event := fact.event, TaskProgress)
        ],
    )


def insert_unreadable(writer: Writer, unreadable: Sequence[Unreadable]) -> int:
    """How many were new."""
    before = writer.total_changes
    writer.executemany(
        _UNREADABLE,
        [(fact.stream, fact.entry_id, fact.reason, fact.size_bytes, fact.prefix) for fact in unreadable],
    )
    return writer.total_changes - before


def _last(writer: Writer, query: str) -> int:
    row = writer.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _message(fact: Sent, number: int, communication: int) -> tuple[object, ...]:
    envelope = fact.envelope
    return (
        number,
        envelope.source,
        envelope.id,
        envelope.target,
        envelope.type,
        envelope.session,
        envelope.time,
        envelope.agreement,
        envelope.correlation,
        envelope.causation,
        envelope.reply_to,
        envelope.content_type,
        msgspec.json.encode(envelope.headers).decode() if envelope.headers else "{}",
        envelope.traceparent,
        fact.stream,
        fact.entry_id,
        fact.size_bytes,
        bytes(envelope.data),
        communication,
    )


def _communication(fact: Sent, number: int) -> tuple[object, ...]:
    envelope = fact.envelope
    return (
        number,
        envelope.session,
        envelope.source,
        envelope.target,
        envelope.type,
        "sent",
        f'{{"size_bytes":{fact.size_bytes}}}',
        iso(envelope.time),
    )


def _event(fact: Happened, number: int) -> tuple[object, ...]:
    envelope = fact.envelope
    return (
        number,
        envelope.source,
        envelope.id,
        fact.module,
        type(fact.event).__struct_config__.tag,
        envelope.session,
        envelope.time,
        fact.stream,
        fact.entry_id,
        bytes(envelope.data),
    )
