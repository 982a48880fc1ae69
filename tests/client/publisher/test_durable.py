"""`publish(durable="fsync")`: it returns once the server's disk has the message, or says why not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.client.publisher.attempts import Attempts
from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError, NotOnDisk
from claude_comm.names import Keys
from claude_comm.ops import publish as ops
from claude_comm.runtime import private_server
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until


@pytest.fixture
def server(home: Path) -> Settings:
    return Settings(home=home, url=f"unix://{private_server.ensure(home)}", log_level="error")


def command(client: Client, *words: str | int) -> Any:
    return client.data.one(Command(words))


def calls_of(client: Client) -> int:
    """How many WAITAOF the server has taken."""
    stats = command(client, "INFO", "commandstats").decode()
    line = next((line for line in stats.splitlines() if line.startswith("cmdstat_waitaof:")), "calls=0,")
    return int(line.partition("calls=")[2].partition(",")[0])


def bodies(client: Client, settings: Settings, target: str) -> list[bytes]:
    return [fields[1] for _, fields in command(client, "XRANGE", Keys(settings.namespace).inbox(target), "-", "+")]


def drop_file(client: Client) -> None:
    """The server keeps no file any more; with one that it begins anew it could not be stopped at once."""
    command(client, "CONFIG", "SET", "appendonly", "no")


@contextmanager
def no_flushes(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it the server writes, leaves the flushing to the system, and so never confirms a flush."""
    monkeypatch.setattr(ops, "ON_DISK_WITHIN_MS", 20)
    command(client, "CONFIG", "SET", "appendfsync", "no")
    yield
    command(client, "CONFIG", "SET", "appendfsync", "everysec")


def test_one_flight_waits_for_the_disk_once_and_keeps_its_place(server: Settings) -> None:
    with Publisher("src", settings=server) as publisher, connect(server) as client:
        soon = publisher.publish_soon("sink", "first")
        publisher.publish("sink", "second", durable="fsync")
        before = calls_of(client)
        publisher.publish_many("sink", list(range(ops.FLIGHT + 1)), durable="fsync")
        assert (calls_of(client) - before, soon.done()) == (2, True)
        sent = bodies(client, server, "sink")
        assert len(sent) == ops.FLIGHT + 3
        assert [b"first" in sent[0], b"second" in sent[1]] == [True, True]


def test_what_threads_send_meanwhile_goes_in_one_flight(server: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first waits for the disk, the others come: they wait together, not one after another."""
    flights: list[int] = []
    waiting, go = threading.Event(), threading.Event()
    deliver = Attempts.sending

    def held(self: Attempts, posts: Any, *rest: Any) -> Any:
        flights.append(len(posts))
        waiting.set()
        assert go.wait(30)
        return deliver(self, posts, *rest)

    with Publisher("src", settings=server) as publisher, connect(server) as client:
        publisher.publish("sink", 0, durable="fsync")
        monkeypatch.setattr(Attempts, "sending", held)
        threads = [threading.Thread(target=lambda: publisher.publish("sink", 1, durable="fsync")) for _ in range(8)]
        threads[0].start()
        assert waiting.wait(30)
        for thread in threads[1:]:
            thread.start()
        queue = publisher._durable._batcher._queue
        wait_until(lambda: len(queue.messages) == 7)
        go.set()
        for thread in threads:
            thread.join()
        assert (flights, len(bodies(client, server, "sink"))) == ([1, 7], 9)


def test_tasks_of_a_loop_wait_together(server: Settings) -> None:
    async def send() -> int:
        async with AsyncPublisher("src", settings=server) as publisher:
            await publisher.publish("sink", 0, durable="fsync")
            with connect(server) as client:
                before = calls_of(client)
                await asyncio.gather(*(publisher.publish("sink", number, durable="fsync") for number in range(50)))
                await publisher.publish_many("sink", [1, 2], durable="fsync")
                assert len(bodies(client, server, "sink")) == 53
                return calls_of(client) - before

    assert asyncio.run(send()) <= 4


def test_a_flush_that_is_not_confirmed_is_told(server: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with Publisher("src", settings=server) as publisher, connect(server) as client:
        publisher.publish("sink", 0, durable="fsync")
        with (
            no_flushes(client, monkeypatch),
            pytest.raises(NotOnDisk, match=r"longer than 0\.02 s\. .*would be delivered twice"),
        ):
            publisher.publish("sink", 1, durable="fsync")
        assert len(bodies(client, server, "sink")) == 2
        # A server that has lost its file since it was asked.
        drop_file(client)
        with pytest.raises(NotOnDisk, match="appendonly is disabled"):
            publisher.publish("sink", 2, durable="fsync")


def test_a_server_without_a_file_is_refused_before_anything_is_sent(server: Settings) -> None:
    with Publisher("src", settings=server) as publisher, connect(server) as client:
        drop_file(client)
        with pytest.raises(ConfigurationError, match=r"appendonly is disabled.*use an outbox"):
            publisher.publish("sink", 1, durable="fsync")
        with pytest.raises(ConfigurationError, match=r"`appendonly yes`"):
            publisher.publish_many("sink", [1], durable="fsync")
        assert bodies(client, server, "sink") == []


def test_what_cannot_be_had_is_refused_by_name(server: Settings, tmp_path: Path) -> None:
    with Publisher("src", settings=server) as publisher:
        with pytest.raises(ConfigurationError, match="durable is 'disk': it is 'fsync'"):
            publisher.publish("sink", 1, durable="disk")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="`delay_s` or `at`"):
            publisher.publish("sink", 1, delay_s=1, durable="fsync")
        with pytest.raises(ConfigurationError, match="`delay_s` or `at`"):
            publisher.publish_many("sink", [1], at=datetime.now(UTC), durable="fsync")
    with (
        Publisher("kept", settings=server, outbox=tmp_path / "outbox") as kept,
        pytest.raises(ConfigurationError, match="without an outbox"),
    ):
        kept.publish("sink", 1, durable="fsync")
    cluster = Settings(home=server.home, url="redis+cluster://127.0.0.1:1", log_level="error")
    with Publisher("src", settings=cluster) as far, pytest.raises(ConfigurationError, match="not for a cluster"):
        far.publish("sink", 1, durable="fsync")
