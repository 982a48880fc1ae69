"""Replies of a module, packed: one event for many of them, where each would have been an entry of its own.

Law: what was packed is what was sent, byte for byte; each envelope stands as bytes of its own, so that one that nobody
can read spoils none beside it, and none is nested deeper than it was. A reply that is alone, or large, is not packed.

A request costs its answerer two entries: the reply, and what the projection knows it by. Of fifty replies to requests
at once the second is two entries in place of fifty, and for a module that signs two signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

# What one event holds at the most (bytes, replies). Beyond it an entry more costs nothing that could be measured.
_EVENT_BYTES, _EVENT_REPLIES = 32 * 1024, 100
# What stands before each reply: its type and its length.
_HEAD_BYTES = 5
# A larger one travels alone: to copy it into an event costs more than an entry.
_SMALL_BYTES = 8 * 1024 - _HEAD_BYTES
# As many are read of one event: what one entry may become in the projection has a bound.
_MOST_READ = 1_000


class PackedReplies(msgspec.Struct, frozen=True, tag="replied", tag_field="kind"):
    """Replies of this module to requests: their envelopes, as they were sent."""

    messages: Annotated[list[bytes], msgspec.Meta(min_length=1, max_length=_MOST_READ)]


def in_packs(replies: Sequence[bytes], most_bytes: int) -> list[list[bytes]]:
    """Which of these travel in one event of at most so many bytes of replies; those that are alone do so in none."""
    most = min(most_bytes, _EVENT_BYTES)
    sizes = list(map(len, replies))
    if (
        0 < len(sizes) <= _EVENT_REPLIES
        and sum(sizes) + len(sizes) * _HEAD_BYTES <= most
        and max(sizes) <= _SMALL_BYTES
    ):
        return [list(replies)]
    packs: list[list[bytes]] = []
    pack: list[bytes] = []
    size = most
    for reply, reply_bytes in zip(replies, sizes, strict=True):
        bytes_ = reply_bytes + _HEAD_BYTES
        if reply_bytes > _SMALL_BYTES:
            packs.append([reply])
            continue
        if size + bytes_ > most or len(pack) == _EVENT_REPLIES:
            pack = []
            packs.append(pack)
            size = 0
        pack.append(reply)
        size += bytes_
    return packs
