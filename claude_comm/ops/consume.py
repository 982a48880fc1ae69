"""Taking messages off streams: groups, reads, claims, acks and burials.

Law: one stream a command, so that it holds on a cluster. A delivery ends in the same breath as its event is
written: XACK and the event's XADD travel in one batch. A burial is one Lua script, which only who still holds the
delivery can run; from a topic, which has another hash tag, the ack follows, and a crash between the two shows the
message twice and never loses it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.effects import Argument, Batch, Command, Operation, Script
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys
from claude_comm.ops.housekeeping import OUT_OF_MEMORY, again_if_full, insist, insist_on_all

# A foreign writer may put anything there.
_FEW = re.compile(rb"[0-9]{1,9}")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One stream entry as delivered; `body` is None when it has no envelope field.

    `deliveries` is how often this entry was handed out, `failures` how often the message was retried before it.
    """

    stream: str
    id: str
    body: bytes | None
    deliveries: int = 1
    failures: int = 0

    @property
    def attempts(self) -> int:
        """Which attempt at the message this is, from 1."""
        return self.failures + self.deliveries


class Why(msgspec.Struct, frozen=True):
    """Why a delivery is buried: `path` is where in the payload, `schema_path` where in the schema that refused it;
    `traceback` is text, bounded by who gives it."""

    reason: str
    path: str = ""
    schema_path: str = ""
    traceback: str = ""


class Claimed(msgspec.Struct, frozen=True):
    """What a claim returned: entries to handle, the cursor to go on from, and ids that the stream no longer has."""

    entries: list[Entry]
    cursor: str
    lost: list[str]


class Reader(msgspec.Struct, frozen=True):
    """Who reads what: a group's consumer on one stream."""

    stream: str
    group: str
    consumer: str


def announce(keys: Keys, streams: Sequence[str]) -> Operation[None]:
    """Lets the projection follow these streams."""
    yield from insist(Command(("SADD", keys.streams, *streams), on="control"))


def record(keys: Keys, module: str, event: bytes) -> Operation[None]:
    """Writes an event of this module, also onto a full server: that an instance starts or stops is no load."""
    yield from announce(keys, [keys.events(module)])
    yield from insist(Command(("XADD", keys.events(module), "*", "e", event)))


def join(keys: Keys, stream: str, group: str) -> Operation[None]:
    """Makes the stream and the group where they are missing; the group starts at the stream's first entry."""
    yield from announce(keys, [stream])
    try:
        yield from insist(Command(("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")))
    except ServerRefused as refusal:
        if refusal.code != "BUSYGROUP":
            raise


def read(reader: Reader, *, count: int, block_ms: int) -> Operation[list[Entry]]:
    """New entries; waits up to `block_ms` for the first one (0: does not wait)."""
    reply = yield Command(_reading(reader, count, block_ms), wait_ms=block_ms)
    return _entries(reader, reply)


def claim(reader: Reader, *, lease_ms: int, cursor: str, count: int) -> Operation[Claimed]:
    """Takes over deliveries that nobody has finished for a lease, with how often each was delivered."""
    command = ("XAUTOCLAIM", reader.stream, reader.group, reader.consumer, lease_ms, cursor, "COUNT", count)
    following, found, lost = yield Command(command)
    entries = [_entry(reader.stream, fields) for fields in found if fields is not None and fields[1] is not None]
    if entries:
        times = yield from _times(reader, entries)
        entries = [msgspec.structs.replace(entry, deliveries=times.get(entry.id, 1)) for entry in entries]
    return Claimed(entries, following.decode(), [id_.decode() for id_ in lost])


def _times(reader: Reader, entries: Sequence[Entry]) -> Operation[dict[str, int]]:
    replies = yield Batch(
        tuple(Command(("XPENDING", reader.stream, reader.group, entry.id, entry.id, 1)) for entry in entries)
    )
    rows = [row for reply in replies if not isinstance(reply, TransportError) for row in reply]
    return {id_.decode(): int(times) for id_, _consumer, _idle, times in rows}


def settle(reader: Reader, ids: Sequence[str], events_stream: str, event: bytes) -> Operation[None]:
    """Acks these entries and records it as an event of the reading module."""
    yield from insist_on_all(*_settling(reader, ids, events_stream, event))


def settle_and_read(
    reader: Reader, ids: Sequence[str], events_stream: str, event: bytes, *, count: int, block_ms: int
) -> Operation[tuple[TransportError | None, list[Entry] | TransportError]]:
    """`settle` and `read` in one round trip: what refused the settling, and the entries or what refused them.

    The one does not wait for the other's answer, so entries may come although settling was refused.
    """
    acks, tells = _settling(reader, ids, events_stream, event)
    reads = Command(_reading(reader, count, block_ms), wait_ms=block_ms)
    acked, told, reply = yield Batch((acks, tells, reads), wait_ms=block_ms)
    if isinstance(told, ServerRefused) and told.code == OUT_OF_MEMORY:
        try:
            told = yield from again_if_full(tells, told)
        except TransportError as error:
            told = error
    refused = next((answer for answer in (acked, told) if isinstance(answer, TransportError)), None)
    return refused, reply if isinstance(reply, TransportError) else _entries(reader, reply)


def bury(keys: Keys, reader: Reader, entry: Entry, why: Why, *, event: bytes) -> Operation[bool]:
    """Moves an entry to the dead stream of the reading module, with why; False if it is not ours any more."""
    fields: tuple[Argument, ...] = (
        *("e", entry.body or b"", "reason", why.reason, "path", why.path, "attempts", entry.attempts),
        *("schema_path", why.schema_path, "traceback", why.traceback, "stream", entry.stream, "entry", entry.id),
    )
    inbox = own_inbox(keys, reader)
    held = yield Script(
        "bury",
        (keys.dead(reader.group), keys.events(reader.group), *inbox),
        (event, reader.group, reader.consumer, entry.id, *fields),
    )
    if not inbox:
        yield Command(("XACK", reader.stream, reader.group, entry.id))
    return bool(held)


def own_inbox(keys: Keys, reader: Reader) -> tuple[str, ...]:
    """The stream, if it shares the hash tag of the module that reads it; nothing for a topic."""
    return (reader.stream,) if reader.stream == keys.inbox(reader.group) else ()


def renew(reader: Reader, ids: Sequence[str]) -> Operation[None]:
    """Starts the lease of these deliveries anew, without counting another attempt."""
    yield Command(("XCLAIM", reader.stream, reader.group, reader.consumer, 0, *ids, "JUSTID"))


def give_back(reader: Reader, ids: Sequence[str], *, lease_ms: int) -> Operation[None]:
    """Makes these deliveries claimable by others at once, by declaring their lease over."""
    yield Command(("XCLAIM", reader.stream, reader.group, reader.consumer, 0, *ids, "IDLE", lease_ms, "JUSTID"))


def leave(reader: Reader) -> Operation[None]:
    """Removes this consumer from its group if nothing is pending for it; what is pending waits for a claim."""
    pending = yield Command(("XPENDING", reader.stream, reader.group, "-", "+", 1, reader.consumer))
    if not pending:
        yield Command(("XGROUP", "DELCONSUMER", reader.stream, reader.group, reader.consumer))


def _settling(reader: Reader, ids: Sequence[str], events_stream: str, event: bytes) -> tuple[Command, Command]:
    acks = Command(("XACK", reader.stream, reader.group, *ids))
    return acks, Command(("XADD", events_stream, "*", "e", event))


def _reading(reader: Reader, count: int, block_ms: int) -> tuple[str | int, ...]:
    block = ("BLOCK", block_ms) if block_ms else ()
    return (
        *("XREADGROUP", "GROUP", reader.group, reader.consumer, "COUNT", count),
        *(*block, "STREAMS", reader.stream, ">"),
    )


def _entries(reader: Reader, reply: Any) -> list[Entry]:
    """The entries of one stream; null when there are none."""
    return [_entry(reader.stream, fields) for fields in reply[reader.stream.encode()]] if reply else []


def _entry(stream: str, fields: tuple[bytes, list[bytes]]) -> Entry:
    id_, pairs = fields
    if len(pairs) == 2 and pairs[0] == b"e":
        return Entry(stream, id_.decode(), pairs[1])
    named = dict(zip(pairs[::2], pairs[1::2], strict=True))
    failures = named.get(b"a", b"")
    return Entry(stream, id_.decode(), named.get(b"e"), failures=int(failures) if _FEW.fullmatch(failures) else 0)
