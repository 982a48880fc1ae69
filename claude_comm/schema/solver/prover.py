"""Goals and their proofs: is there a value of this formula? Recursion by coinduction.

Law: a goal that comes up again below itself is taken to be empty there. That is sound because JSON values are finite: a
least value of the goal, were there one, cannot hold another value of the same goal. So if all other ways are closed,
the assumption proves itself; a goal that was closed under an assumption is remembered only once the goal that it
leaned on is closed too, and is forgotten when that one turns out to have a value.

Reference: induction over least fixed points, and its dual in the tabling of subtype judgments (Amadio and Cardelli,
"Subtyping Recursive Types", TOPLAS 15(4), 1993; Brandt and Henglein, 1998).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.evaluate import Evaluator
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import ANY_KIND, ARRAY, KINDS, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.formula.translator import Translator
from claude_comm.schema.regex.language import Language, NotRegular, TooHard
from claude_comm.schema.regex.parser import InvalidPattern, LineEnds
from claude_comm.schema.solver import arrays, clauses, numbers, objects, strings
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat, better
from claude_comm.schema.values import Unwritable, key
from claude_comm.schema.verdict import Json

# Levels of objects and arrays below each other; each takes about ten frames of the interpreter's stack.
MAX_LEVELS = 45
# References to references, in one place.
MAX_UNFOLDED = 80
MAX_MEMBERS = 40
# A tuple: a union of classes would be built anew for each node that is looked at.
_SAME_EVERYWHERE = (nodes.Top, nodes.Bottom, nodes.Opaque)


class Prover:
    """One question. Not shared between threads."""

    def __init__(self, factory: FormulaFactory, tick: Callable[[], None], line_ends: LineEnds = "newline") -> None:
        self.factory, self.tick, self.line_ends = factory, tick, line_ends
        self.sides: list[Translator] = []
        self.solvers: dict[int, Callable[[Prover, Iterable[nodes.Lit]], clauses.TheorySolver]] = {
            NUMBER: numbers.NumberSolver,
            STRING: strings.StringSolver,
            ARRAY: arrays.ArraySolver,
            OBJECT: objects.ObjectSolver,
        }
        self.languages: dict[Node, tuple[Language, bool]] = {}
        self._opposites: dict[nodes.Lit, Node] = {}
        self._at_kind: dict[tuple[Node, int], Node] = {}
        self._unfolding: list[Node] = []
        self._circles = 0
        self._unfolded: dict[Node, Node] = {}
        self._known: dict[Node, Result] = {}
        self._open: dict[Node, int] = {}
        # Goals closed under an assumption, oldest first, with the depth of the goal that they lean on.
        self._leaning: dict[Node, float] = {}
        self._leans_on: float = math.inf

    @property
    def lexical(self) -> bool:
        """Whether some side tells 1 from 1.0, which are equal all the same."""
        return any(side.lexical for side in self.sides)

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
            found = self._solve(node)
        finally:
            del self._open[node]
        leans_on, self._leans_on = self._leans_on, before
        if not isinstance(found, Unsat):
            # Whatever was closed since may have leaned on this goal having no value.
            for stale in list(self._leaning)[mark:]:
                del self._leaning[stale]
            if leans_on >= depth or isinstance(found, Sat):
                self._known[node] = found
        elif leans_on >= depth:
            for closed in list(self._leaning)[mark:]:
                self._known[closed] = UNSAT
                del self._leaning[closed]
            self._known[node] = UNSAT
        else:
            self._leaning[node] = leans_on
        if leans_on < depth:
            self._leans_on = min(self._leans_on, leans_on)
        return found

    def _solve(self, node: Node) -> Result:
        best: Result = UNSAT
        kinds = _kinds(node)
        for kind in KINDS:
            if not kind & kinds:
                continue
            here = self.at_kind(node, kind)
            if here is BOTTOM:
                continue
            try:
                found = clauses.satisfy(self, kind, here)
            except TooHard as error:
                found = Unknown(f"a regular expression: {error}", "pattern")
            except Unwritable:
                found = Unknown("a number that no float prints exactly", "multipleOf")
            best = better(best, found)
            if isinstance(best, Sat) and best.sure:
                return best
        return best

    def opposite(self, literal: nodes.Lit) -> Node:
        """The negation of a literal, for values of its kind."""
        found = self._opposites.get(literal)
        if found is None:
            found = self._opposites[literal] = self.at_kind(self.factory.negation(literal), literal.kind)
        return found

    def at_kind(self, node: Node, kind: int) -> Node:
        """The node as it reads for values of one kind: references unfolded, literals of other kinds resolved."""
        # By type and not by pattern: no other line of the prover runs as often.
        if isinstance(node, nodes.Lit):
            if node.kind != kind:
                return BOTTOM if node.strict else TOP
            return self.factory.strict(node)
        if isinstance(node, nodes.Kinds):
            return TOP if node.kinds & kind else BOTTOM
        if isinstance(node, _SAME_EVERYWHERE):
            return node
        place = (node, kind)
        found = self._at_kind.get(place)
        if found is None:
            self.tick()
            circles = self._circles
            found = self._resolved(node, kind)
            if circles == self._circles:
                self._at_kind[place] = found
        return found

    def _resolved(self, node: Node, kind: int) -> Node:
        match node:
            case nodes.And(parts=parts):
                return self.factory.conjunction(self.at_kind(part, kind) for part in parts)
            case nodes.Or(parts=parts):
                return self.factory.disjunction(self.at_kind(part, kind) for part in parts)
            case nodes.Not(node=nodes.And(parts=parts)):
                return self.factory.disjunction(self.at_kind(self.factory.negation(part), kind) for part in parts)
            case nodes.Not(node=nodes.Or(parts=parts)):
                return self.factory.conjunction(self.at_kind(self.factory.negation(part), kind) for part in parts)
            case nodes.Ref():
                if node in self._unfolding or len(self._unfolding) >= MAX_UNFOLDED:
                    self._circles += 1
                    return self.factory.opaque("a reference that leads back to itself without consuming anything")
                self._unfolding.append(node)
                try:
                    return self.at_kind(self.unfold(node), kind)
                finally:
                    self._unfolding.pop()
        raise AssertionError(node)

    def unfold(self, node: nodes.Ref) -> Node:
        """What a reference stands for."""
        found = self._unfolded.get(node)
        if found is None:
            target = next(side for side in self.sides if side.knows(node.name)).definition(node.name)
            found = self._unfolded[node] = target if node.holds else self.factory.negation(target)
        return found

    def matches(self, source: str, text: str) -> bool | None:
        """Whether a pattern is found in a string; None where it is not regular."""
        try:
            return Language.pattern(source, line_ends=self.line_ends).accepts(text)
        except (NotRegular, InvalidPattern):
            return None

    def holds(self, node: Node, value: Json) -> bool | None:
        """Whether a value is in a node; None where an unknown decides."""
        # Made each time: one that was kept would hold the prover that holds it, and tens of thousands of nodes would
        # wait for the collector, which then stops every thread of the caller for as long as it takes to free them.
        return Evaluator(self.unfold, self.matches, self.tick).holds(node, value)

    def language(self, names: Node) -> tuple[Language, bool]:
        """The names of a formula over strings, and whether that is exact (else it is more)."""
        return strings.language_of(self, names)

    def members(self, parts: Iterable[Node], limit: int) -> tuple[list[Json], bool]:
        """Up to `limit` different values of the parts, and whether they are all of them for certain."""
        node, found = self.factory.conjunction(parts), list[Json]()
        before, self._leans_on = self._leans_on, math.inf
        complete = False
        while len(found) < limit:
            result = self.goal([node])
            if isinstance(result, Unsat):
                # Closed under an assumption: there may be more values that only a larger value holds.
                complete = self._leans_on == math.inf
                break
            if isinstance(result, Unknown) or not result.sure:
                break
            found.append(result.value)
            node = self.factory.conjunction([node, self.factory.negation(self.factory.constant([key(result.value)]))])
        self._leans_on = min(before, self._leans_on)
        return found, complete


def _kinds(node: Node) -> int:
    """The kinds that a conjunction may have values of, as far as its own parts tell."""
    kinds = ANY_KIND
    for part in node.parts if isinstance(node, nodes.And) else (node,):
        match part:
            case nodes.Kinds(kinds=bits):
                kinds &= bits
            case nodes.Lit(kind=kind, strict=True):
                kinds &= kind
    return kinds
