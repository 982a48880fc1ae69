"""Every value of every key of ours on a server, of all namespaces: what a collection of large payloads looks through.

Law: nothing is changed, and one step is bounded. A value that moves while this reads may be met twice; one that is
written meanwhile was made of what was put lately, which no collection removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from claude_comm.effects import Command, Operation
from claude_comm.errors import ServerRefused

# Keys that one step of a scan asks for, and members or entries of one page.
_KEYS, _PAGE = 1_000, 200
_OURS = ("*:{m:*}:*", "*:{t:*}:*", "*:{registry}:sessions")


def keys_after(cursor: int, pattern: str) -> Operation[tuple[int, list[bytes]]]:
    """The next keys of that pattern, and the cursor after them: 0 at the end."""
    after, keys = yield Command(("SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS))
    return int(after), list(keys)


def patterns() -> Sequence[str]:
    """Where messages lie: inboxes, topics, what is delayed or buried, replies, parts of joins, events, sessions."""
    return _OURS


# The place after a page, and its values.
Page: TypeAlias = tuple[bytes, list[bytes]]


def page(key: bytes, place: bytes) -> Operation[Page]:
    """Some values of a key beginning at a place (empty: its start), and the place after them: empty at the end."""
    kind = yield Command(("TYPE", key))
    read: Callable[[bytes, bytes], Operation[Page]] = _READERS.get(kind, _nothing)
    try:
        return (yield from read(key, place))
    except ServerRefused as refusal:
        if refusal.code != "WRONGTYPE":
            raise
        return b"", []


def _stream(key: bytes, place: bytes) -> Operation[Page]:
    entries = yield Command(("XRANGE", key, b"(" + place if place else b"-", b"+", "COUNT", _PAGE))
    values = [value for _, fields in entries for value in fields[1::2]]
    return (entries[-1][0] if len(entries) == _PAGE else b""), values


def _sorted(key: bytes, place: bytes) -> Operation[Page]:
    start = int(place or b"0")
    members = yield Command(("ZRANGE", key, start, start + _PAGE - 1))
    return (b"%d" % (start + _PAGE) if len(members) == _PAGE else b""), list(members)


def _hash(key: bytes, place: bytes) -> Operation[Page]:
    cursor, flat = yield Command(("HSCAN", key, place or b"0", "COUNT", _PAGE))
    return (cursor if cursor != b"0" else b""), list(flat[1::2])


def _nothing(_key: bytes, _place: bytes) -> Operation[Page]:
    yield from ()
    return b"", []


_READERS: dict[Any, Any] = {b"stream": _stream, b"zset": _sorted, b"hash": _hash}
