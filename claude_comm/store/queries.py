"""Queries of the command line, the reports and the simple face: typed rows out of the projection.

Law: read only. Text comes back as it was sent: a face that shows it strips control characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.errors import UnknownMessage
from claude_comm.store.database import Database
from claude_comm.store.records import (
    Counts,
    DeliveryRow,
    FileOperationRow,
    MessageRow,
    ProgressRow,
    SessionRow,
    UnreadableRow,
)
from claude_comm.store.session_totals import modules

# Beyond this, digits are no row number (SQLite's are signed 64-bit) but may still start a message id.
_MAX_NUMBER_DIGITS = 18
_LAST_CHARACTER = "\U0010ffff"


_MESSAGE = """
SELECT m.number, m.message_id AS id, m.source, m.target, m.type, m.session, m.time_us, m.agreement, m.correlation,
       m.causation, m.reply_to, m.content_type, m.headers, m.traceparent, m.stream, m.entry_id, m.size_bytes, m.data,
       coalesce(c.status, 'sent') AS status
FROM messages AS m LEFT JOIN module_communications AS c ON c.id = m.communication
"""
_SESSION = (
    "SELECT session_id, files_processed, errors_encountered, bytes_processed, modules_active, start_time, end_time,"
    " created_at FROM session_stats"
)
_FILE_OPERATION = "SELECT id, session_id, operation_type, file_path, status, details, created_at FROM file_operations"


# Where a count is not of the table of its name.
_TABLES = {"sessions": "session_stats"}


def messages(
    database: Database, *, target: str = "", source: str = "", session: str = "", limit: int | None = None
) -> list[MessageRow]:
    """Newest first, by the time of sending; an empty filter lets all through."""
    where, values = _where({"m.target": target, "m.source": source, "m.session": session})
    return _messages(database, f"{where} ORDER BY m.time_us DESC, m.number DESC LIMIT ?", (*values, _limit(limit)))


def message(database: Database, reference: str) -> MessageRow:
    """The message with this number, this id, or the only one whose id starts so. Raises UnknownMessage."""
    if rows := _numbered(database, reference):
        return rows[0]
    try:
        reference.encode()
    except UnicodeEncodeError:
        raise UnknownMessage(reference) from None
    exact = ("m.message_id = ?", (reference,))
    starts_so = ("m.message_id > ? AND m.message_id < ?", (reference, reference + _LAST_CHARACTER))
    for where, values in (exact, starts_so):
        (count,) = database.rows(f"SELECT count(*) FROM messages AS m WHERE {where}", values)[0]
        if count == 1:
            return _messages(database, f"WHERE {where}", values)[0]
        if count:
            raise UnknownMessage(reference, count)
    raise UnknownMessage(reference)


def related(database: Database, id_: str, *, limit: int) -> list[MessageRow]:
    """The message of that id, those that it caused, and those that name it as what they belong to."""
    # One index each: a condition with OR over three would walk the table.
    found: dict[int, MessageRow] = {}
    for where in (
        "m.message_id = ?",
        "m.correlation = ? AND m.correlation != ''",
        "m.causation = ? AND m.causation != ''",
    ):
        rows = _messages(database, f"WHERE {where} ORDER BY m.time_us LIMIT ?", (id_, limit))
        found |= {row.number: row for row in rows}
    return list(found.values())


def _numbered(database: Database, reference: str) -> list[MessageRow]:
    if reference.isascii() and reference.isdigit() and reference[0] != "0" and len(reference) <= _MAX_NUMBER_DIGITS:
        return _messages(database, "WHERE m.number = ?", (int(reference),))
    return []


def deliveries(database: Database, row: MessageRow) -> list[DeliveryRow]:
    """What became of a message, by consumer; empty while no consumer has settled it."""
    return database.records(
        DeliveryRow,
        "SELECT consumer, status, attempts, sent_us, settled_us, reason, path FROM deliveries"
        " WHERE message_id = ? AND source = ? ORDER BY consumer",
        (row.id, row.source),
    )


def progress(database: Database, *, module: str = "", task: str = "") -> list[ProgressRow]:
    """By module and task."""
    where, values = _where({"module": module, "task": task})
    columns = "module, task, completed, total, session, time_us"
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


def _messages(database: Database, rest: str, values: Sequence[object]) -> list[MessageRow]:
    return database.records(MessageRow, f"{_MESSAGE} {rest}", values, decode={"headers": msgspec.json.decode})


def _sessions(database: Database, rest: str, values: Sequence[object]) -> list[SessionRow]:
    return database.records(SessionRow, f"{_SESSION} {rest}", values, decode={"modules_active": modules})
