"""A delivery, and what one consumer holds of them.

Law: whatever was read is in the ledger until the server has heard of its end, or it was given back: so it is renewed,
counted against the bounds, and never handed out a second time by the same consumer. Threads may end deliveries while
another reads and a third sends acks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any, TypeAlias

import msgspec

from claude_comm.client.identity import Identity, micros
from claude_comm.delivery.dedup import Window, member
from claude_comm.delivery.schedule import expired
from claude_comm.envelope import UNREADABLE, Envelope
from claude_comm.ops.consume import Entry, Reader, Settlement
from claude_comm.progress.events import Duplicates, Handled, Settled

_decode_any = msgspec.msgpack.Decoder().decode


class Delivery(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One reading of a message by this module. It ends with `ack`, `retry` or `fail` of its consumer."""

    envelope: Envelope
    entry: Entry
    reader: Reader

    def payload(self, type: Any = Any) -> Any:
        """The payload decoded, as `type` when one is given. Raises DecodeError."""
        if type is Any:
            # What nearly every message takes, without the steps between.
            try:
                return _decode_any(self.envelope.data)
            except UNREADABLE:
                pass  # said properly below
        return self.envelope.payload(type)

    @property
    def attempts(self) -> int:
        """Which attempt at the message this is, from 1."""
        return self.entry.attempts

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two messages the same: the source and the id."""
        return self.envelope.source, self.envelope.id

    def expired(self) -> bool:
        """Whether its time is over by now."""
        return self.envelope.expires > 0 and expired(self.envelope, micros())

    def settled(self, at_us: int) -> Settled:
        envelope = self.envelope
        return Settled(envelope.source, envelope.id, envelope.time, at_us, self.entry.attempts)


# A delivery that ended, when (nanoseconds), and whether as a copy of one that had been handled. A plain tuple: one is
# made for every message.
Ack: TypeAlias = tuple[Delivery, int, bool]


class Ledger:
    """What one consumer holds: deliveries that are out, and acks that the server has not heard of."""

    def __init__(self, identity: Identity, window: Window | None, seen_ms: int) -> None:
        self.window = window
        self.seen_ms = seen_ms
        self._identity = identity
        self._out: dict[Delivery, None] = {}
        self._acks: deque[Ack] = deque()
        self._sending: list[list[Ack]] = []
        self._moving = threading.Lock()

    def __len__(self) -> int:
        """How many are out."""
        return len(self._out)

    def size_bytes(self, peak: int, most: int) -> int:
        """What the deliveries that are out hold, exactly where that may matter: `peak` is the largest ever."""
        at_most = len(self._out) * peak
        return at_most if at_most <= most // 2 else sum(len(one.entry.body or b"") for one in list(self._out))

    def out(self) -> list[Delivery]:
        """In the order in which they were read."""
        return list(self._out)

    def enter(self, deliveries: Iterable[Delivery]) -> None:
        self._out.update(zip(deliveries, repeat(None)))

    def ack(self, delivery: Delivery) -> None:
        """Marks a delivery as handled; one that is not out (any more) is none of ours. It travels with what comes."""
        ack = (delivery, time.time_ns(), False)
        # Entered there before it leaves here: whoever looks meanwhile finds it.
        self._acks.append(ack)
        if self._out.pop(delivery, delivery) is delivery:
            self._acks.remove(ack)
        elif self.window is not None:
            self.window.handled(delivery.identity)

    def ack_copy(self, delivery: Delivery) -> None:
        """Ends a delivery of a message that was handled before."""
        self._acks.append((delivery, time.time_ns(), True))
        self._out.pop(delivery, None)

    def release(self, delivery: Delivery) -> None:
        """Lets go of a delivery: its lease is not renewed any more, and whoever claims it then has it again."""
        if self._out.pop(delivery, delivery) is None and self.window is not None:
            self.window.released(delivery.identity)

    def waiting(self) -> bool:
        """Whether there are acks to send."""
        return bool(self._acks)

    def waits_since(self, now_ns: int) -> float:
        """For how long the oldest ack has waited (seconds)."""
        try:
            return (now_ns - self._acks[0][1]) / 1e9
        except IndexError:
            return 0.0

    @contextmanager
    def sending(self) -> Iterator[list[Ack]]:
        """All acks that wait now, the caller's to send; they wait again unless the list is emptied."""
        with self._moving:
            acks = [self._acks.popleft() for _ in range(len(self._acks))]
            self._sending.append(acks)
        try:
            yield acks
        finally:
            with self._moving:
                self._acks.extendleft(reversed(acks))
                self._sending = [other for other in self._sending if other is not acks]

    def known(self, stream: str) -> set[str]:
        """The entries of that stream that need no other to handle them: out, acked, or on their way."""
        with self._moving:
            acked = [ack[0] for acks in (self._acks, *self._sending) for ack in list(acks)]
            out = list(self._out)
        return {one.entry.id for one in (*out, *acked) if one.reader.stream == stream}

    def settlement(self, acks: Iterable[Ack]) -> Settlement:
        """The acks of one stream as what is sent."""
        acks = list(acks)
        copies = [ack for ack in acks if ack[2]]
        handled = [ack for ack in acks if not ack[2]] if copies else acks
        events = []
        if handled:
            events.append(self._event(Handled(_settled(handled))))
        if copies:
            events.append(self._event(Duplicates(_settled(copies))))
        keys, module = self._identity.keys, self._identity.module
        seen = [member(ack[0].identity) for ack in handled] if self.seen_ms else ()
        return Settlement(
            ids=[ack[0].entry.id for ack in acks],
            events_stream=keys.events(module),
            events=events,
            seen=keys.seen(module),
            handled=seen,
            now_ms=micros() // 1000,
            seen_ms=self.seen_ms,
        )

    def _event(self, event: Handled | Duplicates) -> bytes:
        return self._identity.event(event)


def _settled(acks: Iterable[Ack]) -> list[Settled]:
    return [
        Settled((e := one.envelope).source, e.id, e.time, at_ns // 1000, (n := one.entry).failures + n.deliveries)
        for one, at_ns, _ in acks
    ]
