"""Prefetching: what a module has read and not handled yet, and when it reads more.

Law: no more is held than the bounds allow, and no more than the handlers get through in about a second. Nothing is
handed out while paused or once closed; deliveries that are then not handed out are given back, which is no attempt.

Theory of operation. Workers (threads, or the tasks of one loop) take deliveries from one queue, `_ready`. There is no
reading thread beside worker threads: a worker that finds the queue empty becomes the reader for all of them, if no
other worker is, and then takes its delivery like the rest. So a lone message goes from the socket to its handler
without a change of threads, and it is handled by the very thread that read it. Workers that cannot wait (tasks) have a
thread that reads for them, `fill`. While several messages come at once it parks, and the workers take in themselves
what has arrived (`read_arrived`), which needs no wait: two threads that hand the interpreter to and fro took half as
long again.

Two clocks decide how much is read. `Ahead` measures how fast the handlers are, and limits what is held to half a second
of their work: deliveries held here are invisible to other instances, which may be idle. And while more is waiting than
one read takes, the next is begun before the last one is handled (`ReadAhead`): the server works on it meanwhile, and
the queue is refilled without waiting for a round trip. Where a read brings all that waits, as it does of requests whose
senders wait for their answers, one that was begun would come back empty, and be followed by one that waits: so a worker
waits for the next ones at once, and that read carries the acks and answers.

Worked example, one worker thread and a limit of 16, with 40 messages in the inbox:

    take      the queue is empty: the worker reads 16 (1..16), handles 1
              16 came at once, so the next time it reads, it begins reads ahead
    take      2..16 from the queue, no exchange with the server; their acks are gathered
    take      empty again: it begins a read of 8 (17..24), which carries the 16 acks, and behind it a second of 8
              (25..32); it takes 17..24 and handles 17 while the server answers the second
    take      ... at 25 it begins the next one (33..40), and so on; the limit is raised as the handlers prove quick
    pause     now: 33..40 are not handed out; the reader takes in what was requested and gives all of it back

A read that is begun and not taken in is a risk: the server has handed those entries to this consumer, and this process
cannot renew leases that it does not know of. So the thread of `Upkeep` calls `maintain`, which takes in a read that
was begun a while ago and whose workers are all busy.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.read_ahead import ReadAhead
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.delivery.flow_control import Ahead
from claude_comm.errors import TransportError
from claude_comm.runtime.outage import Outage
from claude_comm.transport.driver import Begun, Client

# How long one read waits for a message before the reader looks at its other duties.
_READ_WAIT_S = 0.25


class Prefetcher:
    """The queue of deliveries that wait for a worker. A worker that finds it empty reads for all, one at a time.

    `idle` is called when a worker has nothing to do: acks need not wait for it any longer. `soon` is called when they
    may wait for a moment, and no longer.
    """

    def __init__(
        self,
        client: Client,
        subscription: Subscription,
        outage: Outage,
        ahead: Ahead,
        idle: Callable[[], None],
        soon: Callable[[], None],
    ) -> None:
        self._client, self._subscription, self._outage = client, subscription, outage
        self._ahead, self._idle, self._soon = ahead, idle, soon
        self._read_ahead = _ArrivedReads(client, subscription)
        self._ready: deque[Delivery] = deque()
        self._begun_at = 0.0
        # Whether several came the last time; and whether the last read that was begun ahead brought any.
        self._several = self._brought = False
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._wake: Callable[[], None] = lambda: None
        self._drained: Callable[[], None] = lambda: None
        # Whether the reader of workers that cannot wait leaves the reading to them.
        self._parked = False
        self._closed = self._barred = False

    @property
    def closed(self) -> bool:
        return self._closed

    def has_ready(self) -> bool:
        """Whether `poll` would give a delivery."""
        return bool(self._ready) and not self._barred

    def poll(self) -> Delivery | None:
        """The next delivery, if there is one."""
        if self._barred:
            return None
        try:
            delivery = self._ready.popleft()
        except IndexError:
            return None
        if self._parked and not self._ready:
            self._drained()
        return delivery

    def take(self) -> Delivery | None:
        """The next delivery, waited for; None when no more will come."""
        try:
            if not self._barred:
                return self._ready.popleft()
        except IndexError:
            pass
        return self._fetch()

    def following(self, most: int, fits: Callable[[Delivery], bool]) -> list[Delivery]:
        """Up to `most` of the next deliveries that are ready, as long as they fit."""
        deliveries: list[Delivery] = []
        while len(deliveries) < most and (delivery := self.poll()) is not None:
            if not fits(delivery):
                self._ready.appendleft(delivery)
                break
            deliveries.append(delivery)
        return deliveries

    def fill(self, wake: Callable[[], None], drained: Callable[[], None]) -> None:
        """Reads for workers that cannot wait, until closed; `wake` is called when deliveries are ready for them, and
        `drained` in `poll` when it gave the last one while nobody reads."""
        self._wake, self._drained = wake, drained
        while not self._closed:
            if self._has_enough():
                self._parked = True
                self._wait(lambda: not self._has_enough())
                self._parked = False
                continue
            with self._reading:
                count = self._read(ahead=self._more_waits())
            if count:
                wake()

    def answered(self) -> None:
        """An answer waits to be sent. The worker's next read carries it, unless a handler comes first, which may take
        its time."""
        if self._ready:
            self._soon()

    def read_arrived(self) -> bool:
        """Of a worker that cannot wait, which found nothing: takes in a read that was begun and has arrived, and begins
        the next. False where the server has to be waited for, or asked for more than that: then the reader does it."""
        if not self._reading.acquire(blocking=False):
            return False
        try:
            if self._barred or self._read_ahead.idle():
                return False
            self._ahead.ran_low(time.monotonic())
            if self._several:
                self._begin(waits=False)
            deliveries = self._read_ahead.take_arrived()
            if deliveries:
                self._outage.over()
                self._took(deliveries)
        except TransportError as error:
            self._outage.met(error)
        finally:
            self._reading.release()
        return bool(self._ready)

    def ran_dry(self) -> None:
        """A worker that cannot wait found nothing: the reader reads, and carries the answers if it was parked."""
        if self._parked and self._subscription.in_flight.answer_bytes:
            self._soon()
        else:
            self._idle()
        self._notify(0)

    def maintain(self) -> None:
        """From time to time, by another thread: takes in a read that was begun a while ago, because this process cannot
        renew leases that it does not know of; in a pause, gives deliveries back. Raises TransportError."""
        aged = self._subscription.requested and time.monotonic() - self._begun_at > _READ_WAIT_S
        if (aged or (self._barred and self._ready)) and self._reading.acquire(blocking=False):
            try:
                self._ready.extend(self._read_ahead.take_all())
                if self._barred:
                    self._return_ready()
            finally:
                self._reading.release()
            self._wake()
            self._notify(len(self._ready))

    def pause(self) -> None:
        """Hands nothing out until `resume`, and gives back the deliveries that wait here."""
        self._barred = True
        self._notify_all()

    def resume(self) -> None:
        self._barred = self._closed
        self._notify_all()

    def close(self) -> None:
        """Ends reading and handing out."""
        self._closed = self._barred = True
        self._notify_all()

    def give_back(self, timeout_s: float) -> None:
        """Gives back the deliveries that no worker took; waits that long for the reader. Raises TransportError."""
        if self._reading.acquire(timeout=timeout_s):
            try:
                self._return_ready()
            finally:
                self._reading.release()

    def _fetch(self) -> Delivery | None:
        while (delivery := self.poll()) is None:
            if self._closed:
                return None
            if self._reading.acquire(blocking=False):
                try:
                    count = self._read(ahead=self._more_waits())
                finally:
                    self._reading.release()
                self._notify(count)
            else:
                self._idle()
                self._wait(lambda: bool(self._ready) or not self._reading.locked())
        return delivery

    def _read(self, *, ahead: bool) -> int:
        """One read, under the lock, and how many it brought; or a turn of a pause. Before it the next is begun `ahead`,
        which pays where more may be waiting than it brings."""
        try:
            if self._barred:
                self._return_ready()
                self._client.run(self._subscription.settling())
                self._wait(lambda: not self._barred)
                return 0
            self._ahead.ran_low(time.monotonic())
            if ahead:
                self._begin()
            deliveries = self._read_ahead.take()
            self._brought = bool(deliveries)
            if not deliveries:
                # The read carries answers and many acks; few acks wait for those of the next messages.
                if not self._subscription.in_flight.answer_bytes:
                    self._idle()
                deliveries = self._read_ahead.read(_READ_WAIT_S, self._room())
            self._outage.over()
            self._took(deliveries)
            return len(deliveries)
        except TransportError as error:
            self._wait(lambda: False, self._outage.met(error))
            return 0

    def _more_waits(self) -> bool:
        """Whether more is likely to be waiting than the next read brings."""
        return self._several and (self._subscription.filled or self._brought)

    def _took(self, deliveries: list[Delivery]) -> None:
        if self._subscription.filled:
            self._ahead.read(time.monotonic())
        self._several = len(deliveries) > 1 and not self._barred
        self._ready.extend(deliveries)

    def _room(self) -> int:
        """How many more deliveries may be held."""
        return self._ahead.limit - len(self._subscription.in_flight)

    def _begin(self, *, waits: bool = True) -> None:
        """Begins the next reads, because several came at once, as far as they may be held beside those here; unless it
        `waits`, only such as go behind others at once."""
        # A third of the limit: one is being handled, the server works on another, and the next waits for it there.
        share = max(min(self._ahead.limit // 3, self._subscription.most_ahead), 1)
        while self._subscription.requested + share <= self._room():
            if not (waits or self._read_ahead.goes_behind()) or not self._read_ahead.begin(share):
                break
            self._begun_at = time.monotonic()

    def _return_ready(self) -> None:
        """Gives back the deliveries that no worker took."""
        self._ready.extend(self._read_ahead.take_all())
        waiting = []
        while self._ready:
            waiting.append(self._ready.popleft())
        if waiting:
            self._client.run(self._subscription.giving_back(waiting))

    def _has_enough(self) -> bool:
        """Whether nothing is to be read now for workers that cannot wait."""
        held = len(self._subscription.in_flight)
        return not self._barred and (
            held >= self._ahead.limit or (bool(self._ready) and (self._several or held > self._ahead.limit // 2))
        )

    def _wait(self, until: Callable[[], bool], timeout_s: float = _READ_WAIT_S) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or until(), timeout_s)

    def _notify(self, count: int) -> None:
        """That many may be taken, and one worker may read."""
        with self._changed:
            self._changed.notify(count + 1)

    def _notify_all(self) -> None:
        self._wake()
        with self._changed:
            self._changed.notify_all()


class _ArrivedReads(ReadAhead):
    """Reads begun ahead, for one who cannot wait for the server: what has arrived is taken in, and nothing more."""

    def idle(self) -> bool:
        """Whether none is begun."""
        return not self._begun

    def goes_behind(self) -> bool:
        """Whether the next one may be begun without a wait: behind another, on its connection."""
        return bool(self._begun) and (self._subscription.reads_abreast() or self._begun[-1].arrived())

    def take_arrived(self) -> list[Delivery]:
        """The deliveries of the oldest begun read that brought any, as far as they are there and nothing more is to be
        asked of the server for them."""
        while self._begun and not self._arrived and self._begun[0].arrived() and self._is_over(self._begun[0]):
            self._arrived = self._finish_oldest()
        taken, self._arrived = self._arrived, []
        return taken

    def _is_over(self, begun: Begun[list[Delivery]]) -> bool:
        try:
            return begun.over()
        except BaseException:
            self._drop_all()
            raise
