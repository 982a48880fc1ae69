"""The list of sessions: their totals, which modules have them open, and how they ended.

Law: a page costs the same wherever it lies; totals come from the sums that are kept while messages are stored.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import msgspec

from claude_comm.store.activity import HopActivity, hops
from claude_comm.store.database import Database
from claude_comm.store.records import ProgressRow
from claude_comm.store.session_totals import modules
from claude_comm.store.statements import Row
from claude_comm.store.tasks import tasks

# The last three: nobody opened it. Messages name it, of which some are `pending` or all are `settled`; or not even
# that.
SessionState: TypeAlias = Literal["open", "completed", "failed", "died", "pending", "settled", "unknown"]


class SessionSummary(msgspec.Struct, frozen=True):
    """One session; times are ISO 8601 text in UTC, `active` is when it last was. `failed` counts messages that were
    buried, `pending` those that nobody has settled."""

    session: str
    state: SessionState
    started: str
    active: str
    messages: int
    handled: int
    failed: int
    pending: int
    size_bytes: int
    modules: list[str]
    files: int
    errors: int


class SessionMember(msgspec.Struct, frozen=True):
    """One use of a session: which instance opened it and when, and how it ended for it."""

    module: str
    instance: str
    opened_us: int
    ended_us: int | None
    outcome: str
    reason: str


class SessionDetail(msgspec.Struct, frozen=True):
    """One session with its hops, its tasks and those who opened it."""

    summary: SessionSummary
    hops: list[HopActivity]
    tasks: list[ProgressRow]
    members: list[SessionMember]


_ACTIVE = "coalesce(end_time, start_time, created_at)"
_COLUMNS = f"""
session_id, coalesce(start_time, created_at), {_ACTIVE}, modules_active, files_processed, errors_encountered
"""
_PAGE = f"""
SELECT {_COLUMNS} FROM session_stats INDEXED BY sessions_by_activity
WHERE {_ACTIVE} <= ? AND ({_ACTIVE} < ? OR session_id < ?) ORDER BY {_ACTIVE} DESC, session_id DESC LIMIT ?
"""
_ONE = f"SELECT {_COLUMNS} FROM session_stats WHERE session_id = ?"
_BEGINNING = "SELECT session_id FROM session_stats WHERE session_id BETWEEN ? AND ? LIMIT 2"
_PLACE = f"SELECT {_ACTIVE}, session_id FROM session_stats WHERE session_id = ?"
_SUMS = """
SELECT sum(messages), sum(messages_handled), sum(messages_failed), sum(size_bytes) FROM traffic
WHERE session = (SELECT id FROM names WHERE name = ?) AND session != 0
"""
_MEMBERS = """
SELECT module, instance, opened_us, ended_us, outcome, reason FROM session_members WHERE session = ?
ORDER BY opened_us LIMIT 1000
"""
_STATE = """
SELECT count(*), count(*) FILTER (WHERE ended_us IS NULL),
    (SELECT outcome FROM session_members WHERE session = ? ORDER BY ended_us DESC LIMIT 1)
FROM session_members WHERE session = ?
"""
# After every moment as text.
_END = "~"


def sessions(database: Database, *, limit: int, after: str = "") -> list[SessionSummary]:
    """The latest active first; `after` is the last session of the page before."""
    with database.snapshot():
        place = (database.rows(_PLACE, (after,)) if after else []) or [(_END, "")]
        return [_summary(database, row) for row in database.rows(_PAGE, (place[0][0], *place[0], limit))]


def whole_name(database: Database, start: str) -> str:
    """The only session whose name begins so; what was given, where it is one, or begins none or several."""
    rows = database.rows(_BEGINNING, (start, start + _END))
    return rows[0][0] if len(rows) == 1 and start else start


def session(database: Database, name: str) -> SessionDetail | None:
    """None where nothing of it is known."""
    rows = database.rows(_ONE, (name,))
    if not rows:
        return None
    members = [SessionMember(*row) for row in database.rows(_MEMBERS, (name,))]
    return SessionDetail(_summary(database, rows[0]), hops(database, name), tasks(database, session=name), members)


def _summary(database: Database, row: Row) -> SessionSummary:
    name, started, active, active_modules, files, errors = row
    messages, handled, failed, size_bytes = (number or 0 for number in database.rows(_SUMS, (name,))[0])
    return SessionSummary(
        session=name,
        state=_state(database, name, messages, messages - handled - failed),
        started=started,
        active=active,
        messages=messages,
        handled=handled,
        failed=failed,
        pending=messages - handled - failed,
        size_bytes=size_bytes,
        modules=modules(active_modules),
        files=files,
        errors=errors,
    )


def _state(database: Database, name: str, messages: int, pending: int) -> SessionState:
    """How it ended last, where nobody has it open."""
    members, still_open, outcome = database.rows(_STATE, (name, name))[0]
    if still_open:
        return "open"
    if members:
        return cast(SessionState, outcome)
    return ("pending" if pending else "settled") if messages else "unknown"
