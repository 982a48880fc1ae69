"""A publisher under chaos: numbers its messages for each target and records which publishes returned.

`python -m tests.chaos.publisher SOURCE RECORD QUIET --targets ...`; it publishes nothing while the file QUIET exists,
and ends on SIGTERM. Started again, it goes on with the numbers after those it had tried.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from claude_comm import Publisher
from claude_comm.errors import ClaudeCommError, StoreError, TransportError
from claude_comm.runtime.environment import settings_of_process
from tests.chaos import tamper
from tests.chaos.record import DELAYED, FLAKY, PLAIN, Recorder, mark, read

BATCH = 12
# One message in so many fails at first, where the target may be sent such.
FLAKY_SHARE = 0.05
QUIET_LOOK_S = 0.05


class Source:
    """One publisher, its numbers and its record."""

    def __init__(self, publisher: Publisher, record: Path, *, patient: bool) -> None:
        self._publisher, self._patient = publisher, patient
        self._next: dict[str, int] = {}
        for words in read(record):
            if words[0] == "T":
                self._next[words[1]] = max(self._next.get(words[1], 0), int(words[3]) + 1)
        self._record = Recorder(record)

    def send(self, target: str) -> int:
        """Sends some messages to the target in one of the ways there are; how many."""
        ways: list[Callable[[str], int]] = [self._one, self._many, self._soon]
        if not self._patient:
            ways.append(self._later)
        if target == "pool" and random.random() < FLAKY_SHARE * len(ways):
            return self._one(target, FLAKY)
        return random.choice(ways)(target)

    def _one(self, target: str, type_: str = PLAIN) -> int:
        (number,) = self._try(target, type_, 1)
        self._told(target, [number], lambda: self._publisher.publish(target, self._mark(target, number), type=type_))
        return 1

    def _later(self, target: str) -> int:
        (number,) = self._try(target, DELAYED, 1)
        at = datetime.now(UTC) + timedelta(seconds=random.uniform(0.02, 0.4))
        payload = self._mark(target, number)
        self._told(target, [number], lambda: self._publisher.publish(target, payload, type=DELAYED, at=at))
        return 1

    def _many(self, target: str) -> int:
        numbers = self._try(target, PLAIN, random.randint(2, BATCH))
        payloads = [self._mark(target, number) for number in numbers]
        self._told(target, numbers, lambda: self._publisher.publish_many(target, payloads, type=PLAIN))
        return len(numbers)

    def _soon(self, target: str) -> int:
        numbers = self._try(target, PLAIN, random.randint(2, BATCH))
        promises = [self._publisher.publish_soon(target, self._mark(target, n), type=PLAIN) for n in numbers]
        for number, promise in zip(numbers, promises, strict=True):
            self._told(target, [number], promise.result)
        return len(numbers)

    def _try(self, target: str, type_: str, count: int) -> list[int]:
        first = self._next.get(target, 0)
        self._next[target] = first + count
        numbers = list(range(first, first + count))
        self._record.lines(f"T {target} {type_} {number}" for number in numbers)
        return numbers

    def _told(self, target: str, numbers: list[int], publish: Callable[[], object]) -> None:
        try:
            publish()
        except ClaudeCommError as error:
            self._record.lines(f"X {target} {number} {type(error).__name__}" for number in numbers)
        else:
            self._record.lines(f"R {target} {number}" for number in numbers)

    def _mark(self, target: str, number: int) -> object:
        return mark(self._publisher.source, target, number, "x" * random.choice((0, 20, 200)))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("record", type=Path)
    parser.add_argument("quiet", type=Path)
    parser.add_argument("--targets", nargs="+", required=True)
    parser.add_argument("--per-second", type=float, default=60.0)
    parser.add_argument("--outbox", type=Path)
    tamper.add_options(parser)
    given = parser.parse_args()
    tamper.apply(given)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    publisher = opened(given, stop)
    if publisher is None:
        return 0
    with publisher:
        source = Source(publisher, given.record, patient=given.outbox is not None)
        while not stop.is_set():
            sent = 0 if given.quiet.exists() else source.send(random.choice(given.targets))
            stop.wait(random.expovariate(given.per_second / sent) if sent else QUIET_LOOK_S)
    return 0


def opened(given: argparse.Namespace, stop: threading.Event) -> Publisher | None:
    """As any program does that finds its server away, or its outbox locked, as it starts: it tries again."""
    while not stop.is_set():
        try:
            return Publisher(given.source, settings=settings_of_process(), outbox=given.outbox)
        except (TransportError, StoreError):
            stop.wait(0.1)
    return None


if __name__ == "__main__":
    sys.exit(main())
