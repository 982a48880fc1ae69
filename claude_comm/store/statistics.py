"""Figures over the projection: pairs of modules, and one session as a monitor shows it.

Law: read only; a snapshot's figures belong to one state of the database. Latency is from when a message was sent to
when its handler had returned, in milliseconds; percentiles are by nearest rank, so each is a value that occurred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.records import ProgressRow, SessionRow


class Latency(msgspec.Struct, frozen=True):
    """Over the deliveries that were handled."""

    p50_ms: float
    p95_ms: float
    mean_ms: float


class PairStatistics(msgspec.Struct, frozen=True):
    """The messages from one module to another: direct ones, and those of topics that the other has settled.

    `pending` are those that the target has not settled; `success_rate` is handled among the settled, None while
    none is.
    """

    source: str
    target: str
    count: int
    handled: int
    failed: int
    pending: int
    success_rate: float | None
    latency: Latency | None


class SessionSnapshot(msgspec.Struct, frozen=True):
    """One session now; `session` is None while nothing of it has been seen. File operations by status."""

    session_id: str
    session: SessionRow | None
    messages: int
    handled: int
    failed: int
    pending: int
    size_bytes: int
    latency: Latency | None
    file_operations: dict[str, int]
    progress: list[ProgressRow]


_PAIR = """
SELECT d.status, d.settled_us - d.sent_us
FROM messages AS m LEFT JOIN deliveries AS d
    ON d.message_id = m.message_id AND d.source = m.source AND d.consumer = m.target
WHERE m.target = ?2 AND m.source = ?1
UNION ALL
SELECT d.status, d.settled_us - d.sent_us
FROM deliveries AS d JOIN messages AS m ON m.message_id = d.message_id AND m.source = d.source
WHERE d.consumer = ?2 AND d.source = ?1 AND m.target != d.consumer
"""
_PAIRS = """
SELECT source, target FROM messages WHERE target NOT LIKE 'topic:%'
UNION SELECT source, consumer FROM deliveries ORDER BY 1, 2
"""
_SESSION_MESSAGES = """
SELECT coalesce(c.status, 'sent'), count(*), sum(m.size_bytes)
FROM messages AS m LEFT JOIN module_communications AS c ON c.id = m.communication
WHERE m.session = ? AND m.session != '' GROUP BY 1
"""
_SESSION_LATENCY = """
SELECT d.settled_us - d.sent_us
FROM messages AS m JOIN deliveries AS d ON d.message_id = m.message_id AND d.source = m.source
WHERE m.session = ? AND m.session != '' AND d.status = 'handled'
"""


def pair_statistics(database: Database, source: str, target: str) -> PairStatistics:
    """Over all that is stored; zeros for a pair that never spoke."""
    rows = database.rows(_PAIR, (source, target))
    handled_us = [latency_us for status, latency_us in rows if status == "handled"]
    handled, failed = len(handled_us), sum(status == "buried" for status, _ in rows)
    settled = handled + failed
    rate = handled / settled if settled else None
    return PairStatistics(source, target, len(rows), handled, failed, len(rows) - settled, rate, latency(handled_us))


def pairs(database: Database) -> list[tuple[str, str]]:
    """Every (source, target) that has spoken, a topic's consumers among the targets."""
    return [(source, target) for source, target in database.rows(_PAIRS)]


def session_snapshot(database: Database, session_id: str) -> SessionSnapshot:
    """What a monitor shows of a session, known or not."""
    with database.snapshot():
        by_status = {status: (n, size) for status, n, size in database.rows(_SESSION_MESSAGES, (session_id,))}
        latencies = [us for (us,) in database.rows(_SESSION_LATENCY, (session_id,))]
        files = database.rows(
            "SELECT status, count(*) FROM file_operations WHERE session_id = ? GROUP BY 1", (session_id,)
        )
        progress = [row for row in queries.progress(database) if row.session == session_id]
        known = queries.session(database, session_id)
    number = {status: n for status, (n, _) in by_status.items()}
    return SessionSnapshot(
        session_id=session_id,
        session=known,
        messages=sum(number.values()),
        handled=number.get("handled", 0),
        failed=number.get("failed", 0),
        pending=number.get("sent", 0) + number.get("retrying", 0),
        size_bytes=sum(size for _, size in by_status.values()),
        latency=latency(latencies),
        file_operations=dict(files),
        progress=progress,
    )


def latency(latencies_us: Sequence[int]) -> Latency | None:
    """None when there is nothing to measure. A clock that ran backwards between two machines counts as zero."""
    if not latencies_us:
        return None
    ordered = sorted(max(0, latency_us) for latency_us in latencies_us)
    return Latency(
        p50_ms=_rank(ordered, 0.50) / 1000,
        p95_ms=_rank(ordered, 0.95) / 1000,
        mean_ms=sum(ordered) / len(ordered) / 1000,
    )


def _rank(ordered: Sequence[int], share: float) -> int:
    return ordered[math.ceil(share * len(ordered)) - 1]
