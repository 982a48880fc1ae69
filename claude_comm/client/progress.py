"""The progress functions for asyncio programs: `store.sessions`, each call in a worker thread.

Law: nothing of its own; what a function does, checks and raises is said where it is defined. `claude_comm.progress`
is the door to these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from claude_comm.store import sessions
from claude_comm.store.sessions import DatabasePath, Moment


async def init_database(db_path: DatabasePath) -> None:
    """Creates the database, or migrates it; the other functions do so by themselves."""
    await asyncio.to_thread(sessions.init_database, db_path)


async def update_session_stats(
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
    await asyncio.to_thread(
        sessions.update_session_stats,
        db_path,
        session_id,
        files_processed,
        errors_encountered,
        bytes_processed,
        start_time,
        end_time,
        modules_active,
    )


async def get_session_statistics(db_path: DatabasePath, session_id: str) -> dict[str, Any] | None:
    """The session's columns, `modules_active` as a list; None when there is no such session."""
    return await asyncio.to_thread(sessions.get_session_statistics, db_path, session_id)


async def log_file_operation(
    db_path: DatabasePath,
    session_id: str,
    operation_type: str,
    file_path: str | Path,
    status: str,
    details: object = None,
) -> int:
    """Records a file operation and returns its id."""
    return await asyncio.to_thread(
        sessions.log_file_operation, db_path, session_id, operation_type, file_path, status, details
    )


async def get_recent_file_operations(db_path: DatabasePath, session_id: str, limit: int = 10) -> list[dict[str, Any]]:
    """The last `limit` of them, newest first; `details` decoded."""
    return await asyncio.to_thread(sessions.get_recent_file_operations, db_path, session_id, limit)


async def get_operation_summary(db_path: DatabasePath, session_id: str) -> dict[str, Any]:
    """`total_operations`, `successful_operations`, `failed_operations` and `operation_types`, a count by type."""
    return await asyncio.to_thread(sessions.get_operation_summary, db_path, session_id)


async def track_module_communication(
    db_path: DatabasePath,
    session_id: str,
    source_module: str,
    target_module: str,
    message_type: str,
    status: str,
    metrics: object = None,
) -> int:
    """Records a message from one module to another, and returns the row's id."""
    return await asyncio.to_thread(
        sessions.track_module_communication,
        db_path,
        session_id,
        source_module,
        target_module,
        message_type,
        status,
        metrics,
    )


async def cleanup_old_sessions(db_path: DatabasePath, days_to_keep: float = 30) -> int:
    """Removes sessions older than that, with their rows in every table; returns the number of sessions."""
    return await asyncio.to_thread(sessions.cleanup_old_sessions, db_path, days_to_keep)
