"""Nodes are simplified as they are made, and the same is one object."""

from __future__ import annotations

import pytest

from claude_comm.schema.formula import factory as factories
from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import ANY_KIND, ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING
from claude_comm.schema.values import exact, key

ALWAYS: list[tuple[int, nodes.Atom]] = [
    (STRING, nodes.MinSize(0)),
    (ARRAY, nodes.AtLeast(0, BOTTOM, 0)),
    (ARRAY, nodes.AtMost(0, BOTTOM, 0)),
    (ARRAY, nodes.Item(3, TOP)),
    (NUMBER, nodes.NumberEnum(frozenset(), False)),
    (STRING, nodes.StringEnum(frozenset(), False)),
    (BOOLEAN, nodes.BooleanEnum(frozenset([True, False]))),
    (OBJECT, nodes.EveryProperty(TOP, TOP)),
    (OBJECT, nodes.EveryProperty(BOTTOM, BOTTOM)),
]
NEVER: list[tuple[int, nodes.Atom]] = [
    (STRING, nodes.MaxSize(-1)),
    (ARRAY, nodes.AtLeast(0, BOTTOM, 1)),
    (ARRAY, nodes.AtMost(0, TOP, -1)),
    (NUMBER, nodes.NumberEnum(frozenset(), True)),
    (STRING, nodes.StringEnum(frozenset(), True)),
    (BOOLEAN, nodes.BooleanEnum(frozenset())),
    (OBJECT, nodes.SomeProperty(TOP, BOTTOM)),
    (OBJECT, nodes.SomeProperty(BOTTOM, TOP)),
    (OBJECT, nodes.CompositeEnum(frozenset())),
]
SOMETIMES: list[tuple[int, nodes.Atom]] = [
    (STRING, nodes.MinSize(1)),
    (STRING, nodes.MaxSize(0)),
    (ARRAY, nodes.AtLeast(0, TOP, 1)),
    (ARRAY, nodes.AtMost(0, TOP, 0)),
    (ARRAY, nodes.Item(0, BOTTOM)),
    (NUMBER, nodes.NumberEnum(frozenset([exact(1)]), True)),
    (STRING, nodes.StringEnum(frozenset("a"), False)),
    (BOOLEAN, nodes.BooleanEnum(frozenset([False]))),
    (OBJECT, nodes.EveryProperty(TOP, BOTTOM)),
    (OBJECT, nodes.SomeProperty(TOP, TOP)),
    (OBJECT, nodes.CompositeEnum(frozenset([key({})]))),
]


def test_what_always_or_never_holds_is_no_literal() -> None:
    made = FormulaFactory()
    for kind, atom in ALWAYS:
        assert made.lit(kind, atom) is TOP, atom
        assert made.lit(kind, atom, strict=True) is made.kinds(kind), atom
    for kind, atom in NEVER:
        assert made.lit(kind, atom) is made.kinds(ANY_KIND - kind), atom
        assert made.lit(kind, atom, strict=True) is BOTTOM, atom
    for kind, atom in SOMETIMES:
        for strict in (True, False):
            literal = made.lit(kind, atom, strict=strict)
            assert isinstance(literal, nodes.Lit), atom
            assert (literal.kind, literal.atom, literal.strict) == (kind, atom, strict)


def test_a_literal_has_one_strict_twin() -> None:
    made = FormulaFactory()
    loose, strict = (made.lit(STRING, nodes.MinSize(1), strict=strict) for strict in (False, True))
    assert isinstance(loose, nodes.Lit)
    assert isinstance(strict, nodes.Lit)
    assert loose is not strict
    assert made.strict(loose) is strict
    assert made.strict(loose) is strict
    assert made.strict(strict) is strict


@pytest.mark.parametrize("flag", [True, False])
def test_a_boolean_is_negated_to_the_other(flag: bool) -> None:
    # A factory of its own: one that has negated the other flag before remembers both ways.
    made = FormulaFactory()
    other = nodes.BooleanEnum(frozenset([not flag]))
    assert made.negation(made.constant([key(flag)])) is made.lit(BOOLEAN, other)


def test_a_negation_is_undone_by_another() -> None:
    made = FormulaFactory()
    reference = made.ref("p:a")
    both = made.conjunction([reference, made.kinds(STRING)])
    assert isinstance(reference, nodes.Ref)
    assert reference.holds
    for node in (both, reference, made.kinds(STRING), TOP, BOTTOM):
        assert made.negation(node) is not node
        assert made.negation(made.negation(node)) is node
    assert made.negation(reference) is made.ref("p:a", False)


def test_no_kind_is_nothing_and_every_kind_is_everything() -> None:
    made = FormulaFactory()
    assert made.kinds(0) is BOTTOM
    assert made.kinds(ANY_KIND) is TOP
    assert made.negation(made.kinds(NULL)) is made.kinds(ANY_KIND - NULL)


def test_the_same_parts_are_one_node_in_any_order() -> None:
    made = FormulaFactory()
    parts = [made.kinds(NULL | STRING), made.lit(STRING, nodes.MinSize(2)), made.ref("p:a")]
    for join, neutral, absorbing in ((made.conjunction, TOP, BOTTOM), (made.disjunction, BOTTOM, TOP)):
        whole = join(parts)
        assert join(reversed(parts)) is whole
        assert join([neutral, join(parts[:2]), parts[2], parts[0]]) is whole
        assert join([*parts, absorbing]) is absorbing
        assert join([]) is neutral
        assert join([parts[0]]) is parts[0]
        assert join([parts[0], neutral]) is parts[0]
        assert join([*parts, made.negation(parts[0])]) is absorbing


def test_two_unknowns_are_not_one_and_each_excludes_its_own_opposite() -> None:
    made = FormulaFactory()
    first, second = made.opaque("nobody knows"), made.opaque("nobody knows")
    assert first is not second
    assert made.conjunction([first, made.negation(first)]) is BOTTOM
    assert made.conjunction([first, made.negation(second)]) is not BOTTOM
    assert made.negation(made.negation(first)) is first


def test_the_constants_of_each_kind() -> None:
    made = FormulaFactory()
    assert made.constant([]) is BOTTOM
    assert made.constant([key(None)]) is made.kinds(NULL)
    assert made.constant([key(True), key(False)]) is made.kinds(BOOLEAN)
    for kind, one, atom in (
        (BOOLEAN, False, nodes.BooleanEnum(frozenset([False]))),
        (NUMBER, 1.0, nodes.NumberEnum(frozenset([exact(1)]), True)),
        (STRING, "a", nodes.StringEnum(frozenset("a"), True)),
        (ARRAY, [1], nodes.CompositeEnum(frozenset([key([1])]))),
        (OBJECT, {"a": 1}, nodes.CompositeEnum(frozenset([key({"a": 1})]))),
    ):
        literal = made.constant([key(one)])
        assert literal is made.lit(kind, atom, strict=True)
        assert isinstance(literal, nodes.Lit), one
    assert made.constant([key(1), key("a")]) is made.disjunction([made.constant([key("a")]), made.constant([key(1)])])


def test_the_budget_is_asked_as_a_factory_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factories, "NODES_PER_TICK", 4)
    asked = list[None]()
    made = FormulaFactory(lambda: asked.append(None))
    for _ in range(2):
        for size in range(1, 41):
            made.lit(STRING, nodes.MinSize(size))
    assert len(asked) == 10
