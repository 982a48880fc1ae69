"""Formulas over strings as languages: which strings are in them, and whether that is all that is known."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import STRING, Node
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.solver.result import Sat, Unsat
from claude_comm.schema.solver.strings import Languages, StringSolver

QUESTION = SchemaPair(normalise(True, "draft2020-12"), normalise(True, "draft2020-12"), Budget(60_000))
FACTORY = QUESTION.factory
# No language of the prover's has this bound of words.
UNREAD = FACTORY.lit(STRING, nodes.Pattern(r"\b{start}", True), strict=True)


def lit(atom: nodes.Atom) -> Node:
    return FACTORY.lit(STRING, atom, strict=True)


WORDS, OTHERS = (lit(nodes.StringEnum(frozenset(("a", "bb")), holds)) for holds in (True, False))
LONG, SHORT = lit(nodes.MinSize(2)), lit(nodes.MaxSize(1))
WITH_B, WITHOUT_B = (lit(nodes.Pattern("b", holds)) for holds in (True, False))


@pytest.mark.parametrize(
    ("node", "inside", "outside", "exact"),
    [
        (TOP, ["", "a"], [], True),
        (BOTTOM, [], ["", "a"], True),
        (WORDS, ["a", "bb"], ["", "b", "aa"], True),
        (OTHERS, ["", "b", "aa"], ["a", "bb"], True),
        (LONG, ["aa", "bbb"], ["", "a"], True),
        (SHORT, ["", "a"], ["aa"], True),
        (WITH_B, ["b", "abc"], ["", "a"], True),
        (WITHOUT_B, ["", "a"], ["b", "abc"], True),
        (FACTORY.conjunction([WORDS, LONG]), ["bb"], ["a", "aa"], True),
        (FACTORY.disjunction([WORDS, SHORT]), ["", "a", "b", "bb"], ["aa", "bbb"], True),
        (UNREAD, ["", "a", "start"], [], False),
        (FACTORY.opaque("nobody knows"), ["", "a"], [], False),
        (FACTORY.conjunction([UNREAD, WORDS]), ["a", "bb"], ["", "b"], False),
        (FACTORY.conjunction([WORDS, FACTORY.opaque("nobody knows")]), ["a", "bb"], ["", "b"], False),
        (FACTORY.disjunction([UNREAD, WORDS]), ["", "a", "bb"], [], False),
        (FACTORY.disjunction([WORDS, FACTORY.opaque("nobody knows")]), ["", "a", "bb"], [], False),
    ],
)
def test_the_strings_of_a_formula(node: Node, inside: list[str], outside: list[str], exact: bool) -> None:
    language, is_exact = Languages(QUESTION.resolver).of(node)
    assert is_exact is exact
    for word in (*inside, *outside):
        assert language.accepts(word) is (word in inside), word


def solver(*literals: Node) -> StringSolver:
    return StringSolver(Languages(QUESTION.resolver), [part for part in literals if isinstance(part, nodes.Lit)])


@pytest.mark.parametrize(
    ("literals", "further", "conflicts"),
    [
        ([], WORDS, False),
        ([LONG], SHORT, True),
        ([LONG], WORDS, False),
        ([WORDS, LONG], WITHOUT_B, True),
        ([WORDS, LONG], WITH_B, False),
        ([WORDS], OTHERS, True),
        ([WORDS], UNREAD, False),
    ],
)
def test_one_literal_more_is_a_conflict_where_no_string_is_left(
    literals: list[Node], further: Any, conflicts: bool
) -> None:
    assert solver(*literals).conflicts_with(further) is conflicts


@pytest.mark.parametrize(
    ("literals", "result"),
    [
        ([], Sat("")),
        ([LONG, WORDS], Sat("bb")),
        ([LONG, SHORT], Unsat()),
        ([UNREAD, WORDS], Sat("a", sure=False)),
        ([lit(nodes.Pattern("^[\\ud800]$", True))], Sat("\ud800", sure=False)),
        # A lone surrogate anywhere: nobody can send such a text.
        ([lit(nodes.Pattern("^a[\\ud800]b$", True))], Sat("a\ud800b", sure=False)),
        # A text that ends in a line feed, only where there is no other.
        ([lit(nodes.Pattern("^(\\n|bb)$", True))], Sat("bb")),
        ([lit(nodes.Pattern("^\\n$", True))], Sat("\n")),
    ],
)
def test_a_shortest_string_of_all_literals(literals: list[Node], result: Any) -> None:
    assert solver(*literals).solve() == result
