"""The activity of single modules, and of pairs of modules, within a session."""

from __future__ import annotations

import msgspec

from claude_comm.store.database import Database
from claude_comm.store.statistics import Latency, latency


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


class HopActivity(msgspec.Struct, frozen=True):
    """The messages from one module to another in one session, with the latency of those that were handled."""

    source: str
    target: str
    messages: int
    latency: Latency | None


_HOPS = """
SELECT m.source, m.target, d.settled_us - d.sent_us
FROM messages AS m LEFT JOIN deliveries AS d
    ON d.message_id = m.message_id AND d.source = m.source AND d.consumer = m.target AND d.status = 'handled'
WHERE m.session = ? AND m.session != '' ORDER BY m.number
"""


def hops(database: Database, session_id: str) -> list[HopActivity]:
    """Each pair that spoke in the session, in the order of their first messages."""
    latencies: dict[tuple[str, str], list[int | None]] = {}
    for source, target, latency_us in database.rows(_HOPS, (session_id,)):
        latencies.setdefault((source, target), []).append(latency_us)
    return [
        HopActivity(source, target, len(sent), latency([latency_us for latency_us in sent if latency_us is not None]))
        for (source, target), sent in latencies.items()
    ]
