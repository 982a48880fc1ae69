"""Terms in normal form, and their derivatives."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.schema.regex import derivatives, expression
from claude_comm.schema.regex.errors import TooHard
from tests.support.examples import examples

A, B = (expression.chars(((ord(char), ord(char)),)) for char in "ab")
STRINGS = ["".join(chars) for n in range(5) for chars in itertools.product("ab", repeat=n)]
# A language over these strings, computed the slow way, beside its term.
Pair = tuple[expression.Term, frozenset[str]]
EVERY = frozenset(STRINGS)


def _power(words: frozenset[str], low: int, high: int | None) -> frozenset[str]:
    found, power, taken = set[str](), frozenset([""]), 0
    while taken <= (6 if high is None else high):
        if taken >= low:
            found |= power
        power, taken = frozenset(x + y for x in power for y in words if len(x + y) <= 4), taken + 1
    return frozenset(found)


LEAVES = st.sampled_from(
    [
        (expression.NEVER, frozenset[str]()),
        (expression.EMPTY, frozenset([""])),
        (A, frozenset("a")),
        (B, frozenset("b")),
    ]
)
PAIRS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(
            lambda two: (
                expression.concat(two[0][0], two[1][0]),
                frozenset(x + y for x in two[0][1] for y in two[1][1] if len(x + y) <= 4),
            )
        ),
        st.tuples(inner, inner).map(lambda two: (expression.union([two[0][0], two[1][0]]), two[0][1] | two[1][1])),
        st.tuples(inner, inner).map(
            lambda two: (expression.intersection([two[0][0], two[1][0]]), two[0][1] & two[1][1])
        ),
        inner.map(lambda one: (expression.complement(one[0]), EVERY - one[1])),
        st.tuples(inner, st.sampled_from([(0, None), (1, None), (0, 1), (2, 2), (1, 3), (2, None)])).map(
            lambda two: (expression.repeat(two[0][0], *two[1]), _power(two[0][1], *two[1]))
        ),
    ),
    max_leaves=7,
)


@settings(max_examples=examples(300), deadline=None)
@given(PAIRS)
def test_derivatives_spell_out_the_language(pair: Pair) -> None:
    """A term matches a word exactly when what is left after each of its letters matches nothing more."""
    term, language = pair
    for word in STRINGS:
        left = term
        for char in word:
            left = derivatives.derivative(left, ord(char), derivatives.OFF_WORD, lambda _: None)
        assert derivatives.matches_empty(left, derivatives.OFF_WORD, derivatives.EDGE) == (word in language), word


def test_likeness_is_identity() -> None:
    """Order, repetition and nesting of unions and intersections make no other term."""
    c = expression.star(A)
    assert expression.union([A, expression.union([B, c])]) is expression.union([c, B, A, A])
    assert expression.intersection(
        [c, expression.intersection([expression.ALL, expression.complement(B)])]
    ) is expression.intersection([expression.complement(B), c])
    assert expression.complement(expression.complement(c)) is c
    assert expression.complement(expression.union([c, B])) is expression.intersection(
        [expression.complement(c), expression.complement(B)]
    )
    assert expression.union([c, expression.complement(c)]) is expression.ALL
    assert expression.intersection([c, expression.complement(c)]) is expression.NEVER
    assert expression.concat(expression.concat(A, B), c) is expression.concat(A, expression.concat(B, c))


def test_a_long_chain_is_walked_by_a_loop() -> None:
    """Ten thousand links do not recurse, but what nests too deeply is refused."""
    chain = expression.concat(*[expression.repeat(A, 0, 1)] * 10_000)
    assert derivatives.widths(chain) == (0, 10_000)
    with pytest.raises(TooHard):
        functools.reduce(
            lambda term, _: expression.union([B, expression.concat(expression.complement(term), A)]), range(1_000), A
        )


STAR, PLUS = expression.star(A), expression.repeat(A, 1, None)
AB = expression.chars(((ord("a"), ord("b")),))
Pairs = Callable[[], tuple[expression.Term, expression.Term]]


def anything_then(term: expression.Term) -> expression.Term:
    return expression.concat(expression.ALL, term)


@pytest.mark.parametrize(
    "pair",
    [
        lambda: (expression.union([A, expression.NEVER]), A),
        lambda: (expression.union([expression.NEVER]), expression.NEVER),
        lambda: (expression.union([A, B]), AB),
        lambda: (expression.union([A, expression.EMPTY, STAR]), expression.union([A, STAR])),
        lambda: (expression.union([anything_then(A), A]), anything_then(A)),
        lambda: (expression.union([A, expression.ALL]), expression.ALL),
        lambda: (expression.intersection([AB, A]), A),
        lambda: (expression.intersection([A, B]), expression.NEVER),
        lambda: (expression.intersection([A, expression.ALL]), A),
        lambda: (expression.intersection([]), expression.ALL),
        lambda: (expression.intersection([expression.EMPTY, A]), expression.NEVER),
        lambda: (expression.intersection([expression.EMPTY, STAR]), expression.EMPTY),
        lambda: (expression.concat(expression.NEVER, A), expression.NEVER),
        lambda: (expression.concat(A, expression.NEVER), expression.NEVER),
        lambda: (expression.concat(expression.EMPTY, A), A),
        lambda: (expression.concat(STAR, STAR), STAR),
        lambda: (expression.concat(STAR, STAR, B), expression.concat(STAR, B)),
        lambda: (expression.star(A), expression.repeat(A, 0, None)),
        lambda: (expression.repeat(STAR, 0, None), STAR),
        lambda: (expression.repeat(PLUS, 0, None), STAR),
        lambda: (expression.repeat(A, 1, 1), A),
        lambda: (expression.repeat(A, 3, 0), expression.EMPTY),
        lambda: (expression.repeat(expression.NEVER, 0, 3), expression.EMPTY),
        lambda: (expression.repeat(expression.NEVER, 1, 3), expression.NEVER),
        lambda: (expression.repeat(STAR, 2, 3), expression.repeat(STAR, 0, 3)),
        lambda: (expression.words([]), expression.NEVER),
        lambda: (expression.words([""]), expression.EMPTY),
        lambda: (expression.complement(expression.NEVER), expression.ALL),
        lambda: (expression.complement(expression.ALL), expression.NEVER),
    ],
)
def test_what_means_the_same_plainly_is_one_term(pair: Pairs) -> None:
    term, same = pair()
    assert term is same


def test_a_repetition_of_repetitions_is_not_taken_for_less() -> None:
    twice = expression.repeat(A, 2, None)
    assert expression.repeat(twice, 0, None) is not STAR
    assert expression.concat(PLUS, PLUS) is not PLUS
    assert expression.intersection([expression.EMPTY, expression.END]).kind == "and"


def test_a_term_weighs_as_much_as_it_has_parts_and_a_chain_is_one_level() -> None:
    other = expression.complement(A)
    depths = {A: 1, other: 2, expression.union([other, B]): 3, expression.concat(other, B): 3}
    assert {term: term.depth for term in depths} == depths
    assert expression.concat(*[A, B] * 100).depth == expression.concat(A, B).depth == 2
    assert expression.concat(B, *[expression.concat(A, other)] * 9).depth == 3
    assert expression.concat(other, A, B).depth == 3
    assert [term.weight for term in (A, other, expression.concat(A, B), expression.concat(A, B, other))] == [1, 2, 3, 6]
    assert expression.words([f"{at}" for at in range(16)]).weight == 3


def test_a_term_that_grows_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = expression.chars(((ord("q"), ord("q")),))
    monkeypatch.setattr(expression, "MAX_WEIGHT", 5)
    assert expression.words([f"q{at}" for at in range(32)]).weight == 5
    with pytest.raises(TooHard):
        expression.words([f"q{at}" for at in range(40)])
    monkeypatch.setattr(expression, "MAX_WEIGHT", 50)
    monkeypatch.setattr(expression, "MAX_DEPTH", 3)
    nested = expression.union([expression.complement(letter), B])
    assert nested.depth == 3
    with pytest.raises(TooHard):
        expression.concat(nested, letter)
