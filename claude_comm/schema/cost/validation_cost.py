"""What validating one message costs, counted before a validator is started.

Law: neither validator can be interrupted, and both recurse on the machine's stack. So their evaluations are counted
first, on a table of (subschema, value), which costs no more than the product of the two sizes, and nothing is validated
that would take more evaluations or a deeper stack than the caller allows. Both figures are upper bounds: validators
stop early, this count never does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.verdict import Json

# Beyond this many nested evaluations the count itself is given up; the stack of a validator would not do either.
MAX_DEPTH = 90
ENOUGH = 1_000_000_000
# Up to so many evaluations are not counted one by one: both validators end within milliseconds.
SMALL = 4_000


class Cost(msgspec.Struct, frozen=True):
    """`evaluations` of a subschema at a value, and how many of them are nested; None: it would not end."""

    evaluations: int
    depth: int


def cost_of(
    document: Document, value: Json, tick: Callable[[], None], size: int | None = None, enough: int = SMALL
) -> Cost | None:
    """An upper bound on the work of validating `value`; None where references turn in circles or nest too deep.

    `size` is `size_of(value)`, for a caller that asks about several documents. A bound of up to `enough` evaluations is
    not made tighter.
    """
    glance = quick_cost(document, value, size, enough)
    if glance is not None:
        tick()
        return glance
    try:
        return _Evaluations(document, tick).of(document.schema, value, 0)
    except _UnboundedCost:
        return None


def quick_cost(document: Document, value: Json, size: int | None = None, enough: int = SMALL) -> Cost | None:
    """A bound that needs no walk: without recursion each subschema looks at each value at most once."""
    unfolded = document.unfolded
    if unfolded is None:
        return None
    size = size_of(value) if size is None else size
    bound = unfolded.nodes * size
    return Cost(bound, unfolded.depth) if size <= SMALL and bound <= enough else None


def size_of(value: Json, limit: int = SMALL) -> int:
    """How many values and names `value` holds; of more than `limit` it is only said that they are more."""
    if type(value) is dict and len(value) < limit // 2 and _SCALARS.issuperset(map(type, value.values())):
        # Most messages.
        return 1 + 2 * len(value)
    total, layer = 0, [value]
    while layer and total <= limit:
        below: list[Json] = []
        total += len(layer)
        for item in layer:
            # Most values are none of the two below.
            if type(item) in _SCALARS:
                continue
            if isinstance(item, dict):
                total += len(item)
                below += item.values()
            elif isinstance(item, list):
                below += item
            else:
                continue
            if total + len(below) > limit:
                return limit + 1
        layer = below
    return total


_SCALARS = frozenset((str, int, float, bool, type(None)))


class _UnboundedCost(Exception):
    """A circle, or a stack too deep."""


class _Evaluations:
    def __init__(self, document: Document, tick: Callable[[], None]) -> None:
        self.document, self.tick = document, tick
        self.known: dict[tuple[int, int], Cost | None] = {}

    def of(self, schema: Json, value: Json, depth: int) -> Cost:
        if not isinstance(schema, dict):
            return Cost(1, 1)
        place = (id(schema), id(value))
        if place in self.known:
            known = self.known[place]
            if known is None or depth + known.depth > MAX_DEPTH:
                raise _UnboundedCost
            return known
        if depth > MAX_DEPTH:
            raise _UnboundedCost
        self.tick()
        self.known[place] = None
        total, deepest = 1, 0
        for inner, at in applied(self.document, schema, value):
            below = self.of(inner, at, depth + 1)
            total, deepest = min(total + below.evaluations, ENOUGH), max(deepest, below.depth)
        result = self.known[place] = Cost(total, deepest + 1)
        return result


def applied(document: Document, schema: dict[str, Any], value: Json) -> Iterator[tuple[Json, Json]]:
    """The subschemas that a validator applies to a value or to what it holds, each with what it is applied to."""
    yield from ((inner, value) for inner in keywords.in_place(schema))
    if "$ref" in schema:
        yield document.definition(schema["$ref"]), value
    if isinstance(value, dict):
        declared = schema.get("properties", {})
        wide = _of_any_member(schema, "object")
        for name, item in value.items():
            yield from ((inner, item) for inner in wide)
            if name in declared:
                yield declared[name], item
            if "propertyNames" in schema:
                yield schema["propertyNames"], name
    elif isinstance(value, list):
        wide = _of_any_member(schema, "array")
        for item in value:
            yield from ((inner, item) for inner in wide)
        yield from zip(schema.get("prefixItems", ()), value, strict=False)


def _of_any_member(schema: dict[str, Any], kind: str) -> list[Json]:
    """The subschemas that may look at any property, or at any item."""
    return [inner for name in _ANY_MEMBER[kind] if name in schema for inner in keywords.held(name, schema[name])]


_ANY_MEMBER = {
    "object": keywords.names(lambda row: row.about == "object" and row.applies == "members"),
    "array": keywords.names(lambda row: row.about == "array" and row.applies == "members"),
}


def circular(document: Document) -> str | None:
    """A definition whose references lead back to itself without consuming anything, if there is one."""
    if not document.definitions:
        return None
    edges = {name: set(references_in_place(item)) for name, item in document.definitions.items()}
    state: dict[str, bool] = {}
    for start, first in edges.items():
        if start in state:
            continue
        # An explicit stack: a chain of references may be longer than the interpreter's.
        stack = [(start, iter(first))]
        state[start] = False
        while stack:
            name, ahead = stack[-1]
            following = next(ahead, None)
            if following is None:
                state[name] = True
                stack.pop()
            elif state.get(following) is False:
                return following
            elif following not in state:
                state[following] = False
                stack.append((following, iter(edges[following])))
    return None


def references_in_place(schema: Json) -> Iterator[str]:
    """The definitions that a schema refers to for the same value."""
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "$ref" in value:
                yield definition_name(value["$ref"])
            stack.extend(keywords.in_place(value))
