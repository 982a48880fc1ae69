"""Deliveries that ended well at the first attempt, packed: what the events of lone messages say, in fewer bytes.

Law: unpacking gives back what was packed, to the microsecond; what has no place here (an id that is no UUID as text, a
second attempt) is not packed. Whatever bytes a foreign writer put there, `unpack` returns rows or raises ValueError.

An event in which each delivery is written out takes 65 bytes for one whose names are short: 38 for the id as text, 18
for two moments, and the source again and again. Here an id takes its 16 bytes, and a moment its distance from the one
before: two or three.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

import msgspec

# The source of a message, its id, when it was sent and when its handling ended (microseconds).
Row: TypeAlias = tuple[str, str, int, int]

_ID_BYTES = 16
_ID_CHARACTERS = 36
# Where a UUID as text has its dashes.
_DASHES = (8, 13, 18, 23)
_LAST_US = 2**63 - 1


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The messages of one source: their ids, when each was sent after the one before, and how long until it ended."""

    source: str
    ids: bytes
    sent: list[int]
    took: list[int]


class PackedDeliveries(msgspec.Struct, frozen=True, tag="done", tag_field="kind"):
    """Deliveries whose handler returned, by source."""

    groups: list[Group]


def pack(rows: Sequence[Row]) -> PackedDeliveries | None:
    """None where one of these has no place here."""
    sources = dict.fromkeys([row[0] for row in rows])
    groups = []
    for source in sources:
        mine = rows if len(sources) == 1 else [row for row in rows if row[0] == source]
        ids = _bytes([row[1] for row in mine])
        if ids is None:
            return None
        sent = [row[2] for row in mine]
        steps = [sent[0], *[b - a for a, b in pairwise(sent)]]
        groups.append(Group(source, ids, steps, [row[3] - row[2] for row in mine]))
    return PackedDeliveries(groups)


def _bytes(ids: Sequence[str]) -> bytes | None:
    """Ids as bytes; None where one is no UUID as text in small letters. All at once, for what one by one would cost."""
    text, count = "".join(ids), len(ids)
    if set(map(len, ids)) != {_ID_CHARACTERS} or text.count("-") != len(_DASHES) * count or text != text.lower():
        return None
    if any(text[place::_ID_CHARACTERS] != "-" * count for place in _DASHES):
        return None
    try:
        packed = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    # It passes over spaces.
    return packed if len(packed) == _ID_BYTES * count else None


def unpack(done: PackedDeliveries) -> list[Row]:
    """Raises ValueError for what nobody packed."""
    rows: list[Row] = []
    for group in done.groups:
        count = len(group.sent)
        if len(group.ids) != _ID_BYTES * count or len(group.took) != count:
            raise ValueError("ids and moments are not as many")
        rows += [
            (group.source, id_, sent, sent + took)
            for id_, sent, took in zip(_ids(group.ids), accumulate(group.sent), group.took, strict=True)
        ]
    if any(not (0 <= row[2] <= _LAST_US and 0 <= row[3] <= _LAST_US) for row in rows):
        raise ValueError("a moment is out of bounds")
    return rows


def _ids(packed: bytes) -> list[str]:
    text = packed.hex()
    return [
        f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-{text[at + 12 : at + 16]}-{text[at + 16 : at + 20]}"
        f"-{text[at + 20 : at + 32]}"
        for at in range(0, len(text), 2 * _ID_BYTES)
    ]
