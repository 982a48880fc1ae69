"""Where to go on in a stream whose group was lost.

Law: the position is below the first entry that is not known to be settled, whatever comes after it: at least once
wins over not handling twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from claude_comm.delivery.dedup import Identity
from claude_comm.effects import Command, Operation
from claude_comm.envelope import decode
from claude_comm.errors import EnvelopeError

BEGINNING = "0"
# How many entries are looked at in one round trip: with the largest messages some 100 MB.
_PAGE = 100


def position(stream: str, settled: Callable[[Sequence[Identity]], set[Identity]], *, max_bytes: int) -> Operation[str]:
    """The last entry such that it and all before it are settled, by what `settled` says of the messages given to it."""
    at, first = BEGINNING, "-"
    while True:
        page = yield Command(("XRANGE", stream, first, "+", "COUNT", _PAGE))
        messages = [_identity(id_.decode(), fields, max_bytes) for id_, fields in page]
        known = settled(messages) if messages else set()
        for (id_, _), message in zip(page, messages, strict=True):
            if message not in known:
                return at
            at = id_.decode()
        if len(page) < _PAGE:
            return at
        first = f"({at}"


def _identity(entry: str, fields: list[bytes], max_bytes: int) -> Identity:
    """What the entry is known by: its message's source and id, or its own id where it is none."""
    body = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"e", b"")
    try:
        envelope = decode(body, max_bytes=max_bytes)
    except EnvelopeError:
        return "", entry
    return envelope.source, envelope.id
