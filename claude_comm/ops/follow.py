"""Following streams from outside: which there are, where they end, and what comes after a position.

Law: nothing here leaves a trace on the server: the projection reads with XREAD and keeps its positions itself.
The streams are those announced in the registry and no others: nothing is scanned for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.effects import Batch, Command, Operation, Reach
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys, Stream, tag

# Each an id and its fields, names and values in turn, as the server's reply has them: of a message in a batch of
# thousands, every object made anew is a tenth of what it costs to store it.
Entries: TypeAlias = Sequence[tuple[bytes, Sequence[bytes]]]


# Of one command that asks many streams: about a millisecond of the server.
_STREAMS = 1_000


class Announced(msgspec.Struct, frozen=True):
    """The streams to follow, and keys that somebody announced but that are no streams of this namespace."""

    streams: list[Stream]
    foreign: list[bytes]


class Tail(msgspec.Struct, frozen=True):
    """Where a stream ends: its last id ever, how many entries it holds, and how many it was ever given."""

    last_id: str = "0-0"
    length: int = 0
    added: int = 0


def announced(keys: Keys, *, known: Collection[str] = ()) -> Operation[Announced]:
    """What the registry knows, by key; without the streams that are `known`."""
    members = set((yield Command(("SMEMBERS", keys.streams), on="control")))
    if known:
        members.difference_update(key.encode() for key in known)
    streams: list[Stream] = []
    foreign: list[bytes] = []
    for key in sorted(members):
        stream = keys.parse_stream(key)
        if stream is None:
            foreign.append(key)
        else:
            streams.append(stream)
    return Announced(streams, foreign)


def tails(streams: Sequence[str]) -> Operation[dict[str, Tail]]:
    """Where each stream ends; a missing one at its start. A key that holds something else is left out."""
    replies = yield Batch(tuple(Command(("XINFO", "STREAM", key)) for key in streams))
    by_key: dict[str, Tail] = {}
    for key, reply in zip(streams, replies, strict=True):
        if not isinstance(reply, TransportError):
            by_key[key] = _tail(reply)
        elif "no such key" in str(reply):
            by_key[key] = Tail()
        elif not isinstance(reply, ServerRefused) or reply.code != "WRONGTYPE":
            raise reply
    return by_key


def read(
    after: Mapping[str, str], *, count: int, block_ms: int = 0, reach: Reach = "server"
) -> Operation[dict[str, Entries]]:
    """Up to `count` entries of each stream after its id; streams with none are left out.

    With `block_ms` the server waits that long for the first entry; on a cluster, where one command reads the streams of
    one hash tag, nothing can be waited for.
    """
    if not after:
        return {}
    if reach == "cluster":
        replies = yield Batch(tuple(Command(_reading(part, count)) for part in _by_tag(after)))
        pages: dict[str, Entries] = {}
        for reply in replies:
            if isinstance(reply, TransportError):
                raise reply
            pages.update(_pages(reply))
        return pages
    reply = yield Command(_reading(after, count, block_ms), wait_ms=block_ms)
    return _pages(reply)


def unread(after: Mapping[str, str], *, reach: Reach = "server") -> Operation[list[str]]:
    """Which of these streams have an entry after its id. Raises ServerRefused where one is no stream."""
    if reach == "cluster":
        parts = list(_by_tag(after))
    else:
        pairs = list(after.items())
        parts = [dict(pairs[start : start + _STREAMS]) for start in range(0, len(pairs), _STREAMS)]
    replies = yield Batch(tuple(Command(_reading(part, 1)) for part in parts))
    keys: list[str] = []
    for reply in replies:
        if isinstance(reply, TransportError):
            raise reply
        keys.extend(_pages(reply))
    return keys


def read_until(after: Mapping[str, str], until: str, *, count: int) -> Operation[dict[str, Entries]]:
    """Up to `count` entries of each stream after its id, none beyond the id `until`; streams with none are left out."""
    if not after:
        return {}
    replies = yield Batch(
        tuple(Command(("XRANGE", key, f"({id_}", until, "COUNT", count)) for key, id_ in after.items())
    )
    pages: dict[str, Entries] = {}
    for key, reply in zip(after, replies, strict=True):
        if isinstance(reply, TransportError):
            raise reply
        if reply:
            pages[key] = reply
    return pages


def newest(streams: Sequence[str], *, count: int) -> Operation[dict[str, Entries]]:
    """The last `count` entries of each stream, in their order; streams with none are left out."""
    replies = yield Batch(tuple(Command(("XREVRANGE", key, "+", "-", "COUNT", count)) for key in streams))
    pages: dict[str, Entries] = {}
    for key, reply in zip(streams, replies, strict=True):
        if isinstance(reply, TransportError):
            raise reply
        if reply:
            pages[key] = reply[::-1]
    return pages


def _reading(after: Mapping[str, str], count: int, block_ms: int = 0) -> tuple[str | int, ...]:
    block = ("BLOCK", block_ms) if block_ms else ()
    return ("XREAD", "COUNT", count, *block, "STREAMS", *after.keys(), *after.values())


def _by_tag(after: Mapping[str, str]) -> Iterable[dict[str, str]]:
    parts: dict[str, dict[str, str]] = {}
    for key, id_ in after.items():
        parts.setdefault(tag(key), {})[key] = id_
    return parts.values()


def _pages(reply: Any) -> dict[str, Entries]:
    """RESP3: a map from the key to its entries; null when there are none."""
    return {key.decode(): entries for key, entries in (reply or {}).items()}


def _tail(reply: Mapping[bytes, Any]) -> Tail:
    """Servers before version 7 do not count what was added: there it is what the stream holds."""
    length = int(reply[b"length"])
    return Tail(reply[b"last-generated-id"].decode(), length, int(reply.get(b"entries-added", length)))
