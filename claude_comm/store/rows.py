"""From facts to rows, one function per table; each returns what was new.

Law: a row is inserted under a number that this transaction chose, one above the last; where a unique index refused
some, the new rows are those whose numbers exist afterwards. So one statement serves a batch, and what it inserted is
known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.progress.fold import Happened, Newer, Sent, Unreadable
from claude_comm.store.database import Writer, insert_into
from claude_comm.store.timestamps import iso


class _Message(msgspec.Struct, frozen=True, gc=False):
    number: int
    source: str
    message_id: str
    target: str
    type: str
    session: str
    time_us: int
    agreement: str
    correlation: str
    causation: str
    reply_to: str
    content_type: str
    headers: str
    traceparent: str
    stream: str
    entry_id: str
    size_bytes: int
    data: bytes
    communication: int


class _Communication(msgspec.Struct, frozen=True, gc=False):
    id: int
    session_id: str
    source_module: str
    target_module: str
    message_type: str
    status: str
    metrics: str
    created_at: str


class _Event(msgspec.Struct, frozen=True, gc=False):
    number: int
    source: str
    event_id: str
    module: str
    kind: str
    session: str
    time_us: int
    stream: str
    entry_id: str
    data: bytes


class _FileOperation(msgspec.Struct, frozen=True, gc=False):
    session_id: str
    operation_type: str
    file_path: str
    status: str
    details: str
    created_at: str


class _Progress(msgspec.Struct, frozen=True, gc=False):
    module: str
    task: str
    completed: float
    total: float
    session: str
    time_us: int


_astuple = msgspec.structs.astuple

_INSERT_MESSAGE = f"{insert_into('messages', _Message)} ON CONFLICT (message_id, source) DO NOTHING"
_INSERT_COMMUNICATION = insert_into("module_communications", _Communication)
_INSERT_EVENT = f"{insert_into('events', _Event)} ON CONFLICT (event_id, source) DO NOTHING"
_INSERT_FILE_OPERATION = insert_into("file_operations", _FileOperation)
# In the order of the module's events stream: the last one read is the latest, whatever its clock said.
_UPSERT_PROGRESS = insert_into("progress", _Progress).replace("INSERT", "INSERT OR REPLACE", 1)
_INSERT_UNREADABLE = f"{insert_into('unreadable', Unreadable)} ON CONFLICT (stream, entry_id, prefix) DO NOTHING"

_INSERT_NEWER = f"{insert_into('newer', Newer)} ON CONFLICT (stream, entry_id, digest) DO NOTHING"


def insert_messages(writer: Writer, sent: Sequence[Sent]) -> tuple[list[Sent], int]:
    """The messages that were new, with their communications; and the number that the first of the batch was given."""
    first = 1 + _last(writer, "SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
    communication = 1 + _last(writer, "SELECT max(id) FROM module_communications")
    rows = (_message(fact, first + index, communication + index) for index, fact in enumerate(sent))
    writer.executemany(_INSERT_MESSAGE, map(_astuple, rows))
    numbers = writer.execute("SELECT number FROM messages WHERE number >= ?", (first,)).fetchall()
    new = [number - first for (number,) in numbers]
    communications = (_communication(sent[index], communication + index) for index in new)
    writer.executemany(_INSERT_COMMUNICATION, map(_astuple, communications))
    return [sent[index] for index in new], first


def insert_events(writer: Writer, happened: Sequence[Happened]) -> list[Happened]:
    """The events that were new."""
    first = 1 + _last(writer, "SELECT max(number) FROM events")
    writer.executemany(_INSERT_EVENT, (_astuple(_event(fact, first + index)) for index, fact in enumerate(happened)))
    numbers = writer.execute("SELECT number FROM events WHERE number >= ?", (first,)).fetchall()
    return [happened[number - first] for (number,) in numbers]


def insert_file_operations(writer: Writer, happened: Sequence[Happened]) -> None:
    rows = (_file_operation(fact, fact.event) for fact in happened if isinstance(fact.event, FileOperation))
    writer.executemany(_INSERT_FILE_OPERATION, map(_astuple, rows))


def upsert_progress(writer: Writer, happened: Sequence[Happened]) -> None:
    rows = (_progress(fact, fact.event) for fact in happened if isinstance(fact.event, TaskProgress))
    writer.executemany(_UPSERT_PROGRESS, map(_astuple, rows))


def insert_unreadable(writer: Writer, unreadable: Sequence[Unreadable]) -> int:
    """How many were new."""
    before = writer.total_changes
    writer.executemany(_INSERT_UNREADABLE, map(_astuple, unreadable))
    return writer.total_changes - before


def insert_newer(writer: Writer, newer: Sequence[Newer]) -> int:
    """How many were new."""
    before = writer.total_changes
    writer.executemany(_INSERT_NEWER, map(_astuple, newer))
    return writer.total_changes - before


def _last(writer: Writer, query: str) -> int:
    row = writer.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _message(fact: Sent, number: int, communication: int) -> _Message:
    envelope = fact.envelope
    return _Message(
        number=number,
        source=envelope.source,
        message_id=envelope.id,
        target=envelope.target,
        type=envelope.type,
        session=envelope.session,
        time_us=envelope.time,
        agreement=envelope.agreement,
        correlation=envelope.correlation,
        causation=envelope.causation,
        reply_to=envelope.reply_to,
        content_type=envelope.content_type,
        headers=msgspec.json.encode(envelope.headers).decode() if envelope.headers else "{}",
        traceparent=envelope.traceparent,
        stream=fact.stream,
        entry_id=fact.entry_id,
        size_bytes=fact.size_bytes,
        data=bytes(envelope.data),
        communication=communication,
    )


def _communication(fact: Sent, number: int) -> _Communication:
    envelope = fact.envelope
    return _Communication(
        id=number,
        session_id=envelope.session,
        source_module=envelope.source,
        target_module=envelope.target,
        message_type=envelope.type,
        status="sent",
        metrics=f'{{"size_bytes":{fact.size_bytes}}}',
        created_at=iso(envelope.time),
    )


def _event(fact: Happened, number: int) -> _Event:
    envelope = fact.envelope
    return _Event(
        number=number,
        source=envelope.source,
        event_id=envelope.id,
        module=fact.module,
        kind=str(type(fact.event).__struct_config__.tag),
        session=envelope.session,
        time_us=envelope.time,
        stream=fact.stream,
        entry_id=fact.entry_id,
        data=bytes(envelope.data),
    )


def _file_operation(fact: Happened, operation: FileOperation) -> _FileOperation:
    return _FileOperation(
        session_id=fact.envelope.session,
        operation_type=operation.operation,
        file_path=operation.path,
        status=operation.status,
        details=fact.details,
        created_at=iso(fact.envelope.time),
    )


def _progress(fact: Happened, task: TaskProgress) -> _Progress:
    return _Progress(
        module=fact.module,
        task=task.task,
        completed=task.completed,
        total=task.total,
        session=fact.envelope.session,
        time_us=fact.envelope.time,
    )
