"""Backpressure: a publisher waits while the inbox that it sends to is longer than its limit.

Law: a limit that nobody set costs nothing. Where there is one, the lag of the slowest reader is measured from time to
time, not per message (readers are the module, and the projections: entries not stored yet stay on the server too). A
measurement grants the room that it found, for `SAMPLE_S` at the most. So an inbox may exceed its limit by the messages
of one call, and by those that other publishers were granted at the same moment; never without end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from claude_comm.client.arguments import check_choice, check_seconds
from claude_comm.client.publisher.within import bounded
from claude_comm.effects import Operation
from claude_comm.errors import InboxFull, ServerUnreachable
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import lag

OnLag: TypeAlias = Literal["wait", "refuse"]
DEFAULT_LAG_WAIT_S = 30.0
# How long the room that a measurement found may be used.
SAMPLE_S = 0.5
# Waits between two measurements of an inbox that is too long, doubling from the first to the last.
FIRST_WAIT_S, LAST_WAIT_S = 0.002, 0.2
# The time left to a request that waited for room in the inbox until its deadline.
LEAST_S = 0.001


class _Inbox:
    """The room left in one module's inbox, until when that is believed, and the reader that was furthest behind."""

    __slots__ = ("limit", "measured", "room", "until")

    def __init__(self, limit: int) -> None:
        self.limit, self.room, self.until = limit, 0, 0.0
        self.measured: lag.Slowest | None = None


class Backpressure:
    """The limits that one publisher knows. Topics have none: no single reader speaks for them."""

    def __init__(self, keys: Keys, default_limit: int, on_lag: OnLag, wait_s: float) -> None:
        check_choice("on_lag", on_lag, ("wait", "refuse"))
        check_seconds("lag_wait_s", wait_s)
        self._keys, self._default, self._on_lag, self._wait_s = keys, default_limit, on_lag, wait_s
        self._inboxes: dict[str, _Inbox | None] = {}
        # Whether there is any limit at all: what publishing looks at before anything else.
        self.on = default_limit > 0

    def learn(self, declared: Mapping[str, int]) -> None:
        """Takes note of the limits that modules declare, by their names; 0 where one declares none."""
        for module, limit in declared.items():
            self._limit(module, limit or self._default)

    def admits(self, target: str, count: int = 1) -> bool:
        """Whether that many messages may go to the target by the last measurement; if so, they count as sent."""
        if target not in self._inboxes:
            self._limit(target, 0 if target.startswith(TOPIC_PREFIX) else self._default)
        inbox = self._inboxes[target]
        if inbox is None:
            return True
        if inbox.room > 0 and time.monotonic() < inbox.until:
            inbox.room -= count
            return True
        return False

    def look(self, target: str, count: int, begun: float, within_s: float) -> Operation[bool]:
        """Measures the inbox; whether that many messages may go now.

        Raises InboxFull when there is no more waiting: since `begun` (monotonic seconds), `within_s` seconds or this
        publisher's own bound have passed.
        """
        if self.admits(target, count):
            return True
        inbox = self._inboxes[target]
        assert inbox is not None  # else it would have been admitted
        limit = inbox.limit
        try:
            slowest = yield from bounded(lag.slowest(self._keys, target, enough=limit), begun + within_s)
        except ServerUnreachable:
            # It answered before, and this time was cut short by the end of the waiting: the inbox is what is told of.
            if inbox.measured is None or time.monotonic() - begun < within_s:
                raise
            slowest = inbox.measured
        now, inbox.measured = time.monotonic(), slowest
        inbox.room, inbox.until = limit - slowest.lag.entries, now + SAMPLE_S
        if self.admits(target, count):
            return True
        if self._on_lag == "refuse" or now - begun >= min(self._wait_s, within_s):
            raise InboxFull(target, slowest.lag.entries, limit, now - begun, slowest.reader)
        return False

    def _limit(self, target: str, limit: int) -> None:
        known = self._inboxes.get(target)
        if not limit:
            self._inboxes[target] = None
        elif known is None or known.limit != limit:
            self._inboxes[target] = _Inbox(limit)
            self.on = True


def left(timeout_s: float, begun: float) -> float:
    """How much is left of a time that began then (monotonic seconds): enough to end by it."""
    return max(timeout_s - (time.monotonic() - begun), LEAST_S)


def waits_s() -> Iterator[float]:
    """The waits between measurements, without end."""
    wait_s = FIRST_WAIT_S
    while True:
        yield wait_s
        wait_s = min(wait_s * 2, LAST_WAIT_S)
