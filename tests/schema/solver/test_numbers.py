"""A number is found exactly where there is one: beside every number of a grid that is fine enough for the literals."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction

import pytest

from claude_comm.schema.formula import nodes
from claude_comm.schema.solver import numbers
from claude_comm.schema.solver.numbers import NumberSolver, lcm
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.values import exact

HALF = Fraction(1, 2)
# Every bound, step and exception below is a multiple of a half: quarters lie between all of them.
GRID = [Fraction(n, 4) for n in range(-60, 61)]
LOWS = [
    None,
    *(nodes.LowerBound(Fraction(n), is_open) for n in (-3, 0, 1, Fraction(5, 2)) for is_open in (False, True)),
]
HIGHS = [
    None,
    *(nodes.UpperBound(Fraction(n), is_open) for n in (-3, 0, 1, Fraction(5, 2)) for is_open in (False, True)),
]
STEPS: list[list[nodes.Atom]] = [
    [],
    [nodes.Multiple(Fraction(1), True)],
    [nodes.Multiple(Fraction(2), True), nodes.Multiple(Fraction(3), True)],
    [nodes.Multiple(HALF, True), nodes.Multiple(Fraction(1), False)],
    [nodes.Multiple(Fraction(1), False)],
    [nodes.Multiple(Fraction(1), True), nodes.Multiple(HALF, False)],
    [nodes.Lexical(True)],
]
WITHOUT: list[list[nodes.Atom]] = [[], [nodes.NumberEnum(frozenset((Fraction(0), Fraction(1), HALF)), False)]]


def tick() -> None:
    pass


def literal(atom: nodes.Atom) -> nodes.Lit:
    return nodes.Lit(0, 0, atom, True)


def solver(atoms: Iterable[nodes.Atom]) -> NumberSolver:
    return NumberSolver(tick, [literal(atom) for atom in atoms])


def holds(atom: nodes.Atom, number: Fraction) -> bool:
    match atom:
        case nodes.LowerBound(bound=bound, open=is_open):
            return number > bound or (number == bound and not is_open)
        case nodes.UpperBound(bound=bound, open=is_open):
            return number < bound or (number == bound and not is_open)
        case nodes.Multiple(of=of, holds=wanted):
            return ((number / of).denominator == 1) is wanted
        case nodes.NumberEnum(values=values, holds=wanted):
            return (number in values) is wanted
        case nodes.Lexical(holds=wanted):
            return not wanted or number.denominator == 1
    raise AssertionError(atom)


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_a_number_is_found_exactly_where_there_is_one(step: int) -> None:
    for low, high, without in itertools.product(LOWS, HIGHS, WITHOUT):
        atoms = [atom for atom in (low, high, *STEPS[step], *without) if atom is not None]
        fitting = [number for number in GRID if all(holds(atom, number) for atom in atoms)]
        result = solver(atoms).solve()
        if not fitting:
            assert isinstance(result, Unsat), atoms
        else:
            assert isinstance(result, Sat), atoms
            assert all(holds(atom, Fraction(str(result.value))) for atom in atoms), (atoms, result)


def test_a_number_is_admitted_by_every_literal() -> None:
    for low, high, step, without in itertools.product(LOWS[1::3], HIGHS[::3], STEPS, WITHOUT):
        atoms = [atom for atom in (low, high, *step, *without) if atom is not None]
        made = solver(atoms)
        for number in GRID[40:80]:
            assert made.admits(number) is all(holds(atom, number) for atom in atoms), (atoms, number)


def test_one_literal_more_is_a_conflict_where_no_number_is_left() -> None:
    further: list[nodes.Atom] = [
        nodes.NumberEnum(frozenset((Fraction(0), Fraction(7))), True),
        nodes.NumberEnum(frozenset((HALF,)), True),
        nodes.NumberEnum(frozenset((Fraction(1),)), False),
        nodes.LowerBound(Fraction(1), False),
        nodes.UpperBound(Fraction(0), True),
        nodes.Multiple(HALF, False),
        nodes.Multiple(Fraction(6), True),
    ]
    for low, high, step, without in itertools.product(LOWS[::3], HIGHS[1::3], STEPS[1:5], WITHOUT):
        atoms = [atom for atom in (low, high, *step, *without) if atom is not None]
        for atom in further:
            left = any(all(holds(known, number) for known in (*atoms, atom)) for number in GRID)
            made = solver(atoms)
            assert made.conflicts_with(literal(atom)) is (not left), (atoms, atom)
            # It was only tried.
            assert isinstance(made.solve(), Sat) is any(all(holds(known, n) for known in atoms) for n in GRID)


@pytest.mark.parametrize(
    ("atoms", "value"),
    [
        ([], 0),
        ([nodes.LowerBound(Fraction(0), True)], 1),
        ([nodes.UpperBound(Fraction(0), True)], -1),
        ([nodes.LowerBound(Fraction(7), False)], 7),
        ([nodes.LowerBound(Fraction(7), True)], 8),
        ([nodes.LowerBound(Fraction(1, 3), True), nodes.UpperBound(HALF, True)], 0.4),
        ([nodes.LowerBound(Fraction(0), True), nodes.UpperBound(Fraction(1, 1000), True)], 0.0001),
        ([nodes.Multiple(Fraction(3), True), nodes.LowerBound(Fraction(-7), False)], 0),
        ([nodes.Multiple(Fraction(3), True), nodes.UpperBound(Fraction(-7), False)], -9),
        ([nodes.Multiple(Fraction(3), True), nodes.LowerBound(Fraction(7), False)], 9),
        (
            [
                nodes.Multiple(Fraction(2), True),
                nodes.Multiple(Fraction(3), False),
                nodes.LowerBound(Fraction(5), False),
            ],
            8,
        ),
        ([nodes.Lexical(True), nodes.LowerBound(HALF, False), nodes.UpperBound(3 * HALF, False)], 1),
        (
            [
                nodes.Lexical(True),
                nodes.Multiple(HALF, True),
                nodes.LowerBound(HALF, False),
                nodes.UpperBound(3 * HALF, False),
            ],
            1,
        ),
        ([nodes.Lexical(False)], 0.0),
        ([nodes.Lexical(False), nodes.Multiple(Fraction(5), True), nodes.LowerBound(Fraction(1), False)], 5.0),
    ],
)
def test_the_plainest_number_is_found(atoms: list[nodes.Atom], value: float) -> None:
    result = solver(atoms).solve()
    assert isinstance(result, Sat)
    assert repr(result.value) == repr(value)


@pytest.mark.parametrize("opens", [(True, False), (False, True)])
def test_of_two_equal_bounds_the_open_one_holds(opens: tuple[bool, bool]) -> None:
    one = Fraction(1)
    above, below = nodes.LowerBound(one, False), nodes.UpperBound(one, False)
    assert isinstance(solver([*(nodes.LowerBound(one, is_open) for is_open in opens), below]).solve(), Unsat)
    assert isinstance(solver([above, *(nodes.UpperBound(one, is_open) for is_open in opens)]).solve(), Unsat)
    assert solver([above, below]).solve() == Sat(1)


def test_multiples_that_are_all_excluded_need_no_look_at_a_period() -> None:
    atoms = [nodes.Multiple(Fraction(1), True), nodes.Multiple(Fraction(30_011), False)]
    assert solver(atoms).solve() == Sat(1)
    assert isinstance(solver([*atoms, nodes.Multiple(HALF, False)]).solve(), Unsat)


def test_no_number_is_written_both_ways() -> None:
    assert isinstance(solver([nodes.Lexical(True), nodes.Lexical(False)]).solve(), Unsat)


def test_what_is_too_long_to_look_at_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    without = nodes.NumberEnum(frozenset(Fraction(n) for n in range(30)), False)
    atoms = [nodes.Multiple(Fraction(1), True), nodes.LowerBound(Fraction(0), False), without]
    assert solver(atoms).solve() == Sat(30)
    monkeypatch.setattr(numbers, "MAX_PERIOD", 33)
    assert solver(atoms).solve() == Sat(30)
    monkeypatch.setattr(numbers, "MAX_PERIOD", 30)
    assert isinstance(solver(atoms).solve(), Unknown)
    monkeypatch.setattr(numbers, "MAX_BITS", 4)
    assert isinstance(solver([nodes.Multiple(Fraction(7), True)]).solve(), Sat)
    assert isinstance(solver([nodes.Multiple(Fraction(8), True)]).solve(), Unknown)


INTEGER = nodes.Multiple(Fraction(1), True)


def without(first: int, last: int) -> nodes.Atom:
    return nodes.NumberEnum(frozenset(Fraction(n) for n in range(first, last + 1)), False)


@pytest.mark.parametrize(
    ("bound", "exceptions", "value"),
    [
        (nodes.LowerBound(Fraction(-3), False), (0, 9), -1),
        (nodes.LowerBound(Fraction(-3), False), (-2, 9), -3),
        (nodes.LowerBound(Fraction(-100), False), (-3, 9), -4),
        (nodes.UpperBound(Fraction(3), False), (-9, 0), 1),
        (nodes.UpperBound(Fraction(3), False), (-9, 2), 3),
        (nodes.UpperBound(Fraction(100), False), (-9, 3), 4),
    ],
)
def test_beside_more_exceptions_than_are_looked_at_the_other_direction_is_tried(
    monkeypatch: pytest.MonkeyPatch, bound: nodes.Atom, exceptions: tuple[int, int], value: int
) -> None:
    monkeypatch.setattr(numbers, "MAX_PERIOD", 4)
    assert solver([INTEGER, bound, without(*exceptions)]).solve() == Sat(value)


@pytest.mark.parametrize("never", [(2,), (2, 3), (2, 3, 5), (4, 6), (30,)])
@pytest.mark.parametrize(
    ("bounds", "direction"),
    [
        ([nodes.LowerBound(Fraction(0), False)], 1),
        ([nodes.LowerBound(Fraction(1), True)], 1),
        ([nodes.LowerBound(Fraction(-5), False)], 1),
        ([nodes.UpperBound(Fraction(0), False)], -1),
        ([nodes.UpperBound(Fraction(-1), True)], -1),
        ([nodes.UpperBound(Fraction(5), False)], -1),
        ([], 1),
    ],
    ids=str,
)
def test_exceptions_do_not_use_up_multiples_that_go_on_without_end(
    never: tuple[int, ...], bounds: list[nodes.Atom], direction: int
) -> None:
    atoms = [INTEGER, *bounds, *(nodes.Multiple(Fraction(of), False) for of in never)]
    # Those that would be found first.
    fitting = [
        Fraction(n)
        for n in range(-5 * direction, 300 * direction, direction)
        if all(holds(atom, Fraction(n)) for atom in atoms)
    ]
    for count in range(0, 40, 3):
        excluded = nodes.NumberEnum(frozenset(fitting[:count]), False)
        result = solver([*atoms, excluded]).solve()
        assert isinstance(result, Sat), (never, bounds, count)
        assert all(holds(atom, exact(result.value)) for atom in (*atoms, excluded))


def test_a_range_of_which_everything_is_looked_at_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = [INTEGER, nodes.LowerBound(Fraction(1), False), nodes.UpperBound(Fraction(9), False), without(0, 9)]
    for most, outcome in ((9, Unsat), (8, Unknown)):
        monkeypatch.setattr(numbers, "MAX_PERIOD", most)
        assert isinstance(solver(atoms).solve(), outcome)


@pytest.mark.parametrize(
    ("low", "most_places"), [(Fraction(0), 16), (Fraction(1, 3), 15), (Fraction(-29, 4), 14), (Fraction(7001, 7), 11)]
)
def test_a_number_is_found_in_a_narrow_interval(low: Fraction, most_places: int) -> None:
    for places in range(1, most_places + 1):
        high = low + Fraction(1, 10**places)
        result = solver([nodes.LowerBound(low, True), nodes.UpperBound(high, True)]).solve()
        assert isinstance(result, Sat), places
        assert low < exact(result.value) < high


def test_the_least_common_multiple_of_fractions() -> None:
    assert [lcm(Fraction(2), Fraction(3)), lcm(HALF, Fraction(1, 3)), lcm(Fraction(3, 4), Fraction(5, 6))] == [
        6,
        1,
        Fraction(15, 2),
    ]
