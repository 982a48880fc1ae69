"""Reclaiming pending entries: this consumer's own from before a restart, and those of consumers that died.

Law: attempts count what a handler was handed. An entry that this process holds is never taken a second time, nor
counted again while it reads on; what is claimed counts when it goes to a handler (`hand_out`), so that a process killed
on the way, or a lost reply, is no attempt. Pending entries come back in the order of the stream, whoever held them: a
consumer gives back its own from before, and claims them with all others. An entry that was handed out more than once
may have killed its consumer: such suspects come one at a time, so that the innocent entries read beside a guilty one
are not counted with it. An entry that was deleted while it was pending is logged and recorded as lost: none is skipped
in silence.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from claude_comm.client.consumer.admission import Admission
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.delivery.lease import claim_every_s
from claude_comm.effects import Operation
from claude_comm.ops import pending
from claude_comm.ops.consume import Entry, Reader
from claude_comm.ops.pending import PendingDelivery

START = "0-0"
# How many of its own entries a consumer gives back in one step.
_PAGE = 500
# How many released entries are remembered until this consumer's own are given back.
_MAX_RELEASED = 10_000


class Reclaimer:
    """The position of one consumer in the pending entries. `at` is when to claim next (monotonic seconds).

    An entry is a suspect when it was handed out more than `trusted` times.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        in_flight: InFlight,
        admission: Admission,
        lease_s: float,
        trusted: int,
    ) -> None:
        self._readers, self._in_flight, self._admission = readers, in_flight, admission
        self._lease_s, self._trusted = lease_s, trusted
        self._cursors = {reader.stream: START for reader in readers}
        # Whether there may be entries of its own, and whether they are of a reading of new ones that never arrived.
        self._own = self._unseen = False
        # What is known of its own entries by stream and id: those that were released after a handler saw them, and
        # how often those were handed out of which the count was not confirmed, and which no handler saw.
        self._released: dict[tuple[str, str], None] = {}
        self._uncounted: dict[tuple[str, str], int] = {}
        self._suspect: Delivery | None = None
        self._careful = False
        self.at = 0.0

    def look_at_own(self, *, unseen: bool = False) -> None:
        """From now on, entries pending for this very consumer come before new ones: it was restarted under its name, or
        a read failed. `unseen`: the server handed out new entries, and counted them, on a read that was cut off; that
        was no attempt. What waited before for this look was seen: new ones are only read after it."""
        if not self._own:
            self._own, self._unseen = True, unseen

    def look_at_all(self) -> None:
        """From now on, pending entries of other consumers come before new ones, from the first pending one on."""
        self._cursors = dict.fromkeys(self._cursors, START)
        self.at = 0.0

    def released(self, delivery: Delivery) -> None:
        """A handler saw this one, and it stays pending for this consumer."""
        self._released[delivery.entry.stream, delivery.entry.id] = None
        while len(self._released) > _MAX_RELEASED:
            self._released.pop(next(iter(self._released)), None)

    def has_own(self) -> bool:
        """Whether more entries may be pending for this consumer."""
        return self._own

    def waits_for_suspect(self) -> bool:
        """Whether a suspect is being handled, and others may wait for its end."""
        return self._suspect is not None and self._in_flight.holds(self._suspect)

    def reclaim(self, count: int) -> Operation[list[Delivery]]:
        """Up to `count` deliveries, not counted yet."""
        if self._own:
            yield from self.give_back_own()
        if time.monotonic() < self.at or self.waits_for_suspect():
            return []
        deliveries: list[Delivery] = []
        try:
            for reader in self._readers:
                room = count - len(deliveries)
                if not room:
                    return deliveries
                deliveries += yield from self._claim(reader, 1 if self._careful else room)
                if self.waits_for_suspect():
                    return deliveries
        except BaseException:
            self.drop(deliveries)
            raise
        if all(cursor == START for cursor in self._cursors.values()):
            self.at = time.monotonic() + claim_every_s(self._lease_s)
        return deliveries

    def hand_out(self, deliveries: Sequence[Delivery]) -> Operation[list[Delivery]]:
        """Counts these, which were pending before, and returns those that are still this consumer's."""
        gone: list[Delivery] = []
        try:
            for reader in self._readers:
                mine = [delivery for delivery in deliveries if delivery.reader == reader]
                ids = (yield from pending.count(reader, [delivery.entry for delivery in mine])) if mine else set()
                gone += [delivery for delivery in mine if delivery.entry.id in ids]
        except BaseException:
            for delivery in deliveries:
                self._uncounted[delivery.entry.stream, delivery.entry.id] = delivery.entry.deliveries - 1
            self.drop(deliveries)
            raise
        self.drop(gone)
        return [delivery for delivery in deliveries if delivery not in gone] if gone else list(deliveries)

    def drop(self, deliveries: Iterable[Delivery]) -> None:
        """Lets go of deliveries that no handler saw."""
        for delivery in deliveries:
            self._in_flight.release(delivery)

    def give_back_own(self) -> Operation[None]:
        """Makes the entries that are pending for this consumer, and that it does not hold, claimable at once."""
        for reader in self._readers:
            cursor = START
            while cursor:
                held = self._in_flight.entry_ids(reader.stream)
                own, cursor = yield from pending.own(reader, cursor=cursor, count=_PAGE)
                back = [
                    PendingDelivery(listed.id, self._seen(reader, listed)) for listed in own if listed.id not in held
                ]
                yield from self._give_back(reader, back)
        self._own = self._unseen = False
        self._released.clear()
        self._uncounted.clear()
        self.look_at_all()

    def give_back(self, reader: Reader, entries: Sequence[Entry], *, counted: bool = False) -> Operation[None]:
        """Makes these claimable at once by whoever has room; unless `counted`, as if they had not been handed out."""
        back = [PendingDelivery(entry.id, entry.deliveries) for entry in entries] if counted else _uncounted(entries)
        yield from self._give_back(reader, back)
        self.look_at_all()

    def _give_back(self, reader: Reader, deliveries: Sequence[PendingDelivery]) -> Operation[None]:
        yield from self._admission.report_lost(reader, (yield from pending.give_back(reader, deliveries)))

    def _seen(self, reader: Reader, delivery: PendingDelivery) -> int:
        """How often handlers were handed this one."""
        place = reader.stream, delivery.id
        unseen = self._unseen and delivery.deliveries == 1 and place not in self._released
        return self._uncounted.get(place, 0 if unseen else delivery.deliveries)

    def _claim(self, reader: Reader, count: int) -> Operation[list[Delivery]]:
        held = self._in_flight.entry_ids(reader.stream)
        if held:
            yield from pending.renew(reader, sorted(held))
        claimed = yield from pending.claim(
            reader, lease_ms=int(self._lease_s * 1000), cursor=self._cursors[reader.stream], count=count
        )
        self._cursors[reader.stream] = claimed.cursor
        yield from self._admission.report_lost(reader, claimed.lost)
        # On a busy machine, the lease of some that are held may have ended once more between the two commands.
        entries = [entry for entry in claimed.entries if entry.id not in held]
        first = next((place for place, entry in enumerate(entries) if entry.deliveries > self._trusted), None)
        if first is None:
            self._careful = False
            return (yield from self._admission.admit(reader, entries))
        # What is trusted and comes before the first suspect, else that suspect alone; the rest is claimed again.
        end = max(first, 1)
        if rest := entries[end:]:
            yield from self._give_back(reader, _uncounted(rest))
            self._cursors[reader.stream] = rest[0].id
        deliveries = yield from self._admission.admit(reader, entries[:end])
        self._careful = True
        if first == 0 and deliveries:
            self._suspect = deliveries[0]
        return deliveries


def _uncounted(entries: Sequence[Entry]) -> list[PendingDelivery]:
    return [PendingDelivery(entry.id, entry.deliveries - 1) for entry in entries]
