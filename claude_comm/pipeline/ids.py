"""Identities of the messages of a pipeline: made from the place of each, so that doing a step again makes the same one.

Law: pure. An id is a UUID of version 7 whose moment is the start of its session and whose other bits say which input it
belongs to, by which edge of the graph it came, in which turn of a loop, and what it carries. The moment of an item of a
list that was split is later by its number, so that each item has an id of its own. So a step whose process dies after
it has sent its result sends the same message again, and every reader can tell the copy; who follows a session reads
from an id which input is where; and a session that is resumed sends an input under its first id.

| bits | |
| --- | --- |
| 48 | the start of the session, milliseconds since the epoch; of an item of a list, and its number |
| 12 (`rand_a`) | the edge, from 1 |
| 22 | the session's tag, from the digest of its name |
| 2 | what it carries: a value, that a branch was not taken, that a part failed, or the notice of a failure |
| 6 | the turn of a loop, from 0 |
| 32 | the number of the input, from 0 |
"""

from __future__ import annotations

import hashlib
import re
from enum import IntEnum
from functools import lru_cache

import msgspec

MAX_EDGES = 2**12 - 1
MAX_INPUTS = 2**32
# Of one list that is split: their ids reach over so many milliseconds.
MAX_ITEMS = 2**16
_VERSION, _VARIANT = 0x7, 0b10
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Carries(IntEnum):
    """What a message on its way carries."""

    VALUE = 0
    SKIPPED = 1
    FAILED = 2
    NOTICE = 3


# Calling the class to find one takes longer than all else of an id.
_CARRIES = tuple(Carries)


class MessagePlace(msgspec.Struct, frozen=True):
    """Which message of a session this is."""

    started_ms: int
    tag: int
    edge: int
    input: int
    turn: int = 0
    carries: Carries = Carries.VALUE


@lru_cache(maxsize=1024)
def tag(session: str) -> int:
    return int.from_bytes(hashlib.sha256(session.encode()).digest()[:3], "big") >> 2


def write(place: MessagePlace) -> str:
    tail = place.tag << 40 | place.carries << 38 | place.turn << 32 | place.input
    number = place.started_ms << 80 | _VERSION << 76 | place.edge << 64 | _VARIANT << 62 | tail
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read(id_: str) -> MessagePlace | None:
    """The place that an id says, of whichever session; None for what is no id of this kind."""
    if not _UUID7.fullmatch(id_):
        return None
    number = int(id_.replace("-", ""), 16)
    tail = number & (1 << 62) - 1
    return MessagePlace(
        started_ms=number >> 80,
        tag=tail >> 40,
        edge=number >> 64 & 0xFFF,
        input=tail & 0xFFFF_FFFF,
        turn=tail >> 32 & 0x3F,
        carries=_CARRIES[tail >> 38 & 3],
    )


def following(id_: str, edge: int, turn: int, carries: Carries, *, shift: int = 0) -> str:
    """The id of a message that another one leads to; `shift` is by how much the number of its item is larger. One that
    somebody else has made leads to one by its digest."""
    place = read(id_)
    if place is None:
        digest = hashlib.sha256(f"{id_}/{edge}/{turn}/{carries}".encode()).digest()
        place = MessagePlace(int.from_bytes(digest[:6], "big"), int.from_bytes(digest[6:9], "big") >> 2, edge, 0)
        place = msgspec.structs.replace(place, input=int.from_bytes(digest[9:13], "big"))
    started_ms = place.started_ms + shift
    return write(msgspec.structs.replace(place, started_ms=started_ms, edge=edge, turn=turn, carries=carries))
