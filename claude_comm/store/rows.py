"""From facts to rows, one function per table; each returns what was new.

Law: a row is inserted under a number that this transaction chose, one above the last; where a unique index refused
some, the new rows are those whose numbers exist afterwards. So one statement serves many rows, and what it inserted is
known exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.progress.events import FileOperation, Handled, TaskProgress
from claude_comm.progress.fold import Happened, Newer, SentEntry, UnreadableEntry, UntrustedEntry
from claude_comm.store.name_table import NameTable
from claude_comm.store.packing import PackedId, pack_entry, pack_id, pack_ids
from claude_comm.store.statements import Row, Writer, insert_into, insert_rows
from claude_comm.store.timestamps import iso

_PLAIN_COLUMNS = (
    "number, message_id, source, target, type, session, agreement, content_type, stream, time_us, entry, size_bytes,"
    " data"
)
# What most messages do not have.
_MORE_COLUMNS = "correlation, causation, reply_to, headers, traceparent, digest"
_WIDTH = _PLAIN_COLUMNS.count(",") + 1
EVENT_COLUMNS = "number, event_id, source, module, kind, session, time_us, stream, entry, data"
_ONCE_A_MESSAGE = "ON CONFLICT (message_id, source) DO NOTHING"
_ONCE_AN_EVENT = "ON CONFLICT (event_id, source) DO NOTHING"
_EMPTY = bytearray()


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
    rate: float
    started_us: int
    parent: str
    state: str
    note: str


_astuple = msgspec.structs.astuple

_INSERT_FILE_OPERATION = insert_into("file_operations", _FileOperation)
# In the order of the module's events stream: the last one read is the latest, whatever its clock said.
_UPSERT_PROGRESS = insert_into("progress", _Progress).replace("INSERT", "INSERT OR REPLACE", 1)
_INSERT_UNREADABLE = f"{insert_into('unreadable', UnreadableEntry)} ON CONFLICT (stream, entry_id, prefix) DO NOTHING"
_INSERT_DOUBTFUL = f"{insert_into('doubtful', UntrustedEntry)} ON CONFLICT (stream, entry_id, prefix) DO NOTHING"
_INSERT_NEWER = """
INSERT INTO newer (stream, entry_id, needs, digest, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (stream, entry_id, digest) DO NOTHING
"""
_HOLD_NEWER = "UPDATE newer SET holder = ? WHERE stream = ? AND entry_id = ? AND digest = ?"


class NewMessages(msgspec.Struct, frozen=True):
    """The messages of a batch that were new, each with its row; `first` is the least number that one may have."""

    first: int
    sent: Sequence[SentEntry]
    rows: Sequence[Row]


def insert_messages(writer: Writer, names: NameTable, sent: Sequence[SentEntry], max_payload_bytes: int) -> NewMessages:
    """Inserts those that are new."""
    first = 1 + _last(writer, "SELECT seq FROM sqlite_sequence WHERE name = 'packed_messages'")
    rows = message_rows(writer, names, sent, range(first, first + len(sent)), max_payload_bytes)
    if insert_message_rows(writer, rows, _ONCE_A_MESSAGE) == len(rows):
        return NewMessages(first, sent, rows)
    numbers = writer.execute("SELECT number FROM packed_messages WHERE number >= ?", (first,)).fetchall()
    new = [number - first for (number,) in numbers]
    return NewMessages(first, [sent[at] for at in new], [rows[at] for at in new])


def insert_message_rows(writer: Writer, rows: Sequence[Row], conflict: str = "") -> int:
    """Inserts what `message_rows` made; how many that were."""
    plain = [row for row in rows if len(row) == _WIDTH]
    inserted = insert_rows(writer, "packed_messages", _PLAIN_COLUMNS, plain, conflict)
    if len(plain) < len(rows):
        whole = [row for row in rows if len(row) > _WIDTH]
        inserted += insert_rows(writer, "packed_messages", f"{_PLAIN_COLUMNS}, {_MORE_COLUMNS}", whole, conflict)
    return inserted


def insert_events(writer: Writer, names: NameTable, happened: Sequence[Happened]) -> list[Happened]:
    """The events that were new."""
    if not happened:
        return []
    first = 1 + _last(writer, "SELECT max(number) FROM packed_events")
    numbers = names.numbers(writer, _names_of_events(happened))
    rows = [_event(fact, number, numbers) for number, fact in enumerate(happened, first)]
    if insert_rows(writer, "packed_events", EVENT_COLUMNS, rows, _ONCE_AN_EVENT) == len(rows):
        return list(happened)
    new = writer.execute("SELECT number FROM packed_events WHERE number >= ?", (first,)).fetchall()
    return [happened[number - first] for (number,) in new]


def insert_file_operations(writer: Writer, happened: Sequence[Happened]) -> None:
    rows = (_file_operation(fact, fact.event) for fact in happened if isinstance(fact.event, FileOperation))
    writer.executemany(_INSERT_FILE_OPERATION, map(_astuple, rows))


def upsert_progress(writer: Writer, happened: Sequence[Happened]) -> None:
    rows = [_progress(fact, fact.event) for fact in happened if isinstance(fact.event, TaskProgress)]
    if rows:
        writer.executemany(_UPSERT_PROGRESS, map(_astuple, rows))


def insert_unreadable(writer: Writer, unreadable: Sequence[UnreadableEntry]) -> int:
    """How many were new."""
    before = writer.total_changes
    writer.executemany(_INSERT_UNREADABLE, map(_astuple, unreadable))
    return writer.total_changes - before


def insert_doubtful(writer: Writer, doubtful: Sequence[UntrustedEntry]) -> int:
    """How many were new."""
    if not doubtful:
        return 0
    before = writer.total_changes
    writer.executemany(_INSERT_DOUBTFUL, map(_astuple, doubtful))
    return writer.total_changes - before


def insert_newer(writer: Writer, newer: Sequence[Newer]) -> int:
    """How many were new."""
    before = writer.total_changes
    writer.executemany(_INSERT_NEWER, [_astuple(fact)[:-1] for fact in newer])
    added = writer.total_changes - before
    held = [(fact.holder, fact.stream, fact.entry_id, fact.digest) for fact in newer if fact.holder]
    if held:
        writer.executemany(_HOLD_NEWER, held)
    return added


def _last(writer: Writer, query: str) -> int:
    row = writer.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _names_of_events(happened: Sequence[Happened]) -> Iterator[str]:
    for fact in happened:
        yield from (fact.stream, fact.module, kind(fact), fact.envelope.source, fact.envelope.session)


def kind(fact: Happened) -> str:
    return str(type(fact.event).__struct_config__.tag)


def message_rows(
    writer: Writer, names: NameTable, sent: Sequence[SentEntry], numbers: Iterable[int], max_payload_bytes: int
) -> list[Row]:
    """A row for each message, with its number: of the plain columns, and of the others where it has any of them."""
    # What many messages of a batch have in common is looked up once.
    headings = [_heading(fact.stream, fact.envelope) for fact in sent]
    distinct = set(headings)
    number_of = names.numbers(writer, chain.from_iterable(distinct))
    packed = {heading: tuple(number_of[name] for name in heading) for heading in distinct}
    ids = pack_ids([fact.envelope.id for fact in sent])
    return [
        _message(number, fact, id_, packed[heading], max_payload_bytes)
        for number, fact, id_, heading in zip(numbers, sent, ids, headings, strict=True)
    ]


def _heading(stream: str, envelope: Envelope) -> tuple[str, ...]:
    return (
        envelope.source,
        envelope.target,
        envelope.type,
        envelope.session,
        envelope.agreement,
        envelope.content_type,
        stream,
    )


def _message(number: int, fact: SentEntry, id_: PackedId, heading: tuple[int, ...], max_payload_bytes: int) -> Row:
    envelope = fact.envelope
    data, more = bytearray(envelope.data), _more(envelope)
    if len(data) > max_payload_bytes:
        more = (*(more or _NO_MORE)[:-1], bytearray(digest(data)))
        data = bytearray()
    plain = (
        number,
        id_,
        *heading,
        envelope.time,
        pack_entry(fact.entry_id),
        fact.size_bytes,
        data,
    )
    return (*plain, *more) if more else plain


def digest(payload: bytes | bytearray | msgspec.Raw) -> bytes:
    """What is stored of a payload that is too large to be."""
    return hashlib.sha256(payload).digest()


_NO_MORE = ("",) * 6


def _more(envelope: Envelope) -> Row:
    """Empty where there is nothing; the digest is empty."""
    if not (
        envelope.correlation or envelope.causation or envelope.reply_to or envelope.headers or envelope.traceparent
    ):
        return ()
    return (
        pack_id(envelope.correlation) if envelope.correlation else "",
        pack_id(envelope.causation) if envelope.causation else "",
        envelope.reply_to,
        msgspec.json.encode(envelope.headers).decode() if envelope.headers else "",
        envelope.traceparent,
        "",
    )


def _event(fact: Happened, number: int, numbers: dict[str, int]) -> Row:
    envelope = fact.envelope
    return (
        number,
        pack_id(envelope.id),
        numbers[envelope.source],
        numbers[fact.module],
        numbers[kind(fact)],
        numbers[envelope.session],
        envelope.time,
        numbers[fact.stream],
        pack_entry(fact.entry_id),
        _EMPTY if isinstance(fact.event, Handled) else bytearray(envelope.data),
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
        rate=task.rate,
        started_us=task.started_us,
        parent=task.parent,
        state=task.state,
        note=task.note,
    )
