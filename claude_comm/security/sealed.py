"""A sealed envelope in one piece: as it is kept in an outbox, waits in `later`, and is handed to a script.

Law: the first byte tells the two apart. An envelope is a map, and no MessagePack value begins with `0xc1`. In a stream
the seal stands beside the envelope, in fields of its own, so that a reader of envelopes alone finds them unchanged.

| bytes | |
| --- | --- |
| 1 | `0xc1` |
| 8 | key (`k`) |
| 64 | signature (`s`) |
| 2 | how long the next one is |
| | place (`p`) |
| | the envelope (`e`) |
"""

from __future__ import annotations

from collections.abc import Mapping

from claude_comm.security.signing import KEY_ID_BYTES, SIGNATURE_BYTES, Seal

MARK = b"\xc1"
_KEY_END = 1 + KEY_ID_BYTES
_SIGNATURE_END = _KEY_END + SIGNATURE_BYTES
# Where the place begins.
HEAD = _SIGNATURE_END + 2


def join(body: bytes, seal: Seal) -> bytes:
    return b"".join((MARK, seal.key, seal.signature, len(seal.place).to_bytes(2, "big"), seal.place, body))


def join_lone(body: bytes, key: bytes, signature: bytes) -> bytes:
    """The same for one that was signed alone: it has no place."""
    return b"".join((MARK, key, signature, b"\x00\x00", body))


def split(text: bytes) -> tuple[bytes, Seal | None]:
    """The envelope, and its seal where it has one."""
    if text[:1] != MARK or len(text) < HEAD:
        return text, None
    end = HEAD + int.from_bytes(text[_SIGNATURE_END:HEAD], "big")
    return text[end:], Seal(text[1:_KEY_END], text[_KEY_END:_SIGNATURE_END], text[HEAD:end])


def fields(text: bytes) -> tuple[str | bytes, ...]:
    """The fields of a stream's entry."""
    body, seal = split(text)
    return ("e", body) if seal is None else ("e", body, *seal_fields(seal))


def seal_fields(seal: Seal) -> tuple[str | bytes, ...]:
    """The fields beside the envelope."""
    place = ("p", seal.place) if seal.place else ()
    return ("k", seal.key, "s", seal.signature, *place)


def seal_of(named: Mapping[bytes, bytes]) -> Seal | None:
    """The seal beside an envelope, by the names of an entry's fields."""
    if b"s" not in named:
        return None
    return Seal(named.get(b"k", b""), named[b"s"], named.get(b"p", b""))
