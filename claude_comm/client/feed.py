"""Reading ahead: a thread reads while the handlers work, and they take from what it read.

Law: no more is held than the bounds allow, and no more than the handlers get through in about a second. Nothing is
handed out while paused or once closed; what is then not handed out yet is given back, and was no attempt.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from structlog.typing import FilteringBoundLogger

from claude_comm.client.consumer import Consumer
from claude_comm.client.delivery import Delivery
from claude_comm.delivery.pace import Ahead
from claude_comm.errors import TransportError

# How long one read waits for a message before the thread looks at its other duties.
_TURN_S = 0.25
# How long to wait before a server is tried again that does not answer.
_UNREACHABLE_WAIT_S = 0.5


class Feed:
    """What was read and waits for a hand. `idle` is called when there is nothing: acks need not wait any longer."""

    def __init__(self, consumer: Consumer, log: FilteringBoundLogger, ahead: Ahead, idle: Callable[[], None]) -> None:
        self._consumer, self._log, self._ahead, self._idle = consumer, log, ahead, idle
        self._ready: deque[Delivery] = deque()
        self._fed = threading.Condition()
        # Set when the thread that reads has something to do.
        self._wanted = threading.Event()
        self._closed = self._paused = self._barred = self._hungry = False
        self._waiting = 0
        self._wake: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="claude-comm feed", daemon=True)

    def start(self, wake: Callable[[], None] | None = None) -> None:
        """Begins to read; `wake` is called after each read that brought something."""
        self._wake = wake or self._wake
        self._thread.start()

    def poll(self) -> Delivery | None:
        """The next delivery, if there is one."""
        try:
            delivery = self._ready.popleft() if not self._barred else None
        except IndexError:
            delivery = None
        if delivery is None:
            self._starve()
            return None
        if self._hungry and len(self._ready) <= self._ahead.low():
            self._wanted.set()
        return delivery

    def take(self) -> Delivery | None:
        """The next delivery, waited for; None when no more will come."""
        while (delivery := self.poll()) is None:
            with self._fed:
                self._waiting += 1
                while (self._barred or not self._ready) and not self._closed:
                    self._fed.wait()
                self._waiting -= 1
            if self._closed:
                return None
        return delivery

    def following(self, fits: Callable[[Delivery], bool]) -> Iterator[Delivery]:
        """The next deliveries that are here already, as long as they fit."""
        while self._ready:
            try:
                delivery = self._ready.popleft()
            except IndexError:
                return
            if not fits(delivery):
                self._ready.appendleft(delivery)
                return
            yield delivery

    def pause(self) -> None:
        """Nothing is handed out until `resume`."""
        self._paused = self._barred = True
        self._wanted.set()

    def resume(self) -> None:
        self._paused, self._barred = False, self._closed
        self._wanted.set()
        self._tell_all()

    def close(self) -> None:
        """No more is read or handed out."""
        self._closed = self._barred = True
        self._wanted.set()
        self._tell_all()

    def join(self, timeout_s: float) -> None:
        """Waits for the thread; then gives back what nobody took. Raises TransportError."""
        self._thread.join(timeout_s)
        self._give_back()

    @property
    def closed(self) -> bool:
        return self._closed

    def _run(self) -> None:
        while not self._closed:
            if self._paused:
                self._rest()
            elif self._is_low():
                self._feed()
            else:
                self._wait()

    def _is_low(self) -> bool:
        """Whether it is time to read: little is left, or a hand is idle."""
        held = self._consumer.out
        return held <= self._ahead.low() or (not self._ready and held < self._ahead.limit)

    def _wait(self) -> None:
        self._hungry = True
        if not self._is_low():  # it may have become so before anybody knew that it matters
            self._wanted.wait(_TURN_S)
        self._hungry = False
        self._wanted.clear()

    def _feed(self) -> None:
        self._ahead.ran_low(time.monotonic())
        most = self._ahead.limit - self._consumer.out
        try:
            found = self._consumer.read(wait_s=_TURN_S, most=most)
        except TransportError as error:
            self._log.warning("server.unreachable", error=str(error))
            self._wanted.wait(_UNREACHABLE_WAIT_S)
            return
        if len(found) >= most:
            self._ahead.read(time.monotonic())
        if found:
            self._ready.extend(found)
            self._tell(len(found))

    def _tell(self, count: int) -> None:
        self._wake()
        if self._waiting:
            with self._fed:
                self._fed.notify(count)

    def _tell_all(self) -> None:
        self._wake()
        with self._fed:
            self._fed.notify_all()

    def _starve(self) -> None:
        """Nothing is here: acks may go, and the next read need not wait."""
        self._idle()
        if self._hungry:
            self._wanted.set()

    def _rest(self) -> None:
        """A turn of a pause."""
        try:
            self._give_back()
            self._consumer.flush()
        except TransportError as error:
            self._log.warning("server.unreachable", error=str(error))
        self._wanted.wait(_TURN_S)
        self._wanted.clear()

    def _give_back(self) -> None:
        waiting: list[Delivery] = []
        while self._ready:
            try:
                waiting.append(self._ready.popleft())
            except IndexError:
                break
        if waiting:
            self._consumer.give_back(*waiting)
