"""Terms in normal form, and their derivatives."""

from __future__ import annotations

import functools
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.schema.regex import derivatives, expression
from claude_comm.schema.regex.parser import TooHard

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
                expression.then(two[0][0], two[1][0]),
                frozenset(x + y for x in two[0][1] for y in two[1][1] if len(x + y) <= 4),
            )
        ),
        st.tuples(inner, inner).map(lambda two: (expression.either([two[0][0], two[1][0]]), two[0][1] | two[1][1])),
        st.tuples(inner, inner).map(lambda two: (expression.both([two[0][0], two[1][0]]), two[0][1] & two[1][1])),
        inner.map(lambda one: (expression.negate(one[0]), EVERY - one[1])),
        st.tuples(inner, st.sampled_from([(0, None), (1, None), (0, 1), (2, 2), (1, 3), (2, None)])).map(
            lambda two: (expression.repeat(two[0][0], *two[1]), _power(two[0][1], *two[1]))
        ),
    ),
    max_leaves=7,
)


@settings(max_examples=300, deadline=None)
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
    assert expression.either([A, expression.either([B, c])]) is expression.either([c, B, A, A])
    assert expression.both([c, expression.both([expression.ALL, expression.negate(B)])]) is expression.both(
        [expression.negate(B), c]
    )
    assert expression.negate(expression.negate(c)) is c
    assert expression.negate(expression.either([c, B])) is expression.both([expression.negate(c), expression.negate(B)])
    assert expression.either([c, expression.negate(c)]) is expression.ALL
    assert expression.both([c, expression.negate(c)]) is expression.NEVER
    assert expression.then(expression.then(A, B), c) is expression.then(A, expression.then(B, c))


def test_a_long_chain_is_walked_by_a_loop() -> None:
    """Ten thousand links do not recurse, but what nests too deeply is refused."""
    chain = expression.then(*[expression.repeat(A, 0, 1)] * 10_000)
    assert derivatives.widths(chain) == (0, 10_000)
    with pytest.raises(TooHard):
        functools.reduce(
            lambda term, _: expression.either([B, expression.then(expression.negate(term), A)]), range(1_000), A
        )
