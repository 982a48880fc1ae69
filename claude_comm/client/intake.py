"""What the blocking and the asyncio consumer share: reading, settling, retrying and burying, as operations.

Law: every entry that the server delivers ends as a Delivery in the caller's hands or on the dead stream with a
reason; bytes that are no envelope, and messages whose time is over, never reach a handler. Acks are gathered and sent
before the next read. Every consumer moves what is due into the streams that it reads, whoever put it there.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client import requests
from claude_comm.client.opening import Identity, identify, micros, millis
from claude_comm.delivery.burial import bounded, brief
from claude_comm.delivery.schedule import EXPIRED, expired
from claude_comm.effects import Operation
from claude_comm.envelope import Envelope
from claude_comm.errors import DecodeError, EnvelopeError, ServerRefused
from claude_comm.names import check_name
from claude_comm.ops import consume as ops
from claude_comm.ops import later
from claude_comm.ops.consume import Entry, Reader, Why
from claude_comm.progress.events import Buried, Handled, Retried, Settled
from claude_comm.settings import Settings

# A third of the lease: two renewals may be lost before another consumer may claim the delivery.
RENEW_FRACTION = 1 / 3
# A delivery that was handed out this often and never ended has killed its consumers.
MAX_DELIVERIES = 5
# How long a consumer does not look at what is due, unless it knows that something will be.
LOOK_EVERY_S = 0.5
# With several streams, how long one of them is waited for before the others are looked at again.
_TURN_MS = 100


class Delivery(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One reading of a message by this module. It ends with `ack`, `retry` or `fail` of its consumer."""

    envelope: Envelope
    entry: Entry
    reader: Reader

    def payload(self, type: Any = Any) -> Any:
        """The payload decoded, as `type` when one is given. Raises DecodeError."""
        return self.envelope.payload(type)

    @property
    def attempts(self) -> int:
        """Which attempt at the message this is, from 1."""
        return self.entry.attempts

    def expired(self) -> bool:
        """Whether its time is over by now."""
        return self.envelope.expires > 0 and expired(self.envelope, micros())


class Intake:
    """The state of one consumer: who reads, what is out, what is to be acked."""

    def __init__(
        self,
        module: str,
        topics: Sequence[str],
        settings: Settings | None,
        *,
        instance: str | None,
        batch: int,
        lease_s: float,
    ) -> None:
        self.identity: Identity = identify(module, settings, instance)
        keys = self.identity.keys
        streams = [keys.inbox(module), *(keys.topic(check_name(topic, "topic")) for topic in topics)]
        self.readers = [Reader(stream, module, self.identity.instance) for stream in streams]
        self.batch, self.lease_ms = batch, int(lease_s * 1000)
        self._joined = self._refused = False
        self._events = keys.events(module)
        self._acks: list[tuple[Delivery, int]] = []
        self._out: dict[tuple[str, str], Delivery] = {}
        self._claim_at = 0.0
        self._cursors = dict.fromkeys(streams, "0-0")
        self._look_at = 0.0

    def reading(self, wait_ms: int) -> Operation[list[Delivery]]:
        """The next deliveries: first what others left behind, then what is new; empty when the wait is over."""
        deadline = time.monotonic() + wait_ms / 1000
        if self._may_read_at_once():
            deliveries = yield from self._settled_and_new(self._turn_ms(deadline))
            if deliveries or time.monotonic() >= deadline:
                return deliveries
        yield from self.settling()
        if not self._joined:
            yield from self._join()
        try:
            while True:
                yield from self._move_due()
                deliveries = yield from self._claimed()
                if not deliveries:
                    deliveries = yield from self._new(self._turn_ms(deadline))
                if deliveries or time.monotonic() >= deadline:
                    return deliveries
        except ServerRefused as refusal:
            if refusal.code != "NOGROUP":
                raise
            # The server was emptied under us: the next read makes the group anew, from the first entry.
            self._joined = False
            return []

    def ack(self, delivery: Delivery) -> None:
        """Marks a delivery as handled; the ack travels with the next operation."""
        if self._out.pop((delivery.reader.stream, delivery.entry.id), None) is not None:
            self._acks.append((delivery, micros()))

    def settling(self) -> Operation[None]:
        """Sends the gathered acks, one batch a stream."""
        while self._acks:
            reader = self._acks[0][0].reader
            mine = [pair for pair in self._acks if pair[0].reader == reader]
            ids, event = self._handled(mine)
            yield from ops.settle(reader, ids, self._events, event)
            self._acks = [pair for pair in self._acks if pair[0].reader != reader]
        self._refused = False

    def answering(self, delivery: Delivery, data: object) -> Operation[None]:
        """Replies to a request; a message that is none is left alone. Raises EncodeError or TooLarge."""
        yield from requests.replying(self.identity, delivery.envelope, data)

    def burying(self, delivery: Delivery, why: Why, error: BaseException | None = None) -> Operation[None]:
        """Moves a delivery to the dead stream, and tells who asked: `error` is what was raised."""
        if delivery.envelope.reply_to and why.reason != EXPIRED:
            yield from requests.failing(self.identity, delivery.envelope, why, error)
        settled = _settled(delivery.envelope, micros(), delivery.attempts)
        yield from self._bury(delivery.reader, delivery.entry, settled, why, delivery.envelope.session)
        self.release(delivery)

    def retrying(self, delivery: Delivery, wait_s: float, reason: str) -> Operation[None]:
        """Moves a delivery to `later`."""
        now_us = micros()
        due_us = now_us + int(wait_s * 1_000_000)
        fact = Retried(_settled(delivery.envelope, now_us, delivery.attempts), brief(reason), due_us)
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
        self._out.pop((delivery.reader.stream, delivery.entry.id), None)

    def renewing(self) -> Operation[None]:
        """Keeps every delivery that is still out, or whose ack is not sent yet, from being claimed by others."""
        acked = [(delivery.reader.stream, delivery.entry.id) for delivery, _ in list(self._acks)]
        for reader in self.readers:
            ids = [entry for stream, entry in [*list(self._out), *acked] if stream == reader.stream]
            if ids:
                yield from ops.renew(reader, ids)

    def leaving(self) -> Operation[None]:
        """Sends the acks, gives back what was not handled, and takes this consumer off its groups."""
        yield from self.settling()
        for reader in self.readers if self._joined else ():
            ids = [entry for stream, entry in self._out if stream == reader.stream]
            if ids:
                yield from ops.give_back(reader, ids, lease_ms=self.lease_ms)
            yield from ops.leave(reader)
        self._out.clear()

    def _turn_ms(self, deadline: float) -> int:
        """How long to wait for new entries: until the deadline, or until it is time to look at what is due.

        A millisecond more than that: a wait that is cut off would end a moment too soon, and the next be too short.
        """
        now = time.monotonic()
        return int(max(min(deadline, self._look_at) - now, 0) * 1000) + 1 if now < deadline else 0

    def _may_read_at_once(self) -> bool:
        """Whether the acks and the next read may travel together: nothing else is due, and no ack was refused."""
        lone = len(self.readers) == 1 and self._joined and bool(self._acks)
        return lone and not self._refused and time.monotonic() < min(self._claim_at, self._look_at)

    def _settled_and_new(self, wait_ms: int) -> Operation[list[Delivery]]:
        """The acks and the next read in one round trip. Refused acks are kept; the next read sends them first."""
        (reader,) = self.readers
        ids, event = self._handled(self._acks)
        refused, found = yield from ops.settle_and_read(
            reader, ids, self._events, event, count=self.batch, block_ms=wait_ms
        )
        self._refused = refused is not None
        if refused is None:
            del self._acks[: len(ids)]
        if isinstance(found, list):
            if refused is not None and not found:
                raise refused
            return (yield from self._opened(reader, found))
        if not isinstance(found, ServerRefused) or found.code != "NOGROUP":
            raise found
        self._joined = False
        return []

    def _handled(self, acks: Sequence[tuple[Delivery, int]]) -> tuple[list[str], bytes]:
        """The entries that these acks are for, and the event that says so."""
        settled = [_settled(delivery.envelope, at, delivery.entry.attempts) for delivery, at in acks]
        return [delivery.entry.id for delivery, _ in acks], self.identity.event(Handled(settled))

    def _join(self) -> Operation[None]:
        keys = self.identity.keys
        yield from ops.announce(keys, [keys.events(self.identity.module)])
        for reader in self.readers:
            yield from ops.join(keys, reader.stream, reader.group)
        self._joined = True
        self._claim_at = 0.0

    def _claimed(self) -> Operation[list[Delivery]]:
        """Deliveries that nobody finished for a lease; looked for when it is time to."""
        deliveries: list[Delivery] = []
        if time.monotonic() < self._claim_at:
            return deliveries
        for reader in self.readers:
            claimed = yield from ops.claim(
                reader, lease_ms=self.lease_ms, cursor=self._cursors[reader.stream], count=self.batch
            )
            self._cursors[reader.stream] = claimed.cursor
            deliveries += yield from self._opened(reader, claimed.entries)
        if all(cursor == "0-0" for cursor in self._cursors.values()):
            self._claim_at = time.monotonic() + self.lease_ms / 1000 * RENEW_FRACTION
        return deliveries

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

    def _new(self, wait_ms: int) -> Operation[list[Delivery]]:
        if len(self.readers) == 1:
            reader = self.readers[0]
            entries = yield from ops.read(reader, count=self.batch, block_ms=wait_ms)
            return (yield from self._opened(reader, entries))
        deadline = time.monotonic() + wait_ms / 1000
        turn_ms = 0
        while True:
            found: list[Delivery] = []
            for reader in self.readers:
                block_ms = turn_ms if reader is self.readers[0] else 0
                entries = yield from ops.read(reader, count=self.batch, block_ms=block_ms)
                found += yield from self._opened(reader, entries)
            turn_ms = min(_TURN_MS, int((deadline - time.monotonic()) * 1000))
            if found or turn_ms <= 0:
                return found

    def _opened(self, reader: Reader, entries: Sequence[Entry]) -> Operation[list[Delivery]]:
        """Deliveries of the entries that are envelopes; the others are buried at once."""
        deliveries = []
        for entry in entries:
            try:
                if entry.body is None:
                    raise DecodeError("the entry has no field 'e'.")
                envelope = envelopes.decode(entry.body, max_bytes=self.identity.settings.max_envelope_bytes)
            except EnvelopeError as error:
                settled = Settled(source="", id=entry.id, sent_us=0, settled_us=micros(), attempts=entry.attempts)
                why = Why(str(error), traceback=traceback.format_exc())
                yield from self._bury(reader, entry, settled, why)
                continue
            delivery = Delivery(envelope, entry, reader)
            if delivery.expired():
                yield from self.burying(delivery, Why(EXPIRED))
                continue
            if entry.deliveries > MAX_DELIVERIES:
                reason = f"delivered {entry.deliveries} times without an end: its handling kills the process"
                yield from self.burying(delivery, Why(reason))
                continue
            self._out[reader.stream, entry.id] = delivery
            deliveries.append(delivery)
        return deliveries

    def _bury(self, reader: Reader, entry: Entry, settled: Settled, why: Why, session: str = "") -> Operation[None]:
        told = Why(brief(why.reason), brief(why.path), brief(why.schema_path), bounded(why.traceback))
        event = self.identity.event(Buried(settled, told.reason, told.path), session)
        yield from ops.bury(self.identity.keys, reader, entry, told, event=event)


def _settled(envelope: Envelope, at_us: int, attempts: int) -> Settled:
    return Settled(envelope.source, envelope.id, envelope.time, at_us, attempts)
