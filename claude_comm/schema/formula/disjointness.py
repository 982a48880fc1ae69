"""Whether two formulas certainly share no value, told from their outlines without a proof.

Law: `disjoint` is true only of formulas without a common value; what it misses costs time and no verdict. It is what
keeps `oneOf` over a tagged union linear: forms with different tags need no proof that they exclude each other.
"""

from __future__ import annotations

from typing import TypeAlias

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.nodes import OBJECT, Node, conjuncts, possible_kinds, single_name

Outline: TypeAlias = tuple[int, dict[str, list[nodes.Lit]]]


def disjoint(left: Outline, right: Outline) -> bool:
    """Whether two formulas share no value, as far as a glance shows: other kinds, or another value of one tag."""
    common = left[0] & right[0]
    if common != OBJECT:
        return not common
    return any(
        _no_common_value(tag, other)
        for name, tags in left[1].items()
        for tag in tags
        for other in right[1].get(name, ())
    )


def _no_common_value(left: nodes.Lit, right: nodes.Lit) -> bool:
    """Two literals of finite sets without a common member."""
    if left.kind != right.kind:
        return True
    match left.atom, right.atom:
        case nodes.StringEnum(values=a, holds=True), nodes.StringEnum(values=b, holds=True):
            return a.isdisjoint(b)
        case nodes.NumberEnum(values=x, holds=True), nodes.NumberEnum(values=y, holds=True):
            return x.isdisjoint(y)
        case nodes.BooleanEnum(values=u), nodes.BooleanEnum(values=v):
            return u.isdisjoint(v)
    return False


def outline(node: Node) -> Outline:
    """The kinds that a formula lets through, and the literals of each property that it requires."""
    present: set[str] = set()
    values: dict[str, list[nodes.Lit]] = {}
    for part in conjuncts(node):
        if isinstance(part, nodes.Lit) and isinstance(part.atom, nodes.EveryProperty | nodes.SomeProperty):
            name = single_name(part.atom.names)
            if name is None:
                continue
            if isinstance(part.atom, nodes.SomeProperty):
                present.add(name)
            literals = (inner for inner in conjuncts(part.atom.node) if isinstance(inner, nodes.Lit) and inner.strict)
            values.setdefault(name, []).extend(literals)
    return possible_kinds(node), {name: values.get(name, []) for name in present}
