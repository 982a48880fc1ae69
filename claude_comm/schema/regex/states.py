"""The states of a term's automaton, made as a walk reaches them.

Law: a walk never makes more than `MAX_STATES` states; past a cap, or when the caller's `tick` raises, it ends without
an answer. A state is a term together with the kind of the character that stands before it.

Theory of operation. The terms that come up when a term is derived by one character after the other are finitely many,
up to associativity, commutativity and idempotence (Brzozowski, "Derivatives of Regular Expressions", JACM 11(4), 1964):
they are the states of a deterministic automaton, and a state accepts when its term matches the empty string. No
automaton is ever built as a whole for this. A state is derived when a search first asks for its successors, and most
questions end long before most states exist.

- Characters are taken a class at a time. `first_sets` gives the sets that a term looks at, `charset.partition` the
  coarsest classes that none of them cuts (minterms): all characters of a class lead to the same state.
- A union on its own, or below one intersection, is searched alternative by alternative, as an NFA is (`_split`). So in
  "is A within B?", asked as "is `A and not B` empty?", only B is made deterministic, and only along what A can do.

Worked example: is `^(a|b)*a$` within `^(a|b)*$`? The first state is the intersection of `(a|b)*a` and the complement of
`(a|b)*`. Reading `a` leaves the intersection of `(a|b)*a | empty` and that complement. By alternatives it is the first
state again, and the empty string that is not in `(a|b)*`, which is nothing. Reading `b` leads back to the first state,
any other character to nothing. There is one state, and it does not accept: the answer is yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeAlias

from claude_comm.schema.regex import charset, derivatives, expression
from claude_comm.schema.regex.charset import Chars
from claude_comm.schema.regex.derivatives import Beside
from claude_comm.schema.regex.errors import TooHard
from claude_comm.schema.regex.expression import Term

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

_tick: ContextVar[Callable[[], None] | None] = ContextVar("tick", default=None)


class watching:  # noqa: N801  (called like the function that it would be, at four times the cost)
    """Within the block, `tick()` is called about every millisecond of walking: it raises when the budget is spent."""

    __slots__ = ("_tick", "_token")

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick

    def __enter__(self) -> None:
        self._token = _tick.set(self._tick)

    def __exit__(self, *_: object) -> None:
        _tick.reset(self._token)


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
    following = derivatives.past_start(derivatives.derivative(term, code, before, spend))
    return _state(following, derivatives.beside(code, following.sees))


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
