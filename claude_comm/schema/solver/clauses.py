"""Alternatives: the clauses of one kind of value, and which of them to try.

Law: a value of a conjunction of literals and clauses is searched as in the method of Davis, Putnam, Logemann and
Loveland (1962): a clause that some literal already grants is dropped, an alternative that clashes with the literals is
crossed out, a clause with one alternative left is no choice; only then is one tried after the other. A value of the
literals alone that happens to satisfy the clauses ends the search; literals without a value end it as well.

That is what makes tagged unions cheap without being told the tag: an alternative with another tag clashes at once, so
each branch of the one side meets only the branch of the other that has its tag.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM
from claude_comm.schema.formula.nodes import NULL, Node
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat, better
from claude_comm.schema.values import pointed, value, written
from claude_comm.schema.verdict import Json

if TYPE_CHECKING:
    from claude_comm.schema.solver.prover import Prover

# Choices below each other; each takes two frames of the interpreter's stack.
MAX_CHOICES = 60
# Integers in one constant; each can be written in two ways.
MAX_INTEGERS = 6


class TheorySolver(Protocol):
    """The values that satisfy a conjunction of literals of one kind."""

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more certainly leaves no value."""

    def solve(self) -> Result:
        """A value, if there is one."""


def satisfy(prover: Prover, kind: int, node: Node) -> Result:
    """A value of `kind` in a node that is resolved for that kind."""
    return _Dpll(prover, kind).run(_Branch().with_part(node), 0)


class _Branch:
    """What is known on one path: literals that hold, clauses that are still to be met, unknowns."""

    __slots__ = ("clauses", "literals", "opaque", "refuted")

    def __init__(self) -> None:
        self.literals: dict[nodes.Lit, None] = {}
        self.clauses: list[tuple[Node, ...]] = []
        self.opaque: dict[nodes.Opaque, None] = {}
        self.refuted = False

    def copy(self) -> _Branch:
        new = _Branch()
        new.literals, new.clauses, new.opaque = {**self.literals}, [*self.clauses], {**self.opaque}
        return new

    def with_part(self, part: Node) -> _Branch:
        """One part more; changes the case itself."""
        match part:
            case nodes.And(parts=parts):
                for each in parts:
                    self.with_part(each)
            case nodes.Or(parts=parts):
                self.clauses.append(parts)
            case nodes.Lit():
                self.literals[part] = None
            case nodes.Opaque():
                self.opaque[part] = None
            case nodes.Bottom():
                self.refuted = True
        return self


class _Dpll:
    def __init__(self, prover: Prover, kind: int) -> None:
        self.prover, self.kind = prover, kind

    def run(self, case: _Branch, choices: int) -> Result:
        solver = self.propagate(case)
        if solver is None:
            return UNSAT
        enumerated = self.enumerated(case)
        if enumerated is not None:
            return enumerated
        found = solver.solve()
        if isinstance(found, Unsat):
            return UNSAT
        if isinstance(found, Sat) and case.opaque:
            found = Sat(found.value, sure=False)
        if not case.clauses:
            return found
        if isinstance(found, Sat) and found.sure and self.meets(case, found.value):
            return found
        if choices >= MAX_CHOICES:
            return Unknown("too many alternatives at one place", "anyOf")
        return self.decide(case, choices, found)

    def decide(self, case: _Branch, choices: int, found: Result) -> Result:
        """One alternative after the other, of the clause that settles most for the fewest ways."""
        index = min(range(len(case.clauses)), key=lambda i: _branching_factor(case.clauses[i]))
        clause = case.clauses.pop(index)
        if isinstance(found, Sat):
            guess = found.value
            clause = tuple(sorted(clause, key=lambda part: self.prover.holds(part, guess) is not True))
        best: Result = UNSAT
        for part in clause:
            self.prover.tick()
            best = better(best, self.run(case.copy().with_part(part), choices + 1))
            if isinstance(best, Sat) and best.sure:
                return best
        return best

    def meets(self, case: _Branch, candidate: Json) -> bool:
        holds = self.prover.holds
        return all(any(holds(part, candidate) is True for part in clause) for clause in case.clauses)

    def propagate(self, case: _Branch) -> TheorySolver | None:
        """The shape of the literals, once no clause has a choice that is none; nothing when a clause cannot be met."""
        while not case.refuted and not self.is_contradictory(case):
            self.prover.tick()
            solver = self.solver(case)
            clauses, case.clauses = case.clauses, []
            grew = False
            for clause in clauses:
                left = self.remaining(case, solver, clause)
                if left is None:
                    continue
                if not left:
                    return None
                if len(left) == 1:
                    case.with_part(left[0])
                    grew = True
                else:
                    case.clauses.append(left)
            if not grew:
                return solver
        return None

    def remaining(self, case: _Branch, solver: TheorySolver, clause: tuple[Node, ...]) -> tuple[Node, ...] | None:
        """The alternatives of a clause that may still hold; None when one of them holds already."""
        left = list[Node]()
        for part in clause:
            if part in case.literals or part in case.opaque or self.is_satisfied(case, part):
                return None
            if not self.is_conflicting(case, solver, part):
                left.append(part)
        return tuple(left)

    def is_satisfied(self, case: _Branch, part: Node) -> bool:
        return isinstance(part, nodes.And) and all(each in case.literals or each in case.opaque for each in part.parts)

    def is_conflicting(self, case: _Branch, solver: TheorySolver, part: Node) -> bool:
        """Whether an alternative certainly has no value together with the literals."""
        match part:
            case nodes.And(parts=parts):
                return any(self.is_conflicting(case, solver, each) for each in parts if not isinstance(each, nodes.Or))
            case nodes.Lit():
                return self.opposite(part) in case.literals or solver.conflicts_with(part)
            case nodes.Opaque():
                return self.prover.factory.negation(part) in case.opaque
        return part is BOTTOM

    def is_contradictory(self, case: _Branch) -> bool:
        return any(self.opposite(literal) in case.literals for literal in case.literals) or any(
            self.prover.factory.negation(each) in case.opaque for each in case.opaque
        )

    def opposite(self, literal: nodes.Lit) -> Node:
        return self.prover.opposite(literal)

    def solver(self, case: _Branch) -> TheorySolver:
        # Imported by the prover, which knows all domains; null and booleans have nothing to solve.
        made = self.prover.solvers.get(self.kind)
        return ConstantSolver(self.kind) if made is None else made(self.prover, case.literals)

    def enumerated(self, case: _Branch) -> Result | None:
        """The answer where some literal lists all values that there can be: each of them is looked at."""
        sizes = [(size, at) for at, literal in enumerate(case.literals) if (size := _size(literal.atom)) is not None]
        if not sizes:
            return None
        best: Result = UNSAT
        node = self.prover.factory.conjunction(
            [*case.literals, *case.opaque, *(self.prover.factory.disjunction(clause) for clause in case.clauses)]
        )
        # Only the shortest is put in order: tens of thousands of words take a tenth of a second.
        for candidate in _listed([*case.literals][min(sizes)[1]].atom):
            spellings, all_of_them = _spellings(candidate) if self.prover.lexical else ([candidate], True)
            for spelling in spellings:
                self.prover.tick()
                holds = self.prover.holds(node, spelling)
                if holds:
                    return Sat(spelling)
                if holds is None:
                    best = Sat(spelling, sure=False)
            if not all_of_them:
                best = better(best, Unknown("many numbers in one constant, where 1 and 1.0 are not alike"))
        return best


def _branching_factor(clause: tuple[Node, ...]) -> float:
    """By how much a choice multiplies the work for each literal that it settles: the tag of a union settles most."""
    settled = sum(len(part.parts) if isinstance(part, nodes.And) else 1 for part in clause) / len(clause)
    return math.log(len(clause)) / settled


class ConstantSolver:
    """Null, or a boolean that no literal restricts."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        return False

    def solve(self) -> Result:
        return Sat(None if self.kind == NULL else True)


def _size(atom: nodes.Atom) -> int | None:
    """How many values an atom lists; None where it lists none."""
    match atom:
        case nodes.NumberEnum(values=listed, holds=True) | nodes.StringEnum(values=listed, holds=True):
            return len(listed)
        case nodes.BooleanEnum(values=listed) | nodes.CompositeEnum(keys=listed):
            return len(listed)
    return None


def _listed(atom: nodes.Atom) -> list[Json]:
    """All values of an atom that lists them, plainest first."""
    match atom:
        case nodes.NumberEnum(values=numbers, holds=True):
            return [written(number) for number in sorted(numbers, key=abs)]
        case nodes.StringEnum(values=words, holds=True):
            return sorted(words, key=lambda word: (len(word), word))
        case nodes.BooleanEnum(values=flags):
            return sorted(flags)
        case nodes.CompositeEnum(keys=keys):
            return [value(one) for one in sorted(keys, key=repr)]
    raise AssertionError(atom)


def _spellings(plain: Json) -> tuple[list[Json], bool]:
    """The ways to write one value, an integer also with a point as draft 4 tells apart, and whether these are all."""
    count = _integers(plain)
    if count > MAX_INTEGERS:
        return [plain, _spelled(plain, itertools.repeat(True))], False
    return [_spelled(plain, iter(chosen)) for chosen in itertools.product((False, True), repeat=count)], True


def _integers(plain: Json) -> int:
    if isinstance(plain, list | dict):
        return sum(map(_integers, plain.values() if isinstance(plain, dict) else plain))
    return int(_is_integer(plain))


def _spelled(plain: Json, points: Iterator[bool]) -> Json:
    """The same value, its integers with a point where the next of `points` says so."""
    if isinstance(plain, list):
        return [_spelled(item, points) for item in plain]
    if isinstance(plain, dict):
        return {name: _spelled(item, points) for name, item in plain.items()}
    return pointed(plain) if _is_integer(plain) and next(points) else plain


def _is_integer(plain: Json) -> bool:
    return isinstance(plain, int) and not isinstance(plain, bool) and pointed(plain) is not None
