"""Who holds what is pending: for each group of a stream its consumers, and the delivery that has waited longest.

Law: reads only, a bounded answer for each group however much is pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.ops import door, lag


class Holder(msgspec.Struct, frozen=True):
    """One consumer of a group, and how many deliveries it holds."""

    consumer: str
    pending: int


class GroupHold(msgspec.Struct, frozen=True):
    """One group of a stream: its lag (None where the server cannot tell), what is pending and with whom, the most
    first; and of the delivery that came first its entry, who holds it, for how long since it was handed out (ms), and
    how often it was."""

    stream: str
    group: str
    lag: int | None
    pending: int
    holders: list[Holder]
    entry: str = ""
    oldest_holder: str = ""
    idle_ms: int = 0
    deliveries: int = 0

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest pending message came into the stream (ms since the epoch)."""
        return int(self.entry.partition("-")[0]) if self.entry else None


def held(streams: Sequence[str]) -> Operation[list[GroupHold]]:
    """Every group of these streams."""
    by_stream = yield from lag.groups(streams)
    groups = [(stream, group) for stream, groups in by_stream.items() for group in groups]
    busy = [(stream, group.name) for stream, group in groups if group.pending]
    facts = yield from _pending(busy)
    return [
        GroupHold(stream, group.name, group.lag, group.pending, *facts.get((stream, group.name), ([],)))
        for stream, group in groups
    ]


def holder(stream: str, group: str, entry: str) -> Operation[tuple[str, int, int] | None]:
    """Who holds one entry, for how long (ms), and how often it was handed out; None where it is not pending."""
    try:
        rows = yield Command(("XPENDING", stream, group, entry, entry, 1))
    except ServerRefused:
        return None
    return (door.name(rows[0][1]), int(rows[0][2]), int(rows[0][3])) if rows else None


def _pending(groups: Sequence[tuple[str, str]]) -> Operation[dict[tuple[str, str], tuple[Any, ...]]]:
    if not groups:
        return {}
    commands = [
        Command(words)
        for stream, group in groups
        for words in (("XPENDING", stream, group), ("XPENDING", stream, group, "-", "+", 1))
    ]
    replies = yield Batch(tuple(commands))
    return {
        group: (_holders(summary), *_oldest(rows))
        for group, summary, rows in zip(groups, replies[::2], replies[1::2], strict=True)
        if not isinstance(summary, TransportError) and not isinstance(rows, TransportError)
    }


def _holders(summary: Any) -> list[Holder]:
    rows = summary[3] if summary and summary[3] else []
    return sorted((Holder(door.name(name), int(count)) for name, count in rows), key=lambda row: -row.pending)


def _oldest(rows: Any) -> tuple[str, str, int, int]:
    if not rows:
        return "", "", 0, 0
    entry, consumer, idle, times = rows[0]
    return door.entry_id(entry) or "", door.name(consumer), int(idle), int(times)
