"""Messages of a stream as followers are handed them: decoded once, and written once for all who get the same.

Law: a batch does not change once it is made; what it is written as is kept with it, by form and subscription. It is of
one stream, and little more than a frame carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.cloudevents import cloudevent
from claude_comm.envelope import Envelope, decode
from claude_comm.errors import EnvelopeError
from claude_comm.gateway.live.positions import Position, epoch_of
from claude_comm.gateway.live.wire import frame

# How much one frame carries, about: what is beyond waits for the next. Below the kernel's buffer of a socket, so that
# a client that reads is given a frame in one go, and no copy of it waits in this process.
FRAME_BYTES = 64 * 1024
# What a message takes beside its payload, about.
_AROUND_BYTES = 300
# How many ways of writing one batch are kept: names of subscriptions are the clients' own.
_MOST_KEPT = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# claude-comm.v1 in JSON or MessagePack; or each message a frame by itself, as CloudEvents have it.
Form: TypeAlias = Literal["json", "msgpack", "events"]


class BatchItem:
    """One message, and its place in the stream."""

    def __init__(self, stream: str, position: Position, envelope: Envelope) -> None:
        self.stream, self.position, self.envelope = stream, position, envelope

    @property
    def size(self) -> int:
        """About how many bytes it is written as."""
        return len(self.envelope.data) + _AROUND_BYTES

    @cached_property
    def event(self) -> dict[str, Any]:
        return event_of(self.envelope, stream=self.stream, entry=self.position.entry)

    @cached_property
    def json(self) -> bytes:
        return msgspec.json.encode(self.event)


class StreamBatch:
    """Messages of one stream. `end` is the last place that was read, which may have been no message."""

    def __init__(self, stream: str, items: list[BatchItem], end: Position) -> None:
        self.stream, self.items, self.end = stream, items, end
        self.size = sum(item.size for item in items)
        self._written: dict[tuple[Form, str], bytes] = {}
        self._sessions: dict[str, StreamBatch] = {}

    @cached_property
    def position(self) -> str:
        """Where a client goes on that was given this."""
        return self.items[-1].position.text()

    def written(self, form: Form, sub: str) -> bytes:
        """The frames of it on the wire, for a subscription of that name."""
        key = form, "" if form == "events" else sub
        frames = self._written.get(key)
        if frames is None:
            if len(self._written) >= _MOST_KEPT:
                self._written.clear()
            frames = self._written[key] = self._frames(form, sub)
        return frames

    def of_session(self, session: str) -> StreamBatch:
        """Those that belong to a session."""
        batch = self._sessions.get(session)
        if batch is None:
            items = [item for item in self.items if item.envelope.session == session]
            batch = self._sessions[session] = StreamBatch(self.stream, items, self.end)
        return batch

    def after(self, entry: tuple[int, int]) -> StreamBatch:
        """Those that come later than an entry."""
        return StreamBatch(self.stream, [item for item in self.items if item.position.order > entry], self.end)

    def _frames(self, form: Form, sub: str) -> bytes:
        if form == "events":
            return b"".join(frame(item.json) for item in self.items)
        positions = {self.stream: self.position}
        if form == "msgpack":
            events = [packed(item.event) for item in self.items]
            whole = {"kind": "deliver", "sub": sub, "messages": events, "positions": positions}
            return frame(msgspec.msgpack.encode(whole), text=False)
        name, places = msgspec.json.encode(sub), msgspec.json.encode(positions)
        head = b'{"kind":"deliver","sub":' + name + b',"messages":['
        return frame(head + b",".join([item.json for item in self.items]) + b'],"positions":' + places + b"}")


def merged(batches: list[StreamBatch]) -> StreamBatch:
    """Batches of one stream that follow each other, as one."""
    if len(batches) == 1:
        return batches[0]
    return StreamBatch(batches[0].stream, [item for batch in batches for item in batch.items], batches[-1].end)


def read_batches(
    stream: str, entries: Iterable[tuple[bytes, Any]], after: Position, max_bytes: int
) -> Iterator[StreamBatch]:
    """Entries as followers are handed them; one that is no message is passed over."""
    items: list[BatchItem] = []
    size, position = 0, after
    for number, (id_, fields) in enumerate(entries, after.added + 1):
        envelope = envelope_of(fields, max_bytes)
        position = Position(id_.decode(), number, epoch_of(envelope.id) if envelope else "")
        if envelope is None:
            continue
        items.append(BatchItem(stream, position, envelope))
        size += items[-1].size
        if size >= FRAME_BYTES:
            yield StreamBatch(stream, items, position)
            items, size = [], 0
    if items or position is not after:
        yield StreamBatch(stream, items, position)


def event_of(envelope: Envelope, **extensions: str | int) -> dict[str, Any]:
    """The message as a CloudEvent, its payload under `data`."""
    at = (_EPOCH + timedelta(microseconds=min(envelope.time, 253_402_300_799_000_000))).isoformat()
    return cloudevent(envelope, at.replace("+00:00", "Z"), **extensions)


def envelope_of(fields: Any, max_bytes: int) -> Envelope | None:
    """The envelope in the fields of an entry; None for what is none."""
    body = dict(zip(fields[::2], fields[1::2], strict=False)).get(b"e", b"")
    try:
        return decode(body, max_bytes=max_bytes)
    except EnvelopeError:
        return None


def packed(value: Any) -> Any:
    """JSON text within a frame as the values that it says, for MessagePack."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, dict):
        return {name: packed(part) for name, part in value.items()}
    return [packed(part) for part in value] if isinstance(value, list) else value
