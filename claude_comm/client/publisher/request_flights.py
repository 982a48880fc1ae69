"""Requests of several threads, sent together: one thread sends for all that wait, and each keeps its own deadline.

Law: no request waits for company that may not come. One that finds none on its way is sent at once; those that arrive
meanwhile travel together in the next flight, which one of them sends. Whoever leaves, for whatever reason, hands the
sending on.

Theory of operation. Threads whose answers came together are woken together, and most of them ask again. The first of
them would send its request alone and hold up the rest for a round trip: the server, the module and this process would
take turns. So it waits, for `COMPANY_S` at most, until half of all are there: that half is on its way, and the module
works on it, while the other half is still made here. Both may be on their way at once.

Worked example, 32 threads whose answers came together:

    woke      32 are about to be woken, so 16 are enough for a flight
    enter     the first of them waits for company; those behind it are queued
    enter     the 16th finds enough queued, and sends all 16; the first waits for its answer now, as they do
    enter     the next are queued beside that flight; the 32nd is the 16th of them, and sends these
    woke      the 16 answers to the first flight have come, and 16 others wait: again 16 are enough

Threads that have something else to do between two requests do not come together. Once company was waited for in vain
it is not waited for the next time, then three times, then seven; until it comes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from claude_comm.effects import Post
from claude_comm.envelope import Envelope
from claude_comm.errors import TransportError
from claude_comm.ops.publish import Outcomes

# Sends these until that moment (monotonic seconds); raises TransportError when nothing of it is sent.
Send: TypeAlias = Callable[[Sequence[Post], float], Outcomes]

# From how many threads on those that were woken together are halved; how many requests make another flight beside those
# under way; and how many may be under way at once.
HALVED, NEXT_FLIGHT, MAX_FLIGHTS = 16, 16, 4
# How long the first of those that were woken together waits for the others: about what a flight takes, so that it
# never costs more than the round trip that it saves.
COMPANY_S = 0.000_3
# How many times at most company is not waited for after it has not come once more.
_MOST_RESTS = 255
# No number of requests is enough by itself.
_NONE_ENOUGH = 1 << 30
# With less time left than that, the sender gave up because of its own deadline, and not for all.
_HASTE_S = 1.0


class Slot:
    """Where one thread waits for one answer. A bare lock costs less than an Event with its condition."""

    __slots__ = ("_gate", "answer", "error", "leads", "post", "queued", "until")

    def __init__(self, post: Post, until: float) -> None:
        self.post, self.until = post, until
        self.answer: Envelope | None = None
        self.error: TransportError | None = None
        # Whether it is queued to be sent; whether this thread sends the next flight.
        self.queued = self.leads = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def put(self, answer: Envelope) -> None:
        self.answer = answer
        # As `wake`, written out: this runs for every answer, while all that were woken before wait for the interpreter.
        try:
            self._gate.release()
        except RuntimeError:
            return

    def fail(self, error: TransportError) -> None:
        self.error = error
        self.wake()

    def wake(self) -> None:
        with suppress(RuntimeError):  # it is awake, and looks at everything
            self._gate.release()

    def sleep(self, until: float) -> bool:
        """Until something changes; False when the time is over."""
        left_s = until - time.monotonic()
        return self._gate.acquire(True, left_s if left_s > 0 else 0)


class Flights:
    """The requests of one publisher on their way to the server."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._waiting: deque[Slot] = deque()
        # How many threads send, or are woken to send; and the one that waits for company.
        self._leaders = 0
        self._first: Slot | None = None
        # How many threads were woken and have not come with another request; and how many requests go without the rest.
        self._woken, self._enough = 0, _NONE_ENOUGH
        # How often nobody waits for company, since it has not come; and how often that still is.
        self._rests = self._resting = 0

    def woke(self, count: int, waiting: int) -> None:
        """So many threads are about to have their answers, and are likely to ask again; others wait for theirs."""
        with self._lock:
            together = self._woken + count + waiting
            if together < HALVED or self._resting:
                self._resting = max(self._resting - 1, 0)
                self._woken, self._enough = 0, _NONE_ENOUGH
            else:
                self._woken, self._enough = self._woken + count, (together + 1) // 2

    def wait(self, slot: Slot) -> None:
        """Returns when the request has its answer or cannot be sent, or its time is over."""
        try:
            self._enter(slot)
            while slot.answer is None and slot.error is None and (slot.leads or self._wait(slot)):
                if slot.leads:
                    self._lead(slot)
        finally:
            self._leave(slot)

    def _enter(self, slot: Slot) -> None:
        with self._lock:
            self._waiting.append(slot)
            slot.queued = True
            if self._woken or self._leaders:
                self._woken = max(self._woken - 1, 0)
                if not self._complete():
                    if not self._leaders and self._first is None:
                        self._first = slot
                    return
                if self._first is not None:
                    self._rests = 0
            self._appoint(slot)

    def _complete(self) -> bool:
        """Whether what waits is to be sent now, beside what is on its way."""
        waiting = len(self._waiting)
        if waiting >= self._enough:
            return self._leaders < MAX_FLIGHTS
        if self._woken:
            return False
        return not self._leaders or (waiting >= NEXT_FLIGHT and self._leaders < MAX_FLIGHTS)

    def _appoint(self, slot: Slot) -> None:
        self._leaders += 1
        self._first, slot.leads = None, True

    def _wait(self, slot: Slot) -> bool:
        """Until something changes; False when the time is over."""
        if slot is not self._first:
            return slot.sleep(slot.until)
        if slot.sleep(min(slot.until, time.monotonic() + COMPANY_S)):
            return True
        if time.monotonic() >= slot.until:
            return False
        with self._lock:
            if slot is self._first:
                self._woken, self._enough = 0, _NONE_ENOUGH
                self._rests = self._resting = min(2 * self._rests + 1, _MOST_RESTS)
                self._appoint(slot)
        return True

    def _lead(self, slot: Slot) -> None:
        """Sends all that wait, and hands the sending on."""
        with self._lock:
            slots = list(self._waiting)
            self._waiting.clear()
            for other in slots:
                other.queued = False
        try:
            outcomes = self._send([other.post for other in slots], slot.until) if slots else []
        except TransportError as error:
            self._failed(slot, slots, error)
        except BaseException:  # this thread was interrupted: what it carried is left to the others
            self._put_back([other for other in slots if other is not slot])
            raise
        else:
            for other, outcome in zip(slots, outcomes, strict=True):
                if isinstance(outcome, TransportError):
                    other.fail(outcome)
        self._hand_on(slot)

    def _failed(self, slot: Slot, slots: Sequence[Slot], error: TransportError) -> None:
        """The sender's own deadline is not that of the others."""
        hasty = slot.until - time.monotonic() < _HASTE_S
        left = [other for other in slots if hasty and other.until > slot.until]
        self._put_back(left)
        for other in slots:
            if other not in left:
                other.fail(error)

    def _put_back(self, slots: Sequence[Slot]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(slots))
            for slot in slots:
                slot.queued = True

    def _leave(self, slot: Slot) -> None:
        # Nearly every request was sent: to look for it in the queue would cost more than all else that is done here.
        if slot.queued:
            with self._lock, suppress(ValueError):
                self._waiting.remove(slot)
        if slot.leads or slot is self._first:
            self._hand_on(slot)

    def _hand_on(self, slot: Slot) -> None:
        with self._lock:
            if slot.leads:
                slot.leads = False
                self._leaders -= 1
            if slot is self._first:
                self._first = None
            if self._waiting and not self._leaders and self._first is None:
                self._appoint(self._waiting[0])
                self._waiting[0].wake()
