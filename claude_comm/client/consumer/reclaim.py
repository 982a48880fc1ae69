"""Reclaiming pending entries: this consumer's own from before a restart, and those of consumers that died.

Law: an entry that this process holds is never taken a second time, nor counted again while it reads on. Pending
entries come back in the order of the stream, whoever held them: a consumer gives back its own from before, and claims
them with all others. An entry that was handed out more than once may have killed its consumer: such suspects come one
at a time, so that the innocent entries read beside a guilty one are not counted with it. An entry that was deleted
while it was pending is logged and recorded as lost: none is skipped in silence.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from claude_comm.client.consumer.admission import Admission
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.client.identity import Identity
from claude_comm.delivery.lease import claim_every_s
from claude_comm.effects import Operation
from claude_comm.ops import consume as ops
from claude_comm.ops.consume import Claimed, Entry, Reader
from claude_comm.progress.events import Lost
from claude_comm.telemetry.logs import get_logger

START = "0-0"
# How many of its own entries a consumer gives back in one step.
_PAGE = 500
# How many lost entries one event names.
_LOST_PAGE = 100


class Reclaimer:
    """The position of one consumer in the pending entries. `at` is when to claim next (monotonic seconds).

    An entry is a suspect when it was handed out more than `trusted` times.
    """

    def __init__(
        self,
        identity: Identity,
        readers: Sequence[Reader],
        in_flight: InFlight,
        admission: Admission,
        lease_s: float,
        trusted: int,
    ) -> None:
        self._identity, self._readers, self._in_flight, self._admission = identity, readers, in_flight, admission
        self._log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self._lease_s, self._trusted = lease_s, trusted
        self._cursors = {reader.stream: START for reader in readers}
        # Whether there may be entries of its own, and whether this process was handed them and never saw them.
        self._own = self._unseen = False
        self._suspect: Delivery | None = None
        self._careful = False
        self.at = 0.0

    def look_at_own(self, *, unseen: bool = False) -> None:
        """From now on, entries pending for this very consumer come before new ones: it was restarted under its name.
        Or they are `unseen`: a read was cut off after the server had handed them out, which was no attempt."""
        self._unseen = unseen
        self._own = True

    def look_at_all(self) -> None:
        """From now on, pending entries of other consumers come before new ones, from the first pending one on."""
        self._cursors = dict.fromkeys(self._cursors, START)
        self.at = 0.0

    def has_own(self) -> bool:
        """Whether more entries may be pending for this consumer."""
        return self._own

    def waits_for_suspect(self) -> bool:
        """Whether a suspect is being handled, and others may wait for its end."""
        return self._suspect is not None and self._in_flight.holds(self._suspect)

    def reclaim(self, count: int) -> Operation[list[Delivery]]:
        """Up to `count` deliveries."""
        if self._own:
            yield from self.give_back_own()
        if time.monotonic() < self.at or self.waits_for_suspect():
            return []
        deliveries: list[Delivery] = []
        for reader in self._readers:
            room = count - len(deliveries)
            if not room:
                return deliveries
            deliveries += yield from self._claim(reader, 1 if self._careful else room)
            if self.waits_for_suspect():
                return deliveries
        if all(cursor == START for cursor in self._cursors.values()):
            self.at = time.monotonic() + claim_every_s(self._lease_s)
        return deliveries

    def give_back_own(self) -> Operation[None]:
        """Makes the entries that are pending for this consumer, and that it does not hold, claimable at once."""
        for reader in self._readers:
            cursor = START
            while cursor:
                held = self._in_flight.entry_ids(reader.stream)
                own = yield from ops.own(reader, cursor=cursor, count=_PAGE)
                yield from self._record_lost(reader, own)
                entries = [entry for entry in own.entries if entry.id not in held]
                # Reading one's own counts, too.
                yield from ops.give_back(reader, [_uncounted(e, int(self._unseen)) for e in entries], counted=False)
                cursor = own.cursor
        self._own = self._unseen = False
        self.look_at_all()

    def _claim(self, reader: Reader, count: int) -> Operation[list[Delivery]]:
        held = self._in_flight.entry_ids(reader.stream)
        if held:
            # A claim counts another delivery of what it finds, also of this consumer's own, if its lease is over.
            yield from ops.renew(reader, sorted(held))
        claimed = yield from ops.claim(
            reader, lease_ms=int(self._lease_s * 1000), cursor=self._cursors[reader.stream], count=count
        )
        self._cursors[reader.stream] = claimed.cursor
        yield from self._record_lost(reader, claimed)
        # The lease of some may have ended once more between the two commands, on a busy machine.
        yield from ops.keep(reader, [entry for entry in claimed.entries if entry.id in held])
        entries = [entry for entry in claimed.entries if entry.id not in held]
        first = next((place for place, entry in enumerate(entries) if entry.deliveries > self._trusted), None)
        if first is None:
            self._careful = False
            return (yield from self._admission.admit(reader, entries))
        # What is trusted and comes before the first suspect, else that suspect alone; the rest is claimed again.
        end = max(first, 1)
        if rest := entries[end:]:
            yield from ops.give_back(reader, rest, counted=False)
            self._cursors[reader.stream] = rest[0].id
        deliveries = yield from self._admission.admit(reader, entries[:end])
        self._careful = True
        if first == 0 and deliveries:
            self._suspect = deliveries[0]
        return deliveries

    def _record_lost(self, reader: Reader, claimed: Claimed) -> Operation[None]:
        if claimed.lost:
            self._log.error("delivery.lost", stream=reader.stream, entries=claimed.lost)
        for start in range(0, len(claimed.lost), _LOST_PAGE):
            event = self._identity.event(Lost(reader.stream, claimed.lost[start : start + _LOST_PAGE]))
            yield from ops.tell(self._identity.keys.events(self._identity.module), event)


def _uncounted(entry: Entry, deliveries: int) -> Entry:
    return msgspec.structs.replace(entry, deliveries=max(entry.deliveries - deliveries, 1))
