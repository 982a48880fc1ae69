"""Values that are signed for one field of one hash on the server: positions, heartbeats, records of the registry.

Law: what is signed is the key of the hash, the field and the value, so that none of them is believed in another place.
A value is stored as a sealed envelope is (`security.sealed`), its seal before it.
"""

from __future__ import annotations

from collections.abc import Iterable

from claude_comm.security import sealed
from claude_comm.security.signing import Signer


def leaf(field: bytes, value: bytes) -> bytes:
    """What is signed of one field: the length stands before it, so that no two pairs are one text."""
    return len(field).to_bytes(4, "big") + field + value


def seal(signer: Signer, key: str, values: Iterable[tuple[str, str | bytes]]) -> list[bytes]:
    """The values of these fields of one hash as they are stored; written together, they share a signature."""
    pairs = [(field.encode(), value.encode() if isinstance(value, str) else value) for field, value in values]
    seals = signer.seal(key, [leaf(field, value) for field, value in pairs])
    return [sealed.join(value, own) for (_, value), own in zip(pairs, seals, strict=True)]


def plain(stored: bytes) -> bytes:
    """The value alone, whoever signed it."""
    return sealed.split(stored)[0]
