"""Receiving messages.

Law: at least once. A delivery that is not acked comes back: to another instance after the lease, to this module's
next start at the latest.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.subscription import Intake, Options
from claude_comm.errors import ServerUnreachable
from claude_comm.ops.consume import Why
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Begun, Client

DEFAULT_BATCH = 100
DEFAULT_LEASE_S = 60.0
# Far more than quick messages need, and little enough for any machine.
DEFAULT_PREFETCH_BYTES = 64 * 1024 * 1024
# How long one read of an endless iteration waits on the server.
TURN_S = 1.0
# A batch that took a tenth of the lease leaves time enough for one that was handed out meanwhile.
QUICK_FRACTION = 0.1
# How many reads may be begun.
AHEAD = 2
# How long a read lasts at most that may not read: as much is out as may be, and another thread may end some.
FULL_WAIT_S = 0.05


class Consumer:
    """Reads the inbox of one module, and topics; iterate it, then `ack`, `retry` or `fail` each delivery.

    `batch` deliveries are read at a time; `lease_s` is how long one may take before another instance may claim it.
    At most `prefetch` deliveries (0: as many as you read) of `prefetch_bytes` together are out, which is read and not
    ended; sizes are judged by those that came lately. `instance` is a name that stays over restarts and is used by one
    process at a time: what it had not ended comes first. `dedup` is how many handled messages this instance
    remembers, `dedup_s` for how long (seconds) all instances do, on the server: a copy within is acked unseen.
    Iterated, it asks for the next batch while a full one is handled, if handling is quick: so up to two may be out.
    A context manager. Raises ServerUnreachable from reads while the server does not answer.
    """

    def __init__(
        self,
        module: str,
        *,
        topics: Sequence[str] = (),
        settings: Settings | None = None,
        instance: str | None = None,
        batch: int = DEFAULT_BATCH,
        prefetch: int = 0,
        prefetch_bytes: int = DEFAULT_PREFETCH_BYTES,
        lease_s: float = DEFAULT_LEASE_S,
        dedup: int = 0,
        dedup_s: float = 0.0,
        client: Client | None = None,
    ) -> None:
        options = Options(
            batch=batch, prefetch=prefetch, prefetch_bytes=prefetch_bytes, lease_s=lease_s, dedup=dedup, dedup_s=dedup_s
        )
        self._intake = Intake(module, topics, settings, instance, options)
        self._ack = self._intake.ledger.ack
        self._owns_client = client is None
        self.client = client or connect(self._intake.identity.settings)
        self._stopped = False
        self._going = threading.Event()
        self._going.set()
        self._begun: deque[Begun[list[Delivery]]] = deque()
        self._ahead: list[Delivery] = []
        self._quick_s = lease_s * QUICK_FRACTION

    @property
    def out(self) -> int:
        """How many deliveries were read and are not ended."""
        return len(self._intake.ledger)

    @property
    def ahead(self) -> int:
        """How many deliveries were asked for by `begin_read` and are not here."""
        return self._intake.asked

    @property
    def filled(self) -> bool:
        """Whether the last read brought as many as it asked for, so that more may be waiting."""
        return self._intake.filled

    @property
    def unsent(self) -> bool:
        """Whether there are acks that the server was not told of."""
        return self._intake.ledger.waiting()

    def __iter__(self) -> Iterator[Delivery]:
        """Deliveries without end, until `stop`."""
        ahead = False
        while not self._stopped:
            # A server that is gone is noticed by the read that comes after.
            with suppress(ServerUnreachable):
                while ahead and self.begin_read(most=self._intake.options.batch):
                    pass
            found = self.read(wait_s=TURN_S)
            since = time.monotonic()
            yield from found
            took_s = time.monotonic() - since
            ahead = took_s < self._quick_s and self.filled

    def read(self, *, wait_s: float = TURN_S, most: int | None = None) -> list[Delivery]:
        """The next deliveries, up to `most` or a batch; empty when none came within `wait_s` seconds.

        Sends the acks gathered before. Empty also while paused, and while as much is out as may be.
        """
        if not self._going.is_set():
            self._return_unseen()
            self.flush()
            self._going.wait(wait_s)
            return []
        found = self.arrived(most)
        if found:
            return found
        found = self.client.run(self._intake.reading(int(wait_s * 1000), most))
        if not found and self._intake.full():
            time.sleep(min(wait_s, FULL_WAIT_S))
        return found

    def begin_read(self, *, most: int) -> bool:
        """Asks for the next deliveries that are there already, and sends the acks; `read`, `arrived` and `take_in` have
        them.

        Two such reads may be begun. The second is sent when the first has come and before it is taken apart here: the
        server is at work on the one while this process is on the other. False while nothing may be asked for so.
        Raises ServerUnreachable.
        """
        begun = self._begun
        if len(begun) == AHEAD or not self._going.is_set() or self.client.data.reach != "server":
            return False
        if begun and not begun[-1].land():
            # What it was to bring comes first.
            return False
        reading = self._intake.reading_ahead(most)
        if reading is not None:
            begun.append(self.client.begin(reading))
        return reading is not None

    def arrived(self, most: int | None = None) -> list[Delivery]:
        """What the oldest `begin_read` brought that brought anything, up to `most`."""
        while self._begun and not self._ahead:
            self._ahead = self._finished()
        found, self._ahead = (self._ahead, []) if most is None else (self._ahead[:most], self._ahead[most:])
        return found

    def take_in(self) -> list[Delivery]:
        """All that was asked for by `begin_read` and is not returned yet."""
        while self._begun:
            self._ahead += self._finished()
        return self.arrived()

    def ack(self, delivery: Delivery) -> None:
        """Ends a delivery as handled. It reaches the server with the next read, `flush` or `close`."""
        self._ack(delivery)

    def retry(self, delivery: Delivery, *, wait_s: float, reason: str) -> None:
        """Ends a delivery as failed for now: the module is handed the message again after `wait_s` seconds."""
        self.client.run(self._intake.retrying(delivery, wait_s, reason))

    def reply(self, delivery: Delivery, data: object) -> None:
        """Answers a request; `ack` it after that. A message whose sender waits for nothing is left alone.

        Raises EncodeError or TooLarge.
        """
        self.client.run(self._intake.answering(delivery, data))

    def fail(
        self,
        delivery: Delivery,
        reason: str,
        *,
        path: str = "",
        schema_path: str = "",
        traceback: str = "",
        error: BaseException | None = None,
    ) -> None:
        """Ends a delivery as failed for good: it goes to the dead stream with the reason, and `path` in its payload.

        `schema_path` is where in the schema that refused it. A long `traceback` keeps its beginning and its end.
        Who waits for a reply is told the reason, and the class and the words of `error`.
        """
        self.client.run(self._intake.burying(delivery, Why(reason, path, schema_path, traceback), error))

    def release(self, delivery: Delivery) -> None:
        """Lets go of a delivery without an end: it is handed out again when its lease is over."""
        self._intake.release(delivery)

    def flush(self) -> None:
        """Sends the gathered acks now."""
        self.client.run(self._intake.settling())

    def renew(self) -> None:
        """Starts the lease of every open delivery anew that no other instance has claimed."""
        self.client.run(self._intake.renewing())

    def give_back(self, *deliveries: Delivery) -> None:
        """Lets other instances have these at once, as if they had not been handed out: that is no attempt."""
        self.client.run(self._intake.giving_back(deliveries))

    def pause(self) -> None:
        """From now on nothing new is read, until `resume`; from any thread."""
        self._going.clear()

    def resume(self) -> None:
        """Ends a pause."""
        self._going.set()

    def stop(self) -> None:
        """Ends the iteration after the deliveries at hand."""
        self._stopped = True

    def abandon(self) -> list[Delivery]:
        """Lets go of all that is out but copies that wait: it is handed out again when its lease is over."""
        return self._intake.abandon()

    def close(self, *, counted: bool = False) -> None:
        """Sends the acks, gives back what is still out, and closes the connection.

        What is given back was no attempt, unless `counted`.
        """
        self.stop()
        try:
            self._return_unseen()
            self.client.run(self._intake.leaving(counted=counted))
        finally:
            if self._owns_client:
                self.client.close()

    def _finished(self) -> list[Delivery]:
        """What the oldest read brought. Where it fails, what the next one brought is left to be read again: it comes
        after what the first was to bring."""
        try:
            return self._begun.popleft().finish()
        except BaseException:
            while self._begun:
                self._begun.popleft().drop()
            raise

    def _return_unseen(self) -> None:
        """Gives back what was read ahead: nobody has seen it, so it was no attempt."""
        unseen = self.take_in()
        if unseen:
            self.give_back(*unseen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was at hand when something was raised may be why: it counts, so that it cannot come back for ever.
        self.close(counted=kind is not None)
