"""What single modules did within a session."""

from __future__ import annotations

import msgspec

from claude_comm.store.database import Database


class ModuleActivity(msgspec.Struct, frozen=True):
    """One module in one session: messages sent, and deliveries to it that were handled or that failed."""

    module: str
    sent: int
    handled: int
    failed: int


_SENT = "SELECT count(*) FROM messages WHERE session = ? AND session != '' AND source = ?"
_SETTLED = """
SELECT d.status, count(*)
FROM messages AS m JOIN deliveries AS d ON d.message_id = m.message_id AND d.source = m.source
WHERE m.session = ? AND m.session != '' AND d.consumer = ? GROUP BY 1
"""


def module_activity(database: Database, session_id: str, module: str) -> ModuleActivity:
    """Zeros for a module that did nothing there."""
    (sent,) = database.rows(_SENT, (session_id, module))[0]
    settled: dict[str, int] = dict(database.rows(_SETTLED, (session_id, module)))
    return ModuleActivity(module, sent, settled.get("handled", 0), settled.get("buried", 0))
