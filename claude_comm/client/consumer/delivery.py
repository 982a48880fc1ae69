"""A delivery: one reading of a message by one module."""

from __future__ import annotations

from builtins import type as type_
from typing import Any, TypeVar, overload

import msgspec

from claude_comm.client.identity import micros
from claude_comm.delivery.schedule import expired
from claude_comm.envelope import BLOB, UNREADABLE, Envelope
from claude_comm.errors import ConfigurationError, shown
from claude_comm.ops.consume import Entry, Reader
from claude_comm.progress.events import Settled

T = TypeVar("T")
_decode_any = msgspec.msgpack.Decoder().decode


class Delivery(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One reading of a message by this module. It ends with `ack`, `retry` or `fail` of its consumer."""

    envelope: Envelope
    entry: Entry
    reader: Reader

    @overload
    def payload(self, type: type_[T]) -> T: ...

    @overload
    def payload(self, type: Any = ...) -> Any: ...

    def payload(self, type: Any = Any) -> Any:
        """The payload decoded, as `type` when one is given. Raises DecodeError."""
        envelope = self.envelope
        if type is Any and envelope.content_type != BLOB:
            # What nearly every message takes, without the steps between.
            try:
                return _decode_any(envelope.data)
            except UNREADABLE:
                pass  # said properly below
        return envelope.payload(type)

    @property
    def attempts(self) -> int:
        """The number of this attempt at the message, from 1."""
        return self.entry.attempts

    @property
    def identity(self) -> tuple[str, str]:
        """The identity of the message: its source and its id."""
        return self.envelope.source, self.envelope.id

    def expired(self) -> bool:
        """Whether the message has expired."""
        return self.envelope.expires > 0 and expired(self.envelope, micros())

    def settled(self, at_us: int) -> Settled:
        envelope = self.envelope
        return Settled(envelope.source, envelope.id, envelope.time, at_us, self.entry.attempts)


def check_delivery(delivery: Any) -> Delivery:
    """Raises ConfigurationError for anything but a delivery."""
    if not isinstance(delivery, Delivery):
        raise ConfigurationError(f"delivery is {shown(delivery)}: it is a delivery that this consumer has read.")
    return delivery
