"""A map as text: lines for a person, Mermaid for a page, DOT for Graphviz.

Law: names stand for themselves. Whatever they hold, they start nothing in a terminal, a page or a tool. Colours are of
a middle lightness, so that they are read on a light ground as on a dark one.
"""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.escaping import clean
from claude_comm.graph.edges import Edge, MapNode, ModuleMap, State

COLOURS: dict[State, str] = {"proved": "#2da44e", "adapted": "#bf8700", "undecided": "#8a63d2", "broken": "#e5534b"}
_MARKS: dict[State, str] = {"proved": "─▶", "adapted": "~▶", "undecided": "·?", "broken": "─✗"}
_MERMAID: dict[State, str] = {"proved": "-->", "adapted": "==>", "undecided": "-.->", "broken": "--x"}
_DOT: dict[State, str] = {"proved": "solid", "adapted": "bold", "undecided": "dashed", "broken": "solid"}


def joined(graph: ModuleMap) -> list[tuple[str, str, State, list[Edge]]]:
    """The edges between two nodes that are of one state, together: one arrow in a picture."""
    arrows: dict[tuple[str, str, State], list[Edge]] = {}
    for edge in graph.edges:
        arrows.setdefault((edge.source, edge.target, edge.state), []).append(edge)
    return [(*ends, edges) for ends, edges in arrows.items()]


def types(edges: list[Edge], most: int = 3) -> str:
    """The types of an arrow, the first of them by name."""
    named = ", ".join(edge.type for edge in edges[:most])
    return named + (f" +{len(edges) - most}" if len(edges) > most else "")


def about(node: MapNode) -> str:
    """What is known of a node: versions, and instances by their state."""
    if node.kind != "module":
        return "" if node.kind == "topic" else "not registered"
    running = ", ".join(f"{count} {state}" for state, count in node.instances.items()) or "none runs"
    return f"{', '.join(node.versions) or 'retired'} ({running})"


def text(graph: ModuleMap) -> str:
    """A block for each sender, a line for each type that it sends."""
    return "\n".join(_text(graph)) + "\n"


def _text(graph: ModuleMap) -> Iterator[str]:
    leaving: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        leaving.setdefault(edge.source, []).append(edge)
    width = max((len(clean(edge.target)) for edge in graph.edges), default=0)
    kinds = max((len(clean(edge.type)) for edge in graph.edges), default=0)
    for node in graph.nodes:
        yield clean(f"{node.name} {about(node)}".rstrip())
        for edge in leaving.get(node.name, ()):
            why = f"  {clean(edge.why)}" if edge.why else ""
            place = f"{clean(edge.target).ljust(width)}  {clean(edge.type).ljust(kinds)}"
            yield f"  {_MARKS[edge.state]} {place}  {edge.state}{why}"
    yield ""
    yield graph.sentence


def mermaid(graph: ModuleMap) -> str:
    """A flowchart. Ways are told apart by their line too: thick is adapted, dotted undecided, and a cross broken."""
    return "\n".join(_mermaid(graph)) + "\n"


def _mermaid(graph: ModuleMap) -> Iterator[str]:
    number = {node.name: f"n{index}" for index, node in enumerate(graph.nodes)}
    yield "flowchart LR"
    for node in graph.nodes:
        label = _label(f"{node.name} {' '.join(node.versions[:1])}".strip())
        shape = {"module": f'["{label}"]', "topic": f'(["{label}"])', "unknown": f'{{{{"{label}"}}}}'}[node.kind]
        yield f"    {number[node.name]}{shape}"
    arrows = joined(graph)
    for source, target, state, edges in arrows:
        yield f'    {number[source]} {_MERMAID[state]}|"{_label(types(edges))}"| {number[target]}'
    for state, colour in COLOURS.items():
        places = [str(index) for index, arrow in enumerate(arrows) if arrow[2] == state]
        if places:
            yield f"    linkStyle {','.join(places)} stroke:{colour}"


def _label(name: str) -> str:
    """Within quotes a character of Mermaid's or of HTML is written by its number."""
    return "".join(char if char.isalnum() or char in " ._-:,+*" else f"#{ord(char)};" for char in clean(name))


def dot(graph: ModuleMap) -> str:
    """A digraph for Graphviz."""
    return "\n".join(_dot(graph)) + "\n"


def _dot(graph: ModuleMap) -> Iterator[str]:
    yield "digraph modules {"
    yield '  graph [rankdir=LR, bgcolor="transparent"];'
    yield '  node [shape=box, style=rounded, fontname="sans-serif", color="#768390", fontcolor="#768390"];'
    yield '  edge [fontname="sans-serif", fontsize=10];'
    for node in graph.nodes:
        shape = {"module": "box", "topic": "ellipse", "unknown": "diamond"}[node.kind]
        yield f"  {_quoted(node.name)} [shape={shape}, tooltip={_quoted(about(node) or node.name)}];"
    for source, target, state, edges in joined(graph):
        look = f'color="{COLOURS[state]}", fontcolor="{COLOURS[state]}", style={_DOT[state]}'
        head = ", arrowhead=tee" if state == "broken" else ""
        label = f"label={_quoted(types(edges))}, tooltip={_quoted(state)}"
        yield f"  {_quoted(source)} -> {_quoted(target)} [{label}, {look}{head}];"
    yield "}"


def _quoted(name: str) -> str:
    # A backslash would begin one of Graphviz's own escapes.
    escaped = clean(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
