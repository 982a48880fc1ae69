"""One consumer's subscription to its streams: reading, settling, retrying and burying, as operations.

Law: acks are gathered and sent before the next read, or by somebody beside it. Pending entries come before new ones.
Every consumer moves due messages into the streams that it reads, whoever delayed them. No more deliveries are in flight
than the bounds allow.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from claude_comm.addresses import on_cluster
from claude_comm.client.arguments import check_topics
from claude_comm.client.consumer.admission import Admission
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.due_messages import DueMessages
from claude_comm.client.consumer.group_position import find_position
from claude_comm.client.consumer.handovers import Handovers
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.reclaim import Reclaimer
from claude_comm.client.consumer.settler import Settler
from claude_comm.client.consumer.several_streams import NewEntries, SeveralStreams
from claude_comm.client.identity import Identity, identify, micros
from claude_comm.client.publisher import replies
from claude_comm.delivery.burial import brief
from claude_comm.delivery.dedup import Window
from claude_comm.delivery.flow_control import ENOUGH, ENOUGH_SIGNED, SignedFlights, Sizes
from claude_comm.effects import Operation, Pause, Post
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.ops import consume as ops
from claude_comm.ops import later, pending
from claude_comm.ops.consume import Entry, Reader, Why
from claude_comm.ops.replies import EncodedAnswer
from claude_comm.progress.events import Retried
from claude_comm.registry.contracts import Contract
from claude_comm.security.signing import flight_of
from claude_comm.settings import Settings
from claude_comm.telemetry.conventions import RETRY
from claude_comm.telemetry.settlements import settling
from claude_comm.telemetry.switch import telemetry_of_process

if TYPE_CHECKING:
    from claude_comm.client.consumer.ways import Ways

# How long a read waits for new messages while others wait for the end of one that may kill its consumer.
_SUSPECT_WAIT_S = 0.02


class Subscription:
    """The state of one consumer: who reads which streams, and what it holds (`in_flight`)."""

    def __init__(
        self, module: str, topics: Sequence[str], settings: Settings | None, instance: str | None, options: Options
    ) -> None:
        self.identity: Identity = identify(module, settings, instance)
        keys, used = self.identity.keys, self.identity.settings
        streams = [keys.inbox(module), *map(keys.topic, check_topics(topics))]
        self.readers = [Reader(stream, module, self.identity.instance) for stream in streams]
        self.options = options
        window = Window(options.remembered) if options.remembered else None
        self.in_flight = InFlight(self.identity, window, int(options.dedup_s * 1000))
        enough = ENOUGH if self.identity.signer is None else ENOUGH_SIGNED
        self._sizes = Sizes(options.prefetch_bytes, used.max_envelope_bytes, enough=enough)
        self._flights = SignedFlights()
        self._admission = Admission(self.identity, self.in_flight, self._sizes)
        # None where this process tells nothing of its messages.
        self.telemetry = telemetry_of_process(used, module, self.identity.instance)
        self._admission.telemetry = self.telemetry
        if used.signing != "off":
            from claude_comm.client.consumer.trust import Trust  # PyNaCl is an extra

            self._admission.trust = Trust(self.identity, streams)
        self._reclaimer = Reclaimer(self.readers, self.in_flight, self._admission, options.lease_s, options.trusted)
        if instance is not None:
            self._reclaimer.look_at_own()
        self._joined = False
        cluster = on_cluster(used.url)
        self._settler = Settler(self.identity, self.in_flight, self.telemetry, on_cluster=cluster)
        self._handovers = Handovers(self.readers, self._admission, self.in_flight)
        self._due = DueMessages(self.identity, self.readers, self._handovers)
        self._several = SeveralStreams(self.readers, self._reclaimer.give_back, on_cluster=cluster)
        # How many entries were requested ahead and have not arrived.
        self.requested = 0
        # Whether the last read brought as many entries as it asked for, so that more may be waiting.
        self.filled = False
        # Whether the last read of the one stream brought several: those to come are likely to be sent together, too.
        self._together = False

    def read_as(self, contract: Contract) -> Ways:
        """From now on it reads as this version of the module: agreements that messages come under are looked up, and
        messages that other versions leave to this one are taken. The ways that messages take to it."""
        # What a consumer without a contract does not have to import.
        from claude_comm.client.consumer.ways import Ways

        self._handovers.digest = contract.digest
        ways = Ways(self.identity, contract)
        self._admission.ways, self.in_flight.adapters = ways, ways.digests
        return ways

    def handing_over(self, delivery: Delivery, digest: str) -> Operation[None]:
        """Leaves a delivery to another version of the module; this was no attempt."""
        return self._handovers.leave(delivery, digest)

    def reading(self, wait_ms: int, most: int | None = None) -> Operation[list[Delivery]]:
        """The next deliveries, pending ones first; empty when the wait is over, or at once when the bounds are
        reached."""
        return self._noting_failure(self._read(wait_ms, most) if self._count(most) else self._settled())

    def reading_ahead(self, most: int) -> Operation[list[Delivery]] | None:
        """New entries that are there already, and the acks, in one batch that may be sent long before its replies are
        read; None while another duty comes first, or when the bounds are reached."""
        count = self._ending(min(self._count(most), self._sizes.ahead()))
        return self._counted_read(count) if count and self._may_read_at_once() else None

    @property
    def most_ahead(self) -> int:
        """How many entries a read that is requested ahead asks for at most."""
        return self._sizes.ahead()

    def reads_abreast(self) -> bool:
        """Whether a read may be requested ahead while nobody has taken in the reply to another."""
        return self._sizes.abreast()

    def _counted_read(self, count: int) -> Operation[list[Delivery]]:
        """A read that counts against the bounds until it is over."""
        self.requested += count
        try:
            return (yield from self._noting_failure(self._noting_unseen(self._settled_and_new(0, count, at_once=True))))
        finally:
            self.requested -= count

    def _noting_failure(self, reading: Operation[list[Delivery]]) -> Operation[list[Delivery]]:
        """A read that notes what its failure means for the next one: on a connection that was cut, or to a read that
        was cancelled or refused half-way, the server may have left entries that are pending for us."""
        try:
            return (yield from reading)
        except (TransportError, GeneratorExit) as error:
            self._reclaimer.look_at_own()
            if not self._lost_group(error):
                raise
            return []

    def _noting_unseen(self, reading: Operation[list[Delivery]]) -> Operation[list[Delivery]]:
        """A read of new entries: what it was to bring and did not, no handler has seen."""
        try:
            return (yield from reading)
        except (TransportError, GeneratorExit):
            self._reclaimer.look_at_own(unseen=True)
            raise

    def _lost_group(self, error: BaseException) -> bool:
        """Whether the server was emptied under us, or restored: then the next read creates the group again."""
        lost = isinstance(error, ServerRefused) and error.code == "NOGROUP"
        if lost:
            self._joined = False
        return lost

    def settling(self) -> Operation[None]:
        """Sends the gathered acks, one batch a stream."""
        return self._settler.settle()

    def reply(self, delivery: Delivery, data: object) -> EncodedAnswer | None:
        """The answer to a request, to be sent with its ack; None for a message that is none. Raises EncodeError or
        TooLarge."""
        return replies.reply(self.identity, delivery.envelope, data)

    def onward(self, delivery: Delivery, data: object) -> list[Post]:
        """The result as it goes on along the route of a message, to be sent with its ack; none for a message without
        one. Raises as `replying`."""
        return self._admission.passing.result(delivery.envelope, data) if delivery.envelope.route else []

    def replying(self, delivery: Delivery, data: object) -> Operation[None]:
        """Passes the result on along the route of a message, and replies to a request by itself; nothing for a message
        that is neither. Raises EncodeError, TooLarge, or DecodeError for a route that cannot be followed."""
        if posts := self.onward(delivery, data):
            yield from self._admission.passing.send(posts)
        yield from replies.replying(self.identity, delivery.envelope, data)

    def burying(self, delivery: Delivery, why: Why, error: BaseException | None = None) -> Operation[None]:
        """Moves a delivery to the dead stream, and answers its request with the failure; `error` was raised."""
        yield from self._settler.tell()
        yield from self._admission.bury(delivery, why, error)

    def retrying(self, delivery: Delivery, wait_s: float, reason: str, *, counted: bool = True) -> Operation[None]:
        """Moves a delivery to the delayed messages (`later`). Unless `counted`, this was no attempt."""
        now_us = micros()
        due_us = now_us + int(wait_s * 1_000_000)
        yield from self._settler.tell()
        event = Retried(delivery.settled(now_us), brief(reason, self.identity.most_text), due_us)
        retry = later.retry(
            self.identity.keys,
            delivery.reader,
            delivery.entry,
            due_ms=due_us // 1000,
            attempts=delivery.attempts if counted else delivery.attempts - 1,
            event=self.identity.event(event, delivery.envelope.session),
        )
        yield from retry if self.telemetry is None else settling(self.telemetry, RETRY, [delivery.envelope], retry)
        self.in_flight.release(delivery)
        self._due.expect(wait_s)

    def join_again(self) -> None:
        """The server was emptied: the next read announces the streams and makes the groups where they are missing."""
        self._joined = False

    def release(self, delivery: Delivery) -> None:
        """Drops a delivery without an end: its lease is not renewed, and another consumer may claim it."""
        self.in_flight.release(delivery)
        self._reclaimer.released(delivery)

    def renewing(self) -> Operation[None]:
        """Renews the lease of every delivery in flight, acked ones included until the server confirms them."""
        for reader in self.readers:
            ids = self.in_flight.entry_ids(reader.stream)
            if ids:
                yield from pending.renew(reader, sorted(ids))

    def giving_back(self, deliveries: Sequence[Delivery], *, counted: bool = False) -> Operation[None]:
        """Makes these claimable by others at once. Unless `counted`, this was no attempt: no handler saw them."""
        for reader in self.readers:
            mine = [delivery for delivery in deliveries if delivery.reader == reader]
            if mine:
                yield from self._reclaimer.give_back(reader, [delivery.entry for delivery in mine], counted=counted)
                for delivery in mine:
                    self.in_flight.release(delivery)
        self._admission.forget(deliveries)

    def abandon(self) -> list[Delivery]:
        """Releases every delivery in flight but parked copies, and returns them."""
        abandoned = [delivery for delivery in self.in_flight.deliveries() if not self._admission.parks(delivery)]
        for delivery in abandoned:
            self.release(delivery)
        return abandoned

    def leaving(self, *, counted: bool = False) -> Operation[None]:
        """Sends the acks, gives back unhandled deliveries, and removes this consumer from its groups."""
        yield from self.settling()
        if self._joined:
            if self._reclaimer.has_own():
                yield from self._reclaimer.give_back_own()
            yield from self.giving_back(self.in_flight.deliveries(), counted=counted)
            for reader in self.readers:
                yield from ops.leave(reader)

    def full(self) -> bool:
        """Whether the bounds allow no further delivery."""
        return not self._count(None)

    def _count(self, most: int | None) -> int:
        """How many entries the next read may ask for."""
        options = self.options
        room = options.prefetch - len(self.in_flight) - self.requested if options.prefetch else options.batch
        held_bytes = (
            self.in_flight.size_bytes(self._sizes.peak, options.prefetch_bytes) + self.requested * self._sizes.peak
        )
        wanted = options.batch if most is None else most
        return max(min(options.batch, wanted, room, self._sizes.fitting(held_bytes)), 0)

    def _ending(self, count: int) -> int:
        """As many of these as end where messages that were signed together do."""
        return self._flights.ending(count, self.requested)

    def _read(self, wait_ms: int, most: int | None) -> Operation[list[Delivery]]:
        deadline = time.monotonic() + wait_ms / 1000
        count = self._ending(self._count(most))
        if self.in_flight.has_acks() and self._may_read_at_once():
            turn_ms = self._turn_ms(deadline)
            if turn_ms and self.in_flight.few_acks(self.options.gather):
                deliveries = yield from self._noting_unseen(self._new(turn_ms, count))
            else:
                deliveries = yield from self._noting_unseen(self._settled_and_new(turn_ms, count))
            if deliveries or time.monotonic() >= deadline:
                return deliveries
        if not (wait_ms and self.in_flight.few_acks(self.options.gather)):
            yield from self.settling()
        if not self._joined:
            yield from self._join()
            count = self._ending(self._count(most))
        while True:
            yield from self._due.move()
            deliveries = yield from self._pending(count)
            self.filled = len(deliveries) >= count
            if not deliveries and self.options.in_order and self._reclaimer.waits_for_suspect():
                yield Pause(self._turn_ms(deadline) / 1000)
            elif not deliveries:
                deliveries = yield from self._noting_unseen(self._new(self._turn_ms(deadline), count))
            if deliveries or time.monotonic() >= deadline:
                return deliveries

    def _pending(self, count: int) -> Operation[list[Delivery]]:
        """Deliveries that come before new ones."""
        deliveries = self._admission.unpark() or (yield from self._handovers.take(count))
        deliveries = deliveries or (yield from self._reclaimer.reclaim(count))
        return (yield from self._reclaimer.hand_out(deliveries)) if deliveries else []

    def _settled(self) -> Operation[list[Delivery]]:
        self.filled = False
        yield from self.settling()
        return []

    def _turn_ms(self, deadline: float) -> int:
        """How long to wait for new entries: until the deadline, or until it is time to look for due messages.

        A millisecond more than that: a wait that is cut off would end a moment too soon, and the next be too short.
        """
        now = time.monotonic()
        look_at = now + _SUSPECT_WAIT_S if self._reclaimer.waits_for_suspect() else self._due.at
        return int(max(min(deadline, look_at) - now, 0) * 1000) + 1 if now < deadline else 0

    def _may_read_at_once(self) -> bool:
        """Whether acks and the next read may travel in one batch: no other duty is due, and no ack was refused."""
        lone = len(self.readers) == 1 and self._joined and not self._reclaimer.has_own() and not self._admission.parks()
        free_until = min(self._reclaimer.at, self._due.at, self._settler.tell_at)
        return (
            lone and not self._handovers.has_expected() and not self._settler.refused and time.monotonic() < free_until
        )

    def _settled_and_new(self, wait_ms: int, count: int, *, at_once: bool = False) -> Operation[list[Delivery]]:
        """The acks and the next read in one round trip."""
        (reader,) = self.readers
        if self.telemetry is not None and wait_ms:
            # What an ack takes is told of: it must not wait for a message.
            yield from self.settling()
            return (yield from self._new(wait_ms, count))
        entries = yield from self._settler.settle_and_read(
            reader, count=count, block_ms=wait_ms, several=self._together, at_once=at_once
        )
        self._arrived(entries, count)
        return (yield from self._admission.admit(reader, entries))

    def _arrived(self, entries: Sequence[Entry], count: int) -> None:
        """Of one stream, where so many were asked for."""
        self.filled, self._together = len(entries) == count, len(entries) > 1
        if entries and entries[-1].head is not None:
            self._flights.saw(*flight_of(entries[-1].place))

    def _join(self) -> Operation[None]:
        keys = self.identity.keys
        yield from ops.announce(keys, [keys.events(self.identity.module), *(reader.stream for reader in self.readers)])
        for reader in self.readers:
            if not (yield from ops.has_group(reader.stream, reader.group)):
                position = yield from find_position(self.identity, reader.stream)
                yield from ops.make_group(reader.stream, reader.group, position)
            self._sizes.expect((yield from ops.sample_bytes(reader.stream)))
        self._joined = True
        self._settler.announced()
        self._reclaimer.look_at_all()

    def _new(self, wait_ms: int, count: int) -> Operation[list[Delivery]]:
        if len(self.readers) == 1:
            reader = self.readers[0]
            entries = yield from ops.read(reader, count=count, block_ms=wait_ms, several=self._together)
            self._arrived(entries, count)
            return (yield from self._admission.admit(reader, entries))
        arrived = yield from self._several.new(wait_ms, count)
        self.filled = self._several.filled
        deliveries = yield from self._admitted(arrived)
        if self._several.failed is not None:
            # Of one node, while others brought something.
            self._reclaimer.look_at_own(unseen=True)
            self._lost_group(self._several.failed)
        return deliveries

    def _admitted(self, arrived: Sequence[NewEntries]) -> Operation[list[Delivery]]:
        """The deliveries of these. They are admitted when all have been read: a read that fails loses none of them."""
        deliveries: list[Delivery] = []
        for reader, entries in arrived:
            try:
                deliveries += yield from self._admission.admit(reader, entries)
            except TransportError:
                if not deliveries:
                    raise
                # Those of the other streams are ours to handle; the rest is pending for us, and unseen.
                self._reclaimer.look_at_own(unseen=True)
                break
            except BaseException:
                self._reclaimer.drop(deliveries)
                raise
        return deliveries
