"""Progress. The names below are the front door to the asyncio functions that record sessions in a database.

Law: the files of this package are pure (floor 1), and importing it imports nothing: the functions live above it, in
`claude_comm.client.progress`, and are fetched when one is first named.
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

__all__ = [
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
    value = globals()[name] = getattr(import_module("claude_comm.client.progress"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
