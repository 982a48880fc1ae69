"""Reading the map of a system: who is registered, and what was negotiated.

Law: three reads, however many modules there are: their records, who of them runs, and the pairs.
"""

from __future__ import annotations

from collections import Counter

from claude_comm.effects import Operation
from claude_comm.graph.edges import Graph, Registered, graph
from claude_comm.names import Keys
from claude_comm.ops import agreements, registry
from claude_comm.ops.registry import Standing


def read(keys: Keys, *, now_ms: int) -> Operation[Graph]:
    """What cannot be read is left out: `claude-comm modules` names it."""
    directory = yield from registry.everyone(keys, now_ms=now_ms)
    pairs = yield from agreements.all_pairs(keys)
    return graph([_registered(standing) for standing in directory.modules], pairs)


def _registered(standing: Standing) -> Registered:
    states = Counter[str](instance.state for instance in standing.instances)
    return Registered(standing.module, standing.offered(), standing.record.releases, states)
