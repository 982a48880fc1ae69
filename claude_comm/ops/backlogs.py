"""What waits for modules: their groups' lag and pending entries, and the instances that live.

Law: reads only. A lag that the server cannot tell counts as what the group has pending: counting entries is for
`status`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from claude_comm.effects import Command, Operation
from claude_comm.names import Keys
from claude_comm.ops import door, lag
from claude_comm.ops.heartbeats import ALIVE_MS
from claude_comm.progress.load import Backlog


def backlogs(keys: Keys, streams: Sequence[str], *, now_ms: int) -> Operation[dict[str, Backlog]]:
    """By module: those that live, and those that read one of these streams."""
    living = yield from instances(keys, now_ms=now_ms)
    waiting: dict[str, tuple[int, int]] = {}
    for groups in (yield from lag.groups(streams)).values():
        for group in groups:
            behind, pending = waiting.get(group.name, (0, 0))
            waiting[group.name] = behind + (group.lag or 0), pending + group.pending
    return {
        module: Backlog(*waiting.get(module, (0, 0)), instances=living.get(module, 0))
        for module in living.keys() | waiting.keys()
    }


def instances(keys: Keys, *, now_ms: int) -> Operation[Mapping[str, int]]:
    """How many instances of each module live."""
    members = yield Command(("ZRANGEBYSCORE", keys.instances, now_ms - ALIVE_MS, "+inf"), on="control")
    counts: dict[str, int] = {}
    for member in map(door.name, members):
        module = member.partition("/")[0]
        counts[module] = counts.get(module, 0) + 1
    return counts
