"""What the command line, the reports and the simple face read: typed rows out of the projection.

Law: read only. Text comes back as it was sent: a face that shows it strips control characters.
"""

from __future__ import annotations

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
from claude_comm.store.session_sums import modules

# Beyond this, digits are no row number (SQLite's are signed 64-bit) but may still start a message id.
_MAX_NUMBER_DIGITS = 18
_LAST_CHARACTER = "\U0010ffff"


_MESSAGE = """
SELECT m.number, m.message_id, m.source, m.target, m.type, m.session, m.time_us, m.agreement, m.correlation,
       m.causation, m.reply_to, m.content_type, m.headers, m.traceparent, m.stream, m.entry_id, m.size_bytes, m.data,
       coalesce(c.status, 'sent')
FROM messages AS m LEFT JOIN module_communications AS c ON c.id = m.communication
"""
_SESSION = (
    "SELECT session_id, files_processed, errors_encountered, bytes_processed, modules_active, start_time, end_time,"
    " created_at FROM session_stats"
)
_FILE_OPERATION = "SELECT id, session_id, operation_type, file_path, status, details, created_at FROM file_operations"


def messages(
    database: Database, *, target: str = "", source: str = "", session: str = "", limit: int | None = None
) -> list[MessageRow]:
    """Newest first, by number; an empty filter lets all through."""
    given = {"m.target": target, "m.source": source, "m.session": session}
    where, values = _where(given)
    return [
        _message(row)
        for row in database.rows(f"{_MESSAGE} {where} ORDER BY m.number DESC LIMIT ?", (*values, _limit(limit)))
    ]


def message(database: Database, reference: str) -> MessageRow:
    """The message with this number, this id, or the only one whose id starts so. Raises UnknownMessage."""
    if reference.isascii() and reference.isdigit() and reference[0] != "0" and len(reference) <= _MAX_NUMBER_DIGITS:
        found = database.rows(f"{_MESSAGE} WHERE m.number = ?", (int(reference),))
        if found:
            return _message(found[0])
    try:
        reference.encode()
    except UnicodeEncodeError:
        raise UnknownMessage(reference) from None
    exact = ("m.message_id = ?", (reference,))
    starts_so = ("m.message_id > ? AND m.message_id < ?", (reference, reference + _LAST_CHARACTER))
    for where, values in (exact, starts_so):
        (count,) = database.rows(f"SELECT count(*) FROM messages AS m WHERE {where}", values)[0]
        if count == 1:
            return _message(database.rows(f"{_MESSAGE} WHERE {where}", values)[0])
        if count:
            raise UnknownMessage(reference, count)
    raise UnknownMessage(reference)


def deliveries(database: Database, of: MessageRow) -> list[DeliveryRow]:
    """What became of a message, by consumer; empty while no consumer has settled it."""
    rows = database.rows(
        "SELECT consumer, status, attempts, sent_us, settled_us, reason, path FROM deliveries"
        " WHERE message_id = ? AND source = ? ORDER BY consumer",
        (of.id, of.source),
    )
    return [DeliveryRow(*row) for row in rows]


def progress(database: Database, *, module: str = "", task: str = "") -> list[ProgressRow]:
    """By module and task."""
    where, values = _where({"module": module, "task": task})
    rows = database.rows(
        f"SELECT module, task, completed, total, session, time_us FROM progress {where} ORDER BY module, task", values
    )
    return [ProgressRow(*row) for row in rows]


def sessions(database: Database, *, limit: int | None = None) -> list[SessionRow]:
    """The latest first."""
    order = "ORDER BY coalesce(end_time, start_time, created_at) DESC, session_id LIMIT ?"
    return [_session(row) for row in database.rows(f"{_SESSION} {order}", (_limit(limit),))]


def session(database: Database, session_id: str) -> SessionRow | None:
    rows = database.rows(f"{_SESSION} WHERE session_id = ?", (session_id,))
    return _session(rows[0]) if rows else None


def file_operations(database: Database, *, session: str = "", limit: int | None = None) -> list[FileOperationRow]:
    """Newest first; those of one instant by id, the highest first."""
    where, values = _where({"session_id": session})
    rows = database.rows(
        f"{_FILE_OPERATION} {where} ORDER BY created_at DESC, id DESC LIMIT ?", (*values, _limit(limit))
    )
    return [FileOperationRow(*(*row[:5], json_or_text(row[5]), row[6])) for row in rows]


def unreadable(database: Database, *, limit: int | None = None) -> list[UnreadableRow]:
    """Newest first."""
    rows = database.rows(
        "SELECT stream, entry_id, reason, size_bytes, prefix FROM unreadable ORDER BY number DESC LIMIT ?",
        (_limit(limit),),
    )
    return [UnreadableRow(*row) for row in rows]


def counts(database: Database) -> Counts:
    tables = ("messages", "events", "deliveries", "session_stats", "file_operations", "unreadable")
    return Counts(*database.rows("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))[0])


def json_or_text(text: str) -> Any:
    """A JSON column decoded; the text itself where somebody else wrote what is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return text


def _where(given: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    used = {column: value for column, value in given.items() if value}
    clause = " AND ".join(f"{column} = ?" for column in used)
    return (f"WHERE {clause}" if clause else ""), tuple(used.values())


def _limit(limit: int | None) -> int:
    """SQLite reads a negative limit as none."""
    return -1 if limit is None else max(0, limit)


def _message(row: tuple[Any, ...]) -> MessageRow:
    return MessageRow(*(*row[:12], msgspec.json.decode(row[12]), *row[13:]))


def _session(row: tuple[Any, ...]) -> SessionRow:
    return SessionRow(*(*row[:4], modules(row[4]), *row[5:]))
