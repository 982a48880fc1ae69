"""Ids as the store keeps them: a message's in 16 bytes instead of 36, an entry's in an integer instead of text.

Law: unpacking returns the text that was packed, whatever a foreign sender chose: what does not have the usual form
stays text. So one id has one packed form, and a column may be compared with it. The views of the database unpack in
SQL, by the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

# Bytes for the sixteen of a UUID. Not `bytes`: see `statements`.
PackedId: TypeAlias = bytearray | str
PackedEntry: TypeAlias = int | str

# Where the dashes stand in the text, and where the groups begin in the digits alone.
_DASHES, _GROUPS = slice(8, 24, 5), (8, 12, 16, 20)
_DASHES_AT = range(8, 24, 5)
_UUID_CHARACTERS, _UUID_BYTES = 36, 16
# Milliseconds in the upper bits, up to the year 2248; a million entries in one of them.
_SEQUENCE_BITS = 20
_MAX_SEQUENCE = (1 << _SEQUENCE_BITS) - 1
_MAX_MILLIS = (1 << 43) - 1


def pack_id(text: str) -> PackedId:
    """A UUID as it is usually written becomes its bytes."""
    plain = text.replace("-", "")
    if len(text) != _UUID_CHARACTERS or len(plain) != 2 * _UUID_BYTES:
        return text
    try:
        packed = bytearray.fromhex(plain)
    except ValueError:
        return text
    # `fromhex` takes capitals and spaces as well; four dashes there are.
    return packed if text[_DASHES] == "----" and packed.hex() == plain else text


def pack_ids(texts: Sequence[str]) -> list[PackedId]:
    """Each as `pack_id` packs it. Where all are UUIDs, as nearly always, they are read at once: a tenth of the cost."""
    text, count = "".join(texts), len(texts)
    plain = text.replace("-", "")
    dashed = all(text[at::_UUID_CHARACTERS] == "-" * count for at in _DASHES_AT)
    if dashed and len(plain) == 2 * _UUID_BYTES * count and set(map(len, texts)) == {_UUID_CHARACTERS}:
        try:
            packed = bytearray.fromhex(plain)
        except ValueError:
            packed = bytearray()
        if packed.hex() == plain:
            return [packed[at : at + _UUID_BYTES] for at in range(0, len(packed), _UUID_BYTES)]
    return [pack_id(text) for text in texts]


def unpack_id(packed: bytes | bytearray | str) -> str:
    if isinstance(packed, str):
        return packed
    plain = packed.hex()
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def pack_entry(entry_id: str) -> PackedEntry:
    """`1700000000000-3` becomes a number in which later entries are greater."""
    millis, _, sequence = entry_id.partition("-")
    try:
        upper, lower = int(millis), int(sequence)
    except ValueError:
        return entry_id
    # A server writes no leading zeros, so the numbers say all of the text.
    return upper << _SEQUENCE_BITS | lower if upper <= _MAX_MILLIS and lower <= _MAX_SEQUENCE else entry_id


def unpack_entry(packed: int | str) -> str:
    return packed if isinstance(packed, str) else f"{packed >> _SEQUENCE_BITS}-{packed & _MAX_SEQUENCE}"


def id_range(start: str) -> tuple[bytes, bytes] | None:
    """The first and the last packed id of those that begin with this text; None where no UUID does."""
    plain = start.replace("-", "")
    dashed = "".join(f"-{digit}" if at in _GROUPS else digit for at, digit in enumerate(plain))
    if len(plain) > 2 * _UUID_BYTES or start.removesuffix("-" if len(plain) in _GROUPS else "") != dashed:
        return None
    try:
        low, high = (bytes.fromhex(plain.ljust(2 * _UUID_BYTES, digit)) for digit in "0f")
    except ValueError:
        return None
    return (low, high) if low.hex().startswith(plain) else None
