"""How many messages there were over time, and how many of them failed.

Law: read only. Messages are counted by their times, exactly; the count of a part that is over is kept, so
that a view which is refreshed counts the last part alone. The work of one look is bounded: parts for which there
was no time are None, and counted at the next look. Failures are those of the latest twenty thousand.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from claude_comm.store.database import Database

# A message may be stored this much later than it was sent, and still be counted.
_OPEN_US = 30_000_000
_KEPT, _FAILURES = 20_000, 20_000


class Rate(msgspec.Struct, frozen=True):
    """One part of the time from `start_us` on (microseconds): its messages, and those of them that were buried."""

    start_us: int
    messages: int | None
    failed: int


_MESSAGES = "SELECT count(*) FROM packed_messages INDEXED BY messages_by_time WHERE time_us >= ? AND time_us < ?"
_FAILED = f"""
SELECT (m.time_us - ?) / ?, count(*) FROM (
    SELECT DISTINCT message FROM packed_deliveries INDEXED BY deliveries_not_handled
    WHERE status = 3 AND status != 1 ORDER BY message DESC LIMIT {_FAILURES}
) AS d JOIN packed_messages AS m ON m.number = d.message WHERE m.time_us >= ? GROUP BY 1
"""


class RateCounter:
    """Counts for all views of one process; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._closed: dict[tuple[int, int], int] = {}

    def parts(
        self, database: Database, *, start_us: int, bucket_us: int, buckets: int, now_us: int, within_s: float = 0.3
    ) -> list[Rate]:
        """Even parts of a time, the earliest first; the latest are counted first."""
        ends_s = self._clock() + within_s
        with database.snapshot():
            failed: dict[int, int] = dict(database.rows(_FAILED, (start_us, bucket_us, start_us)))
            counts: dict[int, int | None] = {}
            for at in reversed(range(buckets)):
                known = self._closed.get((start_us + at * bucket_us, bucket_us))
                late = known is None and bool(counts) and self._clock() > ends_s
                counts[at] = None if late else self._count(database, start_us + at * bucket_us, bucket_us, now_us)
        return [Rate(start_us + at * bucket_us, counts[at], failed.get(at, 0)) for at in range(buckets)]

    def _count(self, database: Database, start_us: int, bucket_us: int, now_us: int) -> int:
        known = self._closed.get((start_us, bucket_us))
        if known is not None:
            return known
        ((count,),) = database.rows(_MESSAGES, (start_us, start_us + bucket_us))
        if start_us + bucket_us + _OPEN_US < now_us:
            self._closed[start_us, bucket_us] = int(count)
            while len(self._closed) > _KEPT:
                self._closed.pop(next(iter(self._closed)), None)
        return int(count)
