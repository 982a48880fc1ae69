"""How often one place of a message may be visited: whether validating can take exponential time.

Law: both figures are upper bounds, computed without a message and in time linear in the schema. Validators visit the
same place once for each path of subschemas that leads there, and keep no table. Two references to the next of thirty
definitions are 2**30 paths; and a recursive schema that comes back to itself in two ways at each level takes time
2**depth. A recursion that comes back in one way, as a tree of comments does, is not of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.cost.validation_cost import cost_of
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json

# Visits of one place that `jsonschema-rs` takes a few milliseconds for; a schema without references has at most half.
BEARABLE = 100_000
# Errors take about 30 microseconds each.
MAX_ERRORS = 50_000
MAX_COPIED = 100_000_000
# A value that is no text counts as so many characters, and takes at least one byte as MessagePack.
_NUMBER_CHARACTERS = 8
# What MessagePack has no room for: integers of more than 64 bits, values nested too deeply.
_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
# In the milliseconds of a budget that counts steps: 20,000 of them, some tens of milliseconds.
COUNT_MS = 500
_HERE, _NAMES = ("here", ""), ("names", "")

PathStep = tuple[str, str]
Named: TypeAlias = Literal["all", "first", "none"]
Edge = tuple[PathStep, dict[str, Any]]


class PathGrowth(msgspec.Struct, frozen=True):
    """`visits` of one place at most, recursion apart; `ways` in which a recursion comes back to itself in one step."""

    visits: int
    ways: int


class ErrorCost(msgspec.Struct, frozen=True):
    """What it takes `jsonschema-rs` to name all errors of a message: it makes a tree of them, with copies of values."""

    document: Document
    growth: PathGrowth
    # Values of the widest enumeration: an error holds them all.
    widest: int

    def named(self, instance: Json) -> Named:
        """Which errors of a refused message can be had within a second and some hundred megabytes."""
        if self._is_small(instance):
            return "all"
        values, depth, characters = measured(instance)
        visits = self.growth.visits * self.growth.ways ** min(depth, 64)
        few = visits * values <= MAX_ERRORS and visits * characters <= MAX_COPIED
        if not few:
            # The bound is for any message as deep as this one: so it is counted what this one comes to.
            evaluations = count(self.document, instance)
            few = evaluations is not None and evaluations <= min(MAX_ERRORS, MAX_COPIED // max(characters, 1))
        if not few and (visits > MAX_ERRORS or visits * characters > MAX_COPIED):
            return "none"
        return "all" if few and self.widest * values <= MAX_COPIED // 64 else "first"

    def _is_small(self, instance: Json) -> bool:
        """Whether a few times its bytes are within all bounds: seen in a microsecond, where walking it takes fifty."""
        try:
            most_values = len(msgspec.msgpack.encode(instance))
        except _UNENCODABLE:
            return False
        visited = self.growth.visits * most_values
        return (
            self.growth.ways == 1
            and visited <= min(MAX_ERRORS, MAX_COPIED // _NUMBER_CHARACTERS)
            and self.widest * most_values <= MAX_COPIED // 64
        )


def error_cost(document: Document) -> ErrorCost:
    """The error cost of a whole document."""
    widest = max((len(schema.get("enum", ())) for schema in keywords.schemas(document.schema)), default=1)
    return ErrorCost(document, path_growth(document), max(widest, 1))


def count(document: Document, instance: Json) -> int | None:
    """How often subschemas are evaluated for this message; None where counting it would take long, or has no end."""
    try:
        cost = cost_of(document, instance, Budget(COUNT_MS).tick)
    except OutOfBudget:
        return None
    return None if cost is None else cost.evaluations


def measured(instance: Json) -> tuple[int, int, int]:
    """The values of a message, how deep they are nested, and its characters."""
    values = depth = characters = 0
    layer = [instance]
    while layer:
        values, depth, below = values + len(layer), depth + 1, list[Json]()
        for value in layer:
            if isinstance(value, dict):
                below += value.values()
                characters += sum(map(len, value))
            elif isinstance(value, list | tuple):
                below += value
            else:
                characters += len(value) if isinstance(value, str) else _NUMBER_CHARACTERS
        layer = below
    return values, depth, characters


def path_growth(document: Document) -> PathGrowth:
    """The growth of a whole document."""
    if not isinstance(document.schema, dict):
        return PathGrowth(1, 1)
    return _Components(document).run()


class _Components:
    """Strongly connected components, by Tarjan's algorithm with a stack of its own; each is weighed when it closes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.edges: dict[int, list[Edge]] = {}
        self.index: dict[int, int] = {}
        self.low: dict[int, int] = {}
        self.visits: dict[int, int] = {}
        self.held: list[int] = []
        self.ways = 1

    def run(self) -> PathGrowth:
        root = self.document.schema
        stack = [(id(root), self.enter(root))]
        while stack:
            here, ahead = stack[-1]
            edge = next(ahead, None)
            if edge is None:
                stack.pop()
                self.leave(here)
                if stack:
                    self.low[stack[-1][0]] = min(self.low[stack[-1][0]], self.low[here])
            elif id(edge[1]) not in self.index:
                stack.append((id(edge[1]), self.enter(edge[1])))
            elif id(edge[1]) not in self.visits:
                self.low[here] = min(self.low[here], self.index[id(edge[1])])
        return PathGrowth(self.visits[id(root)], self.ways)

    def enter(self, schema: dict[str, Any]) -> Iterator[Edge]:
        here = id(schema)
        self.index[here] = self.low[here] = len(self.index)
        self.held.append(here)
        self.edges[here] = list(_edges(schema, self.document))
        return iter(self.edges[here])

    def leave(self, here: int) -> None:
        if self.low[here] < self.index[here]:
            return
        at = self.held.index(here) if self.held[-1] != here else len(self.held) - 1
        members = self.held[at:]
        del self.held[at:]
        inside = set(members)
        visits = 0
        for member in members:
            within = [(step, 1) for step, child in self.edges[member] if id(child) in inside]
            self.ways = max(self.ways, _meeting(within))
            visits += 1 + _meeting([(s, self.visits[id(c)]) for s, c in self.edges[member] if id(c) not in inside])
        # No need to count beyond: and the numbers of a long chain of doublings stay short.
        self.visits.update(dict.fromkeys(members, min(visits, BEARABLE + 1)))


def _meeting(weights: list[tuple[PathStep, int]]) -> int:
    """The weight of the edges that may lead to the same place: those of one step, and those that take any step."""
    weight_of: dict[PathStep, int] = {}
    for step, weight in weights:
        weight_of[step] = weight_of.get(step, 0) + weight
    least = 0
    for kind in ("object", "array"):
        named = max((weight for step, weight in weight_of.items() if step[0] == kind and step[1] != "*"), default=0)
        least = max(least, named + weight_of.get((kind, "*"), 0))
    return weight_of.get(_HERE, 0) + max(least, weight_of.get(_NAMES, 0))


def _edges(schema: dict[str, Any], document: Document) -> Iterator[Edge]:
    """Each subschema that looks at the value or at a part of it, with the step that leads there."""
    for step, inner in _steps(schema, document):
        if isinstance(inner, dict):
            yield step, inner


def _steps(schema: dict[str, Any], document: Document) -> Iterator[tuple[PathStep, Json]]:
    yield from ((_HERE, inner) for inner in keywords.in_place(schema))
    if "$ref" in schema:
        yield _HERE, document.definition(schema["$ref"])
    for keyword, step in _BELOW.items():
        if keyword in schema:
            yield from ((step, inner) for inner in keywords.held(keyword, schema[keyword]))
    yield from ((("object", f".{name}"), inner) for name, inner in schema.get("properties", {}).items())
    yield from ((("array", f".{index}"), inner) for index, inner in enumerate(schema.get("prefixItems", ())))


# The step to the schemas of a keyword that takes any member, or the names of all.
_BELOW: dict[str, PathStep] = {
    **{name: (keywords.TABLE[name].about, "*") for name in keywords.names(lambda row: row.applies == "members")},
    "propertyNames": _NAMES,
}
