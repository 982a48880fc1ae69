"""Stored agreements: one hash, by the digest of the question. Law: on the control server."""

from __future__ import annotations

import msgspec

from claude_comm.effects import Command, Operation
from claude_comm.names import Keys
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Agreement, UnreadableAgreement
from claude_comm.ops import door

# Entries a scan asks the server for at a time.
_PAGE = 200


class Everything(msgspec.Struct, frozen=True):
    """All stored agreements, the newest first, and the ids of those that cannot be read, each with the reason."""

    agreements: list[Agreement]
    unreadable: dict[str, str]


def find(keys: Keys, id_: str) -> Operation[Agreement | None]:
    """None also for one that cannot be read, or that answers another question: it is decided anew."""
    text: bytes | None = yield Command(("HGET", keys.agreements, id_), on="control")
    if text is None:
        return None
    try:
        agreement = agreements.decode(text)
    except UnreadableAgreement:
        return None
    return agreement if agreements.answers(agreement, id_) else None


def store(keys: Keys, agreement: Agreement) -> Operation[None]:
    yield Command(("HSET", keys.agreements, agreement.id, agreements.encode(agreement)), on="control")


def everything(keys: Keys) -> Operation[Everything]:
    readable: dict[str, Agreement] = {}
    unreadable: dict[str, str] = {}
    cursor = b"0"
    while True:
        cursor, flat = yield Command(("HSCAN", keys.agreements, cursor, "COUNT", _PAGE), on="control")
        for id_, text in zip(flat[::2], flat[1::2], strict=True):
            try:
                agreement = agreements.decode(text)
                readable[agreement.id] = agreement
            except UnreadableAgreement as error:
                unreadable[door.name(id_)] = str(error)
        if cursor == b"0":
            newest_first = sorted(readable.values(), key=lambda agreement: (-agreement.decided_us, agreement.id))
            return Everything(newest_first, unreadable)
