"""The stamp of an item of a list that was split: which message the list came of, which item this is, and of how many.

Law: pure. It travels in the header `fork`, so that all items of a list have the same route, and is in no message after
the step that gathers them. Others may have written one: `read` returns it, None where there is none, or raises
DecodeError.
"""

from __future__ import annotations

import re

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.errors import DecodeError
from claude_comm.pipeline.ids import MAX_ITEMS

HEADER = "fork"
_STAMP = re.compile(r"(\S{1,128}) ([0-9]{1,5})/([0-9]{1,5})")


class Fork(msgspec.Struct, frozen=True):
    """`origin` is the id of the message that the list came of; items count from 0."""

    origin: str
    item: int
    count: int

    @property
    def headers(self) -> dict[str, str]:
        return {HEADER: f"{self.origin} {self.item}/{self.count}"}


def read(envelope: Envelope) -> Fork | None:
    text = envelope.headers.get(HEADER)
    if text is None:
        return None
    match = _STAMP.fullmatch(text)
    fork = Fork(match[1], int(match[2]), int(match[3])) if match else None
    if fork is None or not fork.item < fork.count <= MAX_ITEMS:
        raise DecodeError(f"its header {HEADER!r} cannot be read: it is to be `ID ITEM/COUNT`.")
    return fork
