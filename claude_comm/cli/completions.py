"""What a shell proposes for the names that commands take: modules, sessions, messages.

Law: read from the local database as it is: no server is started or asked, nothing is written, and whatever goes wrong
is no proposal. So a press of the tab key costs no more than reading one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from claude_comm.errors import ClaudeCommError
from claude_comm.escaping import UNSAFE

# A shell shows a page of them; more help nobody.
_MOST = 200

_MODULES = """
SELECT name FROM names WHERE name GLOB ? AND id IN
    (SELECT source FROM traffic WHERE session = 0 UNION SELECT target FROM traffic WHERE session = 0)
ORDER BY 1 LIMIT ?
"""
_SESSIONS = """
SELECT session_id FROM session_stats WHERE session_id GLOB ?
ORDER BY coalesce(end_time, start_time, created_at) DESC LIMIT ?
"""
# Whoever completes means a recent one: of ten million, not all are looked through at every key.
_RECENT = "number > (SELECT max(number) - 10000 FROM packed_messages)"
_MESSAGES = f"SELECT message_id FROM messages WHERE {_RECENT} AND message_id GLOB ? ORDER BY time_us DESC LIMIT ?"
_NUMBERS = f"""
SELECT number FROM packed_messages WHERE {_RECENT} AND CAST(number AS TEXT) GLOB ? ORDER BY time_us DESC LIMIT ?
"""


def modules(incomplete: str) -> list[str]:
    """Modules and topics that have sent or received something."""
    return _found(_MODULES, incomplete)


def sessions(incomplete: str) -> list[str]:
    """The latest first."""
    return _found(_SESSIONS, incomplete)


def messages(incomplete: str) -> list[str]:
    """Numbers and ids of messages, the newest first; ids only once one is begun."""
    return _found(_NUMBERS, incomplete) + (_found(_MESSAGES, incomplete) if incomplete else [])


def workers(incomplete: str) -> list[str]:
    from claude_comm.runtime.worker_processes import WORKERS

    return [name for name in WORKERS if name.startswith(incomplete)]


def _found(sql: str, incomplete: str) -> list[str]:
    with _quietly():
        from claude_comm.runtime.environment import settings_of_process
        from claude_comm.store.database import open_database

        settings = settings_of_process()
        if settings.database.is_file():
            with open_database(settings.database, busy_timeout_s=0.2) as database:
                texts = [str(text) for (text,) in database.rows(sql, (_glob(incomplete), _MOST))]
            return [text for text in texts if not UNSAFE.search(text)]
    return []


def _glob(incomplete: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in incomplete) + "*"


@contextmanager
def _quietly() -> Iterator[None]:
    try:
        yield
    except ClaudeCommError:
        return
