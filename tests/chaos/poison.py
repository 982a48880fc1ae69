"""Entries that nobody of good will writes: each must end on the dead stream or among what could not be read."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from claude_comm.envelope import DEFAULT_MAX_BYTES, Envelope, decode, encode, pack
from claude_comm.errors import EnvelopeError
from claude_comm.ids import uuid7

Fields = dict[bytes, bytes]
# Who sends what can be read but not handled.
STRANGER = "stranger"
KINDS = ("bytes", "no-field", "truncated", "flipped", "nested", "huge", "version", "wrong-shape", "no-handler")


def poison(kind: str, sound: bytes, target: str, now_us: int, chance: random.Random) -> Fields:
    """The fields of a bad entry; `sound` is the body of a good one that it may start from."""
    if kind in _READABLE:
        type_, data = _READABLE[kind]
        id_ = uuid7(now_us, chance.randbytes(8))
        return {
            b"e": encode(Envelope(id=id_, source=STRANGER, target=target, type=type_, time=now_us, data=pack(data)))
        }
    if kind == "no-field":
        return {b"x": chance.randbytes(20)}
    return {b"e": _UNREADABLE[kind](sound, chance)}


def readable(fields: Fields) -> bool:
    """Whether this is an envelope after all."""
    try:
        decode(fields[b"e"])
    except (EnvelopeError, KeyError):
        return False
    return True


def _flipped(sound: bytes, chance: random.Random) -> bytes:
    """One bit of a good envelope turned over, so that it is none any more."""
    for _ in range(1000):
        body = bytearray(sound)
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        if not readable({b"e": bytes(body)}):
            return bytes(body)
    return sound[1:]


def _version(sound: bytes, _chance: random.Random) -> bytes:
    fields = msgspec.msgpack.decode(sound)
    return msgspec.msgpack.encode({**fields, "v": "two"})


_UNREADABLE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bytes": lambda _sound, chance: b"\xc1" + chance.randbytes(chance.randrange(100)),
    "truncated": lambda sound, chance: sound[: chance.randrange(1, len(sound) // 2)],
    "flipped": _flipped,
    "nested": lambda _sound, _chance: b"\x81\xa4data" + b"\x91" * 50_000 + b"\xc0",
    "huge": lambda sound, _chance: sound + b"\0" * DEFAULT_MAX_BYTES,
    "version": _version,
}
_READABLE: dict[str, tuple[str, object]] = {
    "wrong-shape": ("plain", {"number": "seven"}),
    "no-handler": ("unheard-of", None),
}
