"""What lies in the streams of a module: all of it that is not settled, and what was settled lately.

Law: nothing is changed, and one page is one command. A message that moves while this reads may be met twice, or not at
all when it was settled meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.effects import Command, Operation
from claude_comm.ids import position
from claude_comm.ops.in_flight import group

# Entries of a page of a stream, and members of a page of what waits: large messages still fit into memory.
PAGE = 1_000


class Reading(msgspec.Struct, frozen=True):
    """How far a group is in a stream: the last entry that it was handed (empty: none), and those that are pending."""

    stream: str
    delivered: str
    pending: frozenset[str]

    def start(self, since_ms: int) -> str:
        """Where to begin so that nothing that is not settled is passed over, and nothing settled since then."""
        firsts = [f"{since_ms}-0", *self.pending]
        return min(firsts, key=position) if self.delivered else "-"

    def where(self, entry_id: str) -> str:
        """Whether an entry waits for its delivery, is pending, or is settled."""
        if not self.delivered or position(entry_id) > position(self.delivered):
            return "waiting"
        return "pending" if entry_id in self.pending else "settled"


def reading(stream: str, module: str) -> Operation[Reading]:
    delivered, pending = yield from group(stream, module)
    return Reading(stream, "" if delivered == "0-0" else delivered, frozenset(pending))


def page(stream: str, after: str) -> Operation[list[tuple[str, bytes]]]:
    """The next entries: their ids, and their envelopes as bytes."""
    entries = yield Command(("XRANGE", stream, after, "+", "COUNT", PAGE))
    return [(id_.decode(), _body(pairs)) for id_, pairs in entries]


def length(stream: str) -> Operation[int]:
    count: int = yield Command(("XLEN", stream))
    return count


def delayed(later: str, start: int) -> Operation[list[bytes]]:
    """The next envelopes of those that wait until they are due."""
    members: Sequence[bytes] = yield Command(("ZRANGE", later, start, start + PAGE - 1))
    return [member.partition(b":")[2] for member in members]


def _body(pairs: Sequence[bytes]) -> bytes:
    return pairs[1] if pairs[0] == b"e" else dict(zip(pairs[::2], pairs[1::2], strict=True)).get(b"e", b"")
