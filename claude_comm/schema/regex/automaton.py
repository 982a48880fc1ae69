"""Walks over the automaton of a term: what is its shortest member, how many are there, which come first.

Law: states are made as a walk reaches them and never beyond `MAX_STATES`; past a cap, or when the caller's `tick`
says so, the walk ends in `TooHard` and answers nothing. A bound on the length of members is kept beside the term
instead of inside it, so that `maxLength: 1000000000` costs what `maxLength: 10` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from claude_comm.schema.regex import charset, derivatives, expression
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.regex.derivatives import Beside
from claude_comm.schema.regex.expression import Term
from claude_comm.schema.regex.parser import TooHard

State: TypeAlias = tuple[Term, Beside]
Edges: TypeAlias = tuple[tuple[Chars, int, State], ...]

# About half a second of walking on one 2026 core; what people write needs tens of states, rarely hundreds.
MAX_STATES = 20_000
MAX_STEPS = 200_000
# Parts of terms that one walk may derive: about two seconds. Large terms reach this before they reach many states.
MAX_WORK = 2_000_000
# How much of that lies between two calls of the caller's tick: about a millisecond.
WORK_PER_TICK = 1_000
# Words of an enumeration that are read between two of them.
WORDS_PER_TICK = 32
# Steps that a reader remembers: a few hundred kilobytes.
MAX_KNOWN = 2_000
# A member longer than this is of no use as a witness, and would be slow to confirm.
MAX_MEMBER_CHARS = 1_000_000

_tick: ContextVar[Callable[[], None] | None] = ContextVar("tick", default=None)


@contextmanager
def watching(tick: Callable[[], None]) -> Iterator[None]:
    """Within the block, `tick()` is called about every millisecond of walking: it raises when the budget is spent."""
    token = _tick.set(tick)
    try:
        yield
    finally:
        _tick.reset(token)


def sieved(words: Iterable[str], keeps: Callable[[str], bool]) -> Iterator[str]:
    """The words that are kept; there may be tens of thousands of them."""
    tick = _tick.get()
    for count, word in enumerate(words):
        if tick is not None and not count % WORDS_PER_TICK:
            tick()
        if keeps(word):
            yield word


def start_of(term: Term) -> State:
    return _state(term, derivatives.EDGE)


def _state(term: Term, before: Beside) -> State:
    """A state carries what stands before it only where its term can tell the difference."""
    return (
        (term, before) if term.sees & (expression.SEES_START | expression.SEES_WORD) else (term, derivatives.OFF_WORD)
    )


def accepting(state: State) -> bool:
    return derivatives.matches_empty(state[0], state[1], derivatives.EDGE)


class WorkMeter:
    """Counts the work of one walk, lets the caller look at the clock, and ends what goes too far."""

    __slots__ = ("due", "tick", "work")

    def __init__(self) -> None:
        self.tick, self.work, self.due = _tick.get(), 0, 0

    def spend(self, parts: int) -> None:
        self.work += parts
        if self.work < self.due:
            return
        self.due = self.work + WORK_PER_TICK
        if self.tick is not None:
            self.tick()
        if self.work > MAX_WORK:
            raise TooHard("the walk through its states took too much work")


def step(state: State, code: int, spend: derivatives.Spend) -> State:
    term, before = state
    return _state(derivatives.past_start(derivatives.derivative(term, code, before, spend)), derivatives.beside(code))


def _deterministic(state: State) -> Iterable[State]:
    return (state,)


def _split(state: State) -> Iterable[State]:
    """The same language as a union of states: enough to find a member, and the left side is never made deterministic.

    A union on the left of an inclusion is searched part by part, as an NFA is; only what is complemented needs the
    subset construction (Rabin and Scott 1959), and that one only as far as the search goes.
    """
    term, before = state
    if term.kind == "or":
        for part in term.parts:
            yield from _split(_state(part, before))
        return
    union = next((part for part in term.parts if part.kind == "or"), None) if term.kind == "and" else None
    if union is None:
        yield state
        return
    # One union at a time: dividing several at once would multiply them.
    others = [part for part in term.parts if part is not union]
    for part in union.parts:
        yield _state(expression.intersection([part, *others]), before)


class StateGraph:
    """The states met so far from one term, with their outgoing edges."""

    def __init__(self, term: Term, *, split: bool) -> None:
        self.divide = _split if split else _deterministic
        self.edges: dict[State, Edges] = {}
        self.first = tuple(dict.fromkeys(self.divide(start_of(term))))
        self.steps = 0
        self.spend = WorkMeter().spend

    def successors(self, state: State) -> Edges:
        """Every (characters, the most readable one, next state), the most readable first, dead ends left out."""
        edges = self.edges.get(state)
        if edges is None:
            edges = self.edges[state] = self._expand(state)
        return edges

    def _expand(self, state: State) -> Edges:
        if len(self.edges) >= MAX_STATES:
            raise TooHard(f"more than {MAX_STATES:,} states")
        cells = charset.partition(derivatives.first_sets(state[0]))
        self.count(len(cells.cells))
        return tuple(
            (chars, code, following)
            for chars, code in zip(cells.cells, cells.best, strict=True)
            for following in dict.fromkeys(self.divide(step(state, code, self.spend)))
            if following[0] is not expression.NEVER
        )

    def count(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise TooHard(f"more than {MAX_STEPS:,} steps")


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


class Dfa:
    """The whole deterministic automaton of a term, without its dead ends: for counting and listing members."""

    def __init__(self, term: Term, *, partial: bool) -> None:
        graph = StateGraph(term, split=False)
        self.spend = WorkMeter().spend
        self.first = graph.first[0]
        self.complete = True
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
            self.complete = False
        self.accepting = {state for state in {self.first, *graph.edges} if accepting(state)}
        useful = _backwards(graph.edges, self.accepting)
        self.edges = {
            state: tuple(edge for edge in edges if edge[2] in useful)
            for state, edges in graph.edges.items()
            if state in useful
        }

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

    def of_length(self, length: int, leads: list[set[State]]) -> Iterator[str]:
        """Every member of exactly `length` characters, readable ones first. `leads` is shared between calls."""
        if not leads:
            leads.append(set(self.accepting))
        while len(leads) <= length:
            ahead = leads[-1]
            self.spend(len(self.edges))
            leads.append({state for state, edges in self.edges.items() if any(to in ahead for _, _, to in edges)})
        if self.first not in leads[length]:
            return
        path: list[str] = []
        stack = [self._choices(self.first, length, leads)]
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
            stack.append(self._choices(to, length - len(path), leads))

    def _choices(self, state: State, left: int, leads: list[set[State]]) -> Iterator[tuple[int, State]]:
        """The next characters with a member ahead of them: one of each kind first, then the others."""
        if left == 0:
            yield 0, state
            return
        self.spend(1)
        open_ = [(chars, to) for chars, _, to in self.edges.get(state, ()) if to in leads[left - 1]]
        turns = [(charset.spread(chars), to) for chars, to in open_]
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
