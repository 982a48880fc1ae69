"""The sums of the projection as an exporter of metrics reads them: a row per pair, however many messages there are."""

from __future__ import annotations

import msgspec

from claude_comm.store.database import Database
from claude_comm.store.traffic import middle_us


class PairTraffic(msgspec.Struct, frozen=True):
    """What one module sent to another, or to a topic, and what became of deliveries from the one to the other."""

    source: str
    target: str
    messages: int
    size_bytes: int
    handled: int
    retrying: int
    buried: int
    latency_us: int


class LatencyStep(msgspec.Struct, frozen=True):
    """How many handled deliveries took about that long."""

    source: str
    target: str
    about_us: int
    deliveries: int


_PAIRS = """
SELECT s.name AS source, t.name AS target, x.messages, x.size_bytes, x.handled, x.retrying, x.failed AS buried,
       x.latency_us
FROM traffic AS x JOIN names AS s ON s.id = x.source JOIN names AS t ON t.id = x.target
WHERE x.session = 0 ORDER BY 1, 2
"""
_STEPS = """
SELECT s.name AS source, t.name AS target, l.bucket AS about_us, l.deliveries
FROM latencies AS l JOIN names AS s ON s.id = l.source JOIN names AS t ON t.id = l.target
WHERE l.session = 0 ORDER BY 1, 2
"""


def pair_traffic(database: Database) -> list[PairTraffic]:
    """By source and target, over all sessions."""
    return database.records(PairTraffic, _PAIRS)


def latency_steps(database: Database) -> list[LatencyStep]:
    """The steps of the latencies of each pair, over all sessions."""
    return database.records(LatencyStep, _STEPS, decode={"about_us": middle_us})
