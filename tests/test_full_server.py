"""A server whose memory is full: publishers are refused, all else goes on, and that makes room again."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.effects import Command
from claude_comm.errors import ServerRefused
from claude_comm.names import JANITOR_WORKER, PROGRESS_WORKER, Keys
from claude_comm.ops import heartbeats, server
from claude_comm.runtime import private_server
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until

ROOM = 12 * 1024 * 1024
BODY = "x" * 2000


@pytest.fixture
def full(home: Path) -> Settings:
    """A server of its own with little room."""
    settings = Settings(home=home, url=f"unix://{private_server.ensure(home)}", log_level="error")
    with connect(settings) as client:
        used = client.run(server.facts()).memory_bytes
        client.data.one(Command(("CONFIG", "SET", "maxmemory", used + ROOM)))
    return settings


@pytest.fixture
def workers(full: Settings) -> Iterator[None]:
    """The progress worker and the janitor, as they are by default."""
    environ = child_environ(CLAUDE_COMM_HOME=str(full.home), CLAUDE_COMM_URL=full.url)
    children = [
        subprocess.Popen([sys.executable, "-m", f"workers.{name}"], env=environ)
        for name in (PROGRESS_WORKER, JANITOR_WORKER)
    ]
    with connect(full) as client:
        for name in (PROGRESS_WORKER, JANITOR_WORKER):
            wait_until(lambda name=name: bool(alive(client, full, name)))  # type: ignore[misc]
    yield
    for child in children:
        child.terminate()
        assert child.wait(PATIENCE_S) == 0


def alive(client: Client, settings: Settings, name: str) -> list[str]:
    now_ms = time.time_ns() // 1_000_000
    return client.run(heartbeats.workers_alive(Keys(settings.namespace), name, now_ms=now_ms))


def fill(publisher: Publisher) -> list[str]:
    """Publishes until the server refuses; the ids of what it took."""
    ids = []
    with pytest.raises(ServerRefused) as caught:  # noqa: PT012  (which of them is refused, nobody knows)
        while True:
            ids.append(publisher.publish("sink", BODY))
    assert caught.value.code == "OOM"
    return ids


@pytest.mark.long
def test_publishers_are_refused_and_go_on_when_the_consumer_has_made_room(full: Settings, workers: None) -> None:
    """The consumer starts only then: it registers, joins, handles, acks, retries and buries on the full server."""
    seen: list[str] = []
    module = Module("sink", settings=full, retry=RetryPolicy(attempts=2, first_wait_s=0.05))

    @module.handles()
    def handle(data: str) -> None:
        seen.append(data)

    @module.handles("broken")
    def fail(_: str) -> None:
        raise ValueError("never")

    with Publisher("src", settings=full) as publisher, connect(full) as client:
        publisher.publish("sink", "x", type="broken")
        publisher.publish("sink", "x", type="unknown")
        ids = fill(publisher)
        assert len(ids) > 3000
        # Well beyond its limit, so that no buffer that happens to be freed lets anything through.
        client.data.one(Command(("CONFIG", "SET", "maxmemory", client.run(server.facts()).memory_bytes - ROOM // 10)))
        with pytest.raises(ServerRefused):
            client.data.one(Command(("SET", "k", "v")))
        running = threading.Thread(target=module.run)
        running.start()
        try:
            again: list[str] = []

            def goes_on() -> bool:
                try:
                    while len(again) <= 1000:
                        again.append(publisher.publish("sink", BODY))
                except ServerRefused:
                    return False
                return True

            wait_until(goes_on, what="the publisher")
            assert alive(client, full, PROGRESS_WORKER)
            wait_until(lambda: len(seen) >= len(ids) + len(again))
            assert len(seen) == len(ids) + len(again)
        finally:
            module.stop()
            running.join(PATIENCE_S)
    with open_database(full.database) as database:
        rows = "SELECT count(*), count(DISTINCT message_id) FROM messages"
        wait_until(lambda: database.rows(rows) == [(len(seen) + 2, len(seen) + 2)])
        states = "SELECT status, count(*) FROM deliveries GROUP BY status ORDER BY status"
        wait_until(lambda: database.rows(states) == [("buried", 2), ("handled", len(seen))])
