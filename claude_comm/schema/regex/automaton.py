"""Searches in the automaton of a term: a shortest member, whether there is one, and membership.

Law: every answer is exact, or `TooHard` is raised. A bound on the length of members is kept beside the term instead of
inside it, so that `maxLength: 1000000000` costs what `maxLength: 10` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from claude_comm.schema.regex import charset, expression
from claude_comm.schema.regex.errors import TooHard
from claude_comm.schema.regex.expression import Term
from claude_comm.schema.regex.states import State, StateGraph, WorkMeter, accepting, start_of, step

# Steps that a matcher remembers: a few hundred kilobytes.
MAX_KNOWN = 2_000
# A member longer than this is of no use as a witness, and would be slow to confirm.
MAX_MEMBER_CHARS = 1_000_000


def shortest(term: Term, low: int, high: int | None) -> str | None:
    """A shortest member of `term` between `low` and `high` characters long; None if there is none."""
    graph = StateGraph(term, split=True)
    layers = _Layers(graph, low)
    nearest = _nearest(graph, layers.at(low), high if high is None else high - low)
    if nearest is None:
        return None
    if low > MAX_MEMBER_CHARS:
        raise TooHard(f"the shortest member has more than {MAX_MEMBER_CHARS:,} characters")
    root, tail = nearest
    return layers.path_to(root, low) + tail


def is_empty(term: Term, low: int, high: int | None) -> bool:
    graph = StateGraph(term, split=True)
    return _nearest(graph, _Layers(graph, low).at(low), high if high is None else high - low) is None


class _Layers:
    """Which states lie exactly n steps from the start, for n up to `low`.

    The sequence of these sets repeats from some point on (there are finitely many), so that a distant one is looked
    up in its period: lengths of members are ultimately periodic (Parikh's theorem over one letter).
    """

    def __init__(self, graph: StateGraph, low: int) -> None:
        self.graph = graph
        # Each in the order in which it was met: a set's own follows addresses, which differ from process to process.
        self.sets: list[dict[State, None]] = [dict.fromkeys(graph.first)]
        self.back_to = -1
        seen = {frozenset(self.sets[0]): 0}
        while len(self.sets) <= low:
            graph.count(len(self.sets[-1]))
            following = dict.fromkeys(to for state in self.sets[-1] for _, _, to in graph.successors(state))
            known = frozenset(following)
            if known in seen:
                self.back_to = seen[known]
                return
            seen[known] = len(self.sets)
            self.sets.append(following)

    def at(self, n: int) -> dict[State, None]:
        if n < len(self.sets):
            return self.sets[n]
        return self.sets[self.back_to + (n - self.back_to) % (len(self.sets) - self.back_to)]

    def path_to(self, state: State, n: int) -> str:
        """A readable string that leads from the start to `state` in exactly `n` steps."""
        incoming: dict[State, list[tuple[int, State]]] = {}
        if n:
            for origin, edges in self.graph.edges.items():
                for _, code, to in edges:
                    incoming.setdefault(to, []).append((code, origin))
            for pairs in incoming.values():
                pairs.sort(key=lambda pair: charset.rank(pair[0]))
        path: list[str] = []
        for k in range(n - 1, -1, -1):
            layer = self.at(k)
            code, state = next((code, origin) for code, origin in incoming[state] if origin in layer)
            path.append(chr(code))
        return "".join(reversed(path))


def _nearest(graph: StateGraph, roots: Iterable[State], limit: int | None) -> tuple[State, str] | None:
    """The nearest accepting state within `limit` steps of `roots`, as the root and the string that leads there."""
    came: dict[State, tuple[State, int] | None] = dict.fromkeys(roots)
    queue = deque((state, 0) for state in came)
    while queue:
        state, depth = queue.popleft()
        if accepting(state):
            return _trace(came, state)
        if limit is not None and depth >= limit:
            continue
        for _, code, to in graph.successors(state):
            if to not in came:
                came[to] = (state, code)
                queue.append((to, depth + 1))
    return None


def _trace(came: dict[State, tuple[State, int] | None], state: State) -> tuple[State, str]:
    path: list[str] = []
    while (step_ := came[state]) is not None:
        state, code = step_
        path.append(chr(code))
    return state, "".join(reversed(path))


class Matcher:
    """Membership, one lookup a character once a state has been met. Safe to share: it only ever forgets."""

    def __init__(self, term: Term) -> None:
        self.first = start_of(term)
        self.known: dict[tuple[State, int], State] = {}

    def accepts(self, text: str) -> bool:
        state, spend = self.first, WorkMeter().spend
        for char in text:
            if state[0] is expression.NEVER or state[0] is expression.ALL:
                break
            key = (state, ord(char))
            following = self.known.get(key)
            if following is None:
                if len(self.known) >= MAX_KNOWN:
                    self.known = {}
                following = self.known[key] = step(state, ord(char), spend)
            state = following
        return accepting(state)
