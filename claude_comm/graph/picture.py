"""A map as a picture: SVG that stands alone, and a page with it and its table.

Law: readable without script, in light and dark, by a screen reader: each arrow and box has a title, and the page has
the same as a table. States differ in their lines as well as in their colours.

Theory of operation. Columns and their order are those of the flow diagram (`charts.sankey`): a box stands right of all
that send to it, arrows against the direction left out, and near the mean of what it receives from. Boxes are of one
size; an arrow leaves at the right and arrives at the left, and one against the direction swings out on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from claude_comm.charts import style, svg
from claude_comm.charts.bars import shortened
from claude_comm.charts.sankey import FlowLink, layered
from claude_comm.graph.edges import STATES, Edge, MapNode, ModuleMap, State
from claude_comm.graph.written import about, joined, types
from claude_comm.report.markup import page, table, tag

_BOX, _TALL, _ACROSS, _DOWN, _SIDE = 150.0, 34.0, 110.0, 20.0, 16.0
_LEGEND, _LEGEND_STEP = 28.0, 108.0
_NAME, _TYPES = 20, 20

CSS = (
    ".map .box{fill:var(--raised);stroke:var(--line)}.map .topic{stroke-dasharray:2 2}.map .unknown{stroke:var(--bad)}"
    ".map text{fill:var(--ink);font:11px system-ui,sans-serif}.map .small{fill:var(--muted);font-size:9px}"
    ".map .way{fill:none;stroke-width:1.6;stroke:currentColor}.map .head{fill:currentColor}"
    ".map .proved{color:var(--good)}.map .adapted{color:var(--warn)}.map .undecided{color:var(--s3)}"
    ".map .broken{color:var(--bad)}.map .adapted .way{stroke-width:3}.map .undecided .way{stroke-dasharray:5 4}"
    ".map .broken .way{stroke-dasharray:1 3;stroke-width:2.6}"
    ".map .types{fill:currentColor;font-size:9px;paint-order:stroke;stroke:var(--ground);stroke-width:3px}"
)
_VARIABLES = f":root{{{style.VARIABLES_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{style.VARIABLES_DARK}}}}}"
_PAGE = (
    "body{margin:0;background:var(--ground);color:var(--ink);font:14px/1.5 system-ui,sans-serif}"
    "main{max-width:110rem;margin:0 auto;padding:1.5rem}h1{font-size:1.4rem}.map{max-width:100%;height:auto}"
    "table{border-collapse:collapse;margin-top:1.5rem}caption{position:absolute;left:-9999px}"
    "th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid var(--line)}.scroll{overflow-x:auto}"
)


class _Place(msgspec.Struct, frozen=True):
    left: float
    top: float


def picture(graph: ModuleMap) -> str:
    """One SVG document."""
    sheet = svg.element("style", f"{_VARIABLES}{CSS}")
    ground = svg.element("rect", width="100%", height="100%", fill="var(--ground)")
    return drawn(graph, sheet, ground, xmlns="http://www.w3.org/2000/svg") + "\n"


def html(graph: ModuleMap) -> str:
    """A page: the picture, and every way in a table."""
    heads = ("from", "to", "type", "state", "versions", "why")
    rows = [
        (edge.source, edge.target, edge.type, edge.state, _versions(edge), edge.why)
        for edge in sorted(graph.edges, key=lambda edge: STATES.index(edge.state))
    ]
    body = tag(
        "main",
        tag("h1", "The map of the modules"),
        tag("p", svg.escape(f"{graph.sentence}.")),
        drawn(graph),
        table(heads, rows, caption="Every way, the worst first"),
    )
    return page("The map of the modules", body, style=f"{_VARIABLES}{_PAGE}{CSS}", script="")


def _versions(edge: Edge) -> str:
    return f"{edge.producer_version or '-'} → {edge.consumer_version or '-'}"


def drawn(graph: ModuleMap, *before: str, href: Callable[[str], str] | None = None, **attributes: str) -> str:
    """The picture for a page that has the style sheet; with `href` each box is a link to what it returns for a name."""
    placed = columns(graph)
    tallest = max(map(len, placed), default=0)
    width = 2 * _SIDE + len(placed) * _BOX + max(0, len(placed) - 1) * _ACROSS
    height = 2 * _SIDE + tallest * _TALL + max(0, tallest - 1) * _DOWN + _LEGEND
    places = _placed(placed, height - _LEGEND)
    arrows = [_arrow(source, target, state, edges, places) for source, target, state, edges in joined(graph)]
    boxes = [_linked(_box(node, places[node.name]), node.name, href) for node in graph.nodes]
    return svg.figure(
        *before,
        *arrows,
        *boxes,
        *_legend(height),
        width=max(width, 420.0),
        height=height,
        label=graph.sentence,
        kind="map",
        role="group" if href else "img",
        **attributes,
    )


def columns(graph: ModuleMap) -> list[list[str]]:
    """The names of each column, from left to right."""
    flows = [FlowLink(*ends, 1.0) for ends in dict.fromkeys((edge.source, edge.target) for edge in graph.edges)]
    flows = [flow for flow in flows if flow.source != flow.target]
    ordered = layered(flows) if flows else []
    placed = {name for column in ordered for name in column}
    alone = [node.name for node in graph.nodes if node.name not in placed]
    # Those that nobody talks to stand at the left, below the others.
    if alone and ordered:
        ordered[0] = [*ordered[0], *alone]
    return ordered or ([alone] if alone else [])


def _placed(columns: Sequence[Sequence[str]], height: float) -> dict[str, _Place]:
    places = {}
    for index, column in enumerate(columns):
        used = len(column) * _TALL + (len(column) - 1) * _DOWN
        top = (height - used) / 2
        for name in column:
            places[name] = _Place(_SIDE + index * (_BOX + _ACROSS), top)
            top += _TALL + _DOWN
    return places


def _linked(box: str, name: str, href: Callable[[str], str] | None) -> str:
    return svg.element("a", box, href=href(name)) if href else box


def _box(node: MapNode, place: _Place) -> str:
    said = svg.title(f"{node.name} {about(node)}".strip())
    round_ = _TALL / 2 if node.kind == "topic" else 5
    rect = svg.element(
        "rect", x=place.left, y=place.top, width=_BOX, height=_TALL, rx=round_, class_=f"box {node.kind}"
    )
    name = svg.text(shortened(node.name, _NAME), place.left + 8, place.top + 15)
    more = svg.text(shortened(about(node), _NAME + 6), place.left + 8, place.top + 27, class_="small")
    return svg.element("g", said, rect, name, more)


def _arrow(source: str, target: str, state: State, edges: list[Edge], places: Mapping[str, _Place]) -> str:
    start, end = places[source], places[target]
    x, y = start.left + _BOX, start.top + _TALL / 2
    to_x, to_y = end.left - 6, end.top + _TALL / 2
    reach = max((to_x - x) / 2, 50.0)
    curve = svg.path([("M", x, y), ("C", x + reach, y, to_x - reach, to_y, to_x, to_y)])
    head = svg.path([("M", to_x + 6, to_y), ("L", to_x - 2, to_y - 4), ("L", to_x - 2, to_y + 4), ("Z",)])
    why = "; ".join(dict.fromkeys(edge.why for edge in edges if edge.why))
    said = svg.title(f"{source} → {target}: {', '.join(edge.type for edge in edges)}: {state}. {why}".strip())
    label = svg.text(
        shortened(types(edges), _TYPES), (x + to_x) / 2, (y + to_y) / 2 - 4, class_="types", text_anchor="middle"
    )
    line = svg.element("path", d=curve, class_="way")
    return svg.element("g", said, line, svg.element("path", d=head, class_="head"), label, class_=state)


def _legend(height: float) -> Iterator[str]:
    for index, state in enumerate(reversed(STATES)):
        left, top = _SIDE + index * _LEGEND_STEP, height - 14
        line = svg.element("path", d=svg.path([("M", left, top), ("L", left + 24, top)]), class_="way")
        yield svg.element("g", line, class_=state) + svg.text(state, left + 30, top + 4)
