"""Tasks as they are now: what was last reported of each, and what follows from it.

Law: what a module reported last stands. One that has reached its total, or whose session is over, is shown so.
"""

from __future__ import annotations

import time

import msgspec

from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.records import ProgressRow

_OVER = """
SELECT DISTINCT session FROM session_members AS m WHERE session IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM session_members AS o WHERE o.session = m.session AND o.ended_us IS NULL)
"""


def tasks(database: Database, *, module: str = "", task: str = "", session: str = "") -> list[ProgressRow]:
    """As they are now, by module and task."""
    rows = queries.progress(database, module=module, task=task, session=session)
    running = sorted({row.session for row in rows if row.state == "running" and row.session})
    over = {name for (name,) in database.rows(_OVER, (msgspec.json.encode(running).decode(),))} if running else ()
    now_us = time.time_ns() // 1000
    return [row.shown(now_us, session_over=row.session in over) for row in rows]
