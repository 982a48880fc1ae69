"""The whole deterministic automaton of a term, without its dead ends: for counting and listing members.

Law: a count is exact, or None beyond the limit asked for; members are listed once each, the readable ones first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from claude_comm.schema.regex import charset
from claude_comm.schema.regex.errors import TooHard
from claude_comm.schema.regex.expression import Term
from claude_comm.schema.regex.states import MAX_STEPS, Edges, State, StateGraph, WorkMeter, accepting


class Dfa:
    """The whole deterministic automaton of a term, without its dead ends: for counting and listing members.

    `partial`: of one that is too hard to make, as much as was made; else that raises `TooHard`.
    """

    def __init__(self, term: Term, *, partial: bool) -> None:
        graph = StateGraph(term, split=False)
        self.spend = WorkMeter().spend
        self.first = graph.first[0]
        try:
            queue = deque([self.first])
            seen = {self.first}
            while queue:
                for _, _, to in graph.successors(queue.popleft()):
                    if to not in seen:
                        seen.add(to)
                        queue.append(to)
        except TooHard:
            if not partial:
                raise
        self.accepting = {state for state in {self.first, *graph.edges} if accepting(state)}
        useful = _backwards(graph.edges, self.accepting)
        self.edges = {
            state: tuple(edge for edge in edges if edge[2] in useful)
            for state, edges in graph.edges.items()
            if state in useful
        }
        self._leads = [set(self.accepting)]

    def is_finite(self) -> bool:
        """Whether no useful state comes back to itself (Kahn's order exists)."""
        degree = dict.fromkeys(self.edges, 0)
        for edges in self.edges.values():
            for _, _, to in edges:
                degree[to] = degree.get(to, 0) + 1
        ready = [state for state, n in degree.items() if n == 0]
        done = 0
        while ready:
            done += 1
            for _, _, to in self.edges.get(ready.pop(), ()):
                degree[to] -= 1
                if degree[to] == 0:
                    ready.append(to)
        return done == len(degree)

    def size(self, low: int, high: int | None, limit: int) -> int | None:
        """How many members are between `low` and `high` long; None if more than `limit`."""
        if high is None and not self.is_finite():
            return None
        total, length = 0, 0
        paths = {self.first: 1}
        while paths and (high is None or length <= high):
            self.spend(len(paths))
            if length >= low:
                total += sum(n for state, n in paths.items() if state in self.accepting)
                if total > limit:
                    return None
            following: dict[State, int] = {}
            for state, n in paths.items():
                for chars, _, to in self.edges.get(state, ()):
                    # More than anybody asks for is enough: exact counts of long members have thousands of digits.
                    following[to] = min(following.get(to, 0) + n * charset.count(chars), limit + 1)
            paths, length = following, length + 1
            if length > MAX_STEPS:
                raise TooHard(f"counting members longer than {MAX_STEPS:,} characters")
        return total

    def leads(self, length: int) -> set[State]:
        """The states from which some path of exactly `length` characters leads to an accepting one."""
        while len(self._leads) <= length:
            ahead = self._leads[-1]
            self.spend(len(self.edges))
            self._leads.append({state for state, edges in self.edges.items() if any(to in ahead for _, _, to in edges)})
        return self._leads[length]

    def of_length(self, length: int) -> Iterator[str]:
        """Every member of exactly `length` characters, readable ones first."""
        if self.first not in self.leads(length):
            return
        path: list[str] = []
        stack = [self._choices(self.first, length)]
        while stack:
            choice = next(stack[-1], None)
            if choice is None:
                stack.pop()
                if path:
                    path.pop()
                continue
            code, to = choice
            if len(stack) > length:
                yield "".join(path)
                stack.pop()
                if path:
                    path.pop()
                continue
            path.append(chr(code))
            stack.append(self._choices(to, length - len(path)))

    def _choices(self, state: State, left: int) -> Iterator[tuple[int, State]]:
        """The next characters with a member ahead of them: one of each kind first, then the others."""
        if left == 0:
            yield 0, state
            return
        self.spend(1)
        ahead = self.leads(left - 1)
        turns = [(charset.spread(chars), to) for chars, _, to in self.edges.get(state, ()) if to in ahead]
        while turns:
            remaining = []
            for codes, to in turns:
                code = next(codes, None)
                if code is not None:
                    yield code, to
                    remaining.append((codes, to))
            turns = remaining


def _backwards(edges: dict[State, Edges], goals: set[State]) -> set[State]:
    incoming: dict[State, list[State]] = {}
    for origin, outgoing in edges.items():
        for _, _, to in outgoing:
            incoming.setdefault(to, []).append(origin)
    reached, pending = set(goals), list(goals)
    while pending:
        for origin in incoming.get(pending.pop(), ()):
            if origin not in reached:
                reached.add(origin)
                pending.append(origin)
    return reached
