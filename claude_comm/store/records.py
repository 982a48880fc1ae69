"""The rows of the projection as values: what `queries` returns.

Law: text is as it was sent, so a face that shows it strips control characters.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.errors import DecodeError
from claude_comm.progress.rate import eta_s
from claude_comm.store.timestamps import iso

# By the numbers that the store keeps.
MESSAGE_STATUSES = ("sent", "handled", "retrying", "failed")
DELIVERY_STATUSES = ("", "handled", "retrying", "buried")
# Of a delivery that has not ended, where it is known that its consumer has it.
HANDLING = "handling"


class MessageRow(msgspec.Struct, frozen=True):
    """A message; `number` is what `list` shows. `status` is sent, handled, retrying or failed.

    A payload that was too large to be stored is empty, and `digest` is its SHA-256 in hexadecimal."""

    number: int
    id: str
    source: str
    target: str
    type: str
    session: str
    time_us: int
    agreement: str
    correlation: str
    causation: str
    reply_to: str
    content_type: str
    headers: dict[str, str]
    traceparent: str
    stream: str
    entry_id: str
    size_bytes: int
    data: bytes
    digest: str
    status: str

    @property
    def timestamp(self) -> str:
        """When it was sent, as ISO 8601 text in UTC."""
        return iso(self.time_us)

    @property
    def envelope(self) -> Envelope:
        """The message as it travelled, as far as it is stored."""
        return Envelope(
            id=self.id,
            source=self.source,
            target=self.target,
            type=self.type,
            time=self.time_us,
            session=self.session,
            correlation=self.correlation,
            causation=self.causation,
            reply_to=self.reply_to,
            agreement=self.agreement,
            traceparent=self.traceparent,
            content_type=self.content_type,
            headers=self.headers,
            data=msgspec.Raw(self.data),
        )

    def payload(self) -> Any:
        """The payload decoded. Raises DecodeError."""
        if self.digest:
            raise DecodeError(
                f"the payload of message {self.number} was too large to be stored: of its {self.size_bytes:,} bytes"
                " there is a digest (CLAUDE_COMM_PROJECTION_PAYLOAD_BYTES sets how much is kept)."
            )
        try:
            return msgspec.msgpack.decode(self.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise DecodeError(f"the payload of message {self.number} cannot be read: {error}.") from None

    def payload_or_bytes(self) -> Any:
        """The payload, or its bytes where a foreign sender wrote what cannot be decoded: for lists, which one bad
        message must not stop."""
        try:
            return self.payload()
        except DecodeError:
            return self.data


class DeliveryRow(msgspec.Struct, frozen=True):
    """One consumer's delivery of a message: handled, buried, or retrying since it failed at `settled_us`. `handling`:
    its consumer has had it since `settled_us`, without attempts. `held_us` is since when its consumer had it for the
    last time, where that was for longer than a second; else 0."""

    consumer: str
    status: str
    attempts: int
    sent_us: int
    settled_us: int
    reason: str
    path: str
    held_us: int = 0

    @property
    def waited_ms(self) -> float | None:
        """How long it waited before its consumer had it; None where nobody knows."""
        return max(0, self.held_us - self.sent_us) / 1000 if self.held_us else None

    @property
    def latency_ms(self) -> float:
        return max(0, self.settled_us - self.sent_us) / 1000


# How long a task that reports may say nothing: five minutes.
SILENT_US = 300_000_000


class ProgressRow(msgspec.Struct, frozen=True):
    """The progress of one task of a module; `rate` is in its units a second. `state` is running, completed, failed or
    stopped (given up before its end), `note` why it failed."""

    module: str
    task: str
    completed: float
    total: float
    session: str
    time_us: int
    rate: float = 0.0
    started_us: int = 0
    parent: str = ""
    state: str = "running"
    note: str = ""

    @property
    def eta_s(self) -> float | None:
        """How long the rest takes at the rate of the last reports; None where nobody knows."""
        return eta_s(self.completed, self.total, self.rate) if self.state == "running" else None

    @property
    def runs(self) -> bool:
        """Whether there is something left to do, as far as it has reported."""
        return self.state == "running" and not 0 < self.total <= self.completed

    def shown(self, now_us: int, *, session_over: bool = False) -> ProgressRow:
        """As a view shows it at that moment, without a rate where it does not run. A task that was running has
        `completed` when it has reached its total, and `stopped` when its session is over. One of which nothing was
        heard for `SILENT_US` is `silent`: its process has died, or works on one unit for long, and nobody knows."""
        if self.state != "running":
            return self
        if not self.runs:
            state = "completed"
        elif session_over:
            state = "stopped"
        elif now_us - self.time_us > SILENT_US:
            state = "silent"
        else:
            return self
        return msgspec.structs.replace(self, state=state, rate=0.0)

    @property
    def percentage(self) -> float:
        """0 to 100 for a task that keeps to its total; 0 while the total is not known."""
        return self.completed / self.total * 100 if self.total else 0.0


class SessionRow(msgspec.Struct, frozen=True):
    """A session's totals; times are ISO 8601 text in UTC."""

    session_id: str
    files_processed: int
    errors_encountered: int
    bytes_processed: int
    modules_active: list[str]
    start_time: str | None
    end_time: str | None
    created_at: str


class FileOperationRow(msgspec.Struct, frozen=True):
    """A file that was read, written or failed at; `details` as it was given."""

    id: int
    session_id: str
    operation_type: str
    file_path: str
    status: str
    details: Any
    created_at: str


class UnreadableRow(msgspec.Struct, frozen=True):
    """An entry that could not be read, and how it begins."""

    stream: str
    entry_id: str
    reason: str
    size_bytes: int
    prefix: bytes


class Counts(msgspec.Struct, frozen=True):
    """How many rows the projection holds."""

    messages: int
    events: int
    deliveries: int
    sessions: int
    file_operations: int
    unreadable: int
