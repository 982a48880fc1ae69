"""Sums of messages and deliveries by session, source and target, and how long deliveries took.

Law: only ever changed in the transaction that changes the rows, by the difference; so a sum holds whatever was stored,
also after its rows were pruned. Session 0 sums up all messages, those of a session and those of none.

Latencies are a histogram with 32 steps to each doubling (the layout of HdrHistogram): a percentile read from it is
within 1.6 % of a latency that occurred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from claude_comm.store.statements import Writer, insert_rows

HANDLED, RETRYING, BURIED = 1, 2, 3
# Of a message or delivery of which nothing is known yet.
NOTHING = 0

_STEP_BITS = 5
_STEPS = 1 << _STEP_BITS

_COUNTS = (
    *("messages_handled", "messages_retrying", "messages_failed"),
    *("handled", "retrying", "failed", "from_topics", "latency_us"),
)
_COLUMNS = f"session, source, target, {', '.join(_COUNTS)}"
_ADD = "ON CONFLICT (session, source, target) DO UPDATE SET " + ", ".join(
    f"{name} = {name} + excluded.{name}" for name in _COUNTS
)
_ADD_LATENCIES = (
    "ON CONFLICT (session, source, target, bucket) DO UPDATE SET deliveries = deliveries + excluded.deliveries"
)
# A year: what a foreign clock claims beyond that would overflow the sums.
_MAX_LATENCY_US = 1 << 45
# Where each status is counted, for messages and for deliveries.
_MESSAGES = {HANDLED: 0, RETRYING: 1, BURIED: 2}
_DELIVERIES = {HANDLED: 3, RETRYING: 4, BURIED: 5}
_FROM_TOPICS, _LATENCY = 6, 7

# NOT INDEXED: from the first new number on. In the order of an index it would walk all messages, to group them.
_ADD_NEW_MESSAGES = """
INSERT INTO traffic (session, source, target, messages, size_bytes, first_us, last_us)
SELECT {session}, source, target, count(*), sum(size_bytes), min(time_us), max(time_us)
FROM packed_messages NOT INDEXED WHERE number >= ? {where} GROUP BY 1, 2, 3
ON CONFLICT (session, source, target) DO UPDATE SET
    messages = messages + excluded.messages, size_bytes = size_bytes + excluded.size_bytes,
    first_us = min(coalesce(first_us, excluded.first_us), excluded.first_us),
    last_us = max(coalesce(last_us, excluded.last_us), excluded.last_us)
"""
_ADD_TO_ALL = _ADD_NEW_MESSAGES.format(session="0", where="")
_ADD_TO_SESSIONS = _ADD_NEW_MESSAGES.format(session="session", where="AND session != 0")


class Traffic:
    """What one batch changes."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int, int], list[int]] = {}
        self._latencies: dict[tuple[int, int, int, int], int] = {}
        # By session, source, target and consumer: latencies of messages handled at their first and only delivery.
        self._plain: dict[tuple[int, int, int, int], list[int]] = {}

    def plain(self, session: int, source: int, target: int, consumer: int, latency_us: int) -> None:
        """The first that becomes of a message is that it was handled."""
        key = (session, source, target, consumer)
        latencies = self._plain.get(key)
        if latencies is None:
            latencies = self._plain[key] = []
        latencies.append(latency_us)

    def message(self, session: int, source: int, target: int, before: int, now: int) -> None:
        """The worst that became of a message was `before` and is `now`."""
        sums = self._of(session, source, target)
        if before:
            sums[_MESSAGES[before]] -= 1
        sums[_MESSAGES[now]] += 1

    def another(self, session: int, source: int, target: int, consumer: int, status: int, latency_us: int) -> None:
        """The first that is known of a delivery."""
        self._of(session, source, consumer)[_FROM_TOPICS] += target != consumer
        self._delivery(session, source, consumer, status, [latency_us], 1)

    def changed(
        self, session: int, source: int, consumer: int, before: int, before_us: int, now: int, latency_us: int
    ) -> None:
        """A delivery was `before`, with that latency, and is `now`."""
        self._delivery(session, source, consumer, before, [before_us], -1)
        self._delivery(session, source, consumer, now, [latency_us], 1)

    def write(self, writer: Writer, first_message: int) -> None:
        """Adds the new messages, those numbered from `first_message`, and what became of messages."""
        writer.execute(_ADD_TO_ALL, (first_message,))
        writer.execute(_ADD_TO_SESSIONS, (first_message,))
        self._add_plain()
        sums, latencies = _with_totals(self._sums), dict(self._latencies)
        for (session, source, target, step), count in self._latencies.items():
            if session:
                total = (0, source, target, step)
                latencies[total] = latencies.get(total, 0) + count
        insert_rows(writer, "traffic", _COLUMNS, [(*key, *counts) for key, counts in sums.items()], _ADD)
        rows = [(*key, count) for key, count in latencies.items() if count]
        insert_rows(writer, "latencies", "session, source, target, bucket, deliveries", rows, _ADD_LATENCIES)

    def _of(self, session: int, source: int, target: int) -> list[int]:
        key = (session, source, target)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0] * len(_COUNTS)
        return sums

    def _add_plain(self) -> None:
        for (session, source, target, consumer), latencies in self._plain.items():
            self._of(session, source, target)[_MESSAGES[HANDLED]] += len(latencies)
            self._of(session, source, consumer)[_FROM_TOPICS] += len(latencies) if target != consumer else 0
            self._delivery(session, source, consumer, HANDLED, latencies, 1)
        self._plain = {}

    def _delivery(
        self, session: int, source: int, consumer: int, status: int, latencies_us: Sequence[int], count: int
    ) -> None:
        """Adds deliveries of this status, or takes them away."""
        sums = self._of(session, source, consumer)
        sums[_DELIVERIES[status]] += count * len(latencies_us)
        if status != HANDLED:
            return
        # A clock that ran backwards between two machines counts as zero.
        bounded = [min(max(latency_us, 0), _MAX_LATENCY_US) for latency_us in latencies_us]
        sums[_LATENCY] += count * sum(bounded)
        for step, deliveries in Counter(map(bucket, bounded)).items():
            key = (session, source, consumer, step)
            self._latencies[key] = self._latencies.get(key, 0) + count * deliveries


def _with_totals(sums: dict[tuple[int, int, int], list[int]]) -> dict[tuple[int, int, int], list[int]]:
    """Those of single sessions are in the sums over all as well."""
    every = {key: list(counts) for key, counts in sums.items()}
    for (session, source, target), counts in sums.items():
        if session:
            total = every.setdefault((0, source, target), [0] * len(_COUNTS))
            for at, count in enumerate(counts):
                total[at] += count
    return every


def bucket(latency_us: int) -> int:
    """Which step of the histogram this is; exact below 64 µs."""
    if latency_us < 2 * _STEPS:
        return latency_us
    shift = latency_us.bit_length() - _STEP_BITS - 1
    return (shift << _STEP_BITS) + (latency_us >> shift)


def middle_us(step: int) -> int:
    """The latency in the middle of a step."""
    if step < 2 * _STEPS:
        return step
    shift = (step >> _STEP_BITS) - 1
    return ((step - (shift << _STEP_BITS)) << shift) + (1 << shift) // 2
