"""What the blocking and the asyncio consumer share: reading, settling, retrying and burying, as operations.

Law: acks are gathered and sent before the next read. What was left behind comes before what is new. Every consumer
moves what is due into the streams that it reads, whoever put it there. No more is out than the bounds allow.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from claude_comm.client.consumer.admission import Door
from claude_comm.client.consumer.delivery import Delivery, Ledger
from claude_comm.client.consumer.group_position import position_for
from claude_comm.client.consumer.reclaim import Pending
from claude_comm.client.identity import Identity, identify, micros, millis
from claude_comm.client.publisher import requests
from claude_comm.delivery.burial import brief
from claude_comm.delivery.dedup import Window
from claude_comm.delivery.flow_control import Sizes
from claude_comm.effects import Operation
from claude_comm.errors import ConfigurationError, ServerRefused, ServerUnreachable
from claude_comm.names import check_name
from claude_comm.ops import consume as ops
from claude_comm.ops import later
from claude_comm.ops.consume import Reader, Why
from claude_comm.progress.events import Retried
from claude_comm.settings import Settings

# How long a consumer does not look at what is due, unless it knows that something will be.
LOOK_EVERY_S = 0.5
# With several streams, how long one of them is waited for before the others are looked at again.
_TURN_MS = 100
# What one instance remembers of its own when only the server's window was asked for: more than is ever out.
_REMEMBERED = 10_000
# Beyond it a lease is a mistake in the unit.
_LONGEST_LEASE_S = 86_400.0
# A year: beyond it a window is a mistake in the unit.
_LONGEST_WINDOW_S = 365 * 86_400.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a consumer reads. `prefetch` and `prefetch_bytes` bound what is out: read and not ended. 0 is no bound."""

    batch: int
    lease_s: float
    prefetch: int = 0
    prefetch_bytes: int
    dedup: int = 0
    dedup_s: float = 0.0

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        for holds, must in (
            (self.batch >= 1, "batch is at least 1"),
            (0.001 <= self.lease_s <= _LONGEST_LEASE_S, "lease_s is from a millisecond to a day"),
            (self.prefetch >= 0, "prefetch is at least 0"),
            (self.prefetch_bytes >= 1, "prefetch_bytes is at least 1"),
            (self.dedup >= 0, "dedup is at least 0"),
            (0 <= self.dedup_s <= _LONGEST_WINDOW_S, "dedup_s is from 0 to a year"),
        ):
            if not holds:
                raise ConfigurationError(f"a consumer: {must}.")


class Intake:
    """The state of one consumer: who reads, and where it is. What is out is in `ledger`."""

    def __init__(
        self, module: str, topics: Sequence[str], settings: Settings | None, instance: str | None, options: Options
    ) -> None:
        self.identity: Identity = identify(module, settings, instance)
        keys = self.identity.keys
        streams = [keys.inbox(module), *(keys.topic(check_name(topic, "topic")) for topic in topics)]
        self.readers = [Reader(stream, module, self.identity.instance) for stream in streams]
        self.options = options
        windowed = options.dedup or (_REMEMBERED if options.dedup_s else 0)
        self.ledger = Ledger(self.identity, Window(windowed) if windowed else None, int(options.dedup_s * 1000))
        self._sizes = Sizes(options.prefetch_bytes, self.identity.settings.max_envelope_bytes)
        self._door = Door(self.identity, self.ledger, self._sizes)
        self._pending = Pending(self.identity, self.readers, self.ledger, self._door, options.lease_s)
        if instance is not None:
            self._pending.look_at_own()
        self._joined = self._refused = False
        self._look_at = 0.0
        # How many entries were asked for ahead and are not here.
        self.asked = 0
        # Whether the last read brought as many as it asked for.
        self.filled = False

    def reading(self, wait_ms: int, most: int | None = None) -> Operation[list[Delivery]]:
        """The next deliveries: first its own and what others left behind, then what is new; empty when the wait is
        over, or at once when as much is out as may be."""
        return self._heeding(self._read(wait_ms, most) if self._count(most) else self._settled())

    def reading_ahead(self, most: int) -> Operation[list[Delivery]] | None:
        """What is new and there already, and the acks, in one batch that may be sent long before its replies are
        read; None while there is something else to do first, or when as much is out as may be."""
        count = min(self._count(most), self._sizes.ahead())
        return self._flying(count) if count and self._may_read_at_once() else None

    def _flying(self, count: int) -> Operation[list[Delivery]]:
        """A read that counts against the bounds until it is over."""
        self.asked += count
        try:
            return (yield from self._heeding(self._settled_and_new(0, count)))
        finally:
            self.asked -= count

    def _heeding(self, reading: Operation[list[Delivery]]) -> Operation[list[Delivery]]:
        """A read that takes note of what its failure means for the next one."""
        try:
            return (yield from reading)
        except ServerUnreachable:
            # What the server handed out on a connection that was cut is pending for us, and we never saw it.
            self._pending.look_at_own()
            raise
        except ServerRefused as refusal:
            if refusal.code != "NOGROUP":
                raise
            # The server was emptied under us, or restored: the next read makes the group anew.
            self._joined = False
            return []

    def settling(self) -> Operation[None]:
        """Sends the gathered acks, one batch a stream."""
        with self.ledger.sending() as acks:
            while acks:
                reader = acks[0][0].reader
                mine = [ack for ack in acks if ack[0].reader == reader]
                yield from ops.settle(reader, self.ledger.settlement(mine))
                acks[:] = [ack for ack in acks if ack[0].reader != reader]
        self._refused = False

    def answering(self, delivery: Delivery, data: object) -> Operation[None]:
        """Replies to a request; a message that is none is left alone. Raises EncodeError or TooLarge."""
        yield from requests.replying(self.identity, delivery.envelope, data)

    def burying(self, delivery: Delivery, why: Why, error: BaseException | None = None) -> Operation[None]:
        """Moves a delivery to the dead stream, and tells who asked: `error` is what was raised."""
        yield from self._door.bury(delivery, why, error)

    def retrying(self, delivery: Delivery, wait_s: float, reason: str) -> Operation[None]:
        """Moves a delivery to `later`."""
        now_us = micros()
        due_us = now_us + int(wait_s * 1_000_000)
        fact = Retried(delivery.settled(now_us), brief(reason), due_us)
        yield from later.retry(
            self.identity.keys,
            delivery.reader,
            delivery.entry,
            due_ms=due_us // 1000,
            attempts=delivery.attempts,
            event=self.identity.event(fact, delivery.envelope.session),
        )
        self.release(delivery)
        self._look_at = min(self._look_at, time.monotonic() + wait_s)

    def release(self, delivery: Delivery) -> None:
        """Lets go of a delivery: its lease is not renewed any more, and whoever claims it then has it again."""
        self.ledger.release(delivery)

    def renewing(self) -> Operation[None]:
        """Keeps every delivery that is still out, or whose ack is not sent yet, from being claimed by others."""
        for reader in self.readers:
            ids = self.ledger.known(reader.stream)
            if ids:
                yield from ops.renew(reader, sorted(ids))

    def giving_back(self, deliveries: Sequence[Delivery], *, counted: bool = False) -> Operation[None]:
        """Lets others have these at once. Unless `counted`, none of them is an attempt: no handler had seen it."""
        for reader in self.readers:
            mine = [delivery for delivery in deliveries if delivery.reader == reader]
            if mine:
                entries = [delivery.entry for delivery in mine]
                yield from ops.give_back(reader, entries, counted=counted)
            for delivery in mine:
                self.release(delivery)
        self._door.forget(deliveries)
        self._pending.look_at_all()

    def abandon(self) -> list[Delivery]:
        """Lets go of all that is out but the copies that wait for one of them; what was let go."""
        gone = [delivery for delivery in self.ledger.out() if not self._door.waits(delivery)]
        for delivery in gone:
            self.release(delivery)
        return gone

    def leaving(self, *, counted: bool = False) -> Operation[None]:
        """Sends the acks, gives back what was not handled, and takes this consumer off its groups."""
        yield from self.settling()
        if self._joined:
            yield from self.giving_back(self.ledger.out(), counted=counted)
            for reader in self.readers:
                yield from ops.leave(reader)

    def full(self) -> bool:
        """Whether as much is out as may be."""
        return not self._count(None)

    def _count(self, most: int | None) -> int:
        """How many entries may be asked for now."""
        options = self.options
        room = options.prefetch - len(self.ledger) - self.asked if options.prefetch else options.batch
        held_bytes = self.ledger.size_bytes(self._sizes.peak, options.prefetch_bytes) + self.asked * self._sizes.peak
        wanted = options.batch if most is None else most
        return max(min(options.batch, wanted, room, self._sizes.fitting(held_bytes)), 0)

    def _read(self, wait_ms: int, most: int | None) -> Operation[list[Delivery]]:
        deadline = time.monotonic() + wait_ms / 1000
        count = self._count(most)
        if self.ledger.waiting() and self._may_read_at_once():
            deliveries = yield from self._settled_and_new(self._turn_ms(deadline), count)
            if deliveries or time.monotonic() >= deadline:
                return deliveries
        yield from self.settling()
        if not self._joined:
            yield from self._join()
            count = self._count(most)
        while True:
            yield from self._move_due()
            deliveries = self._door.unparked() or (yield from self._pending.left_behind(count))
            self.filled = len(deliveries) >= count
            if not deliveries:
                deliveries = yield from self._new(self._turn_ms(deadline), count)
            if deliveries or time.monotonic() >= deadline:
                return deliveries

    def _settled(self) -> Operation[list[Delivery]]:
        self.filled = False
        yield from self.settling()
        return []

    def _turn_ms(self, deadline: float) -> int:
        """How long to wait for new entries: until the deadline, or until it is time to look at what is due.

        A millisecond more than that: a wait that is cut off would end a moment too soon, and the next be too short.
        """
        now = time.monotonic()
        return int(max(min(deadline, self._look_at) - now, 0) * 1000) + 1 if now < deadline else 0

    def _may_read_at_once(self) -> bool:
        """Whether the acks and the next read may travel together: nothing else is due, and no ack was refused."""
        lone = len(self.readers) == 1 and self._joined and not self._pending.has_own() and not self._door.waits()
        return lone and not self._refused and time.monotonic() < min(self._pending.at, self._look_at)

    def _settled_and_new(self, wait_ms: int, count: int) -> Operation[list[Delivery]]:
        """The acks and the next read in one round trip. Refused acks are kept; the next read sends them first."""
        (reader,) = self.readers
        with self.ledger.sending() as acks:
            refused, found = yield from ops.settle_and_read(
                reader, self.ledger.settlement(acks), count=count, block_ms=wait_ms
            )
            self._refused = refused is not None
            if refused is None:
                acks.clear()
        if isinstance(found, list):
            self.filled = len(found) == count
            if refused is not None and not found:
                raise refused
            return (yield from self._door.opened(reader, found))
        raise found

    def _join(self) -> Operation[None]:
        keys = self.identity.keys
        yield from ops.announce(keys, [keys.events(self.identity.module), *(reader.stream for reader in self.readers)])
        for reader in self.readers:
            if not (yield from ops.has_group(reader.stream, reader.group)):
                position = yield from position_for(self.identity, reader.stream)
                yield from ops.make_group(reader.stream, reader.group, position)
            self._sizes.expect((yield from ops.sample_bytes(reader.stream)))
        self._joined = True
        self._pending.look_at_all()

    def _move_due(self) -> Operation[None]:
        """Hands what is due to whoever reads the streams, and notes when to look again."""
        if time.monotonic() < self._look_at:
            return
        next_ms: list[int] = []
        for reader in self.readers:
            moved = yield from later.move_due(self.identity.keys, reader.stream, now_ms=millis())
            next_ms += [moved.next_ms] if moved.next_ms is not None else []
        wait_s = max(min(next_ms) - millis(), 0) / 1000 if next_ms else LOOK_EVERY_S
        self._look_at = time.monotonic() + min(wait_s, LOOK_EVERY_S)

    def _new(self, wait_ms: int, count: int) -> Operation[list[Delivery]]:
        if len(self.readers) == 1:
            reader = self.readers[0]
            entries = yield from ops.read(reader, count=count, block_ms=wait_ms)
            self.filled = len(entries) == count
            return (yield from self._door.opened(reader, entries))
        deadline = time.monotonic() + wait_ms / 1000
        turn_ms = 0
        while True:
            found: list[Delivery] = []
            for reader in self.readers:
                block_ms = turn_ms if reader is self.readers[0] else 0
                # Each in its turn may fill what is left; with the last one the count is full.
                left = count - len(found)
                entries = (yield from ops.read(reader, count=left, block_ms=block_ms)) if left > 0 else []
                found += yield from self._door.opened(reader, entries)
            turn_ms = min(_TURN_MS, int((deadline - time.monotonic()) * 1000))
            if found or turn_ms <= 0:
                self.filled = len(found) >= count
                return found
