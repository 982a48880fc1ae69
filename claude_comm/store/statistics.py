"""Figures over the projection: pairs of modules, and one session as a monitor shows it.

Law: read only; a snapshot's figures belong to one state of the database. Latency is from when a message was sent to
when its handler had returned, in milliseconds; percentiles are by nearest rank, each within 1.6 % of a value that
occurred. All come from sums that are kept while messages are stored, so that they cost the same however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from claude_comm.names import TOPIC_PREFIX
from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.records import ProgressRow, SessionRow
from claude_comm.store.statements import Row
from claude_comm.store.tasks import tasks
from claude_comm.store.traffic import middle_us


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
SELECT t.messages, t.handled, t.failed, t.from_topics, t.latency_us, t.source, t.target
FROM traffic AS t
WHERE t.session = 0 AND t.source = (SELECT id FROM names WHERE name = ?)
    AND t.target = (SELECT id FROM names WHERE name = ?)
"""
_PAIRS = f"""
SELECT s.name, t.name FROM traffic AS x JOIN names AS s ON s.id = x.source JOIN names AS t ON t.id = x.target
WHERE x.session = 0 AND t.name NOT LIKE '{TOPIC_PREFIX}%' ORDER BY 1, 2
"""
_SESSION = """
SELECT sum(messages), sum(messages_handled), sum(messages_failed), sum(size_bytes), sum(handled), sum(latency_us)
FROM traffic WHERE session = (SELECT id FROM names WHERE name = ?) AND session != 0
"""
_PAIR_LATENCIES = "SELECT bucket, deliveries FROM latencies WHERE session = 0 AND source = ? AND target = ? ORDER BY 1"
_SESSION_LATENCIES = """
SELECT bucket, sum(deliveries) FROM latencies
WHERE session = (SELECT id FROM names WHERE name = ?) AND session != 0 GROUP BY 1 ORDER BY 1
"""


def pair_statistics(database: Database, source: str, target: str) -> PairStatistics:
    """Over all that was ever stored; zeros for a pair that never spoke."""
    with database.snapshot():
        sums = database.rows(_PAIR, (source, target))
        if not sums:
            return PairStatistics(source, target, 0, 0, 0, 0, None, None)
        [(messages, handled, failed, from_topics, latency_us, *pair)] = sums
        steps = database.rows(_PAIR_LATENCIES, pair)
    count, settled = messages + from_topics, handled + failed
    rate = handled / settled if settled else None
    return PairStatistics(
        source, target, count, handled, failed, count - settled, rate, latency(steps, handled, latency_us)
    )


def pairs(database: Database) -> list[tuple[str, str]]:
    """Every (source, target) that has spoken, a topic's consumers among the targets."""
    return [(source, target) for source, target in database.rows(_PAIRS)]


def session_snapshot(database: Database, session_id: str) -> SessionSnapshot:
    """What a monitor shows of a session, known or not."""
    with database.snapshot():
        sums = (number or 0 for number in database.rows(_SESSION, (session_id,))[0])
        messages, handled, failed, size_bytes, deliveries, latency_us = sums
        steps = database.rows(_SESSION_LATENCIES, (session_id,))
        files = database.rows(
            "SELECT status, count(*) FROM file_operations WHERE session_id = ? GROUP BY 1", (session_id,)
        )
        progress = tasks(database, session=session_id) if session_id else []
        known = queries.session(database, session_id)
    return SessionSnapshot(
        session_id=session_id,
        session=known,
        messages=messages,
        handled=handled,
        failed=failed,
        pending=messages - handled - failed,
        size_bytes=size_bytes,
        latency=latency(steps, deliveries, latency_us),
        file_operations=dict(files),
        progress=progress,
    )


def latency(steps: Sequence[Row], handled: int, total_us: int) -> Latency | None:
    """From a histogram, as pairs of a step and its count in ascending order, and the sum of all; None when there is
    nothing to measure."""
    if not handled or not steps:
        return None
    return Latency(
        p50_ms=_rank(steps, 0.50) / 1000,
        p95_ms=_rank(steps, 0.95) / 1000,
        mean_ms=total_us / handled / 1000,
    )


def _rank(steps: Sequence[Row], share: float) -> int:
    """The middle of the step that holds the value of this rank."""
    left = math.ceil(share * sum(count for _, count in steps))
    for step, count in steps:
        left -= count
        if left <= 0:
            return middle_us(step)
    return middle_us(steps[-1][0])
