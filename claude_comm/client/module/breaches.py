"""Messages that break the contract of the module that reads them, and are handed over all the same: its mode is `warn`.

Law: each place in each type of message is said when it is first met, and again when its count reaches ten, a hundred,
and so on: a log that repeats itself for each message is not read.
"""

from __future__ import annotations

import threading
from collections import Counter

from claude_comm.envelope import Envelope
from claude_comm.telemetry.logs import EventLog

# Different places that are counted; what comes after them is counted as one.
_MOST_PLACES = 1_000
_ELSEWHERE = "elsewhere"


class Breaches:
    """The breaches of one module, by type of message and place. Handlers on several threads may note them at once."""

    def __init__(self) -> None:
        self.log: EventLog | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, envelope: Envelope, path: str, sentence: str) -> None:
        place = envelope.type, path
        with self._lock:
            if place not in self._counts and len(self._counts) >= _MOST_PLACES:
                place = envelope.type, _ELSEWHERE
            self._counts[place] += 1
            count = self._counts[place]
        if self.log is not None and _is_power_of_ten(count):
            self.log.warning(
                "contract.broken",
                id=envelope.id,
                source=envelope.source,
                type=envelope.type,
                path=place[1],
                why=sentence,
                count=count,
            )


def _is_power_of_ten(count: int) -> bool:
    while count % 10 == 0:
        count //= 10
    return count == 1
