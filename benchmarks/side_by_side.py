"""Measuring several ways of doing a thing in turn, A B C A B C ..., so that a machine's mood touches all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def rounds(ways: Mapping[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(count + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def report(seconds: Mapping[str, list[float]], *, baseline: str, items: int = 1, unit: str = "s") -> None:
    """A line a way: median, spread, and the median ratio to the baseline, pair by pair."""
    for name, taken in seconds.items():
        median = statistics.median(taken)
        ratio = statistics.median(mine / theirs for mine, theirs in zip(taken, seconds[baseline], strict=True))
        shown = f"{items / median:12,.0f} {unit}/s" if items > 1 else f"{median * 1000:9.1f} ms"
        print(f"{name:34} {shown}   x{ratio:6.2f}   min {min(taken) * 1000:.1f} ms, max {max(taken) * 1000:.1f} ms")
