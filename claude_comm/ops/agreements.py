"""Stored agreements: one hash, by the digest of the question. Law: on the control server."""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.effects import Command, Operation
from claude_comm.names import Keys
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Agreement

# Entries a scan asks the server for at a time.
_PAGE = 200


def find(keys: Keys, id_: str) -> Operation[Agreement | None]:
    """Raises UnreadableAgreement."""
    text: bytes | None = yield Command(("HGET", keys.agreements, id_), on="control")
    return None if text is None else agreements.decode(text)


def store(keys: Keys, agreement: Agreement) -> Operation[None]:
    yield Command(("HSET", keys.agreements, agreement.id, agreements.encode(agreement)), on="control")


def everything(keys: Keys) -> Operation[list[Agreement]]:
    """All of them, newest first."""
    by_id: dict[str, Agreement] = {}
    cursor = b"0"
    while True:
        cursor, flat = yield Command(("HSCAN", keys.agreements, cursor, "COUNT", _PAGE), on="control")
        by_id.update({agreement.id: agreement for agreement in _decoded(flat)})
        if cursor == b"0":
            return sorted(by_id.values(), key=lambda agreement: (-agreement.decided_us, agreement.id))


def _decoded(flat: list[bytes]) -> Iterator[Agreement]:
    return (agreements.decode(text) for text in flat[1::2])
