"""The activity of single modules, and of pairs of modules, within a session.

Law: read from the sums, so that an answer costs the same however many messages the session has.
"""

from __future__ import annotations

import msgspec

from claude_comm.store.database import Database
from claude_comm.store.statements import Row
from claude_comm.store.statistics import Latency, latency


class ModuleActivity(msgspec.Struct, frozen=True):
    """One module in one session: messages sent, and deliveries to it that were handled or that failed."""

    module: str
    sent: int
    handled: int
    failed: int


class HopActivity(msgspec.Struct, frozen=True):
    """The messages from one module to another in one session, with the latency of those that were handled."""

    source: str
    target: str
    messages: int
    latency: Latency | None


_OF_SESSION = "session = (SELECT id FROM names WHERE name = ?) AND session != 0"
_MODULE = f"""
SELECT
    (SELECT coalesce(sum(messages), 0) FROM traffic WHERE {_OF_SESSION} AND source = m.id),
    (SELECT coalesce(sum(handled), 0) FROM traffic WHERE {_OF_SESSION} AND target = m.id),
    (SELECT coalesce(sum(failed), 0) FROM traffic WHERE {_OF_SESSION} AND target = m.id)
FROM names AS m WHERE m.name = ?
"""
_HOPS = f"""
SELECT s.name, t.name, x.messages, x.handled, x.latency_us, x.source, x.target
FROM traffic AS x JOIN names AS s ON s.id = x.source JOIN names AS t ON t.id = x.target
WHERE {_OF_SESSION} AND x.messages > 0 ORDER BY x.first_us, s.name, t.name
"""
_LATENCIES = f"SELECT source, target, bucket, deliveries FROM latencies WHERE {_OF_SESSION} ORDER BY 1, 2, 3"


def module_activity(database: Database, session_id: str, module: str) -> ModuleActivity:
    """Zeros for a module that did nothing there."""
    rows = database.rows(_MODULE, (session_id, session_id, session_id, module))
    return ModuleActivity(module, *(rows[0] if rows else (0, 0, 0)))


def hops(database: Database, session_id: str) -> list[HopActivity]:
    """Each pair that spoke in the session, in the order of their first messages."""
    with database.snapshot():
        rows = database.rows(_HOPS, (session_id,))
        steps: dict[tuple[int, int], list[Row]] = {}
        for source, target, *step in database.rows(_LATENCIES, (session_id,)):
            steps.setdefault((source, target), []).append(tuple(step))
    return [
        HopActivity(source, target, messages, latency(steps.get((source_id, target_id), []), handled, latency_us))
        for source, target, messages, handled, latency_us, source_id, target_id in rows
    ]
