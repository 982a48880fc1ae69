"""What is pending on the server and nobody works at: this consumer's own from before, and what others left behind.

Law: what this process has at hand is never taken a second time. An entry that was deleted while it was pending is
logged and told as lost: nothing is passed over in silence.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from claude_comm.client.consumer.admission import Door
from claude_comm.client.consumer.delivery import Delivery, Ledger
from claude_comm.client.identity import Identity
from claude_comm.delivery.lease import claim_every_s
from claude_comm.effects import Operation
from claude_comm.ops import consume as ops
from claude_comm.ops.consume import Claimed, Reader
from claude_comm.progress.events import Lost
from claude_comm.telemetry.logs import get_logger

START = "0-0"


class Pending:
    """How far one consumer has looked. `at` is when to look for what others left behind (monotonic seconds)."""

    def __init__(
        self, identity: Identity, readers: Sequence[Reader], ledger: Ledger, door: Door, lease_s: float
    ) -> None:
        self._identity, self._readers, self._ledger, self._door = identity, readers, ledger, door
        self._log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self._lease_s = lease_s
        self._cursors = {reader.stream: START for reader in readers}
        self._own: dict[str, str] = {}
        self.at = 0.0

    def look_at_own(self) -> None:
        """From now on, what is pending for this very consumer comes first: it was restarted under its name, or its
        connection was cut after the server had handed something out."""
        self._own = {reader.stream: START for reader in self._readers}

    def look_at_all(self) -> None:
        """From now on, what was left behind comes before anything new: from its beginning."""
        self._cursors = dict.fromkeys(self._cursors, START)
        self.at = 0.0

    def has_own(self) -> bool:
        """Whether there may be more of its own."""
        return bool(self._own)

    def left_behind(self, count: int) -> Operation[list[Delivery]]:
        """Up to `count` deliveries of each stream."""
        deliveries = yield from self._own_first(count)
        if not deliveries and time.monotonic() >= self.at:
            deliveries = yield from self._claimed(count)
        return deliveries

    def _own_first(self, count: int) -> Operation[list[Delivery]]:
        for reader in self._readers:
            while (cursor := self._own.get(reader.stream)) is not None:
                known = self._ledger.known(reader.stream)
                found = yield from ops.own(reader, cursor=cursor, count=count)
                deliveries = yield from self._taken(reader, found, known)
                if found.cursor:
                    self._own[reader.stream] = found.cursor
                else:
                    del self._own[reader.stream]
                if deliveries:
                    return deliveries
        return []

    def _claimed(self, count: int) -> Operation[list[Delivery]]:
        deliveries: list[Delivery] = []
        for reader in self._readers:
            known = self._ledger.known(reader.stream)
            found = yield from ops.claim(
                reader, lease_ms=int(self._lease_s * 1000), cursor=self._cursors[reader.stream], count=count
            )
            self._cursors[reader.stream] = found.cursor
            deliveries += yield from self._taken(reader, found, known)
        if all(cursor == START for cursor in self._cursors.values()):
            self.at = time.monotonic() + claim_every_s(self._lease_s)
        return deliveries

    def _taken(self, reader: Reader, found: Claimed, known: set[str]) -> Operation[list[Delivery]]:
        """Deliveries of what was pending, without those that are at hand already; the lost are told."""
        if found.lost:
            self._log.error("delivery.lost", stream=reader.stream, entries=found.lost)
            event = self._identity.event(Lost(reader.stream, found.lost))
            yield from ops.tell(self._identity.keys.events(self._identity.module), event)
        return (yield from self._door.opened(reader, [entry for entry in found.entries if entry.id not in known]))
