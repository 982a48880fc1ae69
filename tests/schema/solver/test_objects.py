"""An object is found exactly where there is one: beside every object of four names and three values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import NUMBER, OBJECT, STRING, Node
from claude_comm.schema.solver import objects
from claude_comm.schema.solver.objects import ObjectSolver
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.values import key
from tests.support.literals import Literals

LITERALS = Literals(OBJECT)
QUESTION, literal, holds = LITERALS.question, LITERALS.literal, LITERALS.holds
FACTORY = QUESTION.factory
ZERO, ONE, TEXT = (FACTORY.constant([key(value)]) for value in (0, 1, "x"))
NUMBERS = FACTORY.kinds(NUMBER)
UNKNOWN = FACTORY.opaque("nobody knows")
MAYBE_ONE = FACTORY.conjunction([ONE, UNKNOWN])


def names(*words: str) -> Node:
    return FACTORY.strings(words)


def matching(source: str) -> Node:
    return FACTORY.lit(STRING, nodes.Pattern(source, True), strict=True)


ANY_NAME = FACTORY.strings((), holds=False)
# No language of the prover's has this bound of words.
UNREAD = matching(r"\b{start}")
ATOMS: list[nodes.Atom] = [
    nodes.MinSize(1),
    nodes.MinSize(3),
    nodes.MaxSize(1),
    nodes.MaxSize(2),
    nodes.SomeProperty(names("a"), NUMBERS),
    nodes.SomeProperty(names("a"), ZERO),
    nodes.SomeProperty(names("b"), TOP),
    nodes.SomeProperty(matching("^a"), ONE),
    nodes.SomeProperty(matching("b$"), ZERO),
    nodes.SomeProperty(ANY_NAME, TEXT),
    nodes.EveryProperty(names("a"), ONE),
    nodes.EveryProperty(names("b"), BOTTOM),
    nodes.EveryProperty(matching("^a"), NUMBERS),
    nodes.EveryProperty(matching("b$"), FACTORY.disjunction([ONE, TEXT])),
    nodes.EveryProperty(FACTORY.strings(("a", "b"), holds=False), ZERO),
    nodes.EveryProperty(FACTORY.strings(("a", "b", "ab", "c"), holds=False), BOTTOM),
    nodes.EveryProperty(ANY_NAME, FACTORY.disjunction([ZERO, ONE])),
]
CLOSED = ATOMS[-2]
VALUES = (0, 1, "x")
NAMES = ("a", "b", "ab", "c")
SMALL: list[Any] = [
    {name: value for name, value in zip(NAMES, chosen, strict=True) if value is not None}
    for chosen in itertools.product((None, *VALUES), repeat=len(NAMES))
]


def solver(*atoms: nodes.Atom) -> ObjectSolver:
    return ObjectSolver(QUESTION.prover, map(literal, atoms))


FITTING = LITERALS.fitting(ATOMS, SMALL)


@pytest.mark.parametrize("size", range(4))
def test_an_object_is_found_exactly_where_there_is_one(size: int) -> None:
    for chosen in itertools.combinations(range(len(ATOMS)), size):
        atoms = [ATOMS[at] for at in chosen]
        left = set(range(len(SMALL))).intersection(*(FITTING[at] for at in chosen))
        result = solver(*atoms).solve()
        if isinstance(result, Unsat):
            assert not left, atoms
        else:
            assert isinstance(result, Sat), (atoms, result)
            assert result.sure
            assert holds(atoms, result.value), (atoms, result)
            # Where no other name may be there, the value is one of ours.
            assert left or CLOSED not in atoms, atoms


def test_one_literal_more_is_a_conflict_only_where_no_object_is_left() -> None:
    found = 0
    for chosen in itertools.combinations(range(len(ATOMS)), 2):
        made = solver(CLOSED, *(ATOMS[at] for at in chosen))
        left = FITTING[chosen[0]] & FITTING[chosen[1]]
        for further, atom in enumerate(ATOMS):
            if made.conflicts_with(literal(atom)):
                found += 1
                assert not left & FITTING[further], (chosen, atom)
    assert found


CONFLICTS: list[tuple[list[nodes.Atom], nodes.Atom, bool]] = [
    ([nodes.MaxSize(2)], nodes.MinSize(3), True),
    ([nodes.MaxSize(2)], nodes.MinSize(2), False),
    ([], nodes.MinSize(3), False),
    ([nodes.MinSize(2)], nodes.MaxSize(1), True),
    ([nodes.MinSize(2)], nodes.MaxSize(2), False),
    ([nodes.SomeProperty(names("a"), TOP), nodes.SomeProperty(names("b"), TOP)], nodes.MaxSize(1), True),
    ([nodes.SomeProperty(names("a"), TOP), nodes.SomeProperty(names("b"), TOP)], nodes.MaxSize(2), False),
    ([nodes.EveryProperty(names("a"), ONE)], nodes.SomeProperty(names("a"), ZERO), True),
    ([nodes.EveryProperty(names("a"), ONE)], nodes.SomeProperty(names("a"), NUMBERS), False),
    ([nodes.EveryProperty(names("a"), ONE)], nodes.SomeProperty(names("b"), ZERO), False),
    ([nodes.EveryProperty(matching("^a"), ONE)], nodes.SomeProperty(names("ab"), ZERO), True),
    ([nodes.SomeProperty(names("a"), ONE)], nodes.SomeProperty(names("a"), ZERO), True),
    ([nodes.SomeProperty(names("a"), ONE)], nodes.EveryProperty(names("a"), ZERO), True),
    ([nodes.SomeProperty(names("a"), ONE)], nodes.EveryProperty(names("a"), NUMBERS), False),
    ([nodes.SomeProperty(names("a"), ONE)], nodes.EveryProperty(names("b"), ZERO), False),
    # A property that need not be there closes nothing, nor does a set of names.
    ([nodes.EveryProperty(names("a"), ONE)], nodes.EveryProperty(names("a"), ZERO), False),
    ([nodes.SomeProperty(names("a"), ONE)], nodes.EveryProperty(matching("^a"), ZERO), False),
    ([nodes.EveryProperty(matching("^a"), ONE)], nodes.SomeProperty(matching("^a"), ZERO), False),
    ([], nodes.CompositeEnum(frozenset([key({})])), False),
]


@pytest.mark.parametrize(("atoms", "further", "conflicts"), CONFLICTS)
def test_a_conflict_that_is_seen_without_a_search(
    atoms: list[nodes.Atom], further: nodes.Atom, conflicts: bool
) -> None:
    assert solver(*atoms).conflicts_with(literal(further)) is conflicts


def test_the_tighter_bound_holds() -> None:
    for sizes in ((1, 3), (3, 1)):
        assert isinstance(solver(*map(nodes.MaxSize, sizes), nodes.MinSize(2)).solve(), Unsat)
        assert solver(*map(nodes.MinSize, sizes)).low == 3


def test_an_object_of_as_few_properties_as_possible_is_found() -> None:
    assert solver().solve() == Sat({})
    assert solver(nodes.SomeProperty(names("a"), ONE), nodes.MaxSize(1)).solve() == Sat({"a": 1})
    assert solver(nodes.SomeProperty(names("b"), ONE), nodes.SomeProperty(ANY_NAME, NUMBERS)).solve() == Sat({"b": 1})
    assert solver(nodes.MinSize(1), CLOSED, nodes.EveryProperty(names("a"), ONE)).solve() == Sat({"a": 1})


GUESSES: list[list[nodes.Atom]] = [
    [nodes.SomeProperty(names("a"), MAYBE_ONE)],
    [nodes.SomeProperty(names("a"), MAYBE_ONE), nodes.SomeProperty(names("b"), ONE)],
    [nodes.SomeProperty(names("a"), ONE), nodes.SomeProperty(names("b"), MAYBE_ONE)],
    [nodes.SomeProperty(names("b"), ONE), nodes.EveryProperty(UNREAD, ZERO)],
    [nodes.MinSize(1), CLOSED, nodes.EveryProperty(ANY_NAME, MAYBE_ONE)],
    [nodes.MinSize(2), CLOSED, nodes.SomeProperty(names("a"), MAYBE_ONE), nodes.EveryProperty(ANY_NAME, ONE)],
    [nodes.MinSize(1), nodes.EveryProperty(ANY_NAME, MAYBE_ONE)],
    [nodes.MinSize(2), nodes.SomeProperty(names("a"), MAYBE_ONE), nodes.EveryProperty(matching("^q"), ONE)],
]


@pytest.mark.parametrize("atoms", GUESSES)
def test_an_object_with_a_value_of_which_nobody_knows_is_not_sure(atoms: list[nodes.Atom]) -> None:
    result = solver(*atoms).solve()
    assert isinstance(result, Sat)
    assert not result.sure


def test_an_object_is_sure_where_what_nobody_knows_is_not_used() -> None:
    for atoms in (
        [nodes.MinSize(1), nodes.EveryProperty(matching("^q"), MAYBE_ONE)],
        [nodes.MinSize(1), nodes.SomeProperty(names("a"), ONE), nodes.EveryProperty(names("b"), MAYBE_ONE)],
    ):
        result = solver(*atoms).solve()
        assert isinstance(result, Sat)
        assert result.sure


def test_a_placement_that_needs_too_many_properties_is_not_the_last() -> None:
    atoms = [
        nodes.MaxSize(1),
        nodes.EveryProperty(names("a"), NUMBERS),
        nodes.SomeProperty(matching("^a"), ONE),
        nodes.SomeProperty(matching("b$"), ONE),
    ]
    result = solver(*atoms).solve()
    assert isinstance(result, Sat)
    assert holds(atoms, result.value)


def test_what_is_read_beside_a_pattern_that_nobody_reads_still_counts() -> None:
    atoms = [nodes.EveryProperty(UNREAD, ONE), nodes.EveryProperty(matching("[^a]|a"), BOTTOM), nodes.MinSize(2)]
    assert isinstance(solver(*atoms).solve(), Unsat)


def test_names_that_are_too_long_to_be_listed_are_not_used_up() -> None:
    long = nodes.EveryProperty(FACTORY.negation(matching("^[ab]{10001}$")), BOTTOM)
    assert isinstance(solver(long, nodes.MinSize(1)).solve(), Sat)
    assert isinstance(solver(long, nodes.MinSize(2)).solve(), Unknown)


@pytest.mark.parametrize(
    ("name", "within", "beyond"),
    [
        ("MAX_PROPERTIES", [nodes.MinSize(3)], [nodes.MinSize(4)]),
        (
            "MAX_PROPERTIES",
            [nodes.SomeProperty(names(name), ONE) for name in "abc"],
            [nodes.SomeProperty(names(name), ONE) for name in "abcd"],
        ),
        # Each pattern makes two regions of one.
        (
            "MAX_REGIONS",
            [nodes.MinSize(1), *(nodes.EveryProperty(matching(f"^{name}"), ONE) for name in "ab")],
            [nodes.MinSize(1), *(nodes.EveryProperty(matching(f"^{name}"), ONE) for name in "abc")],
        ),
    ],
)
def test_as_much_as_a_limit_is_solved_and_of_more_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, name: str, within: list[nodes.Atom], beyond: list[nodes.Atom]
) -> None:
    assert isinstance(solver(*beyond).solve(), Sat)
    monkeypatch.setattr(objects, name, 3)
    result = solver(*within).solve()
    assert isinstance(result, Sat)
    assert result.sure
    assert holds(within, result.value)
    result = solver(*beyond).solve()
    assert isinstance(result, Unknown) or (isinstance(result, Sat) and not result.sure)


SHORT_NAMES = nodes.EveryProperty(FACTORY.negation(matching("^[ab]$")), BOTTOM)
ONE_LETTER: list[tuple[list[nodes.Atom], type]] = [
    # As many names as there are, and one more.
    ([SHORT_NAMES, nodes.MinSize(2)], Sat),
    ([SHORT_NAMES, nodes.MinSize(3)], Unsat),
    ([SHORT_NAMES, nodes.MinSize(2), nodes.SomeProperty(names("a"), ONE)], Sat),
    ([SHORT_NAMES, nodes.MinSize(3), nodes.SomeProperty(names("a"), ONE)], Unsat),
    ([SHORT_NAMES, nodes.MinSize(2), nodes.EveryProperty(names("b"), BOTTOM)], Unsat),
    ([SHORT_NAMES, nodes.SomeProperty(ANY_NAME, ZERO), nodes.SomeProperty(ANY_NAME, ONE)], Sat),
    (
        [SHORT_NAMES, *(nodes.SomeProperty(ANY_NAME, FACTORY.constant([key(number)])) for number in range(3))],
        Unknown,
    ),
    ([SHORT_NAMES, nodes.SomeProperty(names("a"), ONE), nodes.SomeProperty(ANY_NAME, ZERO), nodes.MinSize(2)], Sat),
]


@pytest.mark.parametrize(("atoms", "outcome"), ONE_LETTER)
def test_names_that_are_few(atoms: list[nodes.Atom], outcome: type) -> None:
    result = solver(*atoms).solve()
    assert isinstance(result, outcome), result
    if isinstance(result, Sat):
        assert holds(atoms, result.value), result


def test_a_property_more_of_which_nobody_knows_leaves_the_object_unknown() -> None:
    """Of so many items that must differ nobody looks for an example."""
    hard = FACTORY.conjunction(
        FACTORY.lit(nodes.ARRAY, atom, strict=True) for atom in (nodes.Distinct(True), nodes.MinSize(40))
    )
    for atoms in (
        [nodes.SomeProperty(names("a"), hard)],
        [nodes.SomeProperty(names("a"), ONE), nodes.SomeProperty(names("b"), hard)],
        [nodes.MinSize(1), nodes.EveryProperty(ANY_NAME, hard)],
        [CLOSED, nodes.MinSize(4), nodes.EveryProperty(names("b"), hard)],
    ):
        assert isinstance(solver(*atoms).solve(), Unknown), atoms
    # Without it, there are others enough.
    assert isinstance(solver(CLOSED, nodes.MinSize(3), nodes.EveryProperty(names("b"), hard)).solve(), Sat)
