"""Alternatives: the clauses of one kind of value, and which of them to try.

Law: a conjunction is `UNSAT` only when each way through its clauses is closed; an alternative is crossed out only when
it has no value together with the literals, for certain; `Sat` is returned for a value that was evaluated, or that was
built for exactly the literals that hold.

Theory of operation. A formula that the resolver has resolved for one kind of value is a conjunction of three things:

- literals, which hold on this branch of the search, and which the solver of the kind turns into a value;
- clauses, each a disjunction of which at least one alternative must hold;
- unknowns, of which nothing is known but that they contradict their own negation.

The search is that of Davis, Putnam, Logemann and Loveland ("A machine program for theorem-proving", CACM 5(7), 1962),
with a solver of the kind's literals below it, as in DPLL(T) (see `goals`). `run` does at each branch:

1. `propagate`: an alternative that conflicts with the literals is crossed out; a clause of which a literal already
   grants an alternative is dropped; one with a single alternative left is no choice, and its literals are added; one
   with none left closes the branch. Repeated until nothing changes.
2. `enumerated`: where a literal lists all values that there can be, each of them is evaluated, and that is the answer.
3. The solver is asked for a value of the literals alone. If there is none, the branch is closed, whatever the clauses
   say. If that value happens to satisfy the clauses too, it is the answer.
4. `decide`: the clause that settles most literals for the fewest alternatives is chosen, and its alternatives are tried
   one after the other, each on a copy of the branch; those that the value of step 3 already satisfies come first.

Worked example: a tagged union against a copy of itself. The producer sends

    {"anyOf": [{"properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind"]},
               {"properties": {"kind": {"const": "b"}, "y": {"type": "string"}}, "required": ["kind"]}]}

and the consumer accepts the same, but any number as `x`. The objects of `produced and not accepted` have no literal and
three clauses, with `kind="a"` short for "every property `kind` is a" and `+kind` for "there is a `kind`":

    P:  (+kind, kind="a", x integer)  or  (+kind, kind="b", y string)
    A:  no kind  or  some kind not "a"  or  some x not a number       from `not` the first accepted form
    B:  no kind  or  some kind not "b"  or  some y not a string       from `not` the second

Nothing propagates, and `{}`, the value without a literal, does not satisfy P. P settles three literals a choice, A and
B one, so P is decided first. Its first alternative adds `+kind, kind="a", x integer`. Now A has lost "no kind" (against
`+kind`), "some kind not a" (the goal of a value both "a" and not "a" has none), and "some x not a number" (nor has that
of an integer that is no number): A is empty, and the branch is closed without a look at B. The second alternative
closes in the same way by B. So the two forms cost two branches and a handful of goals, not the 2 x 3 x 3 combinations,
and nobody had to be told which property is the tag.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM
from claude_comm.schema.formula.nodes import Node
from claude_comm.schema.solver.goals import Goals, TheorySolver
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat, better
from claude_comm.schema.values import pointed, value, written
from claude_comm.schema.verdict import Json

# Choices below each other; each takes two frames of the interpreter's stack.
MAX_CHOICES = 60
# Integers in one constant; each can be written in two ways.
MAX_INTEGERS = 6


def satisfy(goals: Goals, kind: int, node: Node) -> Result:
    """A value of `kind` in a node that is resolved for that kind."""
    return _Dpll(goals, kind).run(_Branch().with_part(node), 0)


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
        """One part more; changes the branch itself."""
        match part:
            case nodes.And(parts=conjuncts):
                for conjunct in conjuncts:
                    self.with_part(conjunct)
            case nodes.Or(parts=alternatives):
                self.clauses.append(alternatives)
            case nodes.Lit():
                self.literals[part] = None
            case nodes.Opaque():
                self.opaque[part] = None
            case nodes.Bottom():
                self.refuted = True
        return self

    def knows(self, part: Node) -> bool:
        return part in self.literals or part in self.opaque

    def grants(self, part: Node) -> bool:
        """Whether an alternative is written among what holds already."""
        return self.knows(part) or (isinstance(part, nodes.And) and all(map(self.knows, part.parts)))


class _Dpll:
    def __init__(self, goals: Goals, kind: int) -> None:
        self.goals, self.resolver, self.factory = goals, goals.resolver, goals.resolver.factory
        self.kind = kind

    def run(self, branch: _Branch, choices: int) -> Result:
        solver = self.propagate(branch)
        if solver is None:
            return UNSAT
        enumerated = self.enumerated(branch)
        if enumerated is not None:
            return enumerated
        model = solver.solve()
        if isinstance(model, Unsat):
            return UNSAT
        if isinstance(model, Sat) and branch.opaque:
            model = Sat(model.value, sure=False)
        if not branch.clauses:
            return model
        if isinstance(model, Sat) and model.sure and self.meets(branch, model.value):
            return model
        if choices >= MAX_CHOICES:
            return Unknown("too many alternatives at one place", "anyOf")
        return self.decide(branch, choices, model)

    def decide(self, branch: _Branch, choices: int, model: Result) -> Result:
        """One alternative after the other, of the clause that settles most for the fewest ways."""
        index = min(range(len(branch.clauses)), key=lambda i: _branching_factor(branch.clauses[i]))
        clause = branch.clauses.pop(index)
        if isinstance(model, Sat):
            guess = model.value
            clause = tuple(sorted(clause, key=lambda part: self.resolver.holds(part, guess) is not True))
        best: Result = UNSAT
        for part in clause:
            self.resolver.tick()
            best = better(best, self.run(branch.copy().with_part(part), choices + 1))
            if isinstance(best, Sat) and best.sure:
                return best
        return best

    def meets(self, branch: _Branch, candidate: Json) -> bool:
        """Whether a value satisfies all clauses, for certain."""
        holds = self.resolver.holds
        return all(any(holds(part, candidate) is True for part in clause) for clause in branch.clauses)

    def propagate(self, branch: _Branch) -> TheorySolver | None:
        """The solver of the literals, once no clause has an alternative too few; None when one cannot be met."""
        while not branch.refuted and not self.contradicts_itself(branch):
            self.resolver.tick()
            solver = self.goals.theory(self.kind, branch.literals)
            clauses, branch.clauses = branch.clauses, []
            grew = False
            for clause in clauses:
                left = self.remaining(branch, solver, clause)
                if left is None:
                    continue
                if not left:
                    return None
                if len(left) == 1:
                    branch.with_part(left[0])
                    grew = True
                else:
                    branch.clauses.append(left)
            if not grew:
                return solver
        return None

    def remaining(self, branch: _Branch, solver: TheorySolver, clause: tuple[Node, ...]) -> tuple[Node, ...] | None:
        """The alternatives of a clause that may still hold; None when one of them holds already."""
        left: list[Node] = []
        for part in clause:
            if branch.grants(part):
                return None
            if not self.conflicts(branch, solver, part):
                left.append(part)
        return tuple(left)

    def conflicts(self, branch: _Branch, solver: TheorySolver, part: Node) -> bool:
        """Whether an alternative certainly has no value together with the literals."""
        match part:
            case nodes.And(parts=conjuncts):
                certain = (conjunct for conjunct in conjuncts if not isinstance(conjunct, nodes.Or))
                return any(self.conflicts(branch, solver, conjunct) for conjunct in certain)
            case nodes.Lit():
                return self.resolver.opposite(part) in branch.literals or solver.conflicts_with(part)
            case nodes.Opaque():
                return self.factory.negation(part) in branch.opaque
        return part is BOTTOM

    def contradicts_itself(self, branch: _Branch) -> bool:
        return any(self.resolver.opposite(literal) in branch.literals for literal in branch.literals) or any(
            self.factory.negation(unknown) in branch.opaque for unknown in branch.opaque
        )

    def enumerated(self, branch: _Branch) -> Result | None:
        """The answer where some literal lists all values that there can be: each of them is evaluated."""
        sizes = [(size, at) for at, literal in enumerate(branch.literals) if (size := _size(literal.atom)) is not None]
        if not sizes:
            return None
        best: Result = UNSAT
        node = self.factory.conjunction(
            [*branch.literals, *branch.opaque, *(self.factory.disjunction(clause) for clause in branch.clauses)]
        )
        # Only the shortest is put in order: tens of thousands of words take a tenth of a second.
        for candidate in _listed([*branch.literals][min(sizes)[1]].atom):
            spellings, complete = _spellings(candidate) if self.resolver.lexical else ([candidate], True)
            for spelling in spellings:
                self.resolver.tick()
                holds = self.resolver.holds(node, spelling)
                if holds:
                    return Sat(spelling)
                if holds is None:
                    best = Sat(spelling, sure=False)
            if not complete:
                best = better(best, Unknown("many numbers in one constant, where 1 and 1.0 are not alike"))
        return best


def _branching_factor(clause: tuple[Node, ...]) -> float:
    """By how much a choice multiplies the work for each literal that it settles: the tag of a union settles most."""
    settled = sum(len(part.parts) if isinstance(part, nodes.And) else 1 for part in clause) / len(clause)
    return math.log(len(clause)) / settled


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
            return [value(key) for key in sorted(keys, key=repr)]
    raise AssertionError(atom)  # pragma: no cover - only what has a size is asked for


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
