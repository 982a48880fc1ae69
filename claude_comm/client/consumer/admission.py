"""From entries to deliveries: which entries are handed out, and which are buried or acked on arrival.

Law: bytes that are no envelope, expired messages and messages that kill their consumers are buried (moved to the dead
letters) with the reason; copies of messages handled within the window are acked; a part of what a step of a pipeline
joins is added to the others. Every other entry is a delivery. Where
deciding fails half-way, none of a read is held: what was not decided is still pending.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.client.identity import Identity, micros, millis
from claude_comm.client.publisher import replies
from claude_comm.delivery.burial import bounded, brief
from claude_comm.delivery.dedup import mark_of, member
from claude_comm.delivery.flow_control import Sizes
from claude_comm.delivery.lease import MAX_DELIVERIES
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.effects import Operation
from claude_comm.envelope import BLOB, Envelope
from claude_comm.errors import ConfigurationError, DecodeError, EnvelopeError, ServerRefused, TransportError
from claude_comm.names import check_name, check_session
from claude_comm.ops import consume as ops
from claude_comm.ops import pending
from claude_comm.ops.consume import Entry, Reader, Why
from claude_comm.progress.events import Buried, Lost, Settled
from claude_comm.telemetry.conventions import BURY
from claude_comm.telemetry.logs import get_logger
from claude_comm.telemetry.settlements import settling

if TYPE_CHECKING:
    from claude_comm.client.consumer.passing import Passing
    from claude_comm.client.consumer.trust import Trust
    from claude_comm.client.consumer.ways import Ways
    from claude_comm.telemetry.tracing import Telemetry

# How many checked names are remembered.
_MAX_NAMES = 10_000
# How many lost entries one event names.
_LOST_PAGE = 100


class Admission:
    """Decides about the entries that one consumer reads."""

    def __init__(self, identity: Identity, in_flight: InFlight, sizes: Sizes) -> None:
        self._identity, self._in_flight, self._sizes = identity, in_flight, sizes
        self._log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        # What refused a burial last: said once.
        self._refusal = ""
        # Of a module, which has a contract.
        self.ways: Ways | None = None
        # Where signatures are looked at.
        self.trust: Trust | None = None
        # Copies of messages that are being handled: they are handled too if that fails.
        self._parked: list[Delivery] = []
        self.telemetry: Telemetry | None = None
        # Sources and sessions whose form was checked.
        self._sources: set[str] = set()
        self._sessions: set[str] = {""}

    @functools.cached_property
    def passing(self) -> Passing:
        """What handles messages of pipelines: it needs the validators, which take longer to import than a consumer."""
        from claude_comm.client.consumer.passing import Passing

        return Passing(self._identity, self.telemetry)

    def admit(self, reader: Reader, entries: Sequence[Entry]) -> Operation[list[Delivery]]:
        """The deliveries to handle, which are in flight from now on."""
        if not entries:
            return []
        bodies = [entry.body or b"" for entry in entries]
        decoded = envelopes.decode_all(bodies, max_bytes=self._identity.settings.max_envelope_bytes)
        if decoded is None or not self._are_ours(decoded):
            deliveries = yield from self._one_by_one(reader, entries)
        else:
            deliveries = [Delivery(envelope, entry, reader) for envelope, entry in zip(decoded, entries, strict=True)]
        if self.trust is not None:
            deliveries = yield from self._believed(self.trust, reader.stream, deliveries)
        if BLOB in {delivery.envelope.content_type for delivery in deliveries}:
            deliveries = list(map(self._arrived, deliveries))
        if self.ways is not None:
            deliveries = yield from self._on_their_ways(self.ways, deliveries)
        self._sizes.saw(max(map(len, bodies)), len(entries))
        special = decoded is None or _any_special(decoded, entries, micros())
        if special:
            deliveries = [self._adapted(delivery) for delivery in deliveries]
        self._in_flight.add(deliveries)
        if not special and self._in_flight.window is None:
            return deliveries
        try:
            return (yield from (self._to_handle(deliveries) if special else self._fresh(deliveries)))
        except BaseException:
            # Held by nobody's hands, they would be renewed for ever.
            self._in_flight.drop(deliveries)
            raise

    def _believed(self, trust: Trust, stream: str, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """The deliveries without those that nobody may be said to have sent: they are buried, and nothing that they
        name is believed."""
        doubts = yield from trust.doubted(stream, deliveries)
        for delivery, doubt in doubts:
            yield from self._bury_unread(delivery.reader, delivery.entry, f"not trusted: {doubt.sentence}", "")
        gone = {delivery for delivery, _ in doubts}
        return [delivery for delivery in deliveries if delivery not in gone] if gone else deliveries

    def _on_their_ways(self, ways: Ways, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """The deliveries as this version of the module accepts them; what they were sent as stays in their entries."""
        new = {delivery.envelope.agreement for delivery in deliveries} - ways.known
        if new:
            yield from ways.learn(new)
        if ways.others:
            deliveries = yield from self._own(ways, deliveries)
        return list(map(ways.adapted, deliveries)) if ways.adapters else deliveries

    def _own(self, ways: Ways, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """The deliveries without those that were agreed on with another version which runs: they are left to it."""
        left: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            other = ways.others.get(delivery.envelope.agreement)
            if other is not None and not delivery.entry.handed and (yield from ways.runs(other)):
                left.setdefault(other, []).append(delivery)
        for other, theirs in left.items():
            ways.left_to.add(other)
            reader, entries = theirs[0].reader, [delivery.entry for delivery in theirs]
            yield from self.report_lost(reader, (yield from pending.hand_over(reader, entries, other)))
        gone = {delivery for theirs in left.values() for delivery in theirs}
        return [delivery for delivery in deliveries if delivery not in gone] if gone else deliveries

    def _arrived(self, delivery: Delivery) -> Delivery:
        """With its payload at hand, where that was too large for the message."""
        if delivery.envelope.content_type != BLOB:
            return delivery
        return msgspec.structs.replace(delivery, envelope=self._identity.arrived(delivery.envelope))

    def report_lost(self, reader: Reader, ids: Sequence[str]) -> Operation[None]:
        """Logs and records entries that were deleted while they were pending."""
        if ids:
            self._log.error("delivery.lost", stream=reader.stream, entries=ids)
        for start in range(0, len(ids), _LOST_PAGE):
            event = self._identity.event(Lost(reader.stream, list(ids[start : start + _LOST_PAGE])))
            yield from ops.tell(self._identity.keys.events(self._identity.module), event)

    def unpark(self) -> list[Delivery]:
        """Parked copies whose original has ended without being handled."""
        window = self._in_flight.window
        if window is None or not self._parked:
            return []
        ended = [copy for copy in self._parked if not window.is_open(mark_of(*copy.identity))]
        if not ended:
            return []
        self._parked = [copy for copy in self._parked if copy not in ended]
        return self._without_copies(ended)

    def parks(self, delivery: Delivery | None = None) -> bool:
        """Whether this delivery is parked; without one, whether any is."""
        return bool(self._parked) if delivery is None else delivery in self._parked

    def forget(self, deliveries: Sequence[Delivery]) -> None:
        """Forgets deliveries that were given back."""
        given_back = set(deliveries)
        self._parked = [copy for copy in self._parked if copy not in given_back]

    def bury(self, delivery: Delivery, why: Why, error: BaseException | None = None) -> Operation[None]:
        """Moves a delivery to the dead stream, and answers its request with the failure unless it expired."""
        envelope = delivery.envelope
        if envelope.route:
            yield from self.passing.failure(envelope, why, error)
        if envelope.reply_to and why.reason != EXPIRED:
            yield from replies.failing(self._identity, envelope, why, error)
        burial = self._bury(delivery.reader, delivery.entry, delivery.settled(micros()), why, envelope.session)
        yield from burial if self.telemetry is None else settling(self.telemetry, BURY, [envelope], burial)
        self._in_flight.release(delivery)

    def _bury(self, reader: Reader, entry: Entry, settled: Settled, why: Why, session: str = "") -> Operation[None]:
        most = self._identity.most_text
        bounded_why = Why(
            brief(why.reason, most), brief(why.path, most), brief(why.schema_path), bounded(why.traceback)
        )
        event = self._identity.event(Buried(settled, bounded_why.reason, bounded_why.path), session)
        yield from ops.bury(self._identity.keys, reader, entry, bounded_why, event=event)

    def _one_by_one(self, reader: Reader, entries: Sequence[Entry]) -> Operation[list[Delivery]]:
        """Deliveries of the entries that are envelopes; the other entries are buried at once."""
        deliveries = []
        for entry in entries:
            try:
                if entry.body is None:
                    raise DecodeError("the entry has no field 'e'.")
                envelope = envelopes.decode(entry.body, max_bytes=self._identity.settings.max_envelope_bytes)
                check_name(envelope.source, "source")
                if envelope.session:
                    check_session(envelope.session)
            except (EnvelopeError, ConfigurationError) as error:
                trace = traceback.format_exc()
                yield from self._if_taken(entry, self._bury_unread(reader, entry, str(error), trace))
                continue
            deliveries.append(Delivery(envelope, entry, reader))
        return deliveries

    def _are_ours(self, messages: Sequence[Envelope]) -> bool:
        """Whether their names are of the form that ours have: events and replies carry them on."""
        # One look for the few names that a batch has, instead of one check per message.
        sources = {envelope.source for envelope in messages} - self._sources
        sessions = {envelope.session for envelope in messages} - self._sessions
        if not sources and not sessions:
            return True
        try:
            for source in sources:
                check_name(source, "source")
            for session in sessions:
                check_session(session)
        except ConfigurationError:
            return False
        if len(self._sources) + len(self._sessions) >= _MAX_NAMES:
            self._sources, self._sessions = set(), {""}
        self._sources |= sources
        self._sessions |= sessions
        return True

    def _if_taken(self, entry: Entry, burial: Operation[None]) -> Operation[None]:
        """Buries one that no handler may see. Where the server refuses to take it, it stays pending and comes again
        when its lease is over; meanwhile it stands in nobody's way."""
        try:
            yield from burial
        except ServerRefused as refusal:
            if refusal.code == "NOGROUP":
                raise
            if str(refusal) != self._refusal:
                self._refusal = str(refusal)
                self._log.error("delivery.not_buried", stream=entry.stream, entry=entry.id, error=self._refusal)

    def _bury_unread(self, reader: Reader, entry: Entry, reason: str, trace: str) -> Operation[None]:
        settled = Settled(source="", id=entry.id, sent_us=0, settled_us=micros(), attempts=entry.attempts)
        yield from self._bury(reader, entry, settled, Why(reason, traceback=trace))

    def _to_handle(self, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """Buries the deliveries that no handler may see; returns the rest without copies."""
        kept: list[Delivery] = []
        parts: list[Delivery] = []
        for delivery in deliveries:
            reason = _hopeless(delivery)
            if reason:
                yield from self._if_taken(delivery.entry, self.bury(delivery, Why(reason)))
                self._in_flight.drop([delivery])
            elif not delivery.envelope.route:
                kept.append(delivery)
            else:
                whole = yield from self._is_whole(delivery)
                if whole is not None:
                    (kept if whole else parts).append(delivery)
        if parts:
            yield from self._join(parts)
        return (yield from self._fresh(kept))

    def _fresh(self, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """Those that are no copies of messages handled before, where these are remembered."""
        if self._in_flight.window is None:
            return deliveries
        if self._in_flight.seen_ms:
            deliveries = yield from self._unseen(deliveries)
        return self._without_copies(deliveries)

    def _adapted(self, delivery: Delivery) -> Delivery:
        """As its step is to have it; one that cannot be adapted as it was sent: its handler refuses it."""
        if not delivery.envelope.route:
            return delivery
        try:
            return self.passing.adapted(delivery)
        except EnvelopeError:
            return delivery

    def _is_whole(self, delivery: Delivery) -> Operation[bool | None]:
        """Whether a message on a route is one for the handler, or a part of one; None for a route that cannot be read,
        which is buried."""
        try:
            is_part = self.passing.is_part(delivery.envelope)
        except EnvelopeError as error:
            yield from self.bury(delivery, Why(str(error)))
            return None
        return not is_part or not ops.own_inbox(self._identity.keys, delivery.reader)

    def _join(self, parts: Sequence[Delivery]) -> Operation[None]:
        """Keeps parts, all in one exchange: they are handled by that. Raises what refused one, after the others."""
        refusal: TransportError | None = None
        outcomes = yield from self.passing.parts(parts)
        for delivery, outcome in zip(parts, outcomes, strict=True):
            if isinstance(outcome, TransportError):
                refusal = outcome
            elif outcome == "large":
                most = self._identity.settings.max_envelope_bytes
                yield from self.bury(delivery, Why(f"what it is joined with has more than {most:,} bytes"))
            else:
                self._in_flight.ack(delivery, onward=outcome)
        if refusal is not None:
            raise refusal

    def _unseen(self, deliveries: list[Delivery]) -> Operation[list[Delivery]]:
        """Acks copies of messages that any instance handled within the server's window; returns the rest."""
        if not deliveries:
            return []
        key = self._identity.keys.seen(self._identity.module)
        members = [member(delivery.identity) for delivery in deliveries]
        seen = yield from ops.seen(key, members, since_ms=millis() - self._in_flight.seen_ms)
        for delivery, copy in zip(deliveries, seen, strict=True):
            if copy:
                self._in_flight.ack_copy(delivery)
        return [delivery for delivery, copy in zip(deliveries, seen, strict=True) if not copy]

    def _without_copies(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Acks copies of messages that this instance handled, and parks those of messages being handled."""
        window = self._in_flight.window
        if window is None or window.all_new(
            [mark_of(e.source, e.id) for e in [delivery.envelope for delivery in deliveries]]
        ):
            return deliveries
        fresh = []
        for delivery in deliveries:
            standing = window.standing(mark_of(*delivery.identity))
            if standing == "new":
                fresh.append(delivery)
            elif standing == "copy":
                self._in_flight.ack_copy(delivery)
            else:
                self._parked.append(delivery)
        return fresh


def _any_special(messages: Sequence[Envelope], entries: Sequence[Entry], now_us: int) -> bool:
    """Whether one of these needs more than its handler. Written out: this runs for every message."""
    return bool(
        [envelope for envelope in messages if 0 < envelope.expires <= now_us or envelope.route]
        or [entry for entry in entries if entry.deliveries > MAX_DELIVERIES]
    )


def _hopeless(delivery: Delivery) -> str:
    """Why a delivery is not to be handled; empty when it is."""
    if delivery.expired():
        return EXPIRED
    if delivery.entry.deliveries > MAX_DELIVERIES:
        return f"delivered {delivery.entry.deliveries - 1} times without an end: its handling kills the process"
    return ""
