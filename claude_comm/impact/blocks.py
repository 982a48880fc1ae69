"""Blocks: up to a thousand messages of one shape that came one after the other, with what was observed of these alone.

Law: pure. A block says of its messages what a shape says of all of its own, so that where the shape as a whole is not
proved to fit, the few blocks are found that may hold what does not, and only their messages are looked at. Databases
know the idea as zone maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.impact import observed
from claude_comm.impact.observed import PathFacts

DAY_US = 86_400_000_000
# Fewer make a month too many blocks to look through, more make each that is suspected too long to replay: with this
# either takes about 50 ms of a million messages with ten that fail.
SIZE = 1_000


class Block(msgspec.Struct, kw_only=True):
    """Messages by their numbers: when they were sent, how many each day, and what was observed of them. `id` is that of
    its row, 0 where it has none yet, and `base` where that counts its numbers from."""

    id: int = 0
    base: int = 0
    numbers: list[int] = []
    facts: PathFacts = msgspec.field(default_factory=PathFacts)
    first_us: int = 2**63 - 1
    last_us: int = 0
    days: dict[int, int] = {}

    @property
    def room(self) -> int:
        """For how many more there is room."""
        return SIZE - len(self.numbers)

    def since(self, day: int) -> int:
        """How many were sent on that day (since the epoch) or later."""
        return sum(count for at, count in self.days.items() if at >= day)

    def add(self, facts: PathFacts, numbers: Sequence[int], times_us: Sequence[int]) -> None:
        """More messages, with what was observed of them."""
        observed.merge(self.facts, facts)
        self.numbers += numbers
        self.first_us, self.last_us = min(self.first_us, *times_us), max(self.last_us, *times_us)
        for time_us in times_us:
            day = time_us // DAY_US
            self.days[day] = self.days.get(day, 0) + 1
