"""Deliveries that one version of a module leaves to another version.

Law: what another version left to this one comes before new entries. What this process left to a version that no longer
runs is taken back at once: it need not wait for a lease.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.client.consumer.admission import Admission
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.effects import Operation
from claude_comm.ops import pending
from claude_comm.ops.consume import Reader
from claude_comm.ops.pending import Claimed


class Handovers:
    """The handovers of one consumer. `digest` is the version of the module that reads; empty without a contract."""

    def __init__(self, readers: Sequence[Reader], admission: Admission, in_flight: InFlight) -> None:
        self._readers, self._admission, self._in_flight = readers, admission, in_flight
        self.digest = ""
        # Those whose streams have deliveries that other versions left to this one.
        self._waiting: list[Reader] = []

    def version(self, reader: Reader) -> tuple[str, str]:
        """The group and the version that a delivery may be left to; empty without a contract."""
        return (reader.group, self.digest) if self.digest else ("", "")

    def expect(self, reader: Reader) -> None:
        """The stream of this reader has deliveries for this version."""
        if reader not in self._waiting:
            self._waiting.append(reader)

    def has_expected(self) -> bool:
        """Whether a stream has deliveries for this version."""
        return bool(self._waiting)

    def leave(self, delivery: Delivery, digest: str) -> Operation[None]:
        """Leaves a delivery to the version with this digest; this was no attempt."""
        if self._admission.ways is not None:
            self._admission.ways.left_to.add(digest)
        lost = yield from pending.hand_over(delivery.reader, [delivery.entry], digest)
        self._in_flight.release(delivery)
        yield from self._admission.report_lost(delivery.reader, lost)

    def take(self, count: int) -> Operation[list[Delivery]]:
        """Up to `count` deliveries that were left to this version, else those that are taken back."""
        while self._waiting:
            reader = self._waiting[0]
            claimed = yield from pending.take(reader, self.digest, count)
            if not claimed.cursor:
                del self._waiting[0]
            if deliveries := (yield from self._admit(reader, claimed)):
                return deliveries
        return (yield from self._take_back(count))

    def _take_back(self, count: int) -> Operation[list[Delivery]]:
        ways = self._admission.ways
        if ways is None:
            return []
        for digest in sorted(ways.left_to):
            if (yield from ways.runs(digest)):
                continue
            for reader in self._readers:
                claimed = yield from pending.take(reader, digest, count, handed=False)
                if deliveries := (yield from self._admit(reader, claimed)):
                    return deliveries
            ways.left_to.discard(digest)
        return []

    def _admit(self, reader: Reader, claimed: Claimed) -> Operation[list[Delivery]]:
        yield from self._admission.report_lost(reader, claimed.lost)
        return (yield from self._admission.admit(reader, claimed.entries))
