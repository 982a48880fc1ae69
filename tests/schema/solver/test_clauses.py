"""Alternatives: a number is found exactly where one of a few meets all clauses, whichever way they are searched."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.dialect import URI, dialect_of
from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import NUMBER, STRING, Node
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver import clauses
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.values import exact, key


def question(schema: Any = True) -> SchemaPair:
    left, right = (normalise(side, dialect_of(side)) for side in (schema, False))
    return SchemaPair(left, right, Budget(600_000))


QUESTION = question()
FACTORY = QUESTION.factory
UNKNOWN = FACTORY.opaque("nobody knows")


def number(atom: nodes.Atom) -> Node:
    return FACTORY.lit(NUMBER, atom, strict=True)


def listed(*values: float) -> Node:
    return FACTORY.constant(map(key, values))


EVEN, ODD = (number(nodes.Multiple(exact(2), holds)) for holds in (True, False))
SMALL, LARGE = number(nodes.UpperBound(exact(3), False)), number(nodes.LowerBound(exact(6), False))
BY_THREE, NOT_BY_THREE = (number(nodes.Multiple(exact(3), holds)) for holds in (True, False))
NOT_FIVE = FACTORY.negation(listed(5))
DIGIT = FACTORY.conjunction(
    map(
        number,
        (nodes.Multiple(exact(1), True), nodes.LowerBound(exact(0), False), nodes.UpperBound(exact(9), False)),
    )
)


def both(*parts: Node) -> Node:
    return FACTORY.conjunction(parts)


def made(unknown: Node) -> list[Node]:
    """The same parts of a question, whatever stands for what nobody knows."""
    alternatives = [
        [EVEN, LARGE],
        [ODD, SMALL],
        [both(EVEN, SMALL), both(ODD, LARGE)],
        [both(ODD, BY_THREE), both(EVEN, NOT_BY_THREE)],
        [SMALL, LARGE],
        [listed(1, 5), listed(4, 8), both(EVEN, BY_THREE)],
        [NOT_FIVE, LARGE],
        [BY_THREE, both(NOT_BY_THREE, LARGE)],
        [both(EVEN, ODD), BY_THREE],
        [both(unknown, EVEN), BY_THREE],
        [FACTORY.negation(unknown), SMALL],
    ]
    return [*map(FACTORY.disjunction, alternatives), LARGE, listed(1, 6, 9), unknown]


PARTS = made(UNKNOWN)
# The digits in each part, where what nobody knows is true, and where it is not.
IN_PARTS = [
    [{digit for digit in range(10) if QUESTION.resolver.holds(part, digit)} for part in made(known)]
    for known in (TOP, BOTTOM)
]


@pytest.mark.parametrize("size", range(1, 4))
def test_a_value_is_found_exactly_where_one_meets_all_clauses(size: int) -> None:
    for chosen in itertools.combinations(range(len(PARTS)), size):
        digits = [set(range(10)).intersection(*(of_parts[at] for at in chosen)) for of_parts in IN_PARTS]
        parts = [PARTS[at] for at in chosen]
        result = QUESTION.prover.goal([DIGIT, *parts])
        if isinstance(result, Unsat):
            assert not digits[0] | digits[1], parts
        else:
            assert isinstance(result, Sat), (parts, result)
            # A guess may be wrong; where a value is certain, one is found.
            assert not result.sure or result.value in digits[0] & digits[1], parts
            assert result.sure or not digits[0] & digits[1], parts


def test_a_clause_that_holds_already_does_not_hide_those_after_it() -> None:
    pair = question()
    factory = pair.factory
    long, short = (factory.lit(STRING, atom, strict=True) for atom in (nodes.MinSize(2), nodes.MaxSize(1)))
    word = factory.strings(["a"])
    first = factory.disjunction([long, word])
    second = factory.disjunction([short, factory.strings(["b"])])
    for clauses_of in ([first, second], [second, first]):
        assert isinstance(pair.prover.goal([long, *clauses_of]), Unsat)


def test_a_branch_that_is_refuted_or_holds_opposites_has_no_solver() -> None:
    dpll = clauses._Dpll(QUESTION.prover, NUMBER)
    for part in (BOTTOM, *((one, other) for one, other in ((EVEN, ODD), (UNKNOWN, FACTORY.negation(UNKNOWN))))):
        branch = clauses._Branch().with_part(LARGE)
        for each in part if isinstance(part, tuple) else (part,):
            branch.with_part(each)
        assert dpll.propagate(branch) is None
    assert dpll.propagate(clauses._Branch().with_part(EVEN)) is not None
    assert dpll.contradicts_itself(clauses._Branch().with_part(EVEN).with_part(UNKNOWN)) is False


def test_a_value_meets_clauses_where_it_is_in_one_alternative_of_each() -> None:
    dpll, branch = clauses._Dpll(QUESTION.prover, NUMBER), clauses._Branch()
    for part in PARTS[:2]:
        branch.with_part(part)
    assert [dpll.meets(branch, value) for value in (2, 4, 7, 5)] == [True, False, True, False]
    assert dpll.meets(clauses._Branch(), 1) is True
    assert dpll.meets(clauses._Branch().with_part(FACTORY.disjunction([UNKNOWN, EVEN])), 1) is False


@pytest.mark.parametrize("most", range(3))
def test_as_many_choices_as_a_limit_are_made_below_each_other(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(clauses, "MAX_CHOICES", most)
    pair = question(
        {
            "type": "string",
            "allOf": [{"anyOf": [{"pattern": f"{letter}1"}, {"pattern": f"{letter}2"}]} for letter in "ab"],
        }
    )
    result = pair.prover.goal([pair.left])
    assert isinstance(result, Sat if most == 2 else Unknown)


def test_an_integer_of_draft_4_is_spelled_both_ways() -> None:
    pair = question({"$schema": URI["draft4"], "enum": [1], "not": {"type": "integer"}})
    assert repr(pair.prover.goal([pair.left])) == repr(Sat(1.0))
    assert clauses._spellings([1, "a"]) == ([[1, "a"], [1.0, "a"]], True)
    assert repr(clauses._spellings({"a": 1})[0]) == repr([{"a": 1}, {"a": 1.0}])
    many, complete = clauses._spellings([1] * clauses.MAX_INTEGERS)
    assert (len(many), complete) == (2**clauses.MAX_INTEGERS, True)
    few, complete = clauses._spellings([1] * (clauses.MAX_INTEGERS + 1))
    assert repr(few) == repr([[1] * 7, [1.0] * 7])
    assert complete is False
    assert clauses._spellings([True, "1", None, 1.5, 2**2000]) == ([[True, "1", None, 1.5, 2**2000]], True)


def branch_of(*parts: Node) -> clauses._Branch:
    branch = clauses._Branch()
    for part in parts:
        branch.with_part(part)
    return branch


def test_an_alternative_is_granted_where_all_of_it_is_written_already() -> None:
    branch = branch_of(EVEN, LARGE, UNKNOWN)
    for part, granted in (
        (EVEN, True),
        (UNKNOWN, True),
        (ODD, False),
        (SMALL, False),
        (both(EVEN, LARGE), True),
        (both(EVEN, UNKNOWN), True),
        (both(EVEN, BY_THREE), False),
        (FACTORY.disjunction([EVEN, LARGE]), False),
        (FACTORY.negation(UNKNOWN), False),
    ):
        assert branch.grants(part) is granted, part


def test_an_alternative_is_crossed_out_where_one_part_of_it_leaves_no_value() -> None:
    dpll, branch = clauses._Dpll(QUESTION.prover, NUMBER), branch_of(EVEN, LARGE, UNKNOWN)
    solver = QUESTION.prover.theory(NUMBER, branch.literals)
    for part, crossed_out in (
        (ODD, True),
        (SMALL, True),
        (BY_THREE, False),
        (both(ODD, BY_THREE), True),
        (both(BY_THREE, SMALL), True),
        (both(BY_THREE, NOT_FIVE), False),
        # No look into what is an alternative itself.
        (both(BY_THREE, FACTORY.disjunction([ODD, SMALL])), False),
        (FACTORY.negation(UNKNOWN), True),
        (UNKNOWN, False),
        (BOTTOM, True),
        (TOP, False),
    ):
        assert dpll.conflicts(branch, solver, part) is crossed_out, part
    # What is asked already excludes its opposite, and the solver need not be asked.
    assert dpll.conflicts(branch, QUESTION.prover.theory(NUMBER, []), ODD)


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (["bb", "a", "ab"], "a"),
        ([2, -1, 0.5], 0.5),
        ([False], False),
        ([[2], [1]], [1]),
        ([{"b": 1}, {"a": 1}], {"a": 1}),
        ([], None),
    ],
)
def test_of_listed_values_the_plainest_is_found(values: list[Any], first: Any) -> None:
    result = QUESTION.prover.goal([listed(*values)])
    assert result == (Sat(first) if values else Unsat())


def test_of_two_lists_what_both_have_is_found() -> None:
    for lists in (([1, 2, 3], [3, 4]), ([3, 4], [1, 2, 3])):
        assert QUESTION.prover.goal(
            [number(nodes.NumberEnum(frozenset(map(exact, one)), True)) for one in lists]
        ) == Sat(3)
