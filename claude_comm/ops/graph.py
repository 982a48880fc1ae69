"""Reading the map of a system: who is registered, and what was negotiated.

Law: three reads, however many modules there are: their records, who of them runs, and the pairs.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from claude_comm.effects import Operation
from claude_comm.graph.edges import ModuleMap, RegisteredModule, graph
from claude_comm.names import Keys
from claude_comm.ops import agreements, registry
from claude_comm.ops.registry import Standing


class SystemMap(msgspec.Struct, frozen=True):
    """The map, and the modules on it by name."""

    graph: ModuleMap
    modules: dict[str, RegisteredModule]


def read(keys: Keys, *, now_ms: int) -> Operation[SystemMap]:
    """What cannot be read is left out: `claude-comm modules` names it."""
    directory = yield from registry.everyone(keys, now_ms=now_ms)
    pairs = yield from agreements.all_pairs(keys)
    modules = [_registered(standing) for standing in directory.modules]
    return SystemMap(graph(modules, pairs), {module.name: module for module in modules})


def _registered(standing: Standing) -> RegisteredModule:
    states = Counter[str](instance.state for instance in standing.instances)
    return RegisteredModule(standing.module, standing.offered(), standing.record.releases, states)
