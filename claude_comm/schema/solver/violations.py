"""Every way to break the accepting schema, one formula each: so that all reasons are found and not only the first.

Law: each violation implies that the accepting side refuses; what the producing side says in the same words is left out,
for it cannot be broken. A violation is taken apart along properties and items, down to the keyword that is broken.
"""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import TOP
from claude_comm.schema.formula.nodes import ARRAY, OBJECT, Node
from claude_comm.schema.solver.resolver import Resolver

MAX_LEVELS = 8


def violations(resolver: Resolver, accepted: Node, produced: Node, level: int = 0) -> Iterator[Node]:
    """The violations of `accepted` that are not ruled out by the very words of `produced`."""
    ours = set(_parts(resolver, produced))
    for part in _parts(resolver, accepted):
        if part not in ours:
            yield from _of(resolver, part, ours, level)


def _of(resolver: Resolver, part: Node, ours: set[Node], level: int) -> Iterator[Node]:
    factory = resolver.factory
    if isinstance(part, nodes.Lit) and level < MAX_LEVELS:
        match part.atom:
            case nodes.EveryProperty(names=names, node=node):
                same = [
                    one.atom.node
                    for one in _literals(ours)
                    if isinstance(one.atom, nodes.EveryProperty) and one.atom.names is names
                ]
                for each in violations(resolver, node, factory.conjunction(same), level + 1):
                    yield factory.lit(OBJECT, nodes.SomeProperty(names, each), strict=True)
                return
            case nodes.Item(index=index, node=node):
                same = [
                    one.atom.node
                    for one in _literals(ours)
                    if isinstance(one.atom, nodes.Item) and one.atom.index == index
                ]
                for each in violations(resolver, node, factory.conjunction(same), level + 1):
                    yield factory.conjunction(
                        factory.lit(ARRAY, one, strict=True)
                        for one in (nodes.MinSize(index + 1), nodes.Item(index, each))
                    )
                return
            case nodes.AtMost(start=start, node=node, count=0):
                same = [
                    factory.negation(one.atom.node)
                    for one in _literals(ours)
                    if isinstance(one.atom, nodes.AtMost) and one.atom.count == 0 and one.atom.start <= start
                ]
                for each in violations(resolver, factory.negation(node), factory.conjunction(same), level + 1):
                    yield factory.lit(ARRAY, nodes.AtLeast(start, each, 1), strict=True)
                return
    yield factory.negation(part)


def _parts(resolver: Resolver, node: Node) -> Iterator[Node]:
    """The conjuncts of a node, references unfolded."""
    stack, seen = [node], set[Node]()
    while stack:
        each = stack.pop()
        if each in seen or each is TOP:
            continue
        seen.add(each)
        if isinstance(each, nodes.And):
            stack.extend(reversed(each.parts))
        elif isinstance(each, nodes.Ref) and each.holds:
            stack.append(resolver.unfold(each))
        else:
            yield each


def _literals(parts: set[Node]) -> Iterator[nodes.Lit]:
    return (part for part in parts if isinstance(part, nodes.Lit))
