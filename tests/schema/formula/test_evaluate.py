"""What a formula means: each atom has its values, its negation has the others, and what nobody knows stays unknown."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import pytest

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.evaluate import Evaluator, kind_of
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING
from claude_comm.schema.values import exact, key

FACTORY = FormulaFactory()
ONE = FACTORY.constant([key(1)])
# 1 certainly, 2 perhaps, no other value.
ONE_MAYBE_TWO = FACTORY.disjunction(
    [ONE, FACTORY.conjunction([FACTORY.constant([key(2)]), FACTORY.opaque("nobody knows")])]
)
A = FACTORY.strings(["a"])
UNREAD = FACTORY.lit(STRING, nodes.Pattern("?", True), strict=True)


def matches(source: str, text: str) -> bool | None:
    return None if source == "?" else text.startswith(source)


def nowhere(reference: nodes.Ref) -> nodes.Node:
    return reference


EVALUATOR = Evaluator(nowhere, matches, lambda: None)


class Meaning(NamedTuple):
    """Values in an atom, values of its kind that are not, and those of which nobody knows."""

    kind: int
    atom: nodes.Atom
    inside: list[Any]
    outside: list[Any]
    unknown: tuple[Any, ...] = ()


MEANINGS = [
    Meaning(STRING, nodes.MinSize(2), ["ab", "abc"], ["", "a"]),
    Meaning(ARRAY, nodes.MinSize(2), [[1, 2]], [[], [1]]),
    Meaning(OBJECT, nodes.MaxSize(1), [{}, {"a": 1}], [{"a": 1, "b": 1}]),
    Meaning(STRING, nodes.MaxSize(1), ["", "a"], ["ab", "abc"]),
    Meaning(NUMBER, nodes.LowerBound(exact(1), False), [1, 1.0, 1.5], [0.5, -1]),
    Meaning(NUMBER, nodes.LowerBound(exact(1), True), [1.5, 2], [0.5, 1, 1.0]),
    Meaning(NUMBER, nodes.UpperBound(exact(1), False), [0.5, 1, 1.0], [1.5, 2]),
    Meaning(NUMBER, nodes.UpperBound(exact(1), True), [0.5, -1], [1, 1.0, 2]),
    Meaning(NUMBER, nodes.Multiple(exact(0.5), True), [0, 1.5, -2], [0.25, 1.2]),
    Meaning(NUMBER, nodes.Multiple(exact(0.5), False), [0.25, 1.2], [0, 1.5, -2]),
    Meaning(NUMBER, nodes.NumberEnum(frozenset([exact(1), exact(2)]), True), [1, 1.0, 2], [0, 1.5]),
    Meaning(NUMBER, nodes.NumberEnum(frozenset([exact(1)]), False), [0, 1.5], [1, 1.0]),
    Meaning(NUMBER, nodes.Lexical(True), [1], [1.0, 1.5]),
    Meaning(NUMBER, nodes.Lexical(False), [1.0, 1.5], [1]),
    Meaning(STRING, nodes.Pattern("a", True), ["a", "ab"], ["", "b"]),
    Meaning(STRING, nodes.Pattern("a", False), ["", "b"], ["a", "ab"]),
    Meaning(STRING, nodes.Pattern("?", False), [], [], ("a",)),
    Meaning(STRING, nodes.StringEnum(frozenset("ab"), True), ["a", "b"], ["", "ab"]),
    Meaning(STRING, nodes.StringEnum(frozenset("ab"), False), ["", "ab"], ["a", "b"]),
    Meaning(BOOLEAN, nodes.BooleanEnum(frozenset([True])), [True], [False]),
    Meaning(BOOLEAN, nodes.BooleanEnum(frozenset([False])), [False], [True]),
    Meaning(ARRAY, nodes.Item(1, ONE), [[], [2], [2, 1], [2, 1, 3]], [[1, 2], [1, 2, 1]]),
    Meaning(ARRAY, nodes.Item(1, ONE_MAYBE_TWO), [[3], [3, 1]], [[1, 3]], ([3, 2],)),
    Meaning(ARRAY, nodes.AtLeast(1, ONE, 2), [[2, 1, 1], [1, 1, 1]], [[], [1, 1], [1, 1, 2]]),
    Meaning(ARRAY, nodes.AtLeast(0, ONE_MAYBE_TWO, 1), [[1], [2, 1]], [[], [3]], ([2], [2, 2])),
    Meaning(ARRAY, nodes.AtMost(1, ONE, 1), [[], [1, 1], [1, 2, 1]], [[1, 1, 1]]),
    Meaning(ARRAY, nodes.AtMost(0, ONE_MAYBE_TWO, 1), [[], [1], [2], [3, 1]], [[1, 1], [1, 2, 1]], ([1, 2], [2, 2])),
    Meaning(ARRAY, nodes.Distinct(True), [[], [1], [1, True], [[1], [2]]], [[1, 1.0], [2, 1, 2]]),
    Meaning(ARRAY, nodes.Distinct(False), [[1, 1.0], [{}, {}]], [[], [1, 2]]),
    Meaning(OBJECT, nodes.EveryProperty(A, ONE), [{}, {"a": 1}, {"b": 2}], [{"a": 2}, {"a": 2, "b": 1}]),
    Meaning(OBJECT, nodes.EveryProperty(UNREAD, ONE), [{}, {"a": 1}], [], ({"a": 2}, {"a": 1, "b": 2})),
    Meaning(OBJECT, nodes.SomeProperty(A, ONE), [{"a": 1}, {"a": 1, "b": 2}], [{}, {"a": 2}, {"b": 1}]),
    Meaning(OBJECT, nodes.SomeProperty(UNREAD, ONE), [], [{}, {"a": 2}], ({"a": 1}, {"a": 2, "b": 1})),
    Meaning(ARRAY, nodes.CompositeEnum(frozenset([key([]), key([1])])), [[], [1], [1.0]], [[2], [1, 1], [[]]]),
    Meaning(ARRAY, nodes.CompositeEnum(frozenset([key([1, "a"])])), [[1, "a"]], [[], [1], [1, "b"], [1, "a", 1]]),
    Meaning(
        OBJECT,
        nodes.CompositeEnum(frozenset([key({"a": 1, "b": 2})])),
        [{"a": 1, "b": 2}],
        [{}, {"a": 1}, {"b": 2}, {"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2, "c": 1}],
    ),
]
OF_KIND = {NULL: None, BOOLEAN: True, NUMBER: 7, STRING: "xyz", ARRAY: [7, 7, 7], OBJECT: {"x": 7, "y": 7}}


def cases(meaning: Meaning) -> list[tuple[Any, bool | None]]:
    truths = [(meaning.inside, True), (meaning.outside, False), (meaning.unknown, None)]
    return [(value, truth) for values, truth in truths for value in values]


def opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: type(meaning.atom).__name__)
def test_an_atom_has_its_values_and_its_negation_the_others(meaning: Meaning) -> None:
    for strict in (True, False):
        node = FACTORY.lit(meaning.kind, meaning.atom, strict=strict)
        for value, truth in cases(meaning):
            assert kind_of(value) == meaning.kind
            assert EVALUATOR.holds(node, value) is truth, (node, value)
            assert EVALUATOR.holds(FACTORY.negation(node), value) is opposite(truth), (node, value)
        for kind, value in OF_KIND.items():
            if kind != meaning.kind:
                assert EVALUATOR.holds(node, value) is not strict, (node, value)
                assert EVALUATOR.holds(FACTORY.negation(node), value) is strict, (node, value)


def test_a_negation_is_negated_to_what_it_was() -> None:
    for meaning in MEANINGS:
        node = FACTORY.lit(meaning.kind, meaning.atom)
        assert FACTORY.negation(FACTORY.negation(node)) is node


def known(truth: bool | None, nth: int) -> nodes.Node:
    """One of several formulas that are such at the number 1."""
    if truth is None:
        return FACTORY.opaque("nobody knows")
    return FACTORY.kinds(NUMBER | STRING | nth if truth else STRING | nth)


@pytest.mark.parametrize("truths", [*itertools.product((True, False, None), repeat=2)])
def test_one_part_that_fails_decides_a_conjunction_and_one_that_holds_a_disjunction(truths: Any) -> None:
    parts = [known(truth, nth) for truth, nth in zip(truths, (NULL, BOOLEAN), strict=True)]
    every = False if False in truths else None if None in truths else True
    some = True if True in truths else None if None in truths else False
    both, either = FACTORY.conjunction(parts), FACTORY.disjunction(parts)
    assert EVALUATOR.holds(both, 1) is every
    assert EVALUATOR.holds(either, 1) is some
    assert EVALUATOR.holds(FACTORY.negation(both), 1) is opposite(every)
    assert EVALUATOR.holds(FACTORY.negation(either), 1) is opposite(some)


def test_everything_nothing_and_the_kinds() -> None:
    for kind, value in OF_KIND.items():
        assert EVALUATOR.holds(TOP, value) is True
        assert EVALUATOR.holds(BOTTOM, value) is False
        for other in OF_KIND:
            assert EVALUATOR.holds(FACTORY.kinds(other), value) is (kind == other)
    assert kind_of((1, 2)) == ARRAY


def test_a_reference_holds_what_it_stands_for_and_a_circle_is_unknown() -> None:
    reference = FACTORY.ref("one")
    assert isinstance(reference, nodes.Ref)
    named = Evaluator(lambda ref: ONE if ref is reference else ref, matches, lambda: None)
    assert (named.holds(reference, 1), named.holds(reference, 2)) == (True, False)
    assert EVALUATOR.holds(reference, 1) is None


def test_the_budget_is_asked_once_for_each_formula_and_value() -> None:
    asked = list[None]()
    counting = Evaluator(nowhere, matches, lambda: asked.append(None))
    every = FACTORY.lit(ARRAY, nodes.AtMost(0, FACTORY.negation(ONE), 0))
    assert counting.holds(every, [1, 1.0, 1]) is True
    # The array, and its two different items: Python holds the 1 once.
    assert len(asked) == 3
