"""The project's own prover: is there a message of the one schema that the other refuses?

Law: the messages in question are those of `produced and not accepted`. If there is none, the pair is compatible: that
is the proof. A value that is found is only a candidate, until both validators confirm it.

Reference: deciding inclusion through the satisfiability of the difference, as in Attouche, Baazizi, Colazzo, Ghelli,
Sartiani and Scherzinger, PVLDB 15(13), 2022.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from claude_comm.schema.budget import Budget
from claude_comm.schema.formula.factory import FormulaFactory
from claude_comm.schema.formula.keyword_rules import translator
from claude_comm.schema.formula.nodes import Node
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.regex.errors import InvalidPattern
from claude_comm.schema.regex.parser import Reading
from claude_comm.schema.solver.prover import Prover
from claude_comm.schema.solver.resolver import Resolver
from claude_comm.schema.solver.result import Candidates, Result, Sat, Unknown, Unsat
from claude_comm.schema.solver.violations import violations
from claude_comm.schema.verdict import Json

MAX_VIOLATIONS = 60


class SchemaPair:
    """Two documents in one factory, with what has been found out about them so far."""

    def __init__(self, left: Document, right: Document, budget: Budget, reading: Reading = "runtime") -> None:
        self.documents = left, right
        self.factory = FormulaFactory(budget.tick)
        sides = [translator(self.factory, left, "p:", budget.tick), translator(self.factory, right, "c:", budget.tick)]
        self.resolver = Resolver(self.factory, sides, budget.tick, reading)
        self.prover = Prover(self.resolver)
        self.left, self.right = sides[0].root(), sides[1].root()

    def ask(self, *further: Node) -> Result:
        """A value of the left side that the right side refuses, and that is in all further nodes."""
        try:
            return self.prover.goal([self.left, self.factory.negation(self.right), *further])
        except InvalidPattern as error:
            return Unknown(f"a pattern that cannot be read: {error}", "pattern")

    def breaking(self, shown: Sequence[Json] = (), patience: int = MAX_VIOLATIONS) -> Candidates:
        """Messages to try, one for each way to break the right side that no message before shows.

        `shown` are those that are known to break it. While there is none, so many ways are tried and no more. Raises
        `OutOfBudget`.
        """
        known = [*shown]
        try:
            ways = itertools.islice(violations(self.resolver, self.right, self.left), MAX_VIOLATIONS)
            for tried, violation in enumerate(ways):
                if not known and tried >= patience:
                    return
                if any(self.resolver.holds(violation, message) for message in known):
                    continue
                result = self.prover.goal([self.left, violation])
                if isinstance(result, Sat) and (yield result.value):
                    known.append(result.value)
        except InvalidPattern:
            return


def refute(question: SchemaPair, budget: Budget) -> Result:
    """A message of the left side that the right refuses; `Unsat` proves that there is none. Raises `OutOfBudget`."""
    result = question.ask()
    left, right = question.documents
    if isinstance(result, Unsat) and (_ambiguous(left) or _ambiguous(right)):
        # A proof must hold whichever way a pattern is read.
        result = SchemaPair(left, right, budget, "ecma").ask()
        if isinstance(result, Sat):
            return Unknown("a pattern that ECMA-262 and the validator at run time read differently", "pattern")
    return result


def _ambiguous(document: Document) -> bool:
    """Whether some pattern may have what ECMA-262 and the run-time validator read differently."""
    return any(mark in source for source in document.patterns for mark in _READ_DIFFERENTLY)


# Beside line separators; beside letters outside of ASCII; and classes in a pattern with look-around.
_READ_DIFFERENTLY = (".", "\\b", "\\B", "\\<", "\\>", "(?=", "(?!", "(?<")
