"""Processes whose memory is watched: a sample a second, and the slope of each over the messages that passed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

MIB = 1024 * 1024
# Of a run's messages, those that go by before the slope is measured: pools, caches and buffers fill first.
WARM_UP = 1 / 3


class Sample(msgspec.Struct, frozen=True):
    """How many messages had passed, and the resident memory of each process in MiB."""

    at_s: float
    passed: int
    mib: dict[str, float]


class Slope(msgspec.Struct, frozen=True):
    """One process after the warm-up: MiB for every million messages, and the least and the most that it had."""

    name: str
    mib_per_million: float
    least: float
    most: float


@contextmanager
def watching(pids: Mapping[str, int], passed: Callable[[], int]) -> Iterator[list[Sample]]:
    """Samples, one a second, for as long as the block lasts."""
    samples: list[Sample] = []
    stop = threading.Event()
    begun = time.monotonic()

    def watch() -> None:
        while not stop.wait(1.0):
            mib = {name: resident_mib(pid) for name, pid in pids.items()}
            samples.append(Sample(time.monotonic() - begun, passed(), mib))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def resident_mib(pid: int) -> float:
    """What the process has in memory now (Linux)."""
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def slopes(samples: Sequence[Sample], total: int) -> list[Slope]:
    """By least squares over the samples after the warm-up, while messages passed."""
    settled = [sample for sample in samples if WARM_UP * total <= sample.passed < total]
    if len(settled) < 3:
        raise RuntimeError("too short a run for a slope: give it more messages")
    return [_slope(name, settled) for name in settled[0].mib]


def _slope(name: str, samples: Sequence[Sample]) -> Slope:
    xs = [sample.passed / 1e6 for sample in samples]
    ys = [sample.mib[name] for sample in samples]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    together = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return Slope(name, together / spread if spread else 0.0, min(ys), max(ys))
