"""A flow diagram after Sankey: modules as bars in columns, what they sent to each other as bands between them.

Theory of operation. A module stands one column right of the rightmost that sends to it, when flows against the
direction are left out. Which these are is chosen so that little flows against the direction (the greedy feedback arc
set of Eades, Lin and Smyth, by weight): modules that send to nobody left go to the end, those that receive from nobody
left to the beginning, else the one that sends most beyond what it receives. The rest is acyclic and is layered by the
longest path. Within a column modules are ordered by the mean place of what they receive from (one barycentre sweep,
Sugiyama's heuristic), which removes most crossings at the sizes that a person reads. Heights are proportional to the
larger of what goes in and what goes out. A band against the direction leaves on the right and comes back on the left.

    a -> b 9, b -> c 8, c -> a 1    gives columns  a | b | c  and one thin band from c back to a
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from claude_comm.charts import axes, frame, style, svg
from claude_comm.charts.bars import shortened

_NODE, _GAP, _SIDE, _TOP = 12.0, 14.0, 4.0, 8.0
_MIN_BAND, _MIN_HEIGHT, _ROW = 1.0, 160.0, 46.0
# Between a bar and its name; the width of a letter; and what a name is cut to at most.
_PAD, _CHARACTER, _LEAST_CHARACTERS = 5.0, 5.9, 9


class FlowLink(msgspec.Struct, frozen=True):
    """So much went from one to another."""

    source: str
    target: str
    value: float
    note: str = ""


class _Node(msgspec.Struct, frozen=True):
    """One module; `room` is the width that its name may take."""

    name: str
    index: int
    left: float
    top: float
    height: float
    room: float


def sankey(flows: Sequence[FlowLink], *, label: str, unit: axes.Label = axes.count_label) -> str:
    """Each pair once; a flow of a module to itself is left out (its table has it)."""
    drawn = [flow for flow in flows if flow.source != flow.target and flow.value > 0]
    if not drawn:
        return svg.figure(width=frame.WIDTH, height=20, label=label, kind="sankey")
    columns = layered(drawn)
    height = max(_MIN_HEIGHT, _TOP * 2 + _ROW * max(map(len, columns)))
    nodes = _placed(columns, drawn, height)
    bands, leaving, arriving = [], defaultdict[str, float](float), defaultdict[str, float](float)
    scale = _scale(columns, drawn, height)
    for flow in sorted(drawn, key=lambda flow: (nodes[flow.source].top, nodes[flow.target].top)):
        thickness = max(_MIN_BAND, flow.value * scale)
        start = nodes[flow.source].top + leaving[flow.source] + thickness / 2
        end = nodes[flow.target].top + arriving[flow.target] + thickness / 2
        leaving[flow.source] += flow.value * scale
        arriving[flow.target] += flow.value * scale
        bands.append(_band(flow, nodes, start, end, thickness, unit))
    marks = [mark for node in nodes.values() for mark in _bar(node, drawn, unit)]
    return svg.figure(*bands, *marks, width=frame.WIDTH, height=height, label=label, kind="sankey")


def columns_of(flows: Sequence[FlowLink]) -> list[list[str]]:
    """The modules of each column, from left to right."""
    order = _sequence(flows)
    place = {name: index for index, name in enumerate(order)}
    column = dict.fromkeys(order, 0)
    for flow in sorted(flows, key=lambda flow: place[flow.source]):
        if place[flow.target] > place[flow.source]:
            column[flow.target] = max(column[flow.target], column[flow.source] + 1)
    columns: list[list[str]] = [[] for _ in range(max(column.values()) + 1)]
    for name in order:
        columns[column[name]].append(name)
    return columns


def layered(flows: Sequence[FlowLink]) -> list[list[str]]:
    """The columns, each in the order in which little crosses."""
    return _ordered(columns_of(flows), flows)


def _sequence(flows: Sequence[FlowLink]) -> list[str]:
    """The modules in an order in which little flows backwards."""
    left = list(dict.fromkeys(name for flow in flows for name in (flow.source, flow.target)))
    first: list[str] = []
    last: list[str] = []
    while left:
        among = set(left)
        net = dict.fromkeys(left, 0.0)
        sends, receives = set(), set()
        for flow in flows:
            if flow.source in among and flow.target in among:
                net[flow.source] += flow.value
                net[flow.target] -= flow.value
                sends.add(flow.source)
                receives.add(flow.target)
        ends = [name for name in left if name not in sends]
        taken = ends or [name for name in left if name not in receives] or [max(left, key=lambda name: net[name])]
        (last if ends else first).extend(reversed(taken) if ends else taken)
        left = [name for name in left if name not in taken]
    return first + last[::-1]


def _ordered(columns: list[list[str]], flows: Sequence[FlowLink]) -> list[list[str]]:
    """Each column by the mean place of what its modules receive from."""
    sources: dict[str, list[str]] = {}
    for flow in flows:
        sources.setdefault(flow.target, []).append(flow.source)
    place = {name: float(index) for column in columns for index, name in enumerate(column)}

    def mean(name: str) -> float:
        known = [place[source] for source in sources.get(name, ())]
        return sum(known) / len(known) if known else place[name]

    ordered = []
    for column in columns:
        ordered.append(sorted(column, key=mean))
        place.update({name: float(index) for index, name in enumerate(ordered[-1])})
    return ordered


def _weights(flows: Sequence[FlowLink]) -> dict[str, float]:
    """The larger of what goes into a module and what comes out of it."""
    out, into = defaultdict[str, float](float), defaultdict[str, float](float)
    for flow in flows:
        out[flow.source] += flow.value
        into[flow.target] += flow.value
    return {name: max(out[name], into[name]) for name in {*out, *into}}


def _scale(columns: Sequence[Sequence[str]], flows: Sequence[FlowLink], height: float) -> float:
    weights = _weights(flows)
    return min(
        (height - _TOP * 2 - _GAP * (len(column) - 1)) / sum(weights[name] for name in column) for column in columns
    )


def _placed(columns: Sequence[Sequence[str]], flows: Sequence[FlowLink], height: float) -> dict[str, _Node]:
    weights, scale = _weights(flows), _scale(columns, flows, height)
    step = (frame.WIDTH - 2 * _SIDE - _NODE) / max(1, len(columns) - 1)
    # Between the last column that has its names on the right and the first that has them on the left, two must fit.
    middle = sum(not _turned(_SIDE + index * step) for index in range(len(columns)))
    nodes: dict[str, _Node] = {}
    for index, column in enumerate(columns):
        used = sum(weights[name] * scale for name in column) + _GAP * (len(column) - 1)
        top = (height - used) / 2
        room = (step - _NODE) / 2 if index in (middle - 1, middle) else step - _NODE
        for name in column:
            tall = weights[name] * scale
            nodes[name] = _Node(name, len(nodes), _SIDE + index * step, top, max(2.0, tall), room - 2 * _PAD)
            top += tall + _GAP
    return nodes


def _band(
    flow: FlowLink, nodes: Mapping[str, _Node], start: float, end: float, thickness: float, unit: axes.Label
) -> str:
    source, target = nodes[flow.source], nodes[flow.target]
    left, right = source.left + _NODE, target.left
    # Against the direction the band swings out on both sides.
    reach = (right - left) / 2 if right > left else 60.0
    curve = svg.path([("M", left, start), ("C", left + reach, start, right - reach, end, right, end)])
    said = f"{flow.source} → {flow.target}: {unit(flow.value)} {flow.note}".strip()
    line = svg.element("path", svg.title(said), d=curve, class_="link", stroke_width=thickness)
    return svg.element("g", line, class_=style.series(source.index))


def _turned(left: float) -> bool:
    """The names of the right half stand left of their bars, so that none leaves the picture."""
    return left > frame.WIDTH / 2


def _bar(node: _Node, flows: Sequence[FlowLink], unit: axes.Label) -> list[str]:
    out = sum(flow.value for flow in flows if flow.source == node.name)
    into = sum(flow.value for flow in flows if flow.target == node.name)
    said = svg.title(f"{node.name}: {unit(into)} in, {unit(out)} out")
    bar = svg.element("rect", said, x=node.left, y=node.top, width=_NODE, height=node.height, rx=2, class_="mark")
    turned = _turned(node.left)
    at = node.left - _PAD if turned else node.left + _NODE + _PAD
    characters = max(_LEAST_CHARACTERS, int(node.room / _CHARACTER))
    name = svg.text(
        shortened(node.name, characters), at, node.top + node.height / 2 + 4, text_anchor="end" if turned else None
    )
    return [svg.element("g", bar, class_=style.series(node.index)), name]
