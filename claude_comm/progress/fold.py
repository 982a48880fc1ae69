"""From an entry of a stream to the facts that the projection can store.

Law: `fold` is total. Whatever bytes an entry holds, it becomes one fact at least, and none is an error: what cannot be
read is `UnreadableEntry`, with its reason, or `Newer`, whole, when a newer release wrote it. An envelope of type
`comm.event` is an event on an events stream only, and it speaks for the module whose stream it lies in; anywhere else
it is a message like any other. Replies that are packed in one event are a fact each, as if each lay there by itself.

Counted into a session: files and bytes from the file operations that succeeded (the sizes of messages are in
`messages.size_bytes`), an error for every file operation that failed and for every burial of one of its messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from claude_comm.envelope import DEFAULT_MAX_BYTES, Envelope, decode, decode_all
from claude_comm.errors import DecodeError, NewerFormat, TooLarge
from claude_comm.names import Stream
from claude_comm.progress.events import EVENT_TYPE, MAX_COUNT, Event, FileOperation, decode_event
from claude_comm.progress.packed_replies import PackedReplies

# Enough of an unreadable entry to recognise who wrote it.
PREFIX_BYTES = 256

# Instead of the name of a module, for a service: it may speak for any on its events stream.
SERVICE = "*"

# The id of an entry, and its fields: names and values in turn.
StreamEntry: TypeAlias = tuple[bytes, Sequence[bytes]]


class SentEntry(msgspec.Struct, frozen=True, gc=False):
    """A message lies in an inbox or a topic, or a reply among the events of the module that sent it."""

    stream: str
    entry_id: str
    size_bytes: int
    envelope: Envelope


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An event of `module`. `details` is the JSON text of a file operation's details."""

    stream: str
    entry_id: str
    module: str
    envelope: Envelope
    event: Event
    details: str = "{}"


class UnreadableEntry(msgspec.Struct, frozen=True):
    """An entry that is no envelope, or an event that cannot be understood; `prefix` is how it begins."""

    stream: str
    entry_id: str
    reason: str
    size_bytes: int
    prefix: bytes


class Newer(msgspec.Struct, frozen=True):
    """An entry that a newer release wrote, whole; `needs` is what a program must know to read it. `holder` is whose key
    signed it, where signatures are demanded: `*` for a service."""

    stream: str
    entry_id: str
    needs: str
    digest: str
    body: bytes
    holder: str = ""


class UntrustedEntry(msgspec.Struct, frozen=True):
    """A message or an event that is not trusted, whom it names as its source, and why; `key` is the id of the key that
    it names, in hexadecimal. `refused`: it is nothing but this; else it was stored all the same."""

    stream: str
    entry_id: str
    message_id: str
    source: str
    reason: str
    key: str
    refused: bool
    size_bytes: int
    prefix: bytes


Fact: TypeAlias = SentEntry | Happened | UnreadableEntry | Newer | UntrustedEntry


class SessionChange(msgspec.Struct):
    """What a batch adds to one session; times in microseconds, None when nothing was sent or happened in it."""

    start_us: int | None = None
    end_us: int | None = None
    files: int = 0
    errors: int = 0
    bytes: int = 0
    modules: set[str] = msgspec.field(default_factory=set)


def fold(
    stream: Stream, entry_id: str, fields: Mapping[bytes, bytes], *, max_bytes: int = DEFAULT_MAX_BYTES
) -> list[Fact]:
    """The facts in one entry; `max_bytes` is the largest envelope that is decoded."""
    body = fields.get(b"e")
    if body is None:
        flat = b" ".join(name + b"=" + value for name, value in fields.items())
        return [UnreadableEntry(stream.key, entry_id, "the entry has no field `e`.", len(flat), flat[:PREFIX_BYTES])]
    try:
        envelope = decode(body, max_bytes=max_bytes)
        if stream.kind != "events" or envelope.type != EVENT_TYPE:
            return [SentEntry(stream.key, entry_id, len(body), envelope)]
        event = decode_event(envelope.data)
        if isinstance(event, PackedReplies):
            return [_reply(stream, entry_id, message, max_bytes) for message in event.messages]
        details = _json(event.details) if isinstance(event, FileOperation) else "{}"
    except (DecodeError, TooLarge) as error:
        return [_unread(stream, entry_id, body, error)]
    return [Happened(stream.key, entry_id, stream.name, envelope, event, details)]


def _reply(stream: Stream, entry_id: str, body: bytes, max_bytes: int) -> Fact:
    """One of those that are packed in an event."""
    try:
        envelope = decode(body, max_bytes=max_bytes)
        if envelope.type == EVENT_TYPE:
            raise DecodeError("an event holds no other event.")
    except (DecodeError, TooLarge) as error:
        return _unread(stream, entry_id, body, error)
    return SentEntry(stream.key, entry_id, len(body), envelope)


def _unread(stream: Stream, entry_id: str, body: bytes, error: DecodeError | TooLarge) -> Newer | UnreadableEntry:
    if isinstance(error, NewerFormat):
        return Newer(stream.key, entry_id, error.needs, hashlib.sha256(body).hexdigest(), body)
    return UnreadableEntry(stream.key, entry_id, str(error), len(body), body[:PREFIX_BYTES])


def bodies(entry: StreamEntry, facts: int) -> Sequence[bytes]:
    """The envelopes of the facts in an entry, which has so many of them."""
    body = dict(zip(entry[1][::2], entry[1][1::2], strict=True)).get(b"e", b"")
    event = decode_event(decode(body, max_bytes=len(body)).data) if facts > 1 else None
    return event.messages if isinstance(event, PackedReplies) else [body]


def fold_page(stream: Stream, entries: Sequence[StreamEntry], *, max_bytes: int = DEFAULT_MAX_BYTES) -> list[Fact]:
    """The facts in a page of one stream, in its order: those of an entry have its id."""
    if stream.kind != "events":
        bodies = [fields[1] if fields[0] == b"e" else b"" for _, fields in entries]
        envelopes = decode_all(bodies, max_bytes=max_bytes)
        if envelopes is not None:
            key = stream.key
            return [
                SentEntry(key, entry[0].decode(), len(body), envelope)
                for entry, body, envelope in zip(entries, bodies, envelopes, strict=True)
            ]
    return [
        fact
        for id_, fields in entries
        for fact in fold(stream, id_.decode(), dict(zip(fields[::2], fields[1::2], strict=True)), max_bytes=max_bytes)
    ]


def session_changes(sent: Sequence[SentEntry], happened: Sequence[Happened]) -> dict[str, SessionChange]:
    """What these facts, each new to the projection, add to their sessions. Burials are added by the store, which
    alone knows the session of a buried message."""
    changes: dict[str, SessionChange] = {}
    for message in sent:
        if message.envelope.session:
            _change(changes, message.envelope).modules.add(message.envelope.source)
    for fact in happened:
        if fact.envelope.session:
            change = _change(changes, fact.envelope)
            change.modules.add(fact.module)
            if isinstance(fact.event, FileOperation):
                _count_file(change, fact.event)
    return changes


def _change(changes: dict[str, SessionChange], envelope: Envelope) -> SessionChange:
    change = changes.get(envelope.session)
    if change is None:
        change = changes[envelope.session] = SessionChange()
    if change.start_us is None or envelope.time < change.start_us:
        change.start_us = envelope.time
    if change.end_us is None or envelope.time > change.end_us:
        change.end_us = envelope.time
    return change


def _count_file(change: SessionChange, operation: FileOperation) -> None:
    if operation.status == "success":
        change.files += 1
        change.bytes = min(change.bytes + operation.size_bytes, MAX_COUNT)
    else:
        change.errors += 1


def _json(details: dict[str, object]) -> str:
    try:
        return msgspec.json.encode(details).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise DecodeError(f"the details of a file operation cannot be written as JSON: {error}.") from None
