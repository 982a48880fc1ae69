"""Request and reply, two processes: from before the call to the answer in hand, one at a time; and many at once."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.place import Place, place
from benchmarks.side_by_side import Figure, Result, rates, rounds

ROUNDS = 9
COUNT = 500
_WAYS = "benchmarks.peers.asking"


class Pair(NamedTuple):
    """Who asks, and who answers."""

    asker: Spec
    answerer: str
    words: tuple[str, ...] = ()

    def spec(self) -> Spec:
        return Spec(f"{self.asker.name} (answers)", self.answerer, self.words, self.asker.needs)


BARE = "bare XADD and XREAD, redis-py"
PAIRS = (
    Pair(Spec(BARE, f"{_WAYS}:ask_bare"), f"{_WAYS}:answer_bare"),
    Pair(Spec("claude-comm request", f"{_WAYS}:ask", ("module",)), f"{_WAYS}:answer_module", ("module",)),
    Pair(
        Spec("claude-comm request, a Consumer answers", f"{_WAYS}:ask", ("reader",)),
        *(f"{_WAYS}:answer_consumer", ("reader",)),
    ),
    Pair(Spec("claude-comm request, asyncio", f"{_WAYS}:ask_async", ("other",)), f"{_WAYS}:answer_module", ("other",)),
)

TOGETHER = 50
_MANY = ("many", str(TOGETHER))
_COROUTINES = ("coroutines", str(TOGETHER))
AT_ONCE = (
    Pair(
        Spec(
            "core NATS, from tasks", "benchmarks.peers.jetstream:ask_core", (str(TOGETHER),), needs="nats", count=2_000
        ),
        "benchmarks.peers.jetstream:answer_core",
    ),
    Pair(
        Spec(
            "core NATS, from threads",
            *("benchmarks.peers.jetstream:ask_core_from_threads", (str(TOGETHER),)),
            needs="nats",
            count=2_000,
        ),
        "benchmarks.peers.jetstream:answer_core",
    ),
    Pair(
        Spec("claude-comm request, from tasks", f"{_WAYS}:ask_from_tasks", _MANY, count=2_000),
        *(f"{_WAYS}:answer_module", ("many",)),
    ),
    Pair(
        Spec("claude-comm request, from threads", f"{_WAYS}:ask_from_threads", _MANY, count=2_000),
        *(f"{_WAYS}:answer_module", ("many",)),
    ),
    Pair(
        Spec("claude-comm request, from tasks to a coroutine", f"{_WAYS}:ask_from_tasks", _COROUTINES, count=2_000),
        *(f"{_WAYS}:answer_coroutine", ("coroutines",)),
    ),
)


def main() -> list[Result]:
    return [*_one_at_a_time(), _at_once()]


def _at_once() -> Result:
    with place(with_nats=True) as where:
        asked = installed([pair.asker for pair in AT_ONCE], where)
        # Two ways may ask the same module.
        answers = {(pair.answerer, pair.words): pair.spec() for pair in AT_ONCE if pair.asker in asked}
        with actors(list(answers.values()), where), actors(asked, where) as asking:
            ways = {name: lambda actor=actor: _timed(actor, where) for name, actor in asking.items()}
            seconds = rounds(ways, ROUNDS)
    note = f"{TOGETHER} requests of 200 bytes at once; core NATS keeps no message."
    return rates("Requests at once", seconds, {spec.name: spec.count for spec in asked}, note=note)


def _timed(actor: Actor, where: Place) -> float:
    where.tidy()
    return actor.run(actor.spec.count)[0]


def _one_at_a_time() -> list[Result]:
    with (
        place() as where,
        actors([pair.spec() for pair in PAIRS], where) as answering,
        actors([pair.asker for pair in PAIRS], where) as asking,
    ):
        taken: dict[str, list[list[float]]] = {pair.asker.name: [] for pair in PAIRS}
        for number in range(ROUNDS + 1):
            for pair in PAIRS:
                seconds = _round(asking[pair.asker.name], answering[pair.spec().name])
                if number:
                    taken[pair.asker.name].append(seconds)
    note = "Milliseconds from before the call to the answer, 200-byte requests, one at a time."
    return [Result(f"Request p{share}, round trip", "ms", _figures(taken, share), note) for share in (50, 99)]


def _round(asker: Actor, answerer: Actor) -> list[float]:
    answerer.go(COUNT)
    seconds: list[float] = asker.run(COUNT)[1]
    answerer.wait()
    return seconds


def _figures(taken: dict[str, list[list[float]]], share: int) -> list[Figure]:
    return [
        Figure(name, [1000 * statistics.quantiles(seconds, n=100)[share - 1] for seconds in all_])
        for name, all_ in taken.items()
    ]
