"""The audit: administrative acts in a stream on the control server.

Law: only ever added to; the stream keeps the latest ten thousand or so. What cannot be read is left out.
"""

from __future__ import annotations

import msgspec

from claude_comm.effects import Command, Operation
from claude_comm.names import Keys
from claude_comm.ops import door
from claude_comm.ops.when_full import force
from claude_comm.registry import audit
from claude_comm.registry.audit import Act

MAX_ACTS = 10_000


class AuditPage(msgspec.Struct, frozen=True):
    """Acts, the latest first, and the entry before which the next page begins: "" at the end."""

    acts: list[Act]
    before: str


def write(keys: Keys, act: Act) -> Operation[None]:
    """Also on a server whose memory is full."""
    words = ("XADD", keys.audit, "MAXLEN", "~", MAX_ACTS, "*", "a", audit.encode(act))
    yield from force(Command(words, on="control"))


def page(keys: Keys, *, limit: int, before: str = "") -> Operation[AuditPage]:
    """A page of acts; `before` as the page before it said."""
    rows = yield Command(
        ("XREVRANGE", keys.audit, f"({before}" if before else "+", "-", "COUNT", limit + 1), on="control"
    )
    acts = [audit.decode(dict(zip(fields[::2], fields[1::2], strict=False)).get(b"a")) for _, fields in rows[:limit]]
    last = (door.entry_id(rows[limit - 1][0]) or "") if len(rows) > limit else ""
    return AuditPage([act for act in acts if act is not None], last)
