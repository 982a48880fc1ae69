"""Arrays: items by position, items by count, and items that differ.

Law: every literal speaks of the item at one position, of how many items from some position on are of a formula, of the
length, or of whether two items are equal. After the last position that a literal names, all positions are alike. What
counts is, for each counted formula, whether an item is of it: so an item is of one of 2^n classes, and whether a choice
of classes meets all counts is a walk over (length, counts), each cut off where more makes no difference. Items that
must differ are a system of distinct representatives: it exists when a matching of positions to values does (Hall).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import TOP
from claude_comm.schema.formula.nodes import Node
from claude_comm.schema.solver.distinct import representatives
from claude_comm.schema.solver.goals import Goals
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat, better
from claude_comm.schema.verdict import Json

MAX_POSITIONS = 200
MAX_LENGTH = 1_000
MAX_COUNTS = 6
MAX_WALK = 20_000
# Items that must differ are told apart one by one.
MAX_DISTINCT = 32


class CountRange(msgspec.Struct, frozen=True):
    """From `low` to `high` of the items from `start` on are of `node`."""

    start: int
    node: Node
    low: int
    high: int | None

    @property
    def cap(self) -> int:
        """A count above which more items make no difference."""
        return self.low if self.high is None else max(self.low, self.high + 1)


Goal: TypeAlias = tuple[Node, ...]
Tally: TypeAlias = tuple[int, ...]


class ArraySolver:
    """The arrays that satisfy all literals."""

    def __init__(self, goals: Goals, literals: Iterable[nodes.Lit]) -> None:
        self.goals, self.resolver, self.factory = goals, goals.resolver, goals.resolver.factory
        self.low = 0
        self.high: int | None = None
        self.items: dict[int, list[Node]] = {}
        self.rest: list[tuple[int, Node]] = []
        self.counts: list[CountRange] = []
        self.distinct: set[bool] = set()
        for literal in literals:
            self._add(literal.atom)
        named = [index + 1 for index in self.items]
        self.positions = max([0, *named, *(start for start, _ in self.rest), *(count.start for count in self.counts)])

    def _add(self, atom: nodes.Atom) -> None:
        match atom:
            case nodes.MinSize(count=count):
                self.low = max(self.low, count)
            case nodes.MaxSize(count=count):
                self.high = count if self.high is None else min(self.high, count)
            case nodes.Item(index=index, node=node):
                self.items.setdefault(index, []).append(node)
            case nodes.AtMost(start=start, node=node, count=0):
                self.rest.append((start, self.factory.negation(node)))
            case nodes.AtMost(start=start, node=node, count=count):
                self.counts.append(CountRange(start, node, 0, count))
            case nodes.AtLeast(start=start, node=node, count=count):
                # So many items there must be in any case, whatever they are.
                self.low = max(self.low, start + count)
                if node is not TOP:
                    self.counts.append(CountRange(start, node, count, None))
            case nodes.Distinct(holds=holds):
                self.distinct.add(holds)

    def constraints(self, index: int) -> Goal:
        """What every literal asks of the item at `index`, counts apart."""
        return (*self.items.get(index, ()), *(node for start, node in self.rest if start <= index))

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more certainly leaves no array; each count is checked on its own."""
        match literal.atom:
            case nodes.MinSize(count=count):
                return self.high is not None and count > self.high
            case nodes.MaxSize(count=count):
                return count < self.low
            case nodes.Item(index=index, node=node) if index < self.low:
                return isinstance(self.goals.goal([*self.constraints(index), node]), Unsat)
            case nodes.AtLeast(start=start, node=node, count=count):
                if self.high is not None and start + count > self.high:
                    return True
                end = max(self.positions, start) + 1
                if self.high is not None:
                    end = min(end, self.high)
                goals = dict.fromkeys(
                    (*self.constraints(index), node) for index in range(start, min(end, MAX_POSITIONS))
                )
                return end <= MAX_POSITIONS and all(isinstance(self.goals.goal(goal), Unsat) for goal in goals)
        return False

    def solve(self) -> Result:
        """A shortest array."""
        if self.positions > MAX_POSITIONS:
            return Unknown(f"more than {MAX_POSITIONS} positions of an array", "prefixItems")
        if len(self.distinct) > 1:
            return UNSAT
        if not self.low and False not in self.distinct:
            # A count that asks for items has raised `low`, and an empty array meets the others.
            return Sat([]) if self.high is None or self.high >= 0 else UNSAT
        self._cut()
        if self.high is not None and self.high < self.low:
            return UNSAT
        if self.low > MAX_LENGTH:
            return Unknown(f"an array of more than {MAX_LENGTH:,} items", "minItems")
        if len(self.counts) > MAX_COUNTS:
            return Unknown(f"more than {MAX_COUNTS} things to count in one array", "contains")
        if False in self.distinct:
            return self._repeating()
        plain = self._walk()
        if True not in self.distinct or isinstance(plain, Unsat):
            return plain
        return self._differing(plain)

    def _cut(self) -> None:
        """No array is longer than the first position that cannot be filled."""
        for index in range(self.positions + 1):
            if self.high is not None and index >= self.high:
                return
            if isinstance(self.goals.goal(self.constraints(index)), Unsat):
                self.high = index
                return

    def classes(self, index: int) -> list[tuple[tuple[bool, ...], Goal]]:
        """The classes that the item at `index` may be of: for each count whether the item is counted."""
        negation = self.factory.negation
        # Before its start an item is never counted.
        choices = [(False, True) if count.start <= index else (False,) for count in self.counts]
        classes = list[tuple[tuple[bool, ...], Goal]]()
        for chosen in itertools.product(*choices):
            extra = [
                count.node if taken else negation(count.node)
                for count, taken in zip(self.counts, chosen, strict=True)
                if count.start <= index
            ]
            classes.append((chosen, (*self.constraints(index), *extra)))
        return classes

    def _walk(self) -> Result:
        """The shortest array that meets all counts, whether its items differ or not."""
        reached: dict[Tally, list[Json]] = {tuple(0 for _ in self.counts): []}
        sure_of: dict[int, bool] = {}
        unknown: Unknown | None = None
        seen: set[Tally] = set()
        length = 0
        while True:
            if length >= self.low:
                for state, items in reached.items():
                    if self._met(state):
                        return Sat(items, all(sure_of.values()))
            if self.high is not None and length >= self.high:
                break
            if length >= max(self.positions, self.low):
                # All further positions are alike: only states that were not reached before can lead on.
                reached = {state: items for state, items in reached.items() if state not in seen}
                seen.update(reached)
            if not reached or len(seen) > MAX_WALK or length > MAX_LENGTH:
                break
            options = list[tuple[tuple[bool, ...], Json]]()
            for chosen, goal in self.classes(length):
                item = self.goals.goal(goal)
                if isinstance(item, Sat):
                    options.append((chosen, item.value))
                    sure_of[length] = sure_of.get(length, True) and item.sure
                elif isinstance(item, Unknown):
                    unknown = item
            reached = self._next(reached, options)
            length += 1
        if unknown is not None:
            return unknown
        return (
            UNSAT
            if len(seen) <= MAX_WALK and length <= MAX_LENGTH
            else Unknown("too many ways to count items", "contains")
        )

    def _next(
        self, reached: dict[Tally, list[Json]], options: list[tuple[tuple[bool, ...], Json]]
    ) -> dict[Tally, list[Json]]:
        out: dict[Tally, list[Json]] = {}
        for state, items in reached.items():
            self.resolver.tick()
            for chosen, value in options:
                new = tuple(
                    min(have + taken, count.cap) for have, taken, count in zip(state, chosen, self.counts, strict=True)
                )
                if new not in out and not self._over(new):
                    out[new] = [*items, value]
        return out

    def _over(self, state: Tally) -> bool:
        return any(count.high is not None and have > count.high for have, count in zip(state, self.counts, strict=True))

    def _met(self, state: Tally) -> bool:
        return all(have >= count.low for have, count in zip(state, self.counts, strict=True))

    def _differing(self, plain: Result) -> Result:
        """The same, with no two items equal."""
        length = len(plain.value) if isinstance(plain, Sat) else self.low
        if length > MAX_DISTINCT:
            return Unknown(f"more than {MAX_DISTINCT} items that must all differ", "uniqueItems")
        if not self.counts:
            return self._distinct([self.constraints(index) for index in range(length)])
        # Without the counts there are more arrays: if even then the items cannot all differ, there is none.
        without = self._distinct([self.constraints(index) for index in range(self.low)])
        if isinstance(without, Unsat) or self._too_few():
            return UNSAT
        best: Result = Unknown("items that are counted and must all differ")
        for plan in itertools.islice(self._plans(length), 200):
            array = self._distinct(plan)
            if isinstance(array, Sat):
                best = better(best, array)
                break
        return best

    def _too_few(self) -> bool:
        """Whether there are fewer different values of a counted formula, or of its negation, than needed."""
        if self.positions:
            return False
        for count in self.counts:
            others = 0 if count.high is None else self.low - count.high
            for node, needed in ((count.node, count.low), (self.factory.negation(count.node), others)):
                if 0 < needed <= MAX_DISTINCT:
                    members, complete = self.goals.members([*self.constraints(0), node], needed)
                    if complete and len(members) < needed:
                        return True
        return False

    def _plans(self, length: int) -> Iterable[list[Goal]]:
        """Choices of a class for each position that meet all counts, from `length` on."""
        highest = min(length + 3, MAX_DISTINCT) if self.high is None else min(self.high, length + 3)
        for size in range(length, highest + 1):
            for choice in itertools.islice(itertools.product(*(self.classes(index) for index in range(size))), 5_000):
                self.resolver.tick()
                state = tuple(sum(chosen[at] for chosen, _ in choice) for at in range(len(self.counts)))
                if self._met(state) and not self._over(state):
                    yield [goal for _, goal in choice]

    def _distinct(self, goals: list[Goal]) -> Result:
        """A value for each goal, no two of them equal."""
        known: dict[Goal, tuple[list[Json], bool]] = {}
        for goal in goals:
            if goal not in known:
                known[goal] = self.goals.members(goal, len(goals))
        values = representatives([known[goal][0] for goal in goals])
        if values is not None:
            return Sat(values)
        # A goal with as many values as there are positions is never the reason; all others are known in full.
        if all(complete or len(members) >= len(goals) for members, complete in known.values()):
            return UNSAT
        return Unknown("how many different values an item can have", "uniqueItems")

    def _repeating(self) -> Result:
        """The same, with two equal items: one value that serves two positions."""
        ends = self.positions + 2
        best: Result = UNSAT
        for right in range(1, ends):
            if self.high is not None and right >= self.high:
                break
            for left in range(right):
                self.resolver.tick()
                shared = self.goals.goal([*self.constraints(left), *self.constraints(right)])
                if isinstance(shared, Unsat):
                    # 1 and 1.0 are equal, and still the one may be a value here and the other there.
                    if self.resolver.lexical:
                        best = better(best, Unknown("equal numbers that are written in two ways"))
                    continue
                best = better(best, self._with_pair(left, right, shared))
                if isinstance(best, Sat) and best.sure:
                    return best
        return best

    def _with_pair(self, left: int, right: int, shared: Result) -> Result:
        if not isinstance(shared, Sat):
            return shared
        items = list[Json]()
        sure = shared.sure
        for index in range(max(self.low, right + 1)):
            item = shared if index in {left, right} else self.goals.goal(self.constraints(index))
            if not isinstance(item, Sat):
                # An empty position before `right` closes this pair for good.
                return item
            items.append(item.value)
            sure = sure and item.sure
        if not self.counts:
            return Sat(items, sure)
        literals = [self.factory.lit(nodes.ARRAY, _as_atom(count)) for count in self.counts]
        holds = self.resolver.holds(self.factory.conjunction(literals), items)
        return Sat(items, sure) if holds else Unknown("items that are counted and must not all differ", "uniqueItems")


def _as_atom(count: CountRange) -> nodes.Atom:
    if count.high is not None:
        return nodes.AtMost(count.start, count.node, count.high)
    return nodes.AtLeast(count.start, count.node, count.low)
