"""Trackers of progress, and asyncio functions that record sessions in a database.

`claude_comm.progress.queries` reads. The names below are the front door.

Law: the files of this package are pure (floor 1), and importing it imports nothing: what is named here lives above it,
in `claude_comm.client`, and is fetched when it is first named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from claude_comm.client.progress import (
        cleanup_old_sessions,
        get_operation_summary,
        get_recent_file_operations,
        get_session_statistics,
        init_database,
        log_file_operation,
        track_module_communication,
        update_session_stats,
    )
    from claude_comm.client.trackers import AsyncProgressTracker, ProgressTracker

__all__ = [
    "AsyncProgressTracker",
    "ProgressTracker",
    "cleanup_old_sessions",
    "get_operation_summary",
    "get_recent_file_operations",
    "get_session_statistics",
    "init_database",
    "log_file_operation",
    "track_module_communication",
    "update_session_stats",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "trackers" if name.endswith("Tracker") else "progress"
    value = globals()[name] = getattr(import_module(f"claude_comm.client.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
