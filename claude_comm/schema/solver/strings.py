"""Strings: patterns, lengths and lists of words, all as regular languages.

Law: the literals of one string are a Boolean combination of regular languages, and so is their conjunction; emptiness
is decided on its automaton (Hopcroft and Ullman; derivatives after Brzozowski, 1964). A pattern that is not regular is
taken for "any string": then an empty intersection is still a proof, and a member only a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import STRING, Node
from claude_comm.schema.regex.language import Language, NotRegular
from claude_comm.schema.solver.result import UNSAT, Result, Sat

if TYPE_CHECKING:
    from claude_comm.schema.solver.prover import Prover


class StringSolver:
    """The strings that satisfy all literals."""

    def __init__(self, prover: Prover, literals: Iterable[nodes.Lit]) -> None:
        self.prover = prover
        self.language, self.sure = _all(prover, literals)

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more leaves no string."""
        language, _ = _atom(self.prover, literal.atom)
        return (self.language & language).is_empty()

    def solve(self) -> Result:
        """A shortest string of the shape."""
        member = self.language.shortest()
        if member is None:
            return UNSAT
        if any("\ud800" <= char <= "\udfff" for char in member):
            # A lone surrogate is no Unicode text: no message can carry it, and no validator would take it.
            return Sat(member, sure=False)
        return Sat(member, self.sure)


def language_of(prover: Prover, names: Node) -> tuple[Language, bool]:
    """The strings of a formula, and whether that is exact; if not, it is more than the strings of the formula."""
    return _language(prover, prover.at_kind(names, STRING))


def _language(prover: Prover, node: Node) -> tuple[Language, bool]:
    if node is TOP or node is BOTTOM:
        return (Language.everything() if node is TOP else Language.nothing()), True
    known = prover.languages.get(node)
    if known is None:
        known = prover.languages[node] = _built(prover, node)
    return known


def _built(prover: Prover, node: Node) -> tuple[Language, bool]:
    prover.tick()
    match node:
        case nodes.Lit(atom=atom):
            return _atom(prover, atom)
        case nodes.And(parts=parts):
            found, sure = Language.everything(), True
            for part in parts:
                language, exact = _language(prover, part)
                found, sure = found & language, sure and exact
            return found, sure
        case nodes.Or(parts=parts):
            found, sure = Language.nothing(), True
            for part in parts:
                language, exact = _language(prover, part)
                found, sure = found | language, sure and exact
            return found, sure
        case _:
            return Language.everything(), False


def _all(prover: Prover, literals: Iterable[nodes.Lit]) -> tuple[Language, bool]:
    found, sure = Language.everything(), True
    for literal in literals:
        language, exact = _language(prover, literal)
        found, sure = found & language, sure and exact
    return found, sure


def _atom(prover: Prover, atom: nodes.Atom) -> tuple[Language, bool]:
    match atom:
        case nodes.MinSize(count=count):
            return Language.lengths(count, None), True
        case nodes.MaxSize(count=count):
            return Language.lengths(0, count), True
        case nodes.StringEnum(values=words, holds=holds):
            language = Language.literals(words)
            return (language if holds else ~language), True
        case nodes.Pattern(source=source, holds=holds):
            try:
                language = Language.pattern(source, line_ends=prover.line_ends)
            except NotRegular:
                return Language.everything(), False
            return (language if holds else ~language), True
    raise AssertionError(atom)
