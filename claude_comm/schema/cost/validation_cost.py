"""What validating one message costs, counted before a validator is started.

Law: neither validator can be interrupted, and both recurse on the machine's stack. So their evaluations are counted
first, on a table of (subschema, value), which costs no more than the product of the two sizes, and nothing is validated
that would take more evaluations or a deeper stack than the caller allows. Both figures are upper bounds: validators
stop early, this count never does.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.regex import parser
from claude_comm.schema.regex.errors import LanguageError
from claude_comm.schema.verdict import Json

# Beyond this many nested evaluations the count itself is given up; the stack of a validator would not do either.
MAX_DEPTH = 90
ENOUGH = 1_000_000_000
# Up to so many evaluations are not counted one by one: both validators end within milliseconds.
SMALL = 4_000
# Characters that `jsonschema-rs` may look at again and again for the look-around of one pattern: about 0.1 s.
MAX_LOOKAROUND = 50_000_000
_LOOKAROUND = re.compile(r"\(\?[=!<]|\\[1-9k]")


class Cost(msgspec.Struct, frozen=True):
    """`evaluations` of a subschema at a value, and how many of them are nested; None: it would not end."""

    evaluations: int
    depth: int


def cost_of(document: Document, value: Json, tick: Callable[[], None], size: int | None = None) -> Cost | None:
    """An upper bound on the work of validating `value`; None where references turn in circles or nest too deep.

    `size` is `size_of(value)`, for a caller that asks about several documents.
    """
    glance = quick_cost(document, value, size)
    if glance is not None:
        tick()
        return glance
    try:
        return _Evaluations(document, tick).of(document.schema, value, 0)
    except _Unbounded:
        return None


def quick_cost(document: Document, value: Json, size: int | None = None) -> Cost | None:
    """A bound that needs no walk: without recursion each subschema looks at each value at most once."""
    unfolded = document.unfolded
    if unfolded is None:
        return None
    bound = unfolded.nodes * (size_of(value) if size is None else size)
    return Cost(bound, unfolded.depth) if bound <= SMALL else None


def size_of(value: Json, limit: int = SMALL) -> int:
    """How many values and names `value` holds; of more than `limit` it is only said that they are more."""
    total, layer = 0, [value]
    while layer and total <= limit:
        total, below = total + len(layer), list[Json]()
        for item in layer:
            if isinstance(item, dict):
                total += len(item)
                below += item.values()
            elif isinstance(item, list):
                below += item
            if total + len(below) > limit:
                return limit + 1
        layer = below
    return total


class _Unbounded(Exception):
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
                raise _Unbounded
            return known
        if depth > MAX_DEPTH:
            raise _Unbounded
        self.tick()
        self.known[place] = None
        total, deepest = 1, 0
        for inner, at in self.below(schema, value):
            below = self.of(inner, at, depth + 1)
            total, deepest = min(total + below.evaluations, ENOUGH), max(deepest, below.depth)
        result = self.known[place] = Cost(total, deepest + 1)
        return result

    def below(self, schema: dict[str, Any], value: Json) -> Iterator[tuple[Json, Json]]:
        yield from ((inner, value) for inner in keywords.in_place(schema))
        if "$ref" in schema:
            yield self.document.definition(schema["$ref"]), value
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


def scannable(document: Document, value: Json) -> bool:
    """Whether `jsonschema-rs` ends soon: it searches look-around anew from each character, uninterrupted."""
    return not has_lookaround(document) or searchable(document, value, limit=MAX_LOOKAROUND)


def has_lookaround(document: Document) -> bool:
    """Whether some pattern has look-around or back-references."""
    patterns = document.patterns
    return bool(patterns) and any(_LOOKAROUND.search(source) for source in patterns)


def searchable(document: Document, value: Json, limit: int = 1_000_000) -> bool:
    """Whether a backtracking engine can search all patterns of a schema in all strings of `value`, roughly."""
    if not document.patterns:
        return True
    longest = max((len(text) for text in _texts(value)), default=0)
    return all(_steps(source, longest) <= limit for source in document.patterns)


def _steps(source: str, length: int) -> int:
    """The ways that a backtracking search may try in a string of `length`, capped at `ENOUGH`."""
    tree = _tree(source)
    if tree is None:
        # Back-references and the like: by the doors that it leaves open, whatever they lead to.
        doors = 2 * length + source.count("?") + source.count("|") + (60 if "{" in source else 0)
        return 1 << min(doors, 60)
    return min((length + 1) * _ways(tree, length), ENOUGH)


@functools.lru_cache(maxsize=256)
def _tree(source: str) -> parser.Node | None:
    try:
        return parser.parse(source)
    except LanguageError:
        return None


def _ways(node: parser.Node, length: int) -> int:
    """The ways to match one place of a string: choices multiply in a sequence, and are taken to the power in a loop."""
    match node:
        case parser.Sequence(items=items):
            return min(math.prod(_ways(item, length) for item in items), ENOUGH)
        case parser.Choice(options=options):
            return sum(_ways(option, length) for option in options)
        case parser.Look(body=body):
            return _ways(body, length)
        case parser.Repeat(item=item, minimum=minimum, maximum=maximum):
            turns = length if maximum is None else maximum
            branching = _branching(item)
            if branching == 1:
                return max(1, min(turns, length) - minimum + 1)
            # Turns that match nothing are turns all the same; beyond 64 doublings nobody counts.
            doubled: int = branching ** min(turns, max(length, minimum), 64)
            return min(doubled, ENOUGH)
    return 1


def _branching(node: parser.Node) -> int:
    """The ways to go on at each turn of a loop around `node`; a loop inside may end or go on at each character."""
    match node:
        case parser.Sequence(items=items):
            return math.prod(map(_branching, items))
        case parser.Choice(options=options):
            return sum(map(_branching, options))
        case parser.Look(body=body):
            return _branching(body)
        case parser.Repeat(item=item, minimum=minimum, maximum=maximum):
            return _branching(item) * (1 if minimum == maximum and _branching(item) == 1 else 2)
    return 1


def _texts(value: Json) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
