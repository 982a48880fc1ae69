"""Sessions, file operations and communications as a program records them itself, straight into a database.

Law: each function opens the database it is given, which need not exist yet, and closes it. Values are checked at the
door (ConfigurationError); numbers are absolute: a session holds what was given last, and what was not given is left
as it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.names import check_session
from claude_comm.progress.events import MAX_COUNT
from claude_comm.store import queries
from claude_comm.store.database import open_database
from claude_comm.store.timestamps import moment

DatabasePath: TypeAlias = str | Path
Moment: TypeAlias = datetime | str | float

# Statuses are free text; these count as one or the other in a summary, whatever their case, and the rest as neither.
SUCCESS = frozenset(
    {"success", "successful", "succeeded", "completed", "complete", "ok", "done", "processed", "handled"}
)
FAILURE = frozenset({"failed", "failure", "fail", "error", "errored", "aborted", "cancelled", "timeout", "rejected"})

_DAY_S = 86_400
# The Julian day of the epoch, by which SQLite compares dates however they are written.
_EPOCH_DAY = 2_440_587.5

_OLD = "SELECT session_id FROM session_stats WHERE julianday(coalesce(end_time, start_time, created_at)) < ?"
_OLD_NUMBERS = f"SELECT id FROM names WHERE id != 0 AND name IN ({_OLD})"
# Deliveries before messages: they have their session from them.
_REMOVE_OLD = (
    "DELETE FROM packed_deliveries WHERE message IN"
    f" (SELECT number FROM packed_messages WHERE session IN ({_OLD_NUMBERS}))",
    f"DELETE FROM packed_messages WHERE session IN ({_OLD_NUMBERS})",
    f"DELETE FROM packed_events WHERE session IN ({_OLD_NUMBERS})",
    f"DELETE FROM traffic WHERE session IN ({_OLD_NUMBERS})",
    f"DELETE FROM latencies WHERE session IN ({_OLD_NUMBERS})",
    f"DELETE FROM progress WHERE session IN ({_OLD})",
    f"DELETE FROM tracked_communications WHERE session_id IN ({_OLD})",
    f"DELETE FROM file_operations WHERE session_id IN ({_OLD})",
    f"DELETE FROM session_members WHERE session IN ({_OLD})",
)


def init_database(db_path: DatabasePath) -> None:
    """Makes the database, or brings it up to date."""
    open_database(db_path).close()


def update_session_stats(
    db_path: DatabasePath,
    session_id: str,
    files_processed: int | None = None,
    errors_encountered: int | None = None,
    bytes_processed: int | None = None,
    start_time: Moment | None = None,
    end_time: Moment | None = None,
    modules_active: Iterable[str] | None = None,
) -> None:
    """Creates or changes the session: None keeps a value, any other value replaces it."""
    given: dict[str, object] = {"session_id": check_session(session_id)}
    counts = {
        "files_processed": files_processed,
        "errors_encountered": errors_encountered,
        "bytes_processed": bytes_processed,
    }
    given |= {name: _count(value, name) for name, value in counts.items() if value is not None}
    times = {"start_time": start_time, "end_time": end_time}
    given |= {name: moment(value, name) for name, value in times.items() if value is not None}
    if modules_active is not None:
        given["modules_active"] = _json(_names(modules_active), "modules_active")
    changed = ", ".join(f"{name} = excluded.{name}" for name in given if name != "session_id")
    with open_database(db_path) as database, database.write() as writer:
        writer.execute(
            f"INSERT INTO session_stats ({', '.join(given)}) VALUES ({', '.join('?' * len(given))})"
            f" ON CONFLICT (session_id) DO {f'UPDATE SET {changed}' if changed else 'NOTHING'}",
            tuple(given.values()),
        )


def get_session_statistics(db_path: DatabasePath, session_id: str) -> dict[str, Any] | None:
    """The session's columns, `modules_active` as a list; None when there is no such session."""
    check_session(session_id)
    with open_database(db_path) as database:
        row = queries.session(database, session_id)
    return None if row is None else msgspec.structs.asdict(row)


def log_file_operation(
    db_path: DatabasePath,
    session_id: str,
    operation_type: str,
    file_path: str | Path,
    status: str,
    details: object = None,
) -> int:
    """Records a file operation and returns its id. `details` is anything that JSON can carry."""
    row = (
        check_session(session_id),
        _text(operation_type, "operation_type"),
        _path(file_path),
        _text(status, "status"),
        _json({} if details is None else details, "details"),
    )
    return _insert(
        db_path,
        "INSERT INTO file_operations (session_id, operation_type, file_path, status, details) VALUES (?, ?, ?, ?, ?)",
        row,
    )


def get_recent_file_operations(db_path: DatabasePath, session_id: str, limit: int = 10) -> list[dict[str, Any]]:
    """The last `limit` of them, newest first, those of one instant by id; `details` decoded."""
    check_session(session_id)
    _count(limit, "limit")
    with open_database(db_path) as database:
        rows = queries.file_operations(database, session=session_id, limit=limit)
    return [msgspec.structs.asdict(row) for row in rows]


def get_operation_summary(db_path: DatabasePath, session_id: str) -> dict[str, Any]:
    """`total_operations`, `successful_operations`, `failed_operations` (by the words in SUCCESS and FAILURE; other
    statuses are in neither) and `operation_types`, a count by type."""
    check_session(session_id)
    with open_database(db_path) as database:
        rows = database.rows(
            "SELECT operation_type, status, count(*) FROM file_operations WHERE session_id = ?"
            " GROUP BY 1, 2 ORDER BY 1",
            (session_id,),
        )
    types: dict[str, int] = {}
    for operation_type, _, number in rows:
        types[operation_type] = types.get(operation_type, 0) + number
    return {
        "total_operations": sum(types.values()),
        "successful_operations": sum(number for _, status, number in rows if status.strip().lower() in SUCCESS),
        "failed_operations": sum(number for _, status, number in rows if status.strip().lower() in FAILURE),
        "operation_types": types,
    }


def track_module_communication(
    db_path: DatabasePath,
    session_id: str,
    source_module: str,
    target_module: str,
    message_type: str,
    status: str,
    metrics: object = None,
) -> int:
    """Records that one module spoke to another and returns the row's id. `metrics` is anything JSON can carry."""
    row = (
        check_session(session_id),
        _text(source_module, "source_module"),
        _text(target_module, "target_module"),
        _text(message_type, "message_type"),
        _text(status, "status"),
        _json({} if metrics is None else metrics, "metrics"),
    )
    with open_database(db_path) as database, database.write() as writer:
        writer.execute(
            "INSERT INTO module_communications"
            " (session_id, source_module, target_module, message_type, status, metrics) VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        # The table is a view: its trigger has chosen the id.
        return int(writer.execute("SELECT max(id) FROM tracked_communications").fetchone()[0])


def cleanup_old_sessions(db_path: DatabasePath, days_to_keep: float = 30) -> int:
    """Removes the sessions that ended (else started, else were made) more than `days_to_keep` days ago, with their
    rows in every table, and returns how many sessions they were."""
    oldest = time.time() / _DAY_S + _EPOCH_DAY - _days(days_to_keep)
    with open_database(db_path) as database, database.write() as writer:
        removed = [writer.execute(statement, (oldest,)).rowcount for statement in _REMOVE_OLD]
        writer.execute("UPDATE pruned SET deliveries = deliveries + ?, messages = messages + ?", removed[:2])
        return writer.execute(f"DELETE FROM session_stats WHERE session_id IN ({_OLD})", (oldest,)).rowcount


def _insert(db_path: DatabasePath, statement: str, row: tuple[object, ...]) -> int:
    with open_database(db_path) as database, database.write() as writer:
        return int(writer.execute(statement, row).lastrowid or 0)


def _count(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise ConfigurationError(f"{what}: {str(value)[:60]!r} is not a whole number from 0 to {MAX_COUNT}.")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{what}: give text that is not empty, not {str(value)[:60]!r}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{what}: {value[:60]!r} is not Unicode text.") from None
    return value


def _path(value: object) -> str:
    """A path's text; what is no text in it (a name from an old disk) is kept as escapes."""
    if isinstance(value, str | Path):
        return _text(os.fspath(value).encode("utf-8", "backslashreplace").decode(), "file_path")
    return _text(value, "file_path")


def _days(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigurationError(f"days_to_keep: {str(value)[:60]!r} is not a number of days, 0 or more.")
    return float(min(value, MAX_COUNT))


def _names(value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError("modules_active: give a list of module names.")
    return [_text(name, "modules_active") for name in value]


def _json(value: object, what: str) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"{what}: cannot be written as JSON: {error}.") from None
