"""The registered modules as one client knows them: their contracts in a catalogue, and which of their instances live.

Law: everything is read once; after that the stream of changes says which modules to read again, and one command the
heartbeats of all. A directory that may have missed changes reads everything again. What was read is put in place at
once, and never changed after that: a thread may go on with what it has while another one reads.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping

from claude_comm.discovery.catalogue import Catalogue
from claude_comm.effects import Command, Operation
from claude_comm.names import Keys
from claude_comm.ops import changes, door, registry
from claude_comm.ops.heartbeats import GONE_MS
from claude_comm.ops.registry import Standing
from claude_comm.registry.changes import RENEGOTIATED
from claude_comm.registry.contracts import UnreadableContract

# A follower that was away for longer than this takes everything for changed: the stream is short.
_AWAY_S = 60.0


class ModuleDirectory:
    """What one client knows. `unreadable` are the modules whose record or contract another program wrote."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.catalogue = Catalogue({})
        self.unreadable: set[str] = set()
        self._standings: dict[str, Standing] = {}
        self._beats: dict[str, int] = {}
        self._position = ""
        self._looked_at = float("-inf")

    def refreshing(self, *, now_ms: int, wait_ms: int = 0) -> Operation[None]:
        """Brings it up to date; waits up to `wait_ms` for a change, and not at all for the first look."""
        now = time.monotonic()
        away, self._looked_at = now - self._looked_at > _AWAY_S, now
        if away or not self._position:
            yield from self._read_all(now_ms)
            return
        news = yield from changes.since(self._keys, self._position, wait_ms=wait_ms)
        self._position, self._looked_at = news.position, time.monotonic()
        if not news.whole:
            yield from self._read_all(now_ms)
            return
        now_ms += int((self._looked_at - now) * 1000)
        scores = yield Command(
            ("ZRANGEBYSCORE", self._keys.instances, now_ms - GONE_MS, "+inf", "WITHSCORES"), on="control"
        )
        self._beats = dict(door.scored(scores))
        changed = {change.module for change in news.changes if change.kind in RENEGOTIATED}
        yield from self._read(changed | set(self._strangers()), now_ms)

    def live(self, *, now_ms: int) -> dict[str, int]:
        """How many instances of each live release are alive, by the digest of its contract."""
        counts: dict[str, int] = {}
        for standing in self._standings.values():
            releases = {release.digest for release in standing.record.live()}
            for instance in standing.instances:
                beat_ms = max(instance.beat_ms, self._beats.get(f"{standing.module}/{instance.name}", 0))
                if instance.digest in releases and beat_ms >= now_ms - GONE_MS:
                    counts[instance.digest] = counts.get(instance.digest, 0) + 1
        return counts

    def all(self, *, now_ms: int) -> dict[str, int]:
        """The same, with the live releases of which no instance is alive."""
        releases = (release.digest for standing in self._standings.values() for release in standing.record.live())
        return dict.fromkeys(releases, 0) | self.live(now_ms=now_ms)

    def _strangers(self) -> Iterator[str]:
        """The modules of instances that are heard and not known."""
        known = {f"{module}/{i.name}" for module, standing in self._standings.items() for i in standing.instances}
        for member in self._beats.keys() - known:
            module = member.partition("/")[0]
            if module in self._standings or module not in self.unreadable:
                yield module

    def _read_all(self, now_ms: int) -> Operation[None]:
        # The position first: what changes while everything is read is read again.
        self._position = yield from changes.position(self._keys)
        directory = yield from registry.everyone(self._keys, now_ms=now_ms)
        self.unreadable = {error.module for error in directory.unreadable}
        self._beats = {}
        yield from self._take({standing.module: standing for standing in directory.modules}, {})

    def _read(self, modules: Collection[str], now_ms: int) -> Operation[None]:
        """Reads these modules again."""
        read: dict[str, Standing] = {}
        unreadable = self.unreadable - set(modules)
        for module in sorted(modules):
            try:
                standing = yield from registry.standing(self._keys, module, now_ms=now_ms)
            except UnreadableContract:
                unreadable.add(module)
                continue
            if standing is not None:
                read[module] = standing
        if modules:
            self.unreadable = unreadable
            others = {module: standing for module, standing in self._standings.items() if module not in modules}
            yield from self._take(read, others)

    def _take(self, read: Mapping[str, Standing], others: Mapping[str, Standing]) -> Operation[None]:
        """Puts the contracts of the modules that were read into the catalogue; those that stand no more leave it."""
        wanted = [(module, release.digest) for module, s in read.items() for release in s.record.live()]
        contracts = yield from registry.contracts_of(self._keys, wanted)
        self.unreadable = self.unreadable | {module for module, digest in wanted if digest not in contracts}
        standings = {**others, **read}
        listed = {release.digest for s in standings.values() for release in s.record.live()}
        self.catalogue = self.catalogue.updated(contracts, listed)
        self._standings = standings
