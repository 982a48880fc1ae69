"""What others wrote into our keys that cannot be read: where it lies, why, and how it is removed.

Law: reads and changes nothing, and its cost is bounded: so many steps of a scan, so many keys of a kind, so many values
of a kind. What lies beyond is found once what was found before is removed. A user who may not look is told nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation, Place
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.names import Keys, Stream
from claude_comm.ops import door
from claude_comm.ops.key_kinds import KINDS, Kind, kind_of
from claude_comm.registry.contracts import UnreadableContract

# Keys that the scan of a server passes over: some milliseconds of it.
_SCANNED, _STEP = 20_000, 2_000
# Of each kind: how many keys are looked at, and how many values of all of them together; of a key at least so many.
_KEYS, _VALUES, _LEAST = 200, 500, 6
# Of a stream a quarter of that at each end, at least so many, and the rest one by one at moments in between: at 250 of
# them a burst is met that lasted a 250th of the stream's time, however few entries that is of all.
_END, _MOMENTS = 3, 8
# The largest string that is looked at, and how much of a reason or a value is shown.
_STRING_BYTES, _WHY = 1 << 20, 160
_PLAIN = re.compile(rb"[A-Za-z0-9_:{}./@-]+")
_ESCAPES = {b"\\"[0]: "\\\\", b'"'[0]: '\\"'}


class UnreadableKey(msgspec.Struct, frozen=True):
    """One key: its kind, how many of the values looked at cannot be read, why the first of them cannot, and commands
    for the server that remove them, as `valkey-cli` and `redis-cli` take them."""

    key: str
    kind: str
    values: int
    why: str
    remove: list[str]


def known(keys: Keys, announced: Sequence[Stream]) -> set[str]:
    """The keys that are there without a scan: those of the registry, and those beside the first of these streams."""
    fixed = {getattr(keys, name) for name, member in vars(Keys).items() if isinstance(member, property)}
    names = sorted({stream.name for stream in announced if stream.kind != "topic"})[:_KEYS]
    own = (keys.inbox, keys.later, keys.dead, keys.events, keys.seen)
    topics = [stream.key for stream in announced if stream.kind == "topic"][:_KEYS]
    return fixed | {key(name) for name in names for key in own} | {*topics, *map(keys.later_of, topics)}


def scan(keys: Keys, on: Place) -> Operation[list[str]]:
    """The keys of this namespace and of RQ that one server has; some of them where there are very many."""
    found: list[str] = []
    for match in (f"{_literal(keys.namespace)}:{{*", "rq:*"):
        cursor: Any = b"0"
        for _ in range(_SCANNED // _STEP):
            try:
                cursor, part = yield Command(("SCAN", cursor, "MATCH", match, "COUNT", _STEP), on=on)
            except ServerRefused:
                return found
            found += [key.decode() for key in part if key.isascii()]
            if cursor == b"0":
                break
    return found


def look(
    keys: Keys,
    names: Iterable[str],
    suspected: Mapping[str, Sequence[str]] | None = None,
    records: Iterable[UnreadableContract] = (),
) -> Operation[list[UnreadableKey]]:
    """Which of these keys hold what cannot be read; by kind, in the order of docs/keys.md. Of very many those that are
    named first are looked at: name what is there before what may be. `suspected` are ids of
    entries by stream that could not be read once: those that are still there are looked at as well. `records` are those
    of modules that a reader could not use: well formed, one may be signed by nobody who may write it."""
    unusable = {record.module.encode(): str(record) for record in records}
    by_kind = _by_kind(keys, names)
    found: list[UnreadableKey] = []
    for on in ("data", "control"):
        here = [(kind, key) for kind, members in by_kind.items() for key in members if _place(key) == on]
        types = yield from _asked([Command(("TYPE", key), on=on) for _, key in here], on)
        sound = []
        for (kind, key), type in zip(here, types, strict=True):
            if not isinstance(type, bytes) or type == b"none":
                continue
            if type.decode() != kind.type:
                why = f"it holds a {door.name(type)} instead of a {kind.type}"
                found.append(UnreadableKey(key, kind.name, 1, why, [_line("UNLINK", key)]))
            else:
                sound.append((kind, key))
        siblings = Counter(kind.name for kind, _ in sound)
        counts = [max(_VALUES // siblings[kind.name], _LEAST) for kind, _ in sound]
        samples = [
            [*_sample(kind, key, count, on), *_entries(key, (suspected or {}).get(key, ()))]
            for (kind, key), count in zip(sound, counts, strict=True)
        ]
        looked = yield from _asked_each(samples, on)
        inner = [
            _between(kind, key, count, replies, on)
            for (kind, key), count, replies in zip(sound, counts, looked, strict=True)
        ]
        between = yield from _asked_each(inner, on)
        for (kind, key), replies, more in zip(sound, looked, between, strict=True):
            found += _faults(keys, kind, key, [*replies, *more], unusable if key == keys.modules else {})
    order = {kind.name: at for at, kind in enumerate(by_kind)}
    return sorted(found, key=lambda row: (order[row.kind], row.key))


def _by_kind(keys: Keys, names: Iterable[str]) -> dict[Kind, list[str]]:
    members: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
    for name in dict.fromkeys(names):
        kind = kind_of(keys, name)
        if kind is not None and len(members[kind]) < _KEYS:
            members[kind].append(name)
    return members


def _place(key: str) -> Place:
    return "data" if ":{m:" in key or ":{t:" in key else "control"


def _asked(commands: Sequence[Command], on: Place) -> Operation[list[Any]]:
    """The replies; a refusal in its place. Raises ServerUnreachable."""
    if not commands:
        return []
    replies: list[Any] = yield Batch(tuple(commands), on=on)
    for reply in replies:
        if isinstance(reply, TransportError) and not isinstance(reply, ServerRefused):
            raise reply
    return replies


def _asked_each(groups: Sequence[Sequence[Command]], on: Place) -> Operation[list[list[Any]]]:
    """The replies to each group of commands, which travel together."""
    replies = iter((yield from _asked([command for group in groups for command in group], on)))
    return [[next(replies) for _ in group] for group in groups]


def _sample(kind: Kind, key: str, count: int, on: Place) -> list[Command]:
    """What brings some of the values: both ends of what has an order."""
    half, end = count // 2, max(count // 4, _END)
    words: dict[str, list[tuple[str | int, ...]]] = {
        "hash": [("HSCAN", key, 0, "COUNT", count)],
        "set": [("SSCAN", key, 0, "COUNT", count)],
        "zset": [("ZRANGE", key, 0, half, "WITHSCORES"), ("ZRANGE", key, -half, -1, "WITHSCORES")],
        "stream": [("XRANGE", key, "-", "+", "COUNT", end), ("XREVRANGE", key, "+", "-", "COUNT", end)],
        "list": [("LRANGE", key, 0, count)],
        "string": [("GETRANGE", key, 0, _STRING_BYTES)],
    }
    return [Command(part, on=on) for part in words[kind.type]]


def _between(kind: Kind, key: str, count: int, ends: Sequence[Any], on: Place) -> list[Command]:
    """Of a stream that is longer than its two ends: the entries at moments in between, evenly spread."""
    if kind.type != "stream" or not all(isinstance(reply, list) and reply for reply in ends[:2]):
        return []
    (first, _), (last, _) = ends[0][-1], ends[1][-1]
    start, span = _millis(first), _millis(last) - _millis(first)
    if span <= 0:
        return []
    moments = max(count // 2, _MOMENTS)
    places = (start + span * place // (moments + 1) for place in range(1, moments + 1))
    return [Command(("XRANGE", key, ms, "+", "COUNT", 1), on=on) for ms in dict.fromkeys(places)]


def _millis(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])


def _entries(stream: str, ids: Iterable[str]) -> list[Command]:
    return [Command(("XRANGE", stream, id_, id_)) for id_ in ids]


def _faults(
    keys: Keys, kind: Kind, key: str, replies: Sequence[Any], known: Mapping[bytes, str]
) -> Iterator[UnreadableKey]:
    why = dict(known)
    for reply in replies:
        if not isinstance(reply, TransportError):
            values = ((name, kind.fault(keys, name, value)) for name, value in _values(kind, reply))
            why.update((name, fault) for name, fault in values if fault)
    if why:
        remove = [_line(*_removal(kind, key, name)) for name in why]
        yield UnreadableKey(key, kind.name, len(why), next(iter(why.values()))[:_WHY].rstrip("."), remove)


def _values(kind: Kind, reply: Any) -> Iterable[tuple[bytes, Any]]:
    """What a key holds, by name: a field, a member, or the id of an entry."""
    if kind.type == "string":
        return [(b"", reply)] if reply else []
    if kind.type == "stream":
        return [(id_, dict(zip(pairs[::2], pairs[1::2], strict=True))) for id_, pairs in reply]
    if kind.type == "hash":
        return zip(reply[1][::2], reply[1][1::2], strict=True)
    if kind.type == "zset":
        return door.pairs(reply)
    return [(member, None) for member in (reply[1] if kind.type == "set" else reply)]


def _removal(kind: Kind, key: str, name: bytes) -> tuple[str | bytes, ...]:
    if kind.type == "string":
        return "UNLINK", key
    if kind.type == "list":
        return "LREM", key, "0", name
    return {"hash": "HDEL", "set": "SREM", "zset": "ZREM", "stream": "XDEL"}[kind.type], key, name


def _line(*words: str | bytes) -> str:
    return " ".join(_quoted(word.encode() if isinstance(word, str) else word) for word in words)


def _quoted(word: bytes) -> str:
    if _PLAIN.fullmatch(word):
        return word.decode()
    return (
        '"'
        + "".join(_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in word)
        + '"'
    )


def _literal(text: str) -> str:
    """As a pattern of SCAN."""
    return re.sub(r"([\[\]*?\\^])", r"\\\1", text)
