"""Moving due messages into the streams of one consumer, whoever delayed them.

Law: a consumer that reads looks for due messages at least every `DUE_EVERY_S`, and earlier when it knows of one that is
due earlier. What moves for this version of the module is not read as new: `Handovers` takes it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from claude_comm.client.consumer.handovers import Handovers
from claude_comm.client.identity import Identity, millis
from claude_comm.effects import Operation
from claude_comm.ops import later, news
from claude_comm.ops.consume import Reader

DUE_EVERY_S = 0.5


class DueMessages:
    """The delayed messages of one consumer's streams. `at` is when to look next, in seconds of the monotonic clock."""

    def __init__(self, identity: Identity, readers: Sequence[Reader], handovers: Handovers) -> None:
        self._identity, self._readers, self._handovers = identity, readers, handovers
        self.at = 0.0

    def expect(self, wait_s: float) -> None:
        """A message of these streams is due in so many seconds."""
        self.at = min(self.at, time.monotonic() + wait_s)

    def move(self) -> Operation[None]:
        """Moves due messages into the streams, and notes when to look again; nothing before it is time."""
        if time.monotonic() < self.at:
            return
        next_ms: list[int] = []
        for reader in self._readers:
            version = self._handovers.version(reader)
            moved = yield from later.move_due(self._identity.keys, reader.stream, now_ms=millis(), version=version)
            if moved.count:
                yield from news.tell(self._identity.keys, [reader.stream])
            if moved.left:
                self._handovers.expect(reader)
            next_ms += [moved.next_ms] if moved.next_ms is not None else []
        wait_s = max(min(next_ms) - millis(), 0) / 1000 if next_ms else DUE_EVERY_S
        self.at = time.monotonic() + min(wait_s, DUE_EVERY_S)
