"""A formula as it reads for values of one kind, and whether one value is in it: what all solvers read.

Law: `at_kind(node, kind)` has the same values of that kind as `node`, and is built of conjunctions, disjunctions,
unknowns and strict literals of that kind alone: references are unfolded, literals of other kinds are true or false.
References that lead back to themselves without consuming anything become an unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.evaluate import Evaluator
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import Node
from claude_comm.schema.formula.translator import Translator
from claude_comm.schema.regex.errors import InvalidPattern
from claude_comm.schema.regex.language import Language, NotRegular
from claude_comm.schema.regex.parser import Reading
from claude_comm.schema.verdict import Json

# References to references, in one place.
MAX_UNFOLDED = 80
# A tuple: a union of classes would be built anew for each node that is looked at.
_SAME_EVERYWHERE = (nodes.Top, nodes.Bottom, nodes.Opaque)


class Resolver:
    """The formulas of one question, and of the documents that its references lead to. Not shared between threads."""

    def __init__(
        self,
        factory: FormulaFactory,
        sides: Sequence[Translator],
        tick: Callable[[], None],
        reading: Reading = "runtime",
    ) -> None:
        self.factory, self.sides, self.tick = factory, sides, tick
        self.reading: Reading = reading
        self._opposites: dict[nodes.Lit, Node] = {}
        self._at_kind: dict[tuple[Node, int], Node] = {}
        self._unfolding: list[Node] = []
        self._circles = 0
        self._unfolded: dict[Node, Node] = {}

    @property
    def lexical(self) -> bool:
        """Whether some side tells 1 from 1.0, which are equal all the same."""
        return any(side.lexical for side in self.sides)

    def opposite(self, literal: nodes.Lit) -> Node:
        """The negation of a literal, for values of its kind."""
        opposite = self._opposites.get(literal)
        if opposite is None:
            opposite = self._opposites[literal] = self.at_kind(self.factory.negation(literal), literal.kind)
        return opposite

    def at_kind(self, node: Node, kind: int) -> Node:
        """The node as it reads for values of one kind."""
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
        resolved = self._at_kind.get(place)
        if resolved is None:
            self.tick()
            circles = self._circles
            resolved = self._resolved(node, kind)
            if circles == self._circles:
                self._at_kind[place] = resolved
        return resolved

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
        raise AssertionError(node)  # pragma: no cover - every other node is resolved by who calls

    def unfold(self, node: nodes.Ref) -> Node:
        """What a reference stands for."""
        unfolded = self._unfolded.get(node)
        if unfolded is None:
            target = next(side for side in self.sides if side.knows(node.name)).definition(node.name)
            unfolded = self._unfolded[node] = target if node.holds else self.factory.negation(target)
        return unfolded

    def matches(self, source: str, text: str) -> bool | None:
        """Whether a pattern is found in a string; None where it is not regular."""
        try:
            return Language.pattern(source, reading=self.reading).accepts(text)
        except (NotRegular, InvalidPattern):
            return None

    def holds(self, node: Node, value: Json) -> bool | None:
        """Whether a value is in a node; None where an unknown decides."""
        # Made each time: one that was kept would hold the resolver that holds it, and tens of thousands of nodes would
        # wait for the collector, which then stops every thread of the caller for as long as it takes to free them.
        return Evaluator(self.unfold, self.matches, self.tick).holds(node, value)
