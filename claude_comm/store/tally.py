"""What a report counts in one pass over messages and their deliveries.

Law: a report of a million messages needs no more memory than one of a thousand: durations are counted in the steps of a
histogram (32 to each doubling), not kept, and of the slowest messages only as many as are shown.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from claude_comm.report.figures import LATENCY_CLASSES_MS, Percentiles, latency_class
from claude_comm.store.statements import Row
from claude_comm.store.traffic import bucket as step_of
from claude_comm.store.traffic import middle_us

# As deliveries are stored: the greatest is the message's.
HANDLED, BURIED = 1, 3
_SLOWEST = 20
_CLASSES = len(LATENCY_CLASSES_MS) + 1


class Histogram:
    """Durations, counted by step; the longest as it was."""

    def __init__(self) -> None:
        self.steps: Counter[int] = Counter()
        self.longest_us = 0

    def add(self, latency_us: int) -> None:
        self.steps[step_of(latency_us)] += 1
        self.longest_us = max(self.longest_us, latency_us)

    def percentiles(self) -> Percentiles | None:
        if not self.steps:
            return None
        ordered, total = sorted(self.steps.items()), self.steps.total()
        p50, p95, p99 = (
            min(_rank(ordered, math.ceil(share * total)), self.longest_us) / 1000 for share in (0.5, 0.95, 0.99)
        )
        return Percentiles(p50, p95, p99, self.longest_us / 1000)


class PairTotals:
    """What went from one module to another."""

    def __init__(self) -> None:
        self.messages = self.handled = self.buried = self.size_bytes = 0
        self.latency = Histogram()


class Slice:
    """One part of the time."""

    def __init__(self) -> None:
        self.sent: Counter[int] = Counter()
        self.classes = [0] * _CLASSES
        self.latency = Histogram()


class Tally:
    """Everything that is counted in one pass over the messages."""

    def __init__(self, start_us: int, bucket_us: int) -> None:
        self.start_us, self.bucket_us = start_us, bucket_us
        self.messages = self.size_bytes = self.retried = 0
        self.outcomes: Counter[int] = Counter()
        self.pairs: defaultdict[tuple[int, int], PairTotals] = defaultdict(PairTotals)
        self.slices: defaultdict[int, Slice] = defaultdict(Slice)
        self.latency = Histogram()
        self.slowest: list[tuple[int, int, int]] = []
        self._last, self._worst = -1, 0

    def add(self, row: Row) -> None:
        """One message, or one more delivery of the message before."""
        number, source, target, time_us, size_bytes, consumer, status, attempts, latency_us = row
        part = self.slices[(time_us - self.start_us) // self.bucket_us]
        pair = self.pairs[source, target if consumer is None else consumer]
        if number != self._last:
            self.close()
            self._last, self._worst = number, 0
            self.messages += 1
            self.size_bytes += size_bytes
            part.sent[source] += 1
        pair.messages += 1
        pair.size_bytes += size_bytes
        if consumer is not None:
            self._worst = max(self._worst, status)
            self.retried += attempts > 1
            if status == HANDLED:
                self._handled(pair, part, number, attempts, latency_us)
            elif status == BURIED:
                pair.buried += 1

    def _handled(self, pair: PairTotals, part: Slice, number: int, attempts: int, latency_us: int) -> None:
        pair.handled += 1
        for histogram in (pair.latency, part.latency, self.latency):
            histogram.add(latency_us)
        part.classes[latency_class(latency_us / 1000)] += 1
        slow = (latency_us, number, attempts)
        if len(self.slowest) < _SLOWEST:
            heapq.heappush(self.slowest, slow)
        elif slow > self.slowest[0]:
            heapq.heapreplace(self.slowest, slow)

    def close(self) -> None:
        """Counts the outcome of the message at hand: the worst that any of its consumers made of it."""
        if self._last >= 0:
            self.outcomes[self._worst] += 1


def _rank(ordered: Sequence[tuple[int, int]], rank: int) -> int:
    for step, count in ordered:
        rank -= count
        if rank <= 0:
            return middle_us(step)
    return middle_us(ordered[-1][0])
