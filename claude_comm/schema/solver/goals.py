"""What the solvers ask of the prover, and what it asks of them: two protocols, so that neither side imports the other.

Law: a solver knows one kind of value. Whatever it needs to know of the values inside (items, properties) it asks as a
goal, and so never looks at a formula of another kind; the prover alone knows which goals are open.

This is the architecture of DPLL(T): one search over clauses, and for each theory a solver for conjunctions of its
literals (Nieuwenhuis, Oliveras and Tinelli, "Solving SAT and SAT Modulo Theories", JACM 53(6), 2006).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.nodes import Node
from claude_comm.schema.regex.language import Language
from claude_comm.schema.solver.resolver import Resolver
from claude_comm.schema.solver.result import Result
from claude_comm.schema.verdict import Json


class TheorySolver(Protocol):
    """The values that satisfy a conjunction of literals of one kind."""

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more certainly leaves no value."""
        ...

    def solve(self) -> Result:
        """A value, if there is one."""
        ...


class Goals(Protocol):
    """The prover, as a solver sees it."""

    @property
    def resolver(self) -> Resolver:
        """How formulas read, and whether a value is in one."""
        ...

    def goal(self, parts: Iterable[Node]) -> Result:
        """A value that is in all the parts."""
        ...

    def members(self, parts: Iterable[Node], limit: int) -> tuple[list[Json], bool]:
        """Up to `limit` different values of the parts, and whether they are all of them for certain."""
        ...

    def language(self, names: Node) -> tuple[Language, bool]:
        """The strings of a formula, and whether that is exact; if not, it is more than the strings of the formula."""
        ...

    def theory(self, kind: int, literals: Iterable[nodes.Lit]) -> TheorySolver:
        """The solver for literals of one kind."""
        ...
