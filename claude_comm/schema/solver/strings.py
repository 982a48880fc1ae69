"""Strings: patterns, lengths and enumerations, all as regular languages.

Law: the literals of one string are a Boolean combination of regular languages, and so is their conjunction; emptiness
is decided on its automaton (Hopcroft and Ullman; derivatives after Brzozowski, 1964). A pattern that is not regular is
taken for "any string": then an empty intersection is still a proof, and a member only a guess.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP
from claude_comm.schema.formula.nodes import STRING, Node
from claude_comm.schema.regex.language import Language, NotRegular
from claude_comm.schema.solver.resolver import Resolver
from claude_comm.schema.solver.result import UNSAT, Result, Sat


class Languages:
    """The languages of the formulas over strings of one question, each built once."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._known: dict[Node, tuple[Language, bool]] = {}

    def of(self, names: Node) -> tuple[Language, bool]:
        """The strings of a formula, and whether that is exact; if not, it is more than the strings of the formula."""
        return self.resolved(self.resolver.at_kind(names, STRING))

    def resolved(self, node: Node) -> tuple[Language, bool]:
        """The same of a formula that is resolved for strings."""
        if node is TOP or node is BOTTOM:
            return (Language.everything() if node is TOP else Language.nothing()), True
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = self._built(node)
        return known

    def _built(self, node: Node) -> tuple[Language, bool]:
        self.resolver.tick()
        match node:
            case nodes.Lit(atom=atom):
                return self.atom(atom)
            case nodes.And(parts=parts):
                return self.intersection(parts)
            case nodes.Or(parts=parts):
                return self._union(parts)
            case _:
                return Language.everything(), False

    def intersection(self, parts: Iterable[Node]) -> tuple[Language, bool]:
        """The strings in all parts, which are resolved for strings."""
        strings, exact = Language.everything(), True
        for part in parts:
            language, part_exact = self.resolved(part)
            strings, exact = strings & language, exact and part_exact
        return strings, exact

    def _union(self, parts: Iterable[Node]) -> tuple[Language, bool]:
        strings, exact = Language.nothing(), True
        for part in parts:
            language, part_exact = self.resolved(part)
            strings, exact = strings | language, exact and part_exact
        return strings, exact

    def atom(self, atom: nodes.Atom) -> tuple[Language, bool]:
        """The strings for which an atom holds."""
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
                    language = Language.pattern(source, reading=self.resolver.reading)
                except NotRegular:
                    return Language.everything(), False
                return (language if holds else ~language), True
        raise AssertionError(atom)  # pragma: no cover - there is no other atom about strings


@functools.cache
def _without_last_line_feed() -> Language:
    return ~Language.pattern(r"\n$", reading="ecma")


class StringSolver:
    """The strings that satisfy all literals."""

    def __init__(self, languages: Languages, literals: Iterable[nodes.Lit]) -> None:
        self.languages = languages
        self.language, self.sure = languages.intersection(literals)

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more leaves no string."""
        language, _ = self.languages.atom(literal.atom)
        return (self.language & language).is_empty()

    def solve(self) -> Result:
        """A shortest string that satisfies all literals; one that ends in a line feed only where there is no other."""
        member = self.language.shortest()
        if member is None:
            return UNSAT
        if member.endswith("\n"):
            # Python finds `$` before a last line feed as well: such a witness breaks `^a*$` for some readers alone.
            plain = (self.language & _without_last_line_feed()).shortest()
            member = member if plain is None else plain
        if any("\ud800" <= char <= "\udfff" for char in member):
            # A lone surrogate is no Unicode text: no message can carry it, and no validator would take it.
            return Sat(member, sure=False)
        return Sat(member, self.sure)
