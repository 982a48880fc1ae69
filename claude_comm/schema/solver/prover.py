"""The prover: is there a value of this formula? Goals, and their proofs by coinduction.

Law: a goal that comes up again below itself is taken to have no value there. That is sound because JSON values are
finite: a least value of the goal, were there one, cannot hold another value of the same goal. So if all other ways are
closed, the assumption proves itself. A goal that was closed under an assumption is remembered only once the goal that
it leans on is closed too, and is forgotten when that one turns out to have a value.

Theory of operation. "Is every message of P one of C?" is asked as the goal `P and not C`: a value of it is a message
that P allows and C refuses; a proof that there is none is the verdict *compatible*. A goal is a conjunction of formulas
about one value. It is proved like this:

1. Values have one of six kinds, so a goal is six smaller ones. The resolver reads the formula for one kind: references
   are unfolded, what speaks of other kinds becomes true or false, and most kinds are gone at once (`type`).
2. What is left for a kind is a search over clauses (`clauses`), which ends in conjunctions of literals of that kind.
3. The solver of the kind (`numbers`, `strings`, `arrays`, `objects`) finds a value of the literals, or shows that there
   is none. An array or an object holds values of its own: each of them is a goal again, one level further down.
4. Every result is remembered by its formula. Formulas are interned, so that a goal that comes up twice is one object,
   and recursive schemas come back to goals that are known, or that are open.

An open goal is one that is being proved right now. Goals that are closed while an open one was taken to have no value
*lean on* it; each is kept in `_leaning` with the depth of the outermost open goal that it leans on. Three things can
come of an open goal at depth d:

- It has no value, and nothing below leans on a goal further out than d: it is proved, and so is all that leans on it.
- It has no value, but leans on a goal further out: it is closed under that assumption, and waits in `_leaning`.
- It has a value, or nobody knows: then whatever was closed since it was opened may be wrong, and is forgotten.

Worked example: a linked list whose `n` was an integer, and is now a number.

    P = {"type": "object", "properties": {"n": {"type": "integer"}, "next": {"$ref": "#"}}}
    C = {"type": "object", "properties": {"n": {"type": "number"},  "next": {"$ref": "#"}}}

    goal 0   P and not C
      only objects are left: P has no other kind. Literals: every `n` is an integer, every `next` is a P.
      clause, from not C: some `n` is not a number, or some `next` is not a C.
      first alternative, an `n` that is both:
        goal 1   integer and not number            no kind is left                              UNSAT, remembered
      second alternative, a `next` that is both:
        goal 0 again, which is open at depth 0     taken to have no value; goal 0 leans on 0
      both alternatives are closed                 leans on nothing further out than itself     UNSAT, remembered

If C asked for at most two list members instead, the proof would find the shortest list with three, for which the same
goals have values. `Sat` is always built from the inside out, and so is as small as the solvers make it.

Reference: deciding inclusion through the witness generation for `P and not C`: Attouche, Baazizi, Colazzo, Ghelli,
Sartiani and Scherzinger, "Witness Generation for JSON Schema", PVLDB 15(13), 2022. Coinduction with assumptions that
are discharged: Amadio and Cardelli, "Subtyping Recursive Types", TOPLAS 15(4), 1993; Brandt and Henglein, 1998.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM
from claude_comm.schema.formula.nodes import KINDS, NULL, Node, possible_kinds
from claude_comm.schema.regex.language import Language, TooHard
from claude_comm.schema.solver import clauses
from claude_comm.schema.solver.arrays import ArraySolver
from claude_comm.schema.solver.goals import TheorySolver
from claude_comm.schema.solver.numbers import NumberSolver
from claude_comm.schema.solver.objects import ObjectSolver
from claude_comm.schema.solver.resolver import Resolver
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat, better
from claude_comm.schema.solver.strings import Languages, StringSolver
from claude_comm.schema.values import Unwritable, key
from claude_comm.schema.verdict import Json

# Levels of objects and arrays below each other; each takes about ten frames of the interpreter's stack.
MAX_LEVELS = 45


class Prover:
    """The goals of one question. Not shared between threads."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver, self.factory = resolver, resolver.factory
        self._languages = Languages(resolver)
        self._known: dict[Node, Result] = {}
        self._open: dict[Node, int] = {}
        # Goals closed under an assumption, oldest first, with the depth of the goal that they lean on.
        self._leaning: dict[Node, float] = {}
        self._leans_on: float = math.inf

    def goal(self, parts: Iterable[Node]) -> Result:
        """A value that is in all the parts."""
        node = self.factory.conjunction(parts)
        if node is BOTTOM:
            return UNSAT
        known = self._known.get(node)
        if known is not None:
            return known
        leaning = self._leaning.get(node, self._open.get(node))
        if leaning is not None:
            self._leans_on = min(self._leans_on, leaning)
            return UNSAT
        if len(self._open) >= MAX_LEVELS:
            return Unknown(f"values nested more than {MAX_LEVELS} deep", "$ref")
        return self._prove(node)

    def _prove(self, node: Node) -> Result:
        before, self._leans_on = self._leans_on, math.inf
        depth, mark = len(self._open), len(self._leaning)
        self._open[node] = depth
        try:
            result = self._solve(node)
        finally:
            del self._open[node]
        leans_on, self._leans_on = self._leans_on, before
        if not isinstance(result, Unsat):
            # Whatever was closed since may have leaned on this goal having no value.
            for stale in list(self._leaning)[mark:]:
                del self._leaning[stale]
            if leans_on >= depth or isinstance(result, Sat):
                self._known[node] = result
        elif leans_on >= depth:
            for closed in list(self._leaning)[mark:]:
                self._known[closed] = UNSAT
                del self._leaning[closed]
            self._known[node] = UNSAT
        else:
            self._leaning[node] = leans_on
        if leans_on < depth:
            self._leans_on = min(self._leans_on, leans_on)
        return result

    def _solve(self, node: Node) -> Result:
        best: Result = UNSAT
        kinds = possible_kinds(node)
        for kind in KINDS:
            if not kind & kinds:
                continue
            resolved = self.resolver.at_kind(node, kind)
            if resolved is BOTTOM:
                continue
            best = better(best, self._of_kind(kind, resolved))
            if isinstance(best, Sat) and best.sure:
                return best
        return best

    def _of_kind(self, kind: int, resolved: Node) -> Result:
        try:
            return clauses.satisfy(self, kind, resolved)
        except TooHard as error:
            return Unknown(f"a regular expression: {error}", "pattern")
        except Unwritable:
            return Unknown("a number that no float prints exactly", "multipleOf")

    def theory(self, kind: int, literals: Iterable[nodes.Lit]) -> TheorySolver:
        """The solver for literals of one kind."""
        match kind:
            case nodes.NUMBER:
                return NumberSolver(self.resolver.tick, literals)
            case nodes.STRING:
                return StringSolver(self._languages, literals)
            case nodes.ARRAY:
                return ArraySolver(self, literals)
            case nodes.OBJECT:
                return ObjectSolver(self, literals)
        return ConstantSolver(kind)

    def language(self, names: Node) -> tuple[Language, bool]:
        """The strings of a formula, and whether that is exact; if not, it is more than the strings of the formula."""
        return self._languages.of(names)

    def members(self, parts: Iterable[Node], limit: int) -> tuple[list[Json], bool]:
        """Up to `limit` different values of the parts, and whether they are all of them for certain."""
        members: list[Json] = []
        node = self.factory.conjunction(parts)
        before, self._leans_on = self._leans_on, math.inf
        complete = False
        while len(members) < limit:
            result = self.goal([node])
            if isinstance(result, Unsat):
                # Closed under an assumption: there may be more values that only a larger value holds.
                complete = self._leans_on == math.inf
                break
            if isinstance(result, Unknown) or not result.sure:
                break
            members.append(result.value)
            another = self.factory.negation(self.factory.constant([key(result.value)]))
            node = self.factory.conjunction([node, another])
        self._leans_on = min(before, self._leans_on)
        return members, complete


class ConstantSolver:
    """Null, or a boolean that no literal restricts."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Never for certain: booleans that a literal lists are evaluated one by one."""
        return False

    def solve(self) -> Result:
        """The plainest value of the kind."""
        return Sat(None if self.kind == NULL else True)
