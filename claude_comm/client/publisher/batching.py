"""Batching: many callers, one pipeline. Whoever finds the send lock free sends what all have queued.

Law: no message waits for company. One that finds no batch in flight is sent at once; those that arrive meanwhile travel
together in the next batch. The queue is bounded in bytes. Messages of one publisher leave in the order in which they
were queued.

Theory of operation. A round trip costs the same for one message and for a hundred, so the gain lies in sending together
what is there together; the loss would lie in waiting for more. So nothing here has a timer. The length of a batch
follows from the load by itself: it is what arrived during one round trip.

With threads (`Batcher`, here) there is no sending thread for `publish`: the caller that holds the send lock sends for
all. Of the callers that have queued a message meanwhile one waits for the lock, to send next, and the others for their
futures: if all waited for the lock, each would have to be handed it, only to see that its message has gone, and those
that publish again would find it free in between and send alone. A lone caller takes a short cut, without a future and a
queue. `send_soon` is the one call that may not block, so its messages are sent by a thread.

On an event loop (`async_batching`) nothing may block. There a batch is written to the connection at once, and a
callback resolves its futures when the replies have come. Once a batch had several messages, the next is what comes in
one turn of the loop: tasks that were woken together send together. Up to `MAX_IN_FLIGHT` batches may be on their way,
one behind the other on one connection, so that the server works on one while the next is made. Where that is not
possible (no connection is open yet, a stream is not announced, a server refused or did not answer), a task sends that
one batch, and takes all the time that it needs.

Worked example, three threads and a round trip of 1 ms:

    0.0 ms  A publishes a1: the send lock is free and the queue empty, so A sends [a1] itself
    0.2 ms  B publishes b1: the lock is taken, so b1 is queued and B waits for the lock
    0.7 ms  C publishes c1, behind b1: B will send it
    1.0 ms  A has its answer, releases the lock and returns; A publishes a2: queued behind c1
    1.0 ms  B gets the lock and sends all that is queued as one batch, [b1, c1, a2]; who comes now waits for it next
    2.0 ms  the batch is settled: B returns, and so do C and A, who waited for their futures

Four messages took two round trips, no message waited for one that was not there yet, and the stream has a1 b1 c1 a2.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from queue import SimpleQueue
from typing import Generic, Protocol, TypeAlias, TypeVar

from claude_comm.client.arguments import check_choice, check_count
from claude_comm.client.identity import Identity
from claude_comm.client.publisher.lone_lock import LoneLock
from claude_comm.client.publisher.outbox_sender import OnFull
from claude_comm.client.publisher.promise import Promise
from claude_comm.client.publisher.sender import Sender
from claude_comm.effects import Post
from claude_comm.errors import PublisherClosed, PublisherFull, TransportError
from claude_comm.ops.publish import Outcomes
from claude_comm.telemetry.logs import get_logger

DEFAULT_MAX_WAITING_BYTES = 64 * 1024 * 1024
# The most messages of one batch: a larger one gains nothing, and its first message waits for its last.
MAX_BATCH = 2_000


class Settable(Protocol):
    """Where a message's id, or what sending it raised, is put: a future, or what stands for one."""

    def done(self) -> bool: ...
    def set_result(self, result: str, /) -> None: ...
    def set_exception(self, error: BaseException, /) -> None: ...


AnyFuture = TypeVar("AnyFuture", bound=Settable)


# A message in the queue: its id, its bytes, and the future of its id. A plain tuple: one is made for every message.
Queued: TypeAlias = tuple[str, Post, AnyFuture]


class Queue(Generic[AnyFuture]):
    """The messages that wait to be sent, counted in bytes.

    A size is known before it is counted: a signal handler that queues or sends in the middle of a sum would be undone
    by it, and a queue with bytes and no messages is flushed for ever.
    """

    def __init__(self, max_bytes: int, on_full: OnFull) -> None:
        check_count("max_waiting_bytes", max_bytes, least=1)
        check_choice("on_full", on_full, ("wait", "refuse", "drop_oldest"))
        self.messages: deque[Queued[AnyFuture]] = deque()
        # The batches that were taken and are not settled yet.
        self.under_way: list[Sequence[Queued[AnyFuture]]] = []
        self.waiting_bytes = 0
        self.max_bytes, self.on_full = max_bytes, on_full

    def full(self) -> bool:
        return self.waiting_bytes >= self.max_bytes

    def put(self, message: Queued[AnyFuture]) -> None:
        size = len(message[1].body)
        self.messages.append(message)
        self.waiting_bytes += size

    def take(self) -> list[Queued[AnyFuture]]:
        """The next batch, which is under way until it is settled or put back."""
        # One by one: a signal handler may queue a message in between, on this very thread.
        batch = [self.messages.popleft() for _ in range(min(len(self.messages), MAX_BATCH))]
        self.under_way.append(batch)
        size = sum([len(post.body) for _, post, _ in batch])
        self.waiting_bytes -= size
        return batch

    def settled(self, batch: Sequence[Queued[AnyFuture]]) -> None:
        """This batch is no longer under way."""
        # By what it is: two empty ones are equal.
        self.under_way = [other for other in self.under_way if other is not batch]

    def unconfirmed(self) -> int:
        """How many messages are neither sent nor refused."""
        return len(self.messages) + sum(map(len, self.under_way))

    def put_back(self, batch: Sequence[Queued[AnyFuture]]) -> None:
        self.settled(batch)
        self.messages.extendleft(reversed(batch))
        size = sum([len(post.body) for _, post, _ in batch])
        self.waiting_bytes += size

    def make_room(self) -> None:
        """Refuses, or drops the oldest, as `on_full` says. Raises PublisherFull."""
        if self.on_full == "refuse":
            raise PublisherFull("this message was not taken", self.max_bytes)
        while self.full() and self.messages:
            message = self.messages.popleft()
            size = len(message[1].body)
            self.waiting_bytes -= size
            fail(message, PublisherFull("this message was dropped for newer ones", self.max_bytes))


class Batcher:
    """For threads."""

    def __init__(self, sender: Sender, max_bytes: int, on_full: OnFull) -> None:
        self._sender = sender
        self._closed = False
        self._open()
        self._queue: Queue[Promise] = Queue(max_bytes, on_full)
        self.unconfirmed = self._queue.unconfirmed
        _batchers.add(self)

    def _open(self) -> None:
        """The locks and the thread of this process: in a fork, those of the parent may be held for ever."""
        self._lock = threading.RLock()
        self._send_lock = LoneLock(self._lock, Promise._making)
        # The thread that waits for the send lock, to send for all that are queued; the others wait for their futures.
        self._next: int | None = None
        # What wakes the thread: this batcher, which is kept alive until the thread has taken it, or None to end. Unlike
        # an event it may be put to by a signal handler or a `__del__` that interrupts this very thread in a put.
        self._wakes: SimpleQueue[Batcher | None] = SimpleQueue()
        self._woken = False
        self._thread: threading.Thread | None = None

    def __del__(self) -> None:
        # Nothing is queued: what is queued keeps its batcher.
        self._wakes.put(None)

    def after_fork(self) -> None:
        """The child begins anew: what was queued is the parent's to send."""
        self._queue.messages.clear()
        self._queue.under_way.clear()
        self._queue.waiting_bytes = 0
        self._open()

    def send(self, id_: str, post: Post) -> str:
        """Returns the id when the message is in the stream. Raises what sending it raised, and PublisherBusy."""
        if self._send_lock.acquire(blocking=False):
            try:
                if not self._queue.messages:
                    return self._send_alone(id_, post)
            finally:
                self._send_lock.release()
        self._send_lock.check()
        future = Promise()
        me = threading.get_ident()
        with self._lock:
            self._queue.put((id_, post, future))
            # A signal handler may publish on the very thread that waits to send.
            sends = self._next in (None, me)
            if sends:
                self._next = me
        if sends:
            self._send_next(future)
        return future.result()

    def send_all(self, posts: Sequence[Post]) -> Outcomes:
        """Sends these as one batch, behind the queue. Raises PublisherBusy."""
        with self._send_lock:
            while self._queue.messages:
                self._send_batch()
            return self._sender.deliver(posts)

    def send_requests(self, posts: Sequence[Post], until: float) -> Outcomes:
        """Sends requests by themselves: they have a deadline (monotonic seconds). Raises TransportError."""
        return self._sender.request(posts, until)

    def send_soon(self, id_: str, post: Post) -> Future[str]:
        """Queues the message for a background thread; returns the future of its id. Raises PublisherClosed."""
        if self._closed:
            raise PublisherClosed
        queue = self._queue
        if queue.waiting_bytes >= queue.max_bytes:
            if queue.on_full == "wait":
                self.flush(until_below=queue.max_bytes)
            else:
                with self._lock:
                    queue.make_room()
        promise, size = Promise(), len(post.body)
        # As `put`, written out: this runs for every message.
        with self._lock:
            queue.messages.append((id_, post, promise))
            queue.waiting_bytes += size
        if self._thread is None:
            self._start()
        # The thread looks at the queue after it has cleared this, so one that is set still means this message too.
        if not self._woken:
            self._wake()
        return promise

    def flush(self, *, until_below: int = 1) -> None:
        """Returns when fewer than that many bytes are queued: by default, when every message is sent or refused."""
        while self._queue.waiting_bytes >= until_below or (until_below == 1 and self._queue.messages):
            with self._send_lock:
                self._send_batch()
        if until_below == 1:
            with self._send_lock:
                return

    def close(self) -> None:
        """Sends the queue, and ends the background thread."""
        self.flush()
        self._closed = True
        self._wakes.put(None)
        if self._thread is not None:
            self._thread.join()

    def _send_next(self, future: Future[str]) -> None:
        """Sends what is queued, this message too; what is queued meanwhile is for the thread that waits next."""
        try:
            with self._send_lock:
                with self._lock:
                    self._next = None
                while not future.done():
                    self._send_batch()
        finally:
            with self._lock:
                self._next = self._next if self._next != threading.get_ident() else None
                left = bool(self._queue.messages) and self._next is None
            if left:
                # More than a batch was queued, or this thread was interrupted: nobody may wait in vain.
                self._start()
                self._wake()

    def _send_alone(self, id_: str, post: Post) -> str:
        """Without the future and the queue that only a message needs that another thread sends."""
        (outcome,) = self._sender.deliver((post,))
        if isinstance(outcome, TransportError):
            raise outcome
        return id_

    def _send_batch(self) -> None:
        """Sends one batch; the caller holds the send lock."""
        with self._lock:
            if not self._queue.messages:
                return
            batch = self._queue.take()
        try:
            outcomes = self._sender.deliver([post for _, post, _ in batch])
        except BaseException as error:
            if not isinstance(error, Exception):
                # This thread was interrupted: its batch is left to the others, whose messages are in it.
                with self._lock:
                    self._queue.put_back(batch)
                self._start()
                self._wake()
                raise
            # The futures tell the callers; the queue goes on, and so does the background thread.
            self._queue.settled(batch)
            for message in batch:
                fail(message, error)
        else:
            # Before the futures: who waited for the last of them may end the process, and nothing is left then.
            self._queue.settled(batch)
            if set(map(type, outcomes)) == {bytes}:
                Promise.resolve([(id_, promise) for id_, _, promise in batch])
            else:
                settle(batch, outcomes)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_send_in_background, args=(self._wakes,), name="publisher", daemon=True
                )
                self._thread.start()

    def _wake(self) -> None:
        self._woken = True
        self._wakes.put(self)

    def _send_queue(self) -> None:
        self._woken = False
        while self._queue.messages:
            with self._send_lock:
                self._send_batch()


def _send_in_background(wakes: SimpleQueue[Batcher | None]) -> None:
    """Sends what is queued whenever it is woken. It has no batcher in between: one that is dropped ends its thread."""
    while (batcher := wakes.get()) is not None:
        batcher._send_queue()
        del batcher
    # For another, if a signal handler started one while this was being started.
    wakes.put(None)


_batchers: weakref.WeakSet[Batcher] = weakref.WeakSet()


def _after_fork() -> None:
    for batcher in list(_batchers):
        batcher.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def tell_when_left(batcher: object, unconfirmed: Callable[[], int], identity: Identity) -> None:
    """Once this batcher is gone or its process ends, a warning says how many messages are neither sent nor refused."""
    # What counts them is no part of the batcher, which this must not keep.
    weakref.finalize(batcher, _tell_left, unconfirmed, os.getpid(), identity)


def _tell_left(unconfirmed: Callable[[], int], process: int, identity: Identity) -> None:
    count = unconfirmed()
    # In a fork, what was queued is the parent's to send.
    if count and os.getpid() == process:
        log = get_logger(identity.settings.log_level, module=identity.module)
        advice = "call flush() or close(), or use the publisher in a with block"
        log.warning("publisher.left_unsent", messages=count, do=advice)


def settle(batch: Sequence[Queued[AnyFuture]], outcomes: Outcomes) -> None:
    """Resolves the futures of a batch, but those that are over."""
    for message, outcome in zip(batch, outcomes, strict=True):
        if outcome.__class__ is not bytes and isinstance(outcome, TransportError):
            fail(message, outcome)
        else:
            id_, _, future = message
            try:
                if not future.done():
                    future.set_result(id_)
            except InvalidStateError:
                pass  # another thread has cancelled it since


def fail(message: Queued[AnyFuture], error: BaseException) -> None:
    """As `settle`, of one that was not sent."""
    _, _, future = message
    try:
        if not future.done():
            future.set_exception(error)
    except InvalidStateError:
        pass
