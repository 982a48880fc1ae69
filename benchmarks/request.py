"""Request and reply: from before the call to the answer in hand, one request at a time, two processes."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from benchmarks.actors import Actor, Spec, actors
from benchmarks.place import place
from benchmarks.side_by_side import Figure, Result

ROUNDS = 9
COUNT = 500
_WAYS = "benchmarks.peers.asking"


class Pair(NamedTuple):
    """Who asks, and who answers."""

    asker: Spec
    answerer: str
    words: tuple[str, ...] = ()

    def spec(self) -> Spec:
        return Spec(f"{self.asker.name} (answers)", self.answerer, self.words)


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


def main() -> list[Result]:
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
