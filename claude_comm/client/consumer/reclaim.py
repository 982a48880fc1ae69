"""Reclaiming pending entries: this consumer's own from before a restart, and those of consumers that died.

Law: an entry that this process holds is never taken a second time. An entry that was deleted while it was pending is
logged and recorded as lost: none is skipped in silence.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from claude_comm.client.consumer.admission import Admission
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.client.identity import Identity
from claude_comm.delivery.lease import claim_every_s
from claude_comm.effects import Operation
from claude_comm.ops import consume as ops
from claude_comm.ops.consume import Claimed, Reader
from claude_comm.progress.events import Lost
from claude_comm.telemetry.logs import get_logger

START = "0-0"


class Reclaimer:
    """The position of one consumer in the pending entries. `at` is when to claim next (monotonic seconds)."""

    def __init__(
        self, identity: Identity, readers: Sequence[Reader], in_flight: InFlight, admission: Admission, lease_s: float
    ) -> None:
        self._identity, self._readers, self._in_flight, self._admission = identity, readers, in_flight, admission
        self._log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self._lease_s = lease_s
        self._cursors = {reader.stream: START for reader in readers}
        self._own: dict[str, str] = {}
        self.at = 0.0

    def look_at_own(self) -> None:
        """From now on, entries pending for this very consumer come first: it was restarted under its name, or its
        connection was cut after the server had handed entries out."""
        self._own = {reader.stream: START for reader in self._readers}

    def look_at_all(self) -> None:
        """From now on, pending entries of other consumers come before new ones, from the first pending one on."""
        self._cursors = dict.fromkeys(self._cursors, START)
        self.at = 0.0

    def has_own(self) -> bool:
        """Whether more entries may be pending for this consumer."""
        return bool(self._own)

    def reclaim(self, count: int) -> Operation[list[Delivery]]:
        """Up to `count` deliveries of each stream."""
        deliveries = yield from self._own_first(count)
        if not deliveries and time.monotonic() >= self.at:
            deliveries = yield from self._claimed(count)
        return deliveries

    def _own_first(self, count: int) -> Operation[list[Delivery]]:
        for reader in self._readers:
            while (cursor := self._own.get(reader.stream)) is not None:
                held = self._in_flight.entry_ids(reader.stream)
                claimed = yield from ops.own(reader, cursor=cursor, count=count)
                deliveries = yield from self._admit(reader, claimed, held)
                if claimed.cursor:
                    self._own[reader.stream] = claimed.cursor
                else:
                    del self._own[reader.stream]
                if deliveries:
                    return deliveries
        return []

    def _claimed(self, count: int) -> Operation[list[Delivery]]:
        deliveries: list[Delivery] = []
        for reader in self._readers:
            held = self._in_flight.entry_ids(reader.stream)
            claimed = yield from ops.claim(
                reader, lease_ms=int(self._lease_s * 1000), cursor=self._cursors[reader.stream], count=count
            )
            self._cursors[reader.stream] = claimed.cursor
            deliveries += yield from self._admit(reader, claimed, held)
        if all(cursor == START for cursor in self._cursors.values()):
            self.at = time.monotonic() + claim_every_s(self._lease_s)
        return deliveries

    def _admit(self, reader: Reader, claimed: Claimed, held: set[str]) -> Operation[list[Delivery]]:
        """Deliveries of the claimed entries that this consumer does not hold yet; lost ones are recorded."""
        if claimed.lost:
            self._log.error("delivery.lost", stream=reader.stream, entries=claimed.lost)
            event = self._identity.event(Lost(reader.stream, claimed.lost))
            yield from ops.tell(self._identity.keys.events(self._identity.module), event)
        return (yield from self._admission.admit(reader, [entry for entry in claimed.entries if entry.id not in held]))
