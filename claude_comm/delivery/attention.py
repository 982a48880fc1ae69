"""Which streams are looked at, and when: those of which there was news often, the others in rounds.

Law: every stream is looked at again within `round_s`, news or not, so news that is lost delays a look and never
prevents one. The others share a fixed number of looks a second, however many they are. Time is an argument: seconds of
a clock that does not jump.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from claude_comm.names import Stream, tag

# A look takes some 200 µs of this process and the server together: so many are one part in a hundred of a core.
LOOKS_PER_S = 50
LEAST_ROUND_S, LONGEST_ROUND_S = 5.0, 300.0
# How often a stream is looked at while it is awake.
AWAKE_EVERY_S = 1.0


def round_s(streams: int) -> float:
    """How long it takes until every one of so many streams has been looked at."""
    return min(max(streams / LOOKS_PER_S, LEAST_ROUND_S), LONGEST_ROUND_S)


class Attention:
    """The streams that are known, when each is due, and until when it is awake (`awake_s` after news)."""

    def __init__(self, awake_s: float) -> None:
        self._awake_s = awake_s
        self._streams: dict[str, Stream] = {}
        self._by_tag: dict[str, dict[str, None]] = {}
        self._due: dict[str, float] = {}
        self._awake: dict[str, float] = {}

    @property
    def streams(self) -> Collection[Stream]:
        return self._streams.values()

    def know(self, streams: Iterable[Stream]) -> None:
        """These are all there are; those that are new are due at once."""
        found = {stream.key: stream for stream in streams}
        for key in self._streams.keys() - found.keys():
            self._forget(key)
        for stream in found.values():
            self._add(stream)

    def news(self, streams: Mapping[str, Stream], now: float) -> None:
        """Something was written there, or will be: all streams of the same module are awake, since whoever handles
        what comes in one of them writes to another."""
        for stream in streams.values():
            self._add(stream)
            for key in self._by_tag[tag(stream.key)]:
                self._awake[key] = now + self._awake_s
                self._due[key] = min(self._due[key], now)

    def all_due(self) -> None:
        self._due = dict.fromkeys(self._due, 0.0)

    def awake(self, now: float) -> list[Stream]:
        """Those of which there was news."""
        self._awake = {key: until for key, until in self._awake.items() if until > now}
        return [self._streams[key] for key in self._awake]

    def due(self, now: float) -> list[Stream]:
        """Those whose time it is."""
        return [self._streams[key] for key, at in self._due.items() if at <= now]

    def looked(self, key: str, now: float, *, chance: float, moved: bool = False) -> None:
        """One was looked at. Where something `moved` there will be more; `chance`, from 0 to 1, spreads the others over
        a round, so that those that were found together do not stay together."""
        if key not in self._streams:
            return
        if moved:
            self._awake[key] = now + self._awake_s
        awake = self._awake.get(key, 0.0) > now
        self._due[key] = now + (AWAKE_EVERY_S if awake else round_s(len(self._streams)) * (0.5 + chance / 2))

    def _add(self, stream: Stream) -> None:
        if stream.key not in self._streams:
            self._streams[stream.key] = stream
            self._due[stream.key] = 0.0
            self._by_tag.setdefault(tag(stream.key), {})[stream.key] = None

    def _forget(self, key: str) -> None:
        del self._streams[key], self._due[key]
        self._awake.pop(key, None)
        mine = self._by_tag[tag(key)]
        del mine[key]
        if not mine:
            del self._by_tag[tag(key)]
