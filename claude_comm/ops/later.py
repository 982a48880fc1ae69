"""What waits until it is due: failed deliveries and scheduled messages, in the sorted set beside their stream.

Law: a message is in exactly one place. From pending to `later` and from `later` to the stream it goes by one Lua
script each, so that whoever is killed leaves it in the one or in the other. Any number of consumers may move what is
due; times are milliseconds since the epoch, handed in. The envelope is never rewritten: how often its handling
failed travels beside it (see `lua/due.lua`), so a signature, and fields of a newer release, survive.

A topic has another hash tag than the module that reads it. A delivery from there is retried into the module's own
inbox, and the topic is acked after that: a crash between the two shows the message twice and never loses it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation, Script
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys
from claude_comm.ops import door, news
from claude_comm.ops.consume import Entry, Reader, own_inbox
from claude_comm.ops.pending import waiting_for
from claude_comm.security import sealed

# How many are moved in one step: the server does nothing else meanwhile.
MOVE_LIMIT = 100


class Moved(msgspec.Struct, frozen=True):
    """How many went to their stream, or wait for it, and when the next one is due; None where nothing waits. `left`:
    a delivery was left to the version of the module that asks."""

    count: int
    next_ms: int | None
    left: bool = False


def retry(keys: Keys, reader: Reader, entry: Entry, *, due_ms: int, attempts: int, event: bytes) -> Operation[bool]:
    """Hands the delivery out again when it is due, having failed `attempts` times; False if it is not ours any more."""
    waiting = keys.later(reader.group)
    inbox = own_inbox(keys, reader)
    held = yield Script(
        "retry",
        (waiting, keys.events(reader.group), *inbox),
        (due_ms, member(_text(entry), attempts), event, reader.group, reader.consumer, entry.id),
    )
    if not inbox:
        yield Command(("XACK", reader.stream, reader.group, entry.id))
    return bool(held)


def delay(
    keys: Keys, target: str, bodies: Sequence[bytes], *, due_ms: int, unannounced: Collection[str]
) -> Operation[None]:
    """Puts new messages where they wait. Doing it twice is the same as once, while it waits."""
    if unannounced:
        yield from news.announce(keys, unannounced)
    pairs = [word for body in bodies for word in (due_ms, member(body, 0))]
    yield Command(("ZADD", keys.later(target), *pairs))


def move_due(
    keys: Keys, stream: str, *, now_ms: int, limit: int = MOVE_LIMIT, version: tuple[str, str] = ("", "")
) -> Operation[Moved]:
    """Moves what is due beside this inbox or topic to its end; `version` is a module and the digest of the version that
    asks whether deliveries were left to it."""
    module, digest = version
    words = (now_ms, limit, module, waiting_for(digest))
    try:
        count, following, *waits = yield Script("due", (keys.later_of(stream), stream), words)
    except ServerRefused as refusal:
        if "WRONGTYPE" not in refusal.text:
            raise
        return Moved(0, None)
    return Moved(int(count), door.moment(following), waits == [1])


def waiting(streams: Sequence[str]) -> Operation[dict[str, Moved]]:
    """How many wait beside each of these streams and when the next is due; streams beside which none waits are left
    out."""
    if not streams:
        return {}
    keys = [Keys().later_of(stream) for stream in streams]
    counts = yield Batch(tuple(Command(("ZCARD", key)) for key in keys))
    non_empty = [
        (stream, key, count)
        for stream, key, count in zip(streams, keys, counts, strict=True)
        if isinstance(count, int) and count
    ]
    if not non_empty:
        return {}
    firsts = yield Batch(tuple(Command(("ZRANGE", key, 0, 0, "WITHSCORES")) for _, key, _ in non_empty))
    by_stream: dict[str, Moved] = {}
    for (stream, _, count), first in zip(non_empty, firsts, strict=True):
        if isinstance(first, ServerRefused):
            continue
        if isinstance(first, TransportError):
            raise first
        by_stream[stream] = Moved(count, _first_score(first))
    return by_stream


def _first_score(reply: Any) -> int | None:
    """Of a member and its score, as the server sends them: a pair in RESP3, one flat list in RESP2."""
    pair = reply[0] if reply and isinstance(reply[0], list) else reply
    return door.moment(pair[1]) if pair else None


def _text(entry: Entry) -> bytes:
    body = entry.body or b""
    return sealed.join(body, entry.seal) if entry.seal and entry.seal.whole else body


def member(body: bytes, attempts: int) -> bytes:
    """An envelope, sealed or not, and how often its handling failed, as one member."""
    return b"%d:%b" % (attempts, body)
