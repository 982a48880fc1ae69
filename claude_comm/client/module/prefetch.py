"""What a module has read and not handled yet, and how it comes by more.

Law: no more is held than the bounds allow, and no more than the handlers get through in about a second. While handlers
work, the server already works at the next read: it was sent when the one before had come. Nothing is handed out while
paused or once closed; what is then not handed out yet is given back, and was no attempt.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from claude_comm.client.consumer.consumer import Consumer
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.delivery.flow_control import Ahead
from claude_comm.errors import TransportError

# How long one read waits for a message before whoever reads looks at other duties.
_TURN_S = 0.25
# How long to wait before a server is tried again that does not answer.
_UNREACHABLE_WAIT_S = 0.5


class Feed:
    """What waits for a hand. A hand that finds nothing reads for all, one at a time.

    `idle` is called by a hand that has nothing to do: acks need not wait for it any longer.
    """

    def __init__(self, consumer: Consumer, log: FilteringBoundLogger, ahead: Ahead, idle: Callable[[], None]) -> None:
        self._consumer, self._log, self._ahead, self._idle = consumer, log, ahead, idle
        self._ready: deque[Delivery] = deque()
        self._begun_at = 0.0
        self._several = False
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._wake: Callable[[], None] = lambda: None
        self._closed = self._barred = False

    @property
    def closed(self) -> bool:
        return self._closed

    def poll(self) -> Delivery | None:
        """The next delivery, if there is one."""
        try:
            return None if self._barred else self._ready.popleft()
        except IndexError:
            return None

    def take(self) -> Delivery | None:
        """The next delivery, waited for; None when no more will come."""
        try:
            if not self._barred:
                return self._ready.popleft()
        except IndexError:
            pass
        return self._fetch()

    def following(self, most: int, fits: Callable[[Delivery], bool]) -> list[Delivery]:
        """Up to `most` of the next deliveries that are here already, as long as they fit."""
        found: list[Delivery] = []
        while len(found) < most and (delivery := self.poll()) is not None:
            if not fits(delivery):
                self._ready.appendleft(delivery)
                break
            found.append(delivery)
        return found

    def fill(self, wake: Callable[[], None]) -> None:
        """Reads for hands that cannot wait, until closed; `wake` is called when something is there for them."""
        self._wake = wake
        while not self._closed:
            if self._has_enough():
                self._wait(lambda: not self._has_enough())
                continue
            with self._reading:
                found = self._read()
            if found:
                wake()

    def starve(self) -> None:
        """A hand that cannot wait found nothing."""
        self._idle()
        self._tell(0)

    def tend(self) -> None:
        """From time to time, by another thread: takes in what was read ahead a while ago, because this process cannot
        keep the lease of what it does not know of; in a pause, gives back. Raises TransportError."""
        aged = self._consumer.ahead and time.monotonic() - self._begun_at > _TURN_S
        if (aged or (self._barred and self._ready)) and self._reading.acquire(blocking=False):
            try:
                self._ready.extend(self._consumer.take_in())
                if self._barred:
                    self._hand_over()
            finally:
                self._reading.release()
            self._tell(len(self._ready))

    def pause(self) -> None:
        """Nothing is handed out until `resume`, and what is not handed out yet is given back."""
        self._barred = True
        self._tell_all()

    def resume(self) -> None:
        self._barred = self._closed
        self._tell_all()

    def close(self) -> None:
        """No more is read or handed out."""
        self._closed = self._barred = True
        self._tell_all()

    def give_back(self, timeout_s: float) -> None:
        """Gives back what nobody took; waits so long for whoever reads. Raises TransportError."""
        if self._reading.acquire(timeout=timeout_s):
            try:
                self._hand_over()
            finally:
                self._reading.release()

    def _fetch(self) -> Delivery | None:
        while (delivery := self.poll()) is None:
            if self._closed:
                return None
            if self._reading.acquire(blocking=False):
                try:
                    found = self._read()
                finally:
                    self._reading.release()
                self._tell(found)
            else:
                self._idle()
                self._wait(lambda: bool(self._ready) or not self._reading.locked())
        return delivery

    def _read(self) -> int:
        """One read by who holds the lock, and how much it brought; or a turn of a pause."""
        try:
            if self._barred:
                self._hand_over()
                self._consumer.flush()
                self._wait(lambda: not self._barred)
                return 0
            self._ahead.ran_low(time.monotonic())
            if self._several:
                self._begin()
            found = self._consumer.arrived()
            if not found:
                found = self._consumer.read(wait_s=_TURN_S, most=self._ahead.limit - self._consumer.out)
            if self._consumer.filled:
                self._ahead.read(time.monotonic())
            self._several = len(found) > 1 and not self._barred
            self._ready.extend(found)
            return len(found)
        except TransportError as error:
            self._log.warning("server.unreachable", error=str(error))
            self._wait(lambda: False, _UNREACHABLE_WAIT_S)
            return 0

    def _begin(self) -> None:
        """Sends the next reads, because several came at once, as far as they may be held beside what is here."""
        share, consumer = self._share(), self._consumer
        while consumer.out + consumer.ahead + share <= self._ahead.limit and consumer.begin_read(most=share):
            self._begun_at = time.monotonic()

    def _share(self) -> int:
        """How many one read asks for, so that another may be on its way beside it."""
        return max(self._ahead.limit // 2, 1)

    def _hand_over(self) -> None:
        """Gives back what nobody took."""
        self._ready.extend(self._consumer.take_in())
        waiting = []
        while self._ready:
            waiting.append(self._ready.popleft())
        if waiting:
            self._consumer.give_back(*waiting)

    def _has_enough(self) -> bool:
        """Whether nothing is to be read now for hands that cannot wait."""
        held = self._consumer.out
        return not self._barred and (held >= self._ahead.limit or (bool(self._ready) and held > self._ahead.limit // 2))

    def _wait(self, until: Callable[[], bool], timeout_s: float = _TURN_S) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or until(), timeout_s)

    def _tell(self, found: int) -> None:
        """So many may be taken, and one may read."""
        with self._changed:
            self._changed.notify(found + 1)

    def _tell_all(self) -> None:
        self._wake()
        with self._changed:
            self._changed.notify_all()
