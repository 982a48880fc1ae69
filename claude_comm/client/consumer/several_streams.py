"""Reading the new entries of several streams: an inbox and topics, as one operation.

Law: each stream has an equal share of a read, and all of them together bring no more than was asked for. An entry that
comes while the read waits ends the wait, whichever stream it is on.

On one server that is one XREADGROUP over all streams, whose COUNT is of each of them: a share is what was asked for,
divided by the number of streams; what quiet streams leave of theirs is read of the others in another round trip. On a
cluster, where the streams lie in several slots, each has a command of its own, and one alone is waited for.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from claude_comm.effects import Operation
from claude_comm.errors import ServerRefused, TransportError
from claude_comm.ops import consume as ops
from claude_comm.ops.consume import Entry, Reader

NewEntries: TypeAlias = tuple[Reader, list[Entry]]

# On a cluster, how long one read waits for one stream before the others are read again: at first, and when nothing has
# come for a while.
_FIRST_TURN_MS, _TURN_MS = 4, 100


class SeveralStreams:
    """The streams of one consumer. `filled`: whether the last read may have left something behind. `failed`: what one
    of them met while others brought something; entries of it may be pending for this consumer.

    `give_back` takes entries that there is no room for: whoever has room claims them, before what is newer.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        give_back: Callable[[Reader, Sequence[Entry]], Operation[None]],
        *,
        on_cluster: bool,
    ) -> None:
        self._readers, self._give_back, self._on_cluster = deque(readers), give_back, on_cluster
        self.filled = False
        self.failed: TransportError | None = None

    def new(self, wait_ms: int, count: int) -> Operation[list[NewEntries]]:
        """New entries of all streams, an equal share of each, together no more than that many."""
        # Who comes first changes, so that where there is room for few, each has its turn.
        self._readers.rotate(-1)
        self.failed = None
        readers = list(self._readers)
        if count < len(readers):
            return (yield from self._few(readers, wait_ms, count))
        arrived: list[NewEntries] = []
        left = count
        while 0 < len(readers) <= left:
            share = left // len(readers)
            try:
                part = yield from self._shares(readers, 0 if arrived else wait_ms, share)
            except ServerRefused as refusal:
                if not arrived:
                    raise
                # The next read meets it again; what the first look brought is ours to handle.
                self.filled, self.failed = True, refusal
                return arrived
            arrived += part
            left -= sum(len(entries) for _, entries in part)
            # What a quiet stream left of its share is there for those that have more.
            readers = [reader for reader, entries in part if len(entries) == share]
        self.filled = bool(readers) or not left
        return arrived

    def _shares(self, readers: Sequence[Reader], wait_ms: int, share: int) -> Operation[list[NewEntries]]:
        """New entries of these streams, up to so many of each."""
        if not self._on_cluster:
            try:
                return (yield from ops.read_together(readers, count=share, block_ms=wait_ms))
            except ServerRefused as refusal:
                if refusal.code != "CROSSSLOT":
                    raise
                # A plain address, and a cluster of one master behind it.
                self._on_cluster = True
        return (yield from self._apart(readers, wait_ms, share))

    def _few(self, readers: Sequence[Reader], wait_ms: int, count: int) -> Operation[list[NewEntries]]:
        """The same where there is room for fewer entries than there are streams."""
        arrived: list[NewEntries] = []
        left = count
        for reader in readers:
            entries = (yield from ops.read(reader, count=left, block_ms=0)) if left else []
            arrived += [(reader, entries)] if entries else []
            left -= len(entries)
        self.filled = not left
        if arrived or not wait_ms:
            return arrived
        if self._on_cluster:
            # Looked at side by side, and for a turn only: those that there is no room for come first in the next.
            readers, wait_ms = readers[:count], min(wait_ms, _TURN_MS)
        arrived = yield from self._shares(readers, wait_ms, 1)
        for reader, entries in arrived[count:]:
            # Two came at the same moment.
            yield from self._give_back(reader, entries)
        self.filled = len(arrived) >= count
        return arrived[:count]

    def _apart(self, readers: Sequence[Reader], wait_ms: int, share: int) -> Operation[list[NewEntries]]:
        """The same on a cluster, where one command cannot wait for streams of several slots: it waits for one of them,
        and looks at all in between, seldom when nothing comes."""
        deadline = time.monotonic() + wait_ms / 1000
        turn_ms = _FIRST_TURN_MS
        while True:
            arrived, failed = yield from ops.read_apart(readers, count=share)
            self.failed = failed or self.failed
            left_ms = int((deadline - time.monotonic()) * 1000)
            if not arrived and left_ms > 0:
                entries = yield from ops.read(readers[0], count=share, block_ms=min(turn_ms, left_ms))
                arrived = [(readers[0], entries)] if entries else []
                turn_ms = min(2 * turn_ms, _TURN_MS)
            if arrived or left_ms <= 0:
                return arrived
