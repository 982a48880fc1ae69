"""Where nodes are made: interned, simplified as they are built, and negated.

Law: each constructor returns a node that denotes what its arguments say, `negation(node)` denotes exactly the values
that `node` does not.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, assert_never

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.nodes import ANY_KIND, ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.values import Key

TOP, BOTTOM = nodes.Top(0), nodes.Bottom(1)
_AGE = operator.attrgetter("uid")


# New nodes between two ticks: some hundred microseconds. A wide schema makes tens of thousands in one go.
NODES_PER_TICK = 64


def _never() -> None:
    pass


class FormulaFactory:
    """All nodes of one question. `tick` is called as it grows."""

    def __init__(self, tick: Callable[[], None] = _never) -> None:
        self._tick = tick
        # A table for each type: its keys then hold nothing that the collector would have to look at.
        self._tables: defaultdict[type[Node], dict[tuple[Any, ...], Node]] = defaultdict(dict)
        self._count = 0
        self._strict: dict[nodes.Lit, Node] = {}
        self._negations: dict[Node, Node] = {TOP: BOTTOM, BOTTOM: TOP}

    def __len__(self) -> int:
        return self._count

    def _make(self, kind: type[Node], *fields: Any) -> Node:
        table = self._tables[kind]
        node = table.get(fields)
        if node is None:
            node = table[fields] = kind(self._count + 2, *fields)
            self._count += 1
            if not self._count % NODES_PER_TICK:
                self._tick()
        return node

    def kinds(self, kinds: int) -> Node:
        if kinds in {0, ANY_KIND}:
            return TOP if kinds else BOTTOM
        return self._make(nodes.Kinds, kinds)

    def ref(self, name: str, holds: bool = True) -> Node:
        return self._make(nodes.Ref, name, holds)

    def opaque(self, reason: str) -> Node:
        """A new unknown: two places that are hard for the same reason need not say the same."""
        return self._make(nodes.Opaque, self._count, reason, True)

    def lit(self, kind: int, atom: nodes.Atom, *, strict: bool = False) -> Node:
        """A literal, or what it comes to when the atom is always or never true of its kind."""
        trivial = _trivial(atom)
        if trivial is None:
            return self._make(nodes.Lit, kind, atom, strict)
        if trivial:
            return self.kinds(kind) if strict else TOP
        return BOTTOM if strict else self.kinds(ANY_KIND & ~kind)

    def strict(self, literal: nodes.Lit) -> Node:
        """The same literal for values of its own kind alone."""
        if literal.strict:
            return literal
        twin = self._strict.get(literal)
        if twin is None:
            # A literal that exists is not trivial, and its strict twin is not either.
            twin = self._strict[literal] = self._make(nodes.Lit, literal.kind, literal.atom, True)
        return twin

    def conjunction(self, parts: Iterable[Node]) -> Node:
        """The conjunction."""
        return self._join(parts, nodes.And, TOP, BOTTOM)

    def disjunction(self, parts: Iterable[Node]) -> Node:
        """The disjunction."""
        return self._join(parts, nodes.Or, BOTTOM, TOP)

    def _join(self, parts: Iterable[Node], join: type[nodes.And | nodes.Or], neutral: Node, absorbing: Node) -> Node:
        flat: dict[Node, None] = {}
        for part in parts:
            if part is absorbing:
                return absorbing
            if isinstance(part, join):
                flat.update(dict.fromkeys(part.parts))
            elif part is not neutral:
                flat[part] = None
        if not flat:
            return neutral
        if len(flat) == 1:
            return next(iter(flat))
        opposites = self._negations
        for part in flat:
            if opposites.get(part) in flat:
                return absorbing
        return self._make(join, tuple(sorted(flat, key=_AGE)))

    def negation(self, node: Node) -> Node:
        negated = self._negations.get(node)
        if negated is None:
            negated = self._negate(node)
            self._negations[node] = negated
            self._negations.setdefault(negated, node)
        return negated

    def _negate(self, node: Node) -> Node:
        match node:
            case nodes.And() | nodes.Or():
                return self._make(nodes.Not, node)
            case nodes.Ref(name=name, holds=holds):
                return self.ref(name, not holds)
            case nodes.Kinds(kinds=kinds):
                return self.kinds(ANY_KIND & ~kinds)
            case nodes.Opaque(token=token, reason=reason, holds=holds):
                return self._make(nodes.Opaque, token, reason, not holds)
            case nodes.Lit(kind=kind, atom=atom, strict=strict):
                return self._negated_atom(kind, atom, not strict)
            case _:  # pragma: no cover - every node that has a negation is above
                raise AssertionError(node)

    def _negated_atom(self, kind: int, atom: nodes.Atom, strict: bool) -> Node:
        def lit(*atoms: nodes.Atom) -> Node:
            return self.conjunction(self.lit(kind, atom, strict=strict) for atom in atoms)

        match atom:
            case nodes.MinSize(count=count):
                return lit(nodes.MaxSize(count - 1))
            case nodes.MaxSize(count=count):
                return lit(nodes.MinSize(count + 1))
            case nodes.LowerBound(bound=bound, open=is_open):
                return lit(nodes.UpperBound(bound, not is_open))
            case nodes.UpperBound(bound=bound, open=is_open):
                return lit(nodes.LowerBound(bound, not is_open))
            case nodes.Multiple(of=of, holds=holds):
                return lit(nodes.Multiple(of, not holds))
            case nodes.NumberEnum(values=numbers, holds=holds):
                return lit(nodes.NumberEnum(numbers, not holds))
            case nodes.Lexical(holds=holds):
                return lit(nodes.Lexical(not holds))
            case nodes.Pattern(source=source, holds=holds):
                return lit(nodes.Pattern(source, not holds))
            case nodes.StringEnum(values=words, holds=holds):
                return lit(nodes.StringEnum(words, not holds))
            case nodes.BooleanEnum(values=flags):
                return lit(nodes.BooleanEnum(frozenset((True, False)) - flags))
            case nodes.Item(index=index, node=node):
                return lit(nodes.MinSize(index + 1), nodes.Item(index, self.negation(node)))
            case nodes.AtLeast(start=start, node=node, count=count):
                return lit(nodes.AtMost(start, node, count - 1))
            case nodes.AtMost(start=start, node=node, count=count):
                return lit(nodes.AtLeast(start, node, count + 1))
            case nodes.Distinct(holds=holds):
                return lit(nodes.Distinct(not holds))
            case nodes.EveryProperty(names=names, node=node):
                return lit(nodes.SomeProperty(names, self.negation(node)))
            case nodes.SomeProperty(names=names, node=node):
                return lit(nodes.EveryProperty(names, self.negation(node)))
            case nodes.CompositeEnum(keys=keys):
                return self.conjunction(self._differs(kind, key, strict) for key in sorted(keys, key=repr))
            case _:
                assert_never(atom)

    def _differs(self, kind: int, key: Key, strict: bool) -> Node:
        """The arrays, or the objects, other than one."""

        def lit(atom: nodes.Atom) -> Node:
            return self.lit(kind, atom, strict=strict)

        if kind == ARRAY:
            items = key[1:]
            wrong_size = [lit(nodes.MaxSize(len(items) - 1)), lit(nodes.MinSize(len(items) + 1))]
            differing = (nodes.Item(i, self.negation(self.constant([item]))) for i, item in enumerate(items))
            return self.disjunction(
                [*wrong_size, *(self.conjunction([lit(nodes.MinSize(d.index + 1)), lit(d)]) for d in differing)]
            )
        members: dict[str, Key] = dict(key[1])
        others = self.strings(members, holds=False)
        wrong_values = [
            self.disjunction(
                [
                    lit(nodes.EveryProperty(self.strings([name]), BOTTOM)),
                    lit(nodes.SomeProperty(self.strings([name]), self.negation(self.constant([item])))),
                ]
            )
            for name, item in sorted(members.items())
        ]
        return self.disjunction([lit(nodes.SomeProperty(others, TOP)), *wrong_values])

    def strings(self, names: Iterable[str], *, holds: bool = True) -> Node:
        """The strings that are (not) among `names`, as a formula over strings."""
        return self.lit(STRING, nodes.StringEnum(frozenset(names), holds), strict=True)

    def constant(self, keys: Iterable[Key]) -> Node:
        """Exactly the values with these keys."""
        by_kind: dict[str, set[Any]] = {}
        for key in keys:
            by_kind.setdefault(key[0], set()).add(key if key[0] in "aoz" else key[1])
        parts: list[Node] = []
        for tag, values in by_kind.items():
            match tag:
                case "z":
                    parts.append(self.kinds(NULL))
                case "b":
                    parts.append(self.lit(BOOLEAN, nodes.BooleanEnum(frozenset(values)), strict=True))
                case "n":
                    parts.append(self.lit(NUMBER, nodes.NumberEnum(frozenset(values), True), strict=True))
                case "s":
                    parts.append(self.strings(values))
                case "a":
                    parts.append(self.lit(ARRAY, nodes.CompositeEnum(frozenset(values)), strict=True))
                case _:  # "o"
                    parts.append(self.lit(OBJECT, nodes.CompositeEnum(frozenset(values)), strict=True))
        return self.disjunction(parts)


def _trivial(atom: nodes.Atom) -> bool | None:
    """True or false where the atom always or never holds of its kind, as can be seen at a glance."""
    rule = _TRIVIAL.get(type(atom))
    return None if rule is None else rule(atom)


# One lookup instead of a chain of cases: this runs once for each literal that is made.
_TRIVIAL: dict[type, Callable[[Any], bool | None]] = {
    nodes.MinSize: lambda atom: True if atom.count <= 0 else None,
    nodes.MaxSize: lambda atom: False if atom.count < 0 else None,
    nodes.AtLeast: lambda atom: True if atom.count <= 0 else False if atom.node is BOTTOM else None,
    nodes.AtMost: lambda atom: False if atom.count < 0 else True if atom.node is BOTTOM else None,
    nodes.NumberEnum: lambda atom: None if atom.values else not atom.holds,
    nodes.StringEnum: lambda atom: None if atom.values else not atom.holds,
    nodes.BooleanEnum: lambda atom: None if len(atom.values) == 1 else bool(atom.values),
    nodes.Item: lambda atom: True if atom.node is TOP else None,
    nodes.EveryProperty: lambda atom: True if atom.node is TOP or atom.names is BOTTOM else None,
    nodes.SomeProperty: lambda atom: False if atom.node is BOTTOM or atom.names is BOTTOM else None,
    nodes.CompositeEnum: lambda atom: None if atom.keys else False,
}
