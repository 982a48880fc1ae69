"""Queries of the command line, the reports and the simple face: typed rows out of the projection.

Law: read only. Text comes back as it was sent: a face that shows it strips control characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from claude_comm.errors import UnknownMessage
from claude_comm.store.database import Database
from claude_comm.store.newest import Before, newest
from claude_comm.store.packing import id_range, pack_id, unpack_entry, unpack_id
from claude_comm.store.records import (
    DELIVERY_STATUSES,
    MESSAGE_STATUSES,
    Counts,
    DeliveryRow,
    FileOperationRow,
    MessageRow,
    ProgressRow,
    SessionRow,
    UnreadableRow,
)
from claude_comm.store.session_totals import modules
from claude_comm.store.statements import Decoder
from claude_comm.store.traffic import RETRYING

# Beyond this, digits are no row number (SQLite's are signed 64-bit) but may still start a message id.
_MAX_NUMBER_DIGITS = 18
_LAST_CHARACTER = "\U0010ffff"


_MESSAGE = """
SELECT m.number, m.message_id AS id, s.name AS source, t.name AS target, k.name AS type, x.name AS session, m.time_us,
       a.name AS agreement, m.correlation, m.causation, m.reply_to, c.name AS content_type, m.headers, m.traceparent,
       st.name AS stream, m.entry AS entry_id, m.size_bytes, m.data, m.digest,
       coalesce((SELECT max(d.status) FROM packed_deliveries AS d WHERE d.message = m.number), 0) AS status
FROM packed_messages AS m
CROSS JOIN names AS s ON s.id = m.source
CROSS JOIN names AS t ON t.id = m.target
CROSS JOIN names AS k ON k.id = m.type
CROSS JOIN names AS x ON x.id = m.session
CROSS JOIN names AS a ON a.id = m.agreement
CROSS JOIN names AS c ON c.id = m.content_type
CROSS JOIN names AS st ON st.id = m.stream
"""
_SESSION = (
    "SELECT session_id, files_processed, errors_encountered, bytes_processed, modules_active, start_time, end_time,"
    " created_at FROM session_stats"
)
_FILE_OPERATION = "SELECT id, session_id, operation_type, file_path, status, details, created_at FROM file_operations"


# Where a count is not of the table of its name.
_TABLES = {"sessions": "session_stats", "messages": "packed_messages", "events": "packed_events"}

_ANY_SETTLED = """
SELECT 1 FROM traffic WHERE session = 0 AND target = (SELECT id FROM names WHERE name = ?) AND handled + failed > 0
LIMIT 1
"""
_ANY_EARLY_SETTLED = f"""
SELECT 1 FROM early_deliveries WHERE consumer = (SELECT id FROM names WHERE name = ?) AND status != {RETRYING} LIMIT 1
"""
_SETTLED_BY = f"""
SELECT 1 FROM packed_messages AS m JOIN packed_deliveries AS d
    ON d.message = m.number AND d.consumer = (SELECT id FROM names WHERE name = ?) AND d.status != {RETRYING}
WHERE m.message_id = ? AND m.source = (SELECT id FROM names WHERE name = ?)
"""
_EARLY_SETTLED_BY = f"""
SELECT 1 FROM early_deliveries WHERE consumer = (SELECT id FROM names WHERE name = ?) AND message_id = ?
    AND source = (SELECT id FROM names WHERE name = ?) AND status != {RETRYING}
"""
# Rows asked for at once.
_PAGE = 500


def messages(
    database: Database,
    *,
    target: str = "",
    source: str = "",
    session: str = "",
    limit: int | None = None,
    before: Before | None = None,
) -> list[MessageRow]:
    """Newest first, by the time of sending; an empty filter lets all through. `before` continues after a row."""
    with database.snapshot():
        numbers = newest(database, source=source, target=target, session=session, limit=limit, before=before)
        return [row for part in _parts(numbers) for row in numbered(database, part)]


def message(database: Database, reference: str) -> MessageRow:
    """The message with this number, this id, or the only one whose id starts so. Raises UnknownMessage."""
    if rows := numbered(database, _as_numbers(reference)):
        return rows[0]
    try:
        reference.encode()
    except UnicodeEncodeError:
        raise UnknownMessage(reference) from None
    for where, values in _references(reference):
        matches = database.rows(f"SELECT number FROM packed_messages WHERE {where} LIMIT 2", values)
        if len(matches) == 1:
            return numbered(database, [matches[0][0]])[0]
        if matches:
            (count,) = database.rows(f"SELECT count(*) FROM packed_messages WHERE {where}", values)[0]
            raise UnknownMessage(reference, count)
    raise UnknownMessage(reference)


def related(database: Database, id_: str, *, limit: int) -> list[MessageRow]:
    """The message of that id, those that it caused, and those that name it as what they belong to."""
    # One index each: a condition with OR over three would walk the table.
    numbers: dict[int, None] = {}
    for where in ("message_id = ?", "correlation = ? AND correlation != ''", "causation = ? AND causation != ''"):
        sql = f"SELECT number FROM packed_messages WHERE {where} ORDER BY time_us LIMIT ?"
        numbers |= dict.fromkeys(number for (number,) in database.rows(sql, (pack_id(id_), limit)))
    return [row for part in _parts([*numbers]) for row in numbered(database, part)]


def _as_numbers(reference: str) -> list[int]:
    if reference.isascii() and reference.isdigit() and reference[0] != "0" and len(reference) <= _MAX_NUMBER_DIGITS:
        return [int(reference)]
    return []


def _references(reference: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What the id may be: the whole of it, then its start."""
    yield "message_id = ?", (pack_id(reference),)
    packed = id_range(reference)
    as_text = "message_id > ? AND message_id < ?", (reference, reference + _LAST_CHARACTER)
    if packed is None:
        yield as_text
    else:
        yield f"({as_text[0]}) OR message_id BETWEEN ? AND ?", (*as_text[1], *packed)


def deliveries(database: Database, row: MessageRow) -> list[DeliveryRow]:
    """What became of a message, by consumer; empty while no consumer has settled it."""
    return database.records(
        DeliveryRow,
        "SELECT c.name AS consumer, d.status, d.attempts, d.settled_us - d.latency_us AS sent_us, d.settled_us,"
        " d.reason, d.path FROM packed_deliveries AS d JOIN names AS c ON c.id = d.consumer"
        " WHERE d.message = ? ORDER BY c.name",
        (row.number,),
        decode={"status": DELIVERY_STATUSES.__getitem__},
    )


def has_settled(database: Database, consumer: str) -> bool:
    """Whether this module is known to have handled or buried anything."""
    return bool(database.rows(_ANY_SETTLED, (consumer,)) or database.rows(_ANY_EARLY_SETTLED, (consumer,)))


def settled_by(database: Database, consumer: str, messages: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these messages, by source and id, this module is known to have handled or buried for good."""
    values = [(consumer, pack_id(id_), source) for source, id_ in messages]
    return {
        message
        for message, value in zip(messages, values, strict=True)
        if database.rows(_SETTLED_BY, value) or database.rows(_EARLY_SETTLED_BY, value)
    }


def progress(database: Database, *, module: str = "", task: str = "", session: str = "") -> list[ProgressRow]:
    """By module and task."""
    where, values = _where({"module": module, "task": task, "session": session})
    columns = "module, task, completed, total, session, time_us, rate, started_us, parent, state, note"
    return database.records(ProgressRow, f"SELECT {columns} FROM progress {where} ORDER BY module, task", values)


def sessions(database: Database, *, limit: int | None = None) -> list[SessionRow]:
    """The latest first."""
    order = "ORDER BY coalesce(end_time, start_time, created_at) DESC, session_id LIMIT ?"
    return _sessions(database, order, (_limit(limit),))


def session(database: Database, session_id: str) -> SessionRow | None:
    rows = _sessions(database, "WHERE session_id = ?", (session_id,))
    return rows[0] if rows else None


def file_operations(database: Database, *, session: str = "", limit: int | None = None) -> list[FileOperationRow]:
    """Newest first; those of one instant by id, the highest first."""
    where, values = _where({"session_id": session})
    order = "ORDER BY created_at DESC, id DESC LIMIT ?"
    sql, values = f"{_FILE_OPERATION} {where} {order}", (*values, _limit(limit))
    return database.records(FileOperationRow, sql, values, decode={"details": json_or_text})


def unreadable(database: Database, *, limit: int | None = None) -> list[UnreadableRow]:
    """Newest first."""
    return database.records(
        UnreadableRow,
        "SELECT stream, entry_id, reason, size_bytes, prefix FROM unreadable ORDER BY number DESC LIMIT ?",
        (_limit(limit),),
    )


def unreadable_entries(database: Database, streams: Sequence[str], *, most: int) -> dict[str, list[str]]:
    """The ids of the newest of them, so many of each of these streams; streams with none are left out."""
    newest = "SELECT entry_id FROM unreadable WHERE stream = ? ORDER BY number DESC LIMIT ?"
    by_stream = {stream: [str(id_) for (id_,) in database.rows(newest, (stream, most))] for stream in streams}
    return {stream: ids for stream, ids in by_stream.items() if ids}


def counts(database: Database) -> Counts:
    columns = ", ".join(
        f"(SELECT count(*) FROM {_TABLES.get(name, name)}) AS {name}" for name in Counts.__struct_fields__
    )
    return database.records(Counts, f"SELECT {columns}")[0]


def json_or_text(text: str) -> Any:
    """A JSON column decoded; the text itself where somebody else wrote what is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return text


def _where(given: dict[str, str]) -> tuple[str, tuple[object, ...]]:
    used = {column: value for column, value in given.items() if value}
    clause = " AND ".join(f"{column} = ?" for column in used)
    return (f"WHERE {clause}" if clause else ""), tuple(used.values())


def _limit(limit: int | None) -> int:
    """SQLite reads a negative limit as none."""
    return -1 if limit is None else max(0, limit)


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[start : start + _PAGE] for start in range(0, len(numbers), _PAGE))


def numbered(database: Database, numbers: Sequence[int]) -> list[MessageRow]:
    """The messages with these numbers, in their order; those that are not there are left out."""
    if not numbers:
        return []
    sql = f"{_MESSAGE} WHERE m.number IN ({', '.join('?' * len(numbers))})"
    rows = {row.number: row for row in database.records(MessageRow, sql, numbers, decode=_DECODERS)}
    return [rows[number] for number in numbers if number in rows]


def _headers(text: str) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str]) if text else {}


def _hex(digest: bytes | str) -> str:
    return digest.hex() if isinstance(digest, bytes) else digest


_DECODERS: dict[str, Decoder] = {
    "id": unpack_id,
    "correlation": unpack_id,
    "causation": unpack_id,
    "entry_id": unpack_entry,
    "headers": _headers,
    "digest": _hex,
    "status": MESSAGE_STATUSES.__getitem__,
}


def _sessions(database: Database, rest: str, values: Sequence[object]) -> list[SessionRow]:
    return database.records(SessionRow, f"{_SESSION} {rest}", values, decode={"modules_active": modules})
