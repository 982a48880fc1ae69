"""What a view is made from: the server, the projection and the load, opened for one request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from claude_comm.client.identity import micros
from claude_comm.client.load_watch import Load, LoadWatch
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store.database import Database, open_database
from claude_comm.store.rates import RateCounter
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

# The load is looked at this often at the most, however many look at pages.
_LOOK_S = 0.9


class System(msgspec.Struct, frozen=True):
    """One moment of the system; `load` is as of the last look."""

    client: Client
    database: Database
    settings: Settings
    keys: Keys
    load: Load
    rates: RateCounter
    now_us: int

    @property
    def now_ms(self) -> int:
        return self.now_us // 1000


class Source:
    """Where the systems of all requests come from. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opening, self._looking = threading.Lock(), threading.Lock()
        self._client: Client | None = None
        self._watch: LoadWatch | None = None
        self._watched: Database | None = None
        self._load = Load(0, [], [], current=False)
        self._looked_s = 0.0
        self._rates = RateCounter()

    @contextmanager
    def system(self) -> Iterator[System]:
        """Raises TransportError or StoreError."""
        client = self._connected()
        with self._database() as database:
            load = self._looked(client)
            yield System(client, database, self.settings, Keys(self.settings.namespace), load, self._rates, micros())

    def close(self) -> None:
        with self._opening:
            if self._watched is not None:
                self._watched.close()
            if self._client is not None:
                self._client.close()
            self._client = self._watch = self._watched = None

    def _database(self) -> Database:
        return open_database(self.settings.database, max_payload_bytes=self.settings.projection_payload_bytes)

    def _connected(self) -> Client:
        with self._opening:
            if self._client is None:
                self._client = connect(self.settings)
            return self._client

    def _looked(self, client: Client) -> Load:
        """The load as of now or a moment ago: one request looks, and the others go on with what was seen before."""
        if time.monotonic() - self._looked_s < _LOOK_S or not self._looking.acquire(blocking=not self._looked_s):
            return self._load
        try:
            if self._watch is None:
                self._watched = self._database()
                self._watch = LoadWatch(client, self._watched, self.settings)
            self._load = self._watch.refresh()
            self._looked_s = time.monotonic()
            return self._load
        finally:
            self._looking.release()
