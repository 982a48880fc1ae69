"""Measuring several ways of doing a thing in turn, A B C A B C ..., so that a machine's mood touches all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One way's rounds: a rate (more is better) or a time (less is better) each."""

    name: str
    rounds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


class Result(msgspec.Struct, frozen=True):
    """What was measured, in which unit, way by way; the rounds of all ways are pairs, number by number."""

    title: str
    unit: str
    figures: Sequence[Figure]
    note: str = ""

    def ratio(self, name: str, baseline: str) -> float:
        """The median of one way over another, round by round."""
        mine, theirs = (self[which].rounds for which in (name, baseline))
        return statistics.median(mine_ / theirs_ for mine_, theirs_ in zip(mine, theirs, strict=True))

    def __getitem__(self, name: str) -> Figure:
        return next(figure for figure in self.figures if figure.name == name)

    def __contains__(self, name: str) -> bool:
        return any(figure.name == name for figure in self.figures)


def rounds(ways: Mapping[str, Callable[[], float | None]], count: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one round that does not count. A way may return its own seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(count + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            own = way()
            if number:
                seconds[name].append(time.perf_counter() - started if own is None else own)
    return seconds


def rates(title: str, seconds: Mapping[str, list[float]], items: Mapping[str, int], *, note: str = "") -> Result:
    """Messages a second."""
    figures = [Figure(name, [items[name] / taken for taken in all_]) for name, all_ in seconds.items()]
    return Result(title, "messages/s", figures, note)


def processor(
    title: str, spent_s: Mapping[str, Sequence[float]], items: Mapping[str, int], *, note: str = ""
) -> Result:
    """Microseconds of a processor for each message."""
    figures = [Figure(name, [1e6 * spent / items[name] for spent in all_]) for name, all_ in spent_s.items()]
    return Result(title, "µs", figures, note)


def times(title: str, seconds: Mapping[str, list[float]], *, note: str = "") -> Result:
    """Milliseconds."""
    return Result(title, "ms", [Figure(name, [taken * 1000 for taken in all_]) for name, all_ in seconds.items()], note)
