"""Goals: what is proved is remembered, what leans on an open goal is not, and what is listed is complete or not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.regex.language import TooHard
from claude_comm.schema.solver import clauses
from claude_comm.schema.solver import prover as provers
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.solver.prover import ConstantSolver
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.values import Unwritable, key


def question(left: Any, right: Any = False) -> SchemaPair:
    return SchemaPair(normalise(left, "draft2020-12"), normalise(right, "draft2020-12"), Budget(600_000))


def constant(pair: SchemaPair, *values: Any) -> Node:
    return pair.factory.constant([key(value) for value in values])


@pytest.mark.parametrize(
    ("schema", "limit", "members", "complete"),
    [
        ({"enum": [1, 2, 3]}, 5, [1, 2, 3], True),
        ({"enum": [1, "a", None, True]}, 5, [None, True, 1, "a"], True),
        ({"type": "boolean"}, 2, [True, False], False),
        ({"type": "boolean"}, 3, [True, False], True),
        (False, 2, [], True),
        ({"type": "number"}, 3, [0, 1, -1], False),
        ({"type": "null"}, 0, [], False),
        # Of so many items that must differ nobody looks for an example.
        ({"type": "array", "uniqueItems": True, "minItems": 40}, 2, [], False),
        # What is not sure is not listed.
        ({"type": "string", "pattern": "\\b{start}"}, 2, [], False),
    ],
)
def test_the_different_values_of_a_goal(schema: Any, limit: int, members: list[Any], complete: bool) -> None:
    pair = question(schema)
    found, is_complete = pair.prover.members([pair.left], limit)
    assert sorted(map(repr, found)) == sorted(map(repr, members))
    assert is_complete is complete


def test_the_plainest_value_of_each_kind() -> None:
    pair = question(True)
    for kind, value in ((NULL, None), (BOOLEAN, True), (NUMBER, 0), (STRING, ""), (ARRAY, []), (OBJECT, {})):
        assert pair.prover.goal([pair.factory.kinds(kind)]) == Sat(value)
    assert pair.prover.goal([TOP]) == Sat(None)
    assert pair.prover.goal([BOTTOM]) == Unsat()
    both = [pair.factory.kinds(kind | NULL) for kind in (NUMBER, STRING)]
    assert pair.prover.goal(both) == Sat(None)
    assert pair.prover.goal([pair.factory.kinds(NUMBER | STRING), *both]) == Unsat()


def test_one_boolean_more_is_no_conflict_that_is_seen_at_once() -> None:
    literal = nodes.Lit(0, BOOLEAN, nodes.BooleanEnum(frozenset([False])), True)
    assert ConstantSolver(BOOLEAN).conflicts_with(literal) is False


def nested(depth: int) -> Any:
    schema: Any = {"const": 1}
    for _ in range(depth):
        schema = {"type": "array", "prefixItems": [schema], "minItems": 1}
    return schema


def test_values_that_are_nested_deeper_than_a_limit_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provers, "MAX_LEVELS", 4)
    pair = question(nested(3))
    assert pair.prover.goal([pair.left]) == Sat([[[1]]])
    pair = question(nested(4))
    assert isinstance(pair.prover.goal([pair.left]), Unknown)


@pytest.mark.parametrize(("error", "keyword"), [(TooHard("too many states"), "pattern"), (Unwritable(), "multipleOf")])
def test_what_a_theory_gives_up_is_unknown_with_its_keyword(
    monkeypatch: pytest.MonkeyPatch, error: Exception, keyword: str
) -> None:
    def gives_up(*_: object) -> None:
        raise error

    monkeypatch.setattr(clauses, "satisfy", gives_up)
    pair = question(True)
    result = pair.prover.goal([pair.left])
    assert isinstance(result, Unknown)
    assert result.keyword == keyword


def test_a_listed_number_that_no_float_prints_is_unknown() -> None:
    pair = question(True)
    third = pair.factory.lit(NUMBER, nodes.NumberEnum(frozenset([Fraction(1, 3)]), True), strict=True)
    assert isinstance(pair.prover.goal([third]), Unknown)


def tree(leaf: Any) -> Any:
    """An array of such trees, or a leaf."""
    return {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/t"}, "minItems": 1}, leaf]}},
    }


def test_an_open_goal_closes_what_is_inside_it_and_only_while_it_is_open() -> None:
    empty = question(tree(False))
    assert isinstance(empty.prover.goal([empty.left]), Unsat)
    assert not empty.prover._leaning
    assert not empty.prover._open
    again = question(tree(False))
    assert again.prover.members([again.left], 2) == ([], True)
    full = question(tree({"const": 1}))
    assert full.prover.goal([full.left, full.factory.kinds(ARRAY)]) == Sat([1])
    assert full.prover.goal([full.left]) == Sat(1)
    assert not full.prover._leaning


def listed(item: Any) -> Any:
    """An array of such items, and never of none."""
    return {"type": "array", "items": item, "minItems": 1}


A, B, C = ({"$ref": f"#/$defs/{name}"} for name in "abc")
END = {"type": "object", "required": ["end"]}
# Two items that must differ, and cannot: their values are listed.
ALIKE = {"type": "array", "prefixItems": [{"const": 1}] * 2, "minItems": 2, "uniqueItems": True}
# The definitions, and the names of those that have a value. Arrays are looked at before objects.
CIRCLES: dict[str, tuple[dict[str, Any], str]] = {
    "two without end": ({"a": listed(B), "b": {**END, "properties": {"end": A}}}, ""),
    "two of which one has an end": ({"a": {"anyOf": [listed(B), END]}, "b": listed(A)}, "ab"),
    "three without end": ({"a": listed(B), "b": listed(C), "c": listed(A)}, ""),
    "three of which the first has an end": ({"a": {"anyOf": [listed(B), END]}, "b": listed(C), "c": listed(A)}, "abc"),
    "three of which the last has an end": ({"a": listed(B), "b": listed(C), "c": {"anyOf": [listed(A), END]}}, "abc"),
    "three of which the middle one needs all": (
        {
            "a": listed(B),
            "b": {"type": "array", "prefixItems": [C, A], "minItems": 2},
            "c": {"anyOf": [listed(B), END]},
        },
        "c",
    ),
    "one beside items whose values are listed": (
        {"a": {"anyOf": [listed(B), END]}, "b": listed(C), "c": {"anyOf": [listed(A), ALIKE]}},
        "abc",
    ),
    "one after items whose values are listed": (
        {"a": {"anyOf": [listed(B), END]}, "b": listed(C), "c": {"anyOf": [ALIKE, listed(A)]}},
        "abc",
    ),
    "one that leads to two circles": (
        {"a": {"anyOf": [listed(B), END]}, "b": {"anyOf": [listed(C), listed(A)]}, "c": listed(C)},
        "ab",
    ),
}


@pytest.mark.parametrize("order", ["abc", "cab", "bca", "cba"])
@pytest.mark.parametrize(("definitions", "with_value"), CIRCLES.values(), ids=CIRCLES)
def test_of_forms_that_lead_back_to_each_other_those_have_a_value_that_come_to_an_end(
    definitions: dict[str, Any], with_value: str, order: str
) -> None:
    pair = question({"anyOf": [{"$ref": f"#/$defs/{name}"} for name in definitions], "$defs": definitions})
    for name in order:
        if name in definitions:
            form = pair.factory.ref(f"p:{name}")
            result = pair.prover.goal([form])
            assert isinstance(result, Sat if name in with_value else Unsat), name
            if isinstance(result, Sat):
                assert pair.resolver.holds(form, result.value) is True
