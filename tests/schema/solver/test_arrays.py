"""An array is found exactly where there is one: beside every short array of three values."""

from __future__ import annotations

import itertools

import pytest

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import ARRAY, NUMBER, STRING, Node
from claude_comm.schema.solver import arrays
from claude_comm.schema.solver.arrays import ArraySolver
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.values import exact, key
from tests.support.literals import Literals

LITERALS = Literals(ARRAY)
QUESTION, literal, holds = LITERALS.question, LITERALS.literal, LITERALS.holds
FACTORY = QUESTION.factory
ZERO, ONE, TEXT = (FACTORY.constant([key(value)]) for value in (0, 1, "a"))
NUMBERS, VALUES = FACTORY.kinds(NUMBER), FACTORY.constant([key(0), key(1), key("a")])
UNKNOWN = FACTORY.opaque("nobody knows")
MAYBE_A_NUMBER = FACTORY.conjunction([NUMBERS, UNKNOWN])


def every(node: Node, start: int = 0) -> nodes.Atom:
    return nodes.AtMost(start, FACTORY.negation(node), 0)


ONLY = every(VALUES)
ATOMS: list[nodes.Atom] = [
    nodes.MinSize(1),
    nodes.MinSize(3),
    nodes.MaxSize(0),
    nodes.MaxSize(2),
    nodes.Item(0, ZERO),
    nodes.Item(1, FACTORY.disjunction([ONE, TEXT])),
    nodes.Item(2, BOTTOM),
    every(NUMBERS),
    every(FACTORY.disjunction([ONE, TEXT]), 1),
    every(ZERO, 2),
    nodes.AtMost(0, ONE, 1),
    nodes.AtMost(1, NUMBERS, 2),
    nodes.AtLeast(0, ONE, 2),
    nodes.AtLeast(1, ZERO, 1),
    nodes.AtLeast(0, TOP, 2),
    nodes.AtLeast(2, TEXT, 1),
    nodes.Distinct(True),
    nodes.Distinct(False),
]
# What the literals ask for is never longer than four.
SHORT = [[*items] for size in range(5) for items in itertools.product((0, 1, "a"), repeat=size)]


def solver(*atoms: nodes.Atom) -> ArraySolver:
    return ArraySolver(QUESTION.prover, map(literal, atoms))


FITTING = LITERALS.fitting(ATOMS, SHORT)


@pytest.mark.parametrize("size", range(4))
def test_an_array_is_found_exactly_where_there_is_one(size: int) -> None:
    for chosen in itertools.combinations(range(len(ATOMS)), size):
        atoms = [ONLY, *(ATOMS[at] for at in chosen)]
        left = set(range(len(SHORT))).intersection(*(FITTING[at] for at in chosen))
        result = solver(*atoms).solve()
        if isinstance(result, Unknown):
            # Items that are counted and of which two are alike, or none: no search finds all of these.
            assert {nodes.Distinct(True), nodes.Distinct(False)} & {*atoms}, atoms
            assert solver(*atoms).counts, atoms
        elif isinstance(result, Unsat):
            assert not left, atoms
        else:
            assert result.sure
            assert holds(atoms, result.value), (atoms, result)


def test_one_literal_more_is_a_conflict_only_where_no_array_is_left() -> None:
    found = 0
    for chosen in itertools.combinations(range(len(ATOMS)), 2):
        made = solver(ONLY, *(ATOMS[at] for at in chosen))
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
    # An item that must be there, and one that need not be.
    ([nodes.MinSize(2), nodes.Item(1, ONE)], nodes.Item(1, ZERO), True),
    ([nodes.MinSize(2), nodes.Item(1, NUMBERS)], nodes.Item(1, ZERO), False),
    ([nodes.MinSize(1), nodes.Item(1, ONE)], nodes.Item(1, ZERO), False),
    # Too far back for the longest array.
    ([nodes.MaxSize(2)], nodes.AtLeast(1, ONE, 2), True),
    ([nodes.MaxSize(2)], nodes.AtLeast(1, ONE, 1), False),
    # At no position that there is.
    ([every(ZERO)], nodes.AtLeast(0, ONE, 1), True),
    ([every(ZERO, 1)], nodes.AtLeast(0, ONE, 1), False),
    ([every(ZERO, 1)], nodes.AtLeast(1, ONE, 1), True),
    ([every(ZERO, 2)], nodes.AtLeast(1, ONE, 1), False),
    ([nodes.Item(0, ZERO)], nodes.AtLeast(0, ONE, 1), False),
    ([nodes.Item(0, ZERO), nodes.MaxSize(1)], nodes.AtLeast(0, ONE, 1), True),
    ([nodes.Item(0, ONE), every(ZERO, 1)], nodes.AtLeast(0, ONE, 1), False),
    ([nodes.Item(0, ZERO), nodes.Item(1, ONE), every(ZERO, 2)], nodes.AtLeast(0, ONE, 1), False),
    ([every(ZERO)], nodes.AtLeast(3, ONE, 1), True),
    ([every(ZERO)], nodes.AtMost(0, ONE, 0), False),
    ([nodes.Distinct(True)], nodes.Distinct(False), False),
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


def test_the_shortest_array_is_found() -> None:
    assert solver().solve() == Sat([])
    assert solver(nodes.MaxSize(0)).solve() == Sat([])
    assert isinstance(solver(nodes.MaxSize(-1)).solve(), Unsat)
    assert solver(nodes.AtMost(0, ONE, 1), every(ZERO), nodes.MinSize(1)).solve() == Sat([0])
    assert solver(nodes.AtLeast(0, ONE, 2), nodes.AtMost(0, ONE, 2)).solve() == Sat([1, 1])
    assert solver(nodes.AtLeast(2, ONE, 1), every(VALUES)).solve() == Sat([0, 0, 1])
    assert solver(nodes.Distinct(False), every(VALUES)).solve() == Sat([0, 0])
    assert solver(nodes.Distinct(True), nodes.MinSize(3), every(VALUES)).solve() == Sat(["a", 1, 0])


GUESSES: list[list[nodes.Atom]] = [
    [nodes.MinSize(2), nodes.Item(0, FACTORY.conjunction([ONE, UNKNOWN]))],
    [nodes.MinSize(2), nodes.Item(1, FACTORY.conjunction([ONE, UNKNOWN]))],
    [nodes.Distinct(False), nodes.Item(0, FACTORY.conjunction([ONE, UNKNOWN]))],
    [nodes.Distinct(False), nodes.MinSize(3), nodes.Item(2, FACTORY.conjunction([ONE, UNKNOWN]))],
    [nodes.AtLeast(0, FACTORY.conjunction([ONE, UNKNOWN]), 1)],
]


@pytest.mark.parametrize("atoms", GUESSES)
def test_an_array_with_an_item_of_which_nobody_knows_is_not_sure(atoms: list[nodes.Atom]) -> None:
    result = solver(*atoms).solve()
    assert isinstance(result, Sat)
    assert not result.sure


def counted(count: int) -> list[nodes.Atom]:
    return [nodes.AtLeast(0, FACTORY.constant([key(number)]), 1) for number in range(count)]


@pytest.mark.parametrize(
    ("name", "within", "beyond"),
    [
        ("MAX_POSITIONS", [nodes.Item(2, ONE), nodes.MinSize(1)], [nodes.Item(3, ONE), nodes.MinSize(1)]),
        ("MAX_POSITIONS", [every(ONE, 3), nodes.MinSize(1)], [every(ONE, 4), nodes.MinSize(1)]),
        ("MAX_LENGTH", [nodes.MinSize(3)], [nodes.MinSize(4)]),
        ("MAX_LENGTH", [nodes.AtLeast(0, ONE, 3)], [nodes.AtLeast(0, ONE, 4)]),
        ("MAX_COUNTS", counted(3), counted(4)),
        (
            "MAX_DISTINCT",
            [nodes.Distinct(True), nodes.MinSize(3), every(NUMBERS)],
            [nodes.Distinct(True), nodes.MinSize(4), every(NUMBERS)],
        ),
    ],
)
def test_as_much_as_a_limit_is_solved_and_of_more_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, name: str, within: list[nodes.Atom], beyond: list[nodes.Atom]
) -> None:
    assert isinstance(solver(*beyond).solve(), Sat)
    monkeypatch.setattr(arrays, name, 3)
    result = solver(*within).solve()
    assert isinstance(result, Sat)
    assert holds(within, result.value)
    assert isinstance(solver(*beyond).solve(), Unknown)


def test_a_long_array_is_refuted_by_one_position_that_nothing_fits() -> None:
    for at in (0, 1, 4):
        assert isinstance(solver(nodes.MinSize(2_000), nodes.Item(at, BOTTOM)).solve(), Unsat)
    assert isinstance(solver(nodes.MinSize(2_000), every(BOTTOM, 3)).solve(), Unsat)
    assert isinstance(solver(nodes.MinSize(2_000), every(ONE, 3)).solve(), Unknown)


DISTINCT_AND_COUNTED: list[tuple[list[nodes.Atom], type]] = [
    # One value of the counted formula is not enough, nor one beside it.
    ([nodes.AtLeast(0, ONE, 2)], Unsat),
    ([nodes.AtLeast(0, ONE, 1), nodes.MinSize(2)], Sat),
    ([nodes.AtMost(0, FACTORY.negation(ONE), 1), nodes.MinSize(3)], Unsat),
    ([nodes.AtMost(0, FACTORY.negation(ONE), 1), nodes.MinSize(2)], Sat),
    ([nodes.AtMost(0, ONE, 1), nodes.MinSize(3)], Sat),
    ([every(FACTORY.disjunction([ZERO, ONE])), nodes.AtLeast(0, ONE, 1), nodes.MinSize(3)], Unsat),
    ([every(VALUES), nodes.AtMost(0, NUMBERS, 1), nodes.MinSize(3)], Unsat),
    ([every(VALUES), nodes.AtMost(0, NUMBERS, 2), nodes.AtLeast(0, TEXT, 1), nodes.MinSize(3)], Sat),
    ([every(VALUES), nodes.AtLeast(0, ONE, 1), nodes.AtLeast(0, TEXT, 1), nodes.MaxSize(2)], Sat),
    ([every(ONE), nodes.AtLeast(0, NUMBERS, 1)], Sat),
    ([nodes.AtLeast(0, MAYBE_A_NUMBER, 2)], Unknown),
    # 1 alone counts twice: of two items that differ one lacks, of three none.
    ([nodes.AtLeast(0, node, 2) for node in (FACTORY.disjunction([ONE, ZERO]), FACTORY.disjunction([ONE, TEXT]))], Sat),
    (
        [
            nodes.MaxSize(2),
            *(nodes.AtLeast(0, FACTORY.disjunction([ONE, node]), 2) for node in (ZERO, TEXT)),
        ],
        Unknown,
    ),
    ([nodes.AtLeast(0, FACTORY.kinds(STRING), 3), nodes.AtMost(0, FACTORY.kinds(STRING), 3)], Sat),
]


@pytest.mark.parametrize(("atoms", "outcome"), DISTINCT_AND_COUNTED)
def test_items_that_are_counted_and_must_all_differ(atoms: list[nodes.Atom], outcome: type) -> None:
    result = solver(nodes.Distinct(True), *atoms).solve()
    assert isinstance(result, outcome), result
    if isinstance(result, Sat):
        assert holds([nodes.Distinct(True), *atoms], result.value), result


WALKED = [nodes.AtLeast(0, ONE, 2), nodes.AtLeast(0, ZERO, 2)]


@pytest.mark.parametrize(
    ("name", "limit", "atoms", "outcome"),
    [
        # Four items are needed, and so many states.
        ("MAX_LENGTH", 3, WALKED, Sat),
        ("MAX_LENGTH", 2, WALKED, Unknown),
        ("MAX_WALK", 2, WALKED, Unknown),
        ("MAX_LENGTH", 2, [nodes.AtLeast(0, ONE, 2), nodes.AtMost(0, ONE, 1), nodes.MaxSize(2)], Unsat),
        ("MAX_LENGTH", 3, [nodes.AtLeast(0, ONE, 2), every(ZERO)], Unsat),
    ],
)
def test_a_walk_that_is_cut_off_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, limit: int, atoms: list[nodes.Atom], outcome: type
) -> None:
    monkeypatch.setattr(arrays, name, limit)
    assert isinstance(solver(*atoms).solve(), outcome)


@pytest.mark.parametrize(
    ("items", "outcome"),
    [
        ([ONE, ONE, TEXT], Unsat),
        # The third has values enough, whichever these are.
        ([ONE, ONE, NUMBERS], Unsat),
        ([ONE, ZERO, NUMBERS], Sat),
        ([ONE, MAYBE_A_NUMBER], Unknown),
        ([MAYBE_A_NUMBER, ONE], Unknown),
    ],
)
def test_items_by_place_that_must_all_differ(items: list[Node], outcome: type) -> None:
    atoms = [nodes.Item(index, node) for index, node in enumerate(items)]
    assert isinstance(solver(nodes.Distinct(True), nodes.MinSize(len(items)), *atoms).solve(), outcome)


def test_the_pair_that_is_alike_may_be_a_later_one() -> None:
    assert isinstance(solver(nodes.Distinct(False)).solve(), Sat)
    once = [nodes.Item(0, ZERO), every(ONE, 2), nodes.AtMost(0, ZERO, 1), nodes.Distinct(False)]
    result = solver(*once).solve()
    assert isinstance(result, Sat)
    assert holds(once, result.value)


def test_a_count_is_exact_up_to_the_least_that_tells_states_apart() -> None:
    third = nodes.NumberEnum(frozenset((exact(0), exact(1))), True)
    numbers = FACTORY.lit(NUMBER, third, strict=True)
    for least, most in itertools.product(range(4), repeat=2):
        made = solver(nodes.AtLeast(0, numbers, least), nodes.AtMost(0, numbers, most), nodes.MinSize(3))
        assert isinstance(made.solve(), Unsat if least > most else Sat)
