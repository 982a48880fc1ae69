"""The load as `top` and the dashboard show it: at each refresh sums from the projection, backlogs from the server."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import msgspec

from claude_comm.names import Keys, Stream
from claude_comm.ops import backlogs, follow
from claude_comm.progress.load import Backlog, HopLoad, LoadSample, ModuleLoad, Order, hop_loads, module_loads, ordered
from claude_comm.settings import Settings
from claude_comm.store.database import Database
from claude_comm.store.keep_up import KeepUp
from claude_comm.store.load import load_sample
from claude_comm.transport.driver import Client

# How much of a refresh may go into bringing the projection up to date.
CATCH_UP_S = 0.5
# Streams that are asked for their readers at one refresh: of thousands, a part each time.
STREAMS_AT_ONCE = 400
LIST_EVERY_S = 2.0
# Hops that are shown as the slowest.
SLOWEST = 5


class Load(msgspec.Struct, frozen=True):
    """One refresh; hops stand the slowest first. `current` is whether the projection had stored everything."""

    at_us: int
    modules: list[ModuleLoad]
    hops: list[HopLoad]
    current: bool

    @property
    def slowest(self) -> list[HopLoad]:
        return self.hops[:SLOWEST]


class LoadWatch:
    """What one view carries from refresh to refresh."""

    def __init__(self, client: Client, database: Database, settings: Settings) -> None:
        self._client, self._database, self._keys = client, database, Keys(settings.namespace)
        self._keep_up = KeepUp(client, database, settings)
        self._before: LoadSample | None = None
        self._read: list[Stream] = []
        self._listed_s = 0.0
        self._turn = 0
        self._backlogs: dict[str, Backlog] = {}

    def refresh(self) -> Load:
        """What goes on, since the refresh before. Raises TransportError, StoreError."""
        current = self._keep_up.refresh(CATCH_UP_S)
        now = load_sample(self._database, time.monotonic())
        self._look()
        before, self._before = self._before, now
        return Load(
            time.time_ns() // 1000,
            module_loads(before, now, self._backlogs),
            hop_loads(before, now),
            current,
        )

    def _look(self) -> None:
        now_s = time.monotonic()
        if not self._listed_s or now_s - self._listed_s > LIST_EVERY_S:
            streams = self._client.run(follow.announced(self._keys)).streams
            self._read = [stream for stream in streams if stream.kind != "events"]
            self._listed_s = now_s
        count = min(len(self._read), STREAMS_AT_ONCE)
        part = [stream.key for stream in islice(self._read * 2, self._turn, self._turn + count)]
        self._turn = (self._turn + count) % max(len(self._read), 1)
        waiting = self._client.run(backlogs.backlogs(self._keys, part, now_ms=time.time_ns() // 1_000_000))
        self._backlogs = waiting if count == len(self._read) else self._backlogs | waiting


def sorted_by(load: Load, order: Order) -> list[ModuleLoad]:
    return ordered(load.modules, order)


def as_document(load: Load, order: Order) -> dict[str, Any]:
    """One refresh as JSON."""
    return {
        "time_us": load.at_us,
        "current": load.current,
        "modules": [_flat(module) for module in sorted_by(load, order)],
        "slowest": msgspec.to_builtins(load.slowest),
    }


def _flat(module: ModuleLoad) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(module)
    return {**{name: value for name, value in fields.items() if name != "backlog"}, **fields["backlog"]}
