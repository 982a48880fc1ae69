"""What happens to a module and to its deliveries, as facts that travel on its events stream.

Law: an event is an ordinary envelope of type `comm.event` whose payload is one of these; a reader folds it by
(source, id) like any other message, so that a replayed event changes nothing. Numbers are bounded here, because the
store adds them up in signed 64-bit integers and cannot hold a NaN.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

import msgspec

from claude_comm.envelope import UNREADABLE, Micros
from claude_comm.errors import DecodeError, NewerFormat
from claude_comm.progress.packed import PackedDeliveries, unpack
from claude_comm.progress.packed_replies import PackedReplies

EVENT_TYPE = "comm.event"

# The largest integer that JSON readers agree on; 9 PB is more than a file has.
MAX_COUNT = 2**53 - 1
BoundedCount = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
TaskState = Literal["running", "completed", "failed", "stopped"]
SessionOutcome = Literal["completed", "failed", "died"]
Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]


class Settled(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One delivery that ended: which message, when it was sent and when its handling ended (microseconds). `adapter` is
    the digest of the adapter that was applied to it."""

    source: str
    id: str
    sent_us: Micros
    settled_us: Micros
    attempts: BoundedCount = 1
    adapter: str = ""


class Handled(msgspec.Struct, frozen=True, tag="handled", tag_field="kind"):
    """Deliveries whose handler returned; one event per batch, so that an ack costs no message of its own. A few
    travel packed, as `PackedDeliveries`."""

    deliveries: list[Settled]


class Buried(msgspec.Struct, frozen=True, tag="buried", tag_field="kind"):
    """A delivery that will not be tried again, and why; `path` is where in the payload, if the schema refused it."""

    delivery: Settled
    reason: str
    path: str = ""


class Retried(msgspec.Struct, frozen=True, tag="retried", tag_field="kind"):
    """A delivery that will be tried again when it is due (microseconds), and why: it failed, or it was redriven."""

    delivery: Settled
    reason: str
    due_us: Micros


class Duplicates(msgspec.Struct, frozen=True, tag="duplicates", tag_field="kind"):
    """Copies of messages that this module had handled within its window: acked without being handled again."""

    deliveries: list[Settled]


class Delivered(msgspec.Struct, frozen=True, tag="delivered", tag_field="kind"):
    """Deliveries that this module has had for more than a second and that have not ended: `settled_us` is since when it
    is known to have them, a second after their reading at most. Each is told once an instance; what ends sooner is told
    by its end alone."""

    deliveries: list[Settled]


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled", tag_field="kind"):
    """Deliveries whose handling was given up, and why: another instance has them when their lease is over."""

    deliveries: list[Settled]
    reason: str


class Lost(msgspec.Struct, frozen=True, tag="lost", tag_field="kind"):
    """Entries of a stream that were handed out and then deleted before anybody had handled them."""

    stream: str
    entries: list[str]


class TaskProgress(msgspec.Struct, frozen=True, tag="progress", tag_field="kind", omit_defaults=True):
    """How far a task of this module is, in units of its own. `rate` is in units a second, 0 where it is not known;
    `parent` is the task that this one is a part of; `note` says why a task failed."""

    task: str
    completed: Finite
    total: Finite
    rate: Finite = 0.0
    started_us: Micros = 0
    parent: str = ""
    state: TaskState = "running"
    note: str = ""


class FileOperation(msgspec.Struct, frozen=True, tag="file", tag_field="kind"):
    """A file that this module read, wrote or failed at. `size_bytes` counts towards the session."""

    operation: str
    path: str
    status: Literal["success", "failed"]
    size_bytes: BoundedCount = 0
    details: dict[str, object] = {}


class Adapted(msgspec.Struct, frozen=True, tag="adapted", tag_field="kind"):
    """An instance of this module adapts the messages that come under an agreement. `steps` is the adapter as JSON,
    `digest` its address."""

    digest: str
    agreement: str
    steps: str


class Lifecycle(msgspec.Struct, frozen=True, tag="lifecycle", tag_field="kind"):
    """An instance of this module started or stopped."""

    state: Literal["started", "stopped"]
    instance: str


class SessionEvent(msgspec.Struct, frozen=True, tag="session", tag_field="kind", omit_defaults=True):
    """An instance of this module opened the session of the envelope at `opened_us`, or left it again: how, and why
    where it did not go well. `died` is told for a process that gives no sign of life any more."""

    state: Literal["started", "ended"]
    instance: str
    opened_us: Micros
    outcome: SessionOutcome | Literal[""] = ""
    reason: str = ""


class ContractEvent(msgspec.Struct, frozen=True, tag="contract", tag_field="kind", omit_defaults=True):
    """What became of a version of this module's contract. `held`: it waits for the approval of those whom it breaks."""

    state: Literal["registered", "held", "approved", "retired"]
    version: str
    digest: str
    by: str = ""
    note: str = ""


class NegotiationEvent(msgspec.Struct, frozen=True, tag="negotiation", tag_field="kind", omit_defaults=True):
    """This module asked whether its messages of a type fit a partner, or the answer to it; `agreement` is its id."""

    state: Literal["asked", "decided"]
    partner: str
    type: str
    answer: Literal["agreed", "refused", ""] = ""
    agreement: str = ""
    version: str = ""
    by: str = ""
    note: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="kind", omit_defaults=True):
    """Messages that this module did not send, because they break the agreement that they would go under: `count` of
    them since the last such event, and where and why the last one did."""

    target: str
    type: str
    reason: str
    path: str = ""
    count: BoundedCount = 1


Event: TypeAlias = (
    Handled
    | Retried
    | Buried
    | Duplicates
    | Delivered
    | Cancelled
    | Lost
    | TaskProgress
    | FileOperation
    | Adapted
    | Lifecycle
    | SessionEvent
    | ContractEvent
    | NegotiationEvent
    | Refused
    | PackedReplies
)

# The kinds that this release knows, as they are tagged.
KINDS = frozenset(str(kind.__struct_config__.tag) for kind in (*get_args(Event), PackedDeliveries))


class _Kind(msgspec.Struct):
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


_kind_decoder = msgspec.msgpack.Decoder(_Kind)
_decoder: msgspec.msgpack.Decoder[Event | PackedDeliveries] = msgspec.msgpack.Decoder(Event | PackedDeliveries)


def decode_event(data: bytes | msgspec.Raw) -> Event:
    """The event in an envelope's payload. Raises DecodeError; NewerFormat for a kind unknown to this release."""
    try:
        event = _decoder.decode(data)
        if isinstance(event, PackedDeliveries):
            return Handled([Settled(*row) for row in unpack(event)])
        return event
    except UNREADABLE as error:
        kind = _kind_of(data)
        if kind and kind not in KINDS:
            raise NewerFormat(f"event {kind}", f"events of kind {kind!r} are newer than this program") from None
        raise DecodeError(f"not an event: {error}.") from None


def _kind_of(data: bytes | msgspec.Raw) -> str:
    try:
        return _kind_decoder.decode(data).kind
    except UNREADABLE:
        return ""
