"""Every way to break the accepting schema, one formula each: so that all reasons are found and not only the first.

Law: each violation implies that the accepting side refuses. What the producing side requires in the same words cannot
be broken, and is left out. A violation is taken apart along properties and items, down to the keyword that is broken.
"""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import TOP
from claude_comm.schema.formula.nodes import ARRAY, OBJECT, Node
from claude_comm.schema.solver.resolver import Resolver

MAX_LEVELS = 8


def violations(resolver: Resolver, accepted: Node, produced: Node, level: int = 0) -> Iterator[Node]:
    """The violations of `accepted`, without those that a conjunct of `produced` rules out because it is the same."""
    ours = set(_parts(resolver, produced))
    for part in _parts(resolver, accepted):
        if part not in ours:
            yield from _of(resolver, part, ours, level)


def _of(resolver: Resolver, part: Node, ours: set[Node], level: int) -> Iterator[Node]:
    factory = resolver.factory
    if isinstance(part, nodes.Lit) and level < MAX_LEVELS:
        match part.atom:
            case nodes.EveryProperty(names=names, node=node):
                granted = factory.conjunction(
                    literal.atom.node
                    for literal in _literals(ours)
                    if isinstance(literal.atom, nodes.EveryProperty) and literal.atom.names is names
                )
                for violation in violations(resolver, node, granted, level + 1):
                    yield factory.lit(OBJECT, nodes.SomeProperty(names, violation), strict=True)
                return
            case nodes.Item(index=index, node=node):
                granted = factory.conjunction(
                    literal.atom.node
                    for literal in _literals(ours)
                    if isinstance(literal.atom, nodes.Item) and literal.atom.index == index
                )
                for violation in violations(resolver, node, granted, level + 1):
                    atoms = (nodes.MinSize(index + 1), nodes.Item(index, violation))
                    yield factory.conjunction(factory.lit(ARRAY, atom, strict=True) for atom in atoms)
                return
            case nodes.AtMost(start=start, node=node, count=0):
                granted = factory.conjunction(
                    factory.negation(literal.atom.node)
                    for literal in _literals(ours)
                    if isinstance(literal.atom, nodes.AtMost)
                    and literal.atom.count == 0
                    and literal.atom.start <= start
                )
                for violation in violations(resolver, factory.negation(node), granted, level + 1):
                    yield factory.lit(ARRAY, nodes.AtLeast(start, violation, 1), strict=True)
                return
    yield factory.negation(part)


def _parts(resolver: Resolver, node: Node) -> Iterator[Node]:
    """The conjuncts of a node, references unfolded."""
    seen: set[Node] = set()
    stack = [node]
    while stack:
        part = stack.pop()
        if part in seen or part is TOP:
            continue
        seen.add(part)
        if isinstance(part, nodes.And):
            stack.extend(reversed(part.parts))
        elif isinstance(part, nodes.Ref) and part.holds:
            stack.append(resolver.unfold(part))
        else:
            yield part


def _literals(parts: set[Node]) -> Iterator[nodes.Lit]:
    return (part for part in parts if isinstance(part, nodes.Lit))
