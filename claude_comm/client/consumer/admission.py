"""From entries to deliveries: what comes in, and what is buried or passed over at the door.

Law: bytes that are no envelope, messages whose time is over and messages that kill their consumers are buried, with
the reason; copies of what was handled within the window are acked. Everything else is a delivery.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from claude_comm import envelope as envelopes
from claude_comm.client.consumer.delivery import Delivery, Ledger
from claude_comm.client.identity import Identity, micros, millis
from claude_comm.client.publisher import requests
from claude_comm.delivery.burial import bounded, brief
from claude_comm.delivery.dedup import member
from claude_comm.delivery.flow_control import Sizes
from claude_comm.delivery.lease import MAX_DELIVERIES
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.effects import Operation
from claude_comm.errors import DecodeError, EnvelopeError
from claude_comm.ops import consume as ops
from claude_comm.ops.consume import Entry, Reader, Why
from claude_comm.progress.events import Buried, Settled


class Door:
    """Where the entries of one consumer come in."""

    def __init__(self, identity: Identity, ledger: Ledger, sizes: Sizes) -> None:
        self._identity, self._ledger, self._sizes = identity, ledger, sizes
        # Copies of messages that are being handled: whether they are handled too depends on how that ends.
        self._parked: list[Delivery] = []

    def opened(self, reader: Reader, entries: Sequence[Entry]) -> Operation[list[Delivery]]:
        """Deliveries, entered into the ledger, of those entries that are to be handled."""
        if not entries:
            return []
        bodies = [entry.body or b"" for entry in entries]
        decoded = envelopes.decode_all(bodies, max_bytes=self._identity.settings.max_envelope_bytes)
        if decoded is None:
            deliveries = yield from self._one_by_one(reader, entries)
        else:
            deliveries = [Delivery(envelope, entry, reader) for envelope, entry in zip(decoded, entries, strict=True)]
        self._sizes.saw(max(map(len, bodies)), len(entries))
        self._ledger.enter(deliveries)
        special = [one for one in deliveries if one.envelope.expires or one.entry.deliveries > MAX_DELIVERIES]
        plain = not special and self._ledger.window is None
        return deliveries if plain else (yield from self._to_handle(deliveries))

    def unparked(self) -> list[Delivery]:
        """Copies that waited for the end of the first one, and whose turn it is now."""
        window = self._ledger.window
        if window is None or not self._parked:
            return []
        over = [one for one in self._parked if not window.is_open(one.identity)]
        if not over:
            return []
        self._parked = [one for one in self._parked if one not in over]
        return self._first_ones(over)

    def waits(self, delivery: Delivery | None = None) -> bool:
        """Whether this copy waits, or any."""
        return bool(self._parked) if delivery is None else delivery in self._parked

    def forget(self, deliveries: Sequence[Delivery]) -> None:
        """These were given back."""
        gone = set(deliveries)
        self._parked = [one for one in self._parked if one not in gone]

    def bury(self, delivery: Delivery, why: Why, error: BaseException | None = None) -> Operation[None]:
        """Moves a delivery to the dead stream, and tells who asked, unless its time is over: `error` was raised."""
        envelope = delivery.envelope
        if envelope.reply_to and why.reason != EXPIRED:
            yield from requests.failing(self._identity, envelope, why, error)
        yield from self._bury(delivery.reader, delivery.entry, delivery.settled(micros()), why, envelope.session)
        self._ledger.release(delivery)

    def _bury(self, reader: Reader, entry: Entry, settled: Settled, why: Why, session: str = "") -> Operation[None]:
        told = Why(brief(why.reason), brief(why.path), brief(why.schema_path), bounded(why.traceback))
        event = self._identity.event(Buried(settled, told.reason, told.path), session)
        yield from ops.bury(self._identity.keys, reader, entry, told, event=event)

    def _one_by_one(self, reader: Reader, entries: Sequence[Entry]) -> Operation[list[Delivery]]:
        """Deliveries of the entries that are envelopes; the others are buried at once."""
        deliveries = []
        for entry in entries:
            try:
                if entry.body is None:
                    raise DecodeError("the entry has no field 'e'.")
                envelope = envelopes.decode(entry.body, max_bytes=self._identity.settings.max_envelope_bytes)
            except EnvelopeError as error:
                yield from self._bury_unread(reader, entry, str(error), traceback.format_exc())
                continue
            deliveries.append(Delivery(envelope, entry, reader))
        return deliveries

    def _bury_unread(self, reader: Reader, entry: Entry, reason: str, trace: str) -> Operation[None]:
        settled = Settled(source="", id=entry.id, sent_us=0, settled_us=micros(), attempts=entry.attempts)
        yield from self._bury(reader, entry, settled, Why(reason, traceback=trace))

    def _to_handle(self, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """Without those that no handler may see."""
        kept = []
        for delivery in deliveries:
            reason = _hopeless(delivery)
            if reason:
                yield from self.bury(delivery, Why(reason))
            else:
                kept.append(delivery)
        if self._ledger.window is None:
            return kept
        if self._ledger.seen_ms:
            kept = yield from self._unseen(kept)
        return self._first_ones(kept)

    def _unseen(self, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """Without copies of what any instance of the module handled within the window on the server."""
        if not deliveries:
            return []
        key = self._identity.keys.seen(self._identity.module)
        members = [member(delivery.identity) for delivery in deliveries]
        seen = yield from ops.seen(key, members, since_ms=millis() - self._ledger.seen_ms)
        for delivery, copy in zip(deliveries, seen, strict=True):
            if copy:
                self._ledger.ack_copy(delivery)
        return [delivery for delivery, copy in zip(deliveries, seen, strict=True) if not copy]

    def _first_ones(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Without copies of what this instance has handled; those of what it is handling are parked."""
        fresh = []
        for delivery in deliveries:
            standing = self._ledger.window.standing(delivery.identity) if self._ledger.window else "new"
            if standing == "new":
                fresh.append(delivery)
            elif standing == "copy":
                self._ledger.ack_copy(delivery)
            else:
                self._parked.append(delivery)
        return fresh


def _hopeless(delivery: Delivery) -> str:
    """Why a delivery is not to be handled; empty when it is."""
    if delivery.expired():
        return EXPIRED
    if delivery.entry.deliveries > MAX_DELIVERIES:
        return f"delivered {delivery.entry.deliveries} times without an end: its handling kills the process"
    return ""
