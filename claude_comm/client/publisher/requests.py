"""Requests of threads: one reader of a publisher's replies, shared by all who wait for one.

Law: a request ends by its deadline: with its answer, or with ReplyTimeout.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import suppress

from claude_comm.client.identity import Identity, identify
from claude_comm.client.publisher.batching import Batcher
from claude_comm.client.publisher.replies import Mailbox
from claude_comm.client.publisher.request_flights import HALVED, Flights, Slot
from claude_comm.effects import Post
from claude_comm.envelope import Envelope
from claude_comm.errors import ReplyTimeout, TransportError
from claude_comm.ops import replies as ops
from claude_comm.transport.driver import Client

DEFAULT_TIMEOUT_S = 30.0
# How long reading rests after the server did not answer.
UNREACHABLE_WAIT_S = 0.2
# How long `close` waits for a read that a frozen server does not end.
_CLOSE_WITHIN_S = 2.0


class Requests:
    """Each requester waits, and one thread reads for all."""

    def __init__(self, identity: Identity, client: Client, batcher: Batcher) -> None:
        self._identity, self._client, self._batcher = identity, client, batcher
        self._lock = threading.Lock()
        self._open()

    @property
    def mailbox(self) -> Mailbox[Slot]:
        """The mailbox of this process: a fork has its own, or the two would take each other's answers."""
        if self._pid != os.getpid():
            self._identity = identify(self._identity.module, self._identity.settings)
            self._lock = threading.Lock()
            self._open()
        return self._mailbox

    def ask(self, id_: str, post: Post, target: str, timeout_s: float) -> Envelope:
        """The answer to a request that names the address of `mailbox`. Raises ReplyTimeout, and what sending raises."""
        mailbox, slot = self._mailbox, Slot(post, time.monotonic() + timeout_s)
        if self._thread is None or not self._thread.is_alive():
            self._start()
        mailbox.expect(id_, slot)
        try:
            self._flights.wait(slot)
        except BaseException:
            mailbox.give_up(id_)
            raise
        return slot.answer or self._last_look(id_, slot, target, timeout_s)

    def expect_again(self, count: int) -> None:
        """So many threads are about to be woken by their answers."""
        self._flights.woke(count, max(self._mailbox.waiting - count, 0))

    def close(self) -> None:
        """Ends the thread, and leaves nothing on the server."""
        self._stop.set()
        if self._thread is None or self._pid != os.getpid():
            return
        with suppress(TransportError):  # then the read fails as well, and the thread ends
            self._client.run(ops.wake(self._mailbox.key))
        self._thread.join(_CLOSE_WITHIN_S)

    def _open(self) -> None:
        self._pid = os.getpid()
        self._mailbox: Mailbox[Slot] = Mailbox(self._identity)
        self._flights = Flights(self._batcher.send_requests)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def _last_look(self, id_: str, slot: Slot, target: str, timeout_s: float) -> Envelope:
        if not self._mailbox.give_up(id_):
            # It came at the last moment: the reading thread is handing it over.
            slot.sleep(time.monotonic() + _CLOSE_WITHIN_S)
        if slot.answer is None:
            raise slot.error or ReplyTimeout(target, id_, timeout_s)
        return slot.answer

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=_read,
                    args=(weakref.ref(self), self._client, self._mailbox, self._stop),
                    name="replies",
                    daemon=True,
                )
                self._thread.start()


def _read(owner: weakref.ref[Requests], client: Client, mailbox: Mailbox[Slot], stop: threading.Event) -> None:
    """Until its owner stops it, or is gone: whoever waits for an answer has its publisher."""
    reached = True
    while not stop.is_set() and owner() is not None:
        try:
            arrived = client.run(mailbox.reading())
            reached = True
            if mailbox.waiting >= HALVED and (requests := owner()) is not None:
                requests.expect_again(len(arrived))
                del requests
            mailbox.hand_over(arrived)
            del arrived  # nothing of it is kept while this reads
        except TransportError as error:
            if reached:
                mailbox.unreachable(error)
            reached = False
            stop.wait(UNREACHABLE_WAIT_S)
    if reached:
        try:
            client.run(ops.leave(mailbox.key))
        except TransportError as error:
            mailbox.unreachable(error)
