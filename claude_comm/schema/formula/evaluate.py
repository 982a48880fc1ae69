"""Whether one value is in a formula: the meaning of each atom, written down a second time and without any search.

Law: True and False are exact. None means that an unknown (`Opaque`, a pattern that is not regular, a reference that
consumes nothing) decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.values import exact, key
from claude_comm.schema.verdict import Json

Truth = bool | None


class Evaluator:
    """`unfold` gives the node of a reference, `matches` searches a pattern in a string (None: not regular)."""

    def __init__(
        self,
        unfold: Callable[[nodes.Ref], Node],
        matches: Callable[[str, str], Truth],
        tick: Callable[[], None],
    ) -> None:
        self.unfold, self.matches, self.tick = unfold, matches, tick

    def holds(self, node: Node, value: Json) -> Truth:
        """Whether `value` is in `node`."""
        return _Run(self).holds(node, value)


class _Run:
    """One evaluation: what is known of each node at each value, and what is being asked right now."""

    def __init__(self, outer: Evaluator) -> None:
        self.outer = outer
        # Values are held by the caller while this lives, so that an id stays the name of one value.
        self.known: dict[tuple[Node, int], Truth] = {}

    def holds(self, node: Node, value: Json) -> Truth:
        if node is TOP or node is BOTTOM:
            return node is TOP
        place = (node, id(value))
        if place in self.known:
            return self.known[place]
        self.outer.tick()
        # A reference that comes back to itself at the same value consumes nothing: nobody knows.
        self.known[place] = None
        truth = self.known[place] = self._holds(node, value)
        return truth

    def _holds(self, node: Node, value: Json) -> Truth:
        match node:
            case nodes.And(parts=parts):
                return _all(self.holds(part, value) for part in parts)
            case nodes.Or(parts=parts):
                return _any(self.holds(part, value) for part in parts)
            case nodes.Kinds(kinds=kinds):
                return bool(kinds & kind_of(value))
            case nodes.Not(node=inner):
                truth = self.holds(inner, value)
                return None if truth is None else not truth
            case nodes.Ref():
                return self.holds(self.outer.unfold(node), value)
            case nodes.Lit(kind=kind, atom=atom, strict=strict):
                return self.atom(atom, value) if kind_of(value) == kind else not strict
        return None

    def atom(self, atom: nodes.Atom, value: Json) -> Truth:
        match atom:
            case nodes.MinSize(count=count):
                return len(value) >= count
            case nodes.MaxSize(count=count):
                return len(value) <= count
            case nodes.LowerBound(bound=bound, open=is_open):
                return exact(value) > bound or (exact(value) == bound and not is_open)
            case nodes.UpperBound(bound=bound, open=is_open):
                return exact(value) < bound or (exact(value) == bound and not is_open)
            case nodes.Multiple(of=of, holds=holds):
                return ((exact(value) / of).denominator == 1) == holds
            case nodes.NumberEnum(values=numbers, holds=holds):
                return (exact(value) in numbers) == holds
            case nodes.Lexical(holds=holds):
                return isinstance(value, int) == holds
            case nodes.Pattern(source=source, holds=holds):
                truth = self.outer.matches(source, value)
                return None if truth is None else truth == holds
            case nodes.StringEnum(values=words, holds=holds):
                return (value in words) == holds
            case nodes.BooleanEnum(values=flags):
                return value in flags
            case nodes.Item(index=index, node=node):
                return len(value) <= index or self.holds(node, value[index])
            case nodes.AtLeast(start=start, node=node, count=count):
                sure, maybe = self.count(node, value[start:])
                return True if sure >= count else None if maybe >= count else False
            case nodes.AtMost(start=start, node=node, count=count):
                sure, maybe = self.count(node, value[start:])
                return False if sure > count else None if maybe > count else True
            case nodes.Distinct(holds=holds):
                return (len({key(item) for item in value}) == len(value)) == holds
            case nodes.EveryProperty(names=names, node=node):
                return _all(_implies(self.holds(names, name), self.holds(node, item)) for name, item in value.items())
            case nodes.SomeProperty(names=names, node=node):
                return _any(_all((self.holds(names, name), self.holds(node, item))) for name, item in value.items())
            case nodes.CompositeEnum(keys=keys):
                return key(value) in keys
            case _:
                assert_never(atom)

    def count(self, node: Node, items: list[Json]) -> tuple[int, int]:
        """How many items surely are of `node`, and how many may be."""
        truths = [self.holds(node, item) for item in items]
        return truths.count(True), len(truths) - truths.count(False)


def kind_of(value: Json) -> int:
    """The bit of a value's kind."""
    if isinstance(value, str):
        return STRING
    if isinstance(value, bool):
        return BOOLEAN
    if value is None:
        return NULL
    if isinstance(value, dict):
        return OBJECT
    return ARRAY if isinstance(value, list | tuple) else NUMBER


def _all(truths: Iterable[Truth]) -> Truth:
    answer: Truth = True
    for truth in truths:
        if truth is False:
            return False
        answer = answer and truth
    return answer


def _any(truths: Iterable[Truth]) -> Truth:
    answer: Truth = False
    for truth in truths:
        if truth:
            return True
        answer = None if truth is None else answer
    return answer


def _implies(left: Truth, right: Truth) -> Truth:
    return _any((None if left is None else not left, right))
