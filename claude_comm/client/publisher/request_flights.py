"""Requests of several threads, sent together: one thread sends for all that wait, and each keeps its own deadline.

Law: no request waits for company. One that finds none on its way is sent at once; those that arrive meanwhile travel
together in the next flight, which one of them sends. Whoever leaves, for whatever reason, hands the sending on.
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

# With less time left than that, the sender gave up because of its own deadline, and not for all.
_HASTE_S = 1.0


class Slot:
    """Where one thread waits for one answer. A bare lock costs less than an Event with its condition."""

    __slots__ = ("_gate", "answer", "error", "leads", "post", "until")

    def __init__(self, post: Post, until: float) -> None:
        self.post, self.until = post, until
        self.answer: Envelope | None = None
        self.error: TransportError | None = None
        # Whether this thread sends the next flight.
        self.leads = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def put(self, answer: Envelope) -> None:
        self.answer = answer
        self.wake()

    def fail(self, error: TransportError) -> None:
        self.error = error
        self.wake()

    def wake(self) -> None:
        with suppress(RuntimeError):  # it is awake, and looks at everything
            self._gate.release()

    def sleep(self, until: float) -> bool:
        """Until something changes; False when the time is over."""
        return self._gate.acquire(timeout=max(until - time.monotonic(), 0))


class Flights:
    """The requests of one publisher on their way to the server."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[Slot] = deque()

    def wait(self, slot: Slot) -> None:
        """Returns when the request has its answer or cannot be sent, or its time is over."""
        try:
            self._enter(slot)
            while slot.answer is None and slot.error is None and (slot.leads or slot.sleep(slot.until)):
                if slot.leads:
                    self._lead(slot)
        finally:
            self._leave(slot)

    def _enter(self, slot: Slot) -> None:
        with self._lock:
            self._waiting.append(slot)
            if not self._busy:
                self._busy = slot.leads = True

    def _lead(self, slot: Slot) -> None:
        """Sends all that wait, and hands the sending on."""
        with self._lock:
            slots = list(self._waiting)
            self._waiting.clear()
        try:
            outcomes = self._send([other.post for other in slots], slot.until)
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

    def _leave(self, slot: Slot) -> None:
        with self._lock, suppress(ValueError):
            self._waiting.remove(slot)
        if slot.leads:
            self._hand_on(slot)

    def _hand_on(self, slot: Slot) -> None:
        with self._lock:
            slot.leads = False
            self._busy = bool(self._waiting)
            if self._busy:
                self._waiting[0].leads = True
                self._waiting[0].wake()
