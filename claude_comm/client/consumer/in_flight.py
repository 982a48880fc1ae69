"""What one consumer holds of deliveries: those being handled, and the acks that the server has not confirmed.

Law: a delivery is held from its reading until the server has confirmed its end, or it was given back. So it is
renewed, counts against the bounds, and is never handed out a second time by the same consumer. Threads may end
deliveries while another reads and a third sends acks.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat, starmap
from time import time_ns
from typing import TypeAlias

from msgspec.structs import replace

from claude_comm.client.consumer.delivery import Delivery, check_delivery
from claude_comm.client.identity import Identity, micros
from claude_comm.delivery.dedup import Window, mark_of, member
from claude_comm.effects import Post
from claude_comm.ops.consume import Settlement
from claude_comm.ops.replies import EncodedAnswer
from claude_comm.progress.events import Duplicates, Handled, Settled
from claude_comm.progress.packed import PackedDeliveries, pack
from claude_comm.progress.packed_replies import PackedReplies, in_packs
from claude_comm.security import sealed
from claude_comm.settings import TelemetryLevel

# A delivery that ended, when (nanoseconds), whether as a copy of one that had been handled, the answer if it was a
# request, and what is to be sent on along its route before. A plain tuple: one is made for every message.
Ack: TypeAlias = tuple[Delivery, int, bool, EncodedAnswer | None, Sequence[Post]]

# The most that an event holds of one ack, and beside its acks.
_ACK_BYTES, _EVENT_BYTES = 400, 400
# Events of so many acks at most are packed. Packing takes half a microsecond a message, unpacking one: at the rate of
# messages that come one by one that is nothing, and it would be felt in batches of hundreds.
_PACKED = 32
# Of ids that end in one of sixteen digits, one digit.
_SAMPLE = "0"

_NOTHING_ONWARD: Sequence[Post] = ()
# In place of what is not in flight; `None`, which callers may give by mistake, is none of them.
_NONE_HELD = object()


class InFlight:
    """The deliveries and acks of one consumer. `window` tells copies, `seen_ms` is how long the server remembers."""

    def __init__(self, identity: Identity, window: Window | None, seen_ms: int) -> None:
        self.window = window
        self.seen_ms = seen_ms
        self._identity = identity
        self._deliveries: dict[Delivery, None] = {}
        self._acks: deque[Ack] = deque()
        self._sending: list[list[Ack]] = []
        # About how large the answers are that wait to be sent, and what goes on along routes.
        self.answer_bytes = 0
        # Whether it has ever answered, and sent on along a route: most consumers never do, and need not look for it.
        self._answers = self.sent_on = False
        self._moving = threading.Lock()
        # Agreements whose messages are adapted for this module, each with the digest of the adapter.
        self.adapters: dict[str, str] = {}
        # How many acks one event may name: it is an envelope, too, and has the same limit.
        self._telemetry: TelemetryLevel = identity.settings.telemetry_of(identity.module)
        self._most_reply_bytes = identity.settings.max_envelope_bytes - _EVENT_BYTES
        self._most = max(self._most_reply_bytes // _ACK_BYTES, 1)

    def __len__(self) -> int:
        """The number of deliveries that were read and have not ended."""
        return len(self._deliveries)

    def size_bytes(self, peak: int, most: int) -> int:
        """The size of the deliveries in flight, exact where that may matter: `peak` is the largest size so far."""
        at_most = len(self._deliveries) * peak
        if at_most <= most // 2:
            return at_most
        return sum(len(delivery.entry.body or b"") for delivery in list(self._deliveries))

    def holds(self, delivery: Delivery) -> bool:
        """Whether a delivery was read and has not ended."""
        return delivery in self._deliveries

    def deliveries(self) -> list[Delivery]:
        """In the order in which they were read."""
        return list(self._deliveries)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        self._deliveries.update(zip(deliveries, repeat(None)))

    def ack(
        self, delivery: Delivery, answer: EncodedAnswer | None = None, onward: Sequence[Post] = _NOTHING_ONWARD
    ) -> None:
        """Marks a delivery as handled; nothing for one that is not in flight. The next exchange carries the answer and
        the ack; what goes `onward` goes before it."""
        ack = (delivery, time_ns(), False, answer, onward)
        if answer is not None:
            self._answers = True
            self.answer_bytes += len(answer.body)
        if onward:
            self.sent_on = True
            self.answer_bytes += sum(len(post.body) for post in onward)
        # Added there before it leaves here: another thread that looks meanwhile finds it.
        self._acks.append(ack)
        try:
            if self._deliveries.pop(delivery, _NONE_HELD) is None:
                if self.window is not None:
                    envelope = delivery.envelope
                    self.window.handled(mark_of(envelope.source, envelope.id))
                return
        except TypeError:  # it is not hashable
            pass
        self._acks.remove(ack)
        check_delivery(delivery)

    def ack_copy(self, delivery: Delivery) -> None:
        """Ends a delivery of a message that was handled before."""
        self._acks.append((delivery, time_ns(), True, None, _NOTHING_ONWARD))
        self._deliveries.pop(delivery, None)

    def release(self, delivery: Delivery) -> None:
        """Drops a delivery without an end: its lease is not renewed any more, and whoever claims it has it again."""
        if self._deliveries.pop(delivery, _NONE_HELD) is None and self.window is not None:
            self.window.released(mark_of(*delivery.identity))

    def undo(self, ack: Ack) -> None:
        """What was acked is not to be: it is handed out again when its lease is over, and is no copy then."""
        if self.window is not None:
            self.window.undone(mark_of(*ack[0].identity))

    def drop(self, deliveries: Iterable[Delivery]) -> None:
        """Drops deliveries about which nothing was decided yet."""
        for delivery in deliveries:
            self._deliveries.pop(delivery, None)

    def has_acks(self) -> bool:
        """Whether there are acks to send."""
        return bool(self._acks)

    def oldest_ack_s(self) -> float:
        """For how long the first of the acks has waited (seconds); 0 where there is none. A clock that was set back
        makes it infinite: then nobody knows."""
        try:
            age_s = (time_ns() - self._acks[0][1]) / 1e9
        except IndexError:
            return 0.0
        return age_s if age_s >= 0 else math.inf

    def few_acks(self, limit: int) -> bool:
        """Whether fewer acks than that wait, and none of them is urgent: with an answer, or of a delivery that was
        handed out before and would count again if the next message kills this process."""
        if len(self._acks) >= limit or self.answer_bytes:
            return False
        return all(ack[0].entry.deliveries == 1 for ack in list(self._acks))

    @contextmanager
    def sending(self, *, staying: bool = False) -> Iterator[list[Ack]]:
        """The acks gathered first, the caller's to send, as many as one event may name; those left in the list at the
        end are gathered again. With `staying` only those for which nothing goes onward before them."""
        with self._moving:
            acks = list(starmap(self._acks.popleft, repeat((), min(len(self._acks), self._most))))
            if staying and self.sent_on and (onward := [ack for ack in acks if ack[4]]):
                self._acks.extendleft(reversed(onward))
                acks = [ack for ack in acks if not ack[4]]
            else:
                self.answer_bytes = 0
            self._sending.append(acks)
        try:
            yield acks
        finally:
            with self._moving:
                self._acks.extendleft(reversed(acks))
                self._sending = [other for other in self._sending if other is not acks]

    def entry_ids(self, stream: str) -> set[str]:
        """The entries of that stream that this consumer holds: being handled, acked, or their acks on the way."""
        with self._moving:
            acked = [ack[0] for acks in (self._acks, *self._sending) for ack in list(acks)]
            handling = list(self._deliveries)
        return {delivery.entry.id for delivery in (*handling, *acked) if delivery.reader.stream == stream}

    def settlement(self, acks: Iterable[Ack], *, answering: bool = True) -> Settlement:
        """The acks of one stream, as they are sent: with their answers, or without, where these went before."""
        acks = list(acks)
        copies = [ack for ack in acks if ack[2]] if self.window is not None else []
        handled = [ack for ack in acks if not ack[2]] if copies else acks
        reported = handled if self._telemetry == "full" else _reported(handled, self._telemetry)
        events = []
        if reported:
            events.append(self._event(_done(reported, self.adapters)))
        if copies:
            events.append(self._event(Duplicates(_settled(copies, self.adapters))))
        answers = [ack[3] for ack in acks if ack[3] is not None] if answering and self._answers else []
        keys, module = self._identity.keys, self._identity.module
        seen = [member(ack[0].identity) for ack in handled] if self.seen_ms else ()
        return Settlement(
            ids=[ack[0].entry.id for ack in acks],
            events_stream=keys.events(module),
            events=events,
            answers=answers,
            recorded=self._recorded(answers) if answers else (),
            seen=keys.seen(module),
            handled=seen,
            now_ms=micros() // 1000,
            seen_ms=self.seen_ms,
        )

    def _event(self, event: PackedDeliveries | PackedReplies | Handled | Duplicates) -> bytes:
        return self._identity.event(event)

    def _recorded(self, answers: Sequence[EncodedAnswer]) -> list[bytes]:
        """What the events have of these, at every level of telemetry."""
        if len(answers) == 1:
            return [self._identity.recorded(answers[0].body)]
        bodies = [answer.body for answer in answers]
        if self._identity.signer is not None:
            bodies = [sealed.split(body)[0] for body in bodies]
        packs = in_packs(bodies, self._most_reply_bytes)
        return [
            self._event(PackedReplies(pack)) if len(pack) > 1 else self._identity.recorded(pack[0]) for pack in packs
        ]


def _reported(acks: Sequence[Ack], level: TelemetryLevel) -> list[Ack]:
    """Those of which an event says that they were handled. What failed before, or is a part of a pipeline, always is:
    else it would seem to be tried again, and its run to wait."""
    return [
        ack
        for ack in acks
        if ack[0].envelope.route
        or ack[0].entry.failures + ack[0].entry.deliveries > 1
        # The end of an id is random, and the same for whoever handles it.
        or (level == "sampled" and ack[0].envelope.id.endswith(_SAMPLE))
    ]


def _done(acks: Sequence[Ack], adapters: Mapping[str, str]) -> PackedDeliveries | Handled:
    """Packed, if they are few, all of them ended at the first attempt, and none was adapted."""
    if adapters or len(acks) > _PACKED:
        return Handled(_settled(acks, adapters))
    rows = []
    for delivery, at_ns, *_ in acks:
        entry, envelope = delivery.entry, delivery.envelope
        if entry.failures + entry.deliveries != 1:
            return Handled(_settled(acks, adapters))
        rows.append((envelope.source, envelope.id, envelope.time, at_ns // 1000))
    return pack(rows) or Handled(_settled(acks, adapters))


def _settled(acks: Iterable[Ack], adapters: Mapping[str, str]) -> list[Settled]:
    if adapters:
        return [
            replace(delivery.settled(at_ns // 1000), adapter=adapters.get(delivery.envelope.agreement, ""))
            for delivery, at_ns, *_ in acks
        ]
    return [
        Settled(
            (e := delivery.envelope).source, e.id, e.time, at_ns // 1000, (n := delivery.entry).failures + n.deliveries
        )
        for delivery, at_ns, _, _, _ in acks
    ]
