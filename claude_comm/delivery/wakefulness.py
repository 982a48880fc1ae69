"""Which streams a projection reads all the time, and which it only looks at in rounds.

Law: a stream is awake for `awake_s` after news of it and after each entry that was read; the others sleep. Every one
that sleeps is looked at within a round, news or not: a round takes a bounded number of streams a second, however many
there are. Time is an argument: seconds of a clock that does not jump.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from claude_comm.names import Stream, tag


class Wakefulness:
    """The streams that are known, by key, and until when each is awake."""

    def __init__(self, awake_s: float) -> None:
        self._awake_s = awake_s
        self._streams: dict[str, Stream] = {}
        self._by_tag: dict[str, list[str]] = {}
        self._until: dict[str, float] = {}
        self._rounds: deque[str] = deque()

    @property
    def streams(self) -> Mapping[str, Stream]:
        return self._streams

    @property
    def awake(self) -> list[Stream]:
        """Those to read."""
        return [self._streams[key] for key in self._until]

    def know(self, streams: Iterable[Stream]) -> list[str]:
        """There are these as well; the keys of those that nobody knew."""
        new = [stream for stream in streams if stream.key not in self._streams]
        for stream in new:
            self._streams[stream.key] = stream
            self._by_tag.setdefault(tag(stream.key), []).append(stream.key)
        return [stream.key for stream in new]

    def wake(self, keys: Collection[str], now: float) -> list[str]:
        """These are or will be written to, and so are the other streams of their modules: whoever handles what comes in
        one writes to another. The keys of those that slept."""
        siblings = dict.fromkeys(sibling for key in keys for sibling in self._by_tag[tag(key)])
        slept = [key for key in siblings if key not in self._until]
        self._until.update(dict.fromkeys(siblings, now + self._awake_s))
        return slept

    def read(self, keys: Collection[str], now: float) -> None:
        """Entries came from these: each stays awake."""
        self._until.update(dict.fromkeys((key for key in keys if key in self._streams), now + self._awake_s))

    def rest(self, now: float) -> None:
        """Those that had no news and no entry for so long sleep."""
        self._until = {key: until for key, until in self._until.items() if until > now}

    def forget(self, keys: Iterable[str]) -> None:
        """These are no streams after all."""
        for key in keys:
            if self._streams.pop(key, None) is not None:
                self._until.pop(key, None)
                self._by_tag[tag(key)].remove(key)

    def next_asleep(self, most: int) -> list[str]:
        """The next of a round through those that sleep."""
        if not self._rounds:
            self._rounds.extend(self._streams)
        taken = (self._rounds.popleft() for _ in range(min(most, len(self._rounds))))
        return [key for key in taken if key in self._streams and key not in self._until]
