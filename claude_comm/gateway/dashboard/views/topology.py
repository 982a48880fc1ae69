"""The map: modules and topics, and what is known of each way between them."""

from __future__ import annotations

import msgspec

from claude_comm.gateway.dashboard.query import PageAddress, link
from claude_comm.gateway.dashboard.system import System
from claude_comm.graph import picture
from claude_comm.graph.edges import STATES, Edge, ModuleMap, around
from claude_comm.negotiation.agreement import why
from claude_comm.ops import agreements
from claude_comm.ops import graph as maps

# A map of more ways than this cannot be read: it is shown around one module at a time.
MAX_DRAWN = 150
# Ways that a page lists.
MAX_LISTED = 200


class TopologyView(msgspec.Struct, frozen=True):
    """`drawn` is the picture, empty where the map is too large; `ways` are the first of `of`, the worst first."""

    sentence: str
    around: str
    state: str
    names: list[str]
    counts: dict[str, int]
    ways: list[Edge]
    of: int
    columns: int
    drawn: str


def view(system: System, query: PageAddress) -> TopologyView:
    whole = system.client.run(maps.read(system.keys, now_ms=system.now_ms)).graph
    names = [node.name for node in whole.nodes]
    name, state = query.text("around"), query.choice("state", ("", *STATES))
    shown = around(whole, name) if name else whole
    counts: dict[str, int] = {known: shown.count(known) for known in reversed(STATES)}
    if state:
        shown = _of_state(shown, state)
    ways = sorted(shown.edges, key=lambda edge: (STATES.index(edge.state), edge.source, edge.target, edge.type))
    drawn = picture.drawn(shown, href=_of_node) if len(shown.edges) <= MAX_DRAWN else ""
    listed = _explained(system, ways[:MAX_LISTED])
    columns = len(picture.columns(shown))
    return TopologyView(shown.sentence, name, state, names, counts, listed, len(ways), columns, drawn)


def _explained(system: System, ways: list[Edge]) -> list[Edge]:
    """Each broken way with what its agreement says of it."""
    broken = [edge.agreement for edge in ways if edge.state == "broken" and edge.agreement and not edge.why]
    if not broken:
        return ways
    known = system.client.run(agreements.several(system.keys, broken))
    return [
        msgspec.structs.replace(edge, why=why(known[edge.agreement].verdict)) if edge.agreement in known else edge
        for edge in ways
    ]


def _of_state(graph: ModuleMap, state: str) -> ModuleMap:
    edges = [edge for edge in graph.edges if edge.state == state]
    ends = {name for edge in edges for name in (edge.source, edge.target)}
    return ModuleMap([node for node in graph.nodes if node.name in ends], edges)


def _of_node(name: str) -> str:
    return link("topology", around=name)
