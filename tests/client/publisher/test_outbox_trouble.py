"""The outbox in trouble: its order while the server is full for a moment, what a full disk refused, a deleted file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.client.publisher import attempts, outbox_sender
from claude_comm.envelope import decode
from claude_comm.errors import PublisherFull, StoreError
from claude_comm.names import Keys
from claude_comm.ops import publish as ops
from claude_comm.runtime import private_server
from tests.chaos import wires
from tests.support.waiting import wait_until

FILLER = "x" * 1000
BATCH, BATCHES = 200, 8


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.02)
    monkeypatch.setattr(attempts, "FULL_WAITS_S", (0.001, 0.001))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "src.outbox"


@pytest.fixture
def server(home: Path) -> Settings:
    return Settings(home=home, url=f"unix://{private_server.ensure(home)}", log_level="error")


@contextmanager
def full_for_moments(settings: Settings) -> Iterator[None]:
    """Between any two reads of the server, in the midst of a pipeline too, its memory is full or has room."""
    stop = threading.Event()

    def flip() -> None:
        with redis.Redis(unix_socket_path=settings.url.removeprefix("unix://")) as admin:
            while not stop.is_set():
                admin.config_set("maxmemory", 1)
                admin.config_set("maxmemory", 0)

    flipping = threading.Thread(target=flip)
    flipping.start()
    try:
        yield
    finally:
        stop.set()
        flipping.join()


def arrived(settings: Settings, target: str = "sink") -> list[int]:
    """The numbers in the stream, each where it came first."""
    with redis.Redis(unix_socket_path=settings.url.removeprefix("unix://")) as client:
        entries: Any = client.xrange(Keys(settings.namespace).inbox(target))
    return list(dict.fromkeys(decode(fields[b"e"]).payload()[0] for _, fields in entries))


def payloads(batch: int) -> list[tuple[int, str]]:
    return [(number, FILLER) for number in range(batch * BATCH, (batch + 1) * BATCH)]


@pytest.mark.parametrize("way", ["publish", "publish_many", "publish_soon", "asyncio"])
def test_its_order_holds_while_the_server_is_full_for_moments(server: Settings, path: Path, way: str) -> None:
    async def with_tasks() -> None:
        async with AsyncPublisher("src", settings=server, outbox=path) as publisher:
            for batch in range(BATCHES):
                await asyncio.gather(*(publisher.publish("sink", payload) for payload in payloads(batch)))

    def send(publisher: Publisher) -> None:
        for batch in range(BATCHES):
            if way == "publish_many":
                publisher.publish_many("sink", payloads(batch))
                continue
            for payload in payloads(batch)[: BATCH // 4 if way == "publish" else BATCH]:
                (publisher.publish if way == "publish" else publisher.publish_soon)("sink", payload)
        publisher.flush()

    with full_for_moments(server):
        if way == "asyncio":
            asyncio.run(with_tasks())
        else:
            with Publisher("src", settings=server, outbox=path) as publisher:
                send(publisher)
    count = BATCHES * (BATCH // 4 if way == "publish" else BATCH)
    with Publisher("src", settings=server, outbox=path):
        wait_until(lambda: len(arrived(server)) == count, what="all that was kept is sent")
    assert arrived(server) == sorted(arrived(server))


class FullDisk:
    """The next commits find the disk full."""

    def __init__(self) -> None:
        self.full = False

    def before(self, names: Any) -> None:
        if self.full and "COMMIT" in names:
            import sqlite3

            raise sqlite3.OperationalError("database or disk is full")

    def after(self, names: Any) -> None:
        pass


def test_what_a_full_disk_refused_is_not_held(server: Settings, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 3600.0)
    disk = FullDisk()
    off = wires.on_sqlite(disk)
    try:
        with Publisher("src", settings=server, outbox=path, max_outbox_bytes=5000, on_full="refuse") as publisher:
            assert publisher._outbox is not None
            outbox = publisher._outbox.outbox
            publisher.publish("sink", 0)
            before = outbox.held_bytes
            disk.full = True
            for _ in range(20):
                with pytest.raises(StoreError, match="full"):
                    publisher.publish("sink", FILLER)
            with pytest.raises(StoreError):
                outbox.drop({1: before})
            assert outbox.held_bytes == before
            disk.full = False
            publisher.publish("sink", 1)
            publisher.publish_many("sink", [FILLER] * 5)
            with pytest.raises(PublisherFull):
                publisher.publish("sink", 2)
    finally:
        off()
    # Where messages are in the stream was not forgotten by the writes that failed.
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.02)
    with Publisher("src", settings=server, outbox=path) as publisher:
        assert publisher._outbox is not None
        assert publisher._outbox.outbox.unsent(limit=10) == []


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_is_deleted_under_it_is_noticed(server: Settings, path: Path, how: str) -> None:
    with Publisher("src", settings=server, outbox=path) as publisher:
        publisher.publish("sink", (0, ""))
        path.unlink()
        if how == "replaced":
            path.write_bytes(b"")
        with pytest.raises(StoreError, match=r"deleted or replaced while it was in use.*not kept"):
            publisher.publish("sink", (1, ""))
    path.unlink(missing_ok=True)
    with Publisher("src", settings=server, outbox=path) as publisher:
        publisher.publish("sink", (2, ""))
    assert arrived(server) == [0, 2]


def test_each_stream_keeps_its_order_however_large_its_messages_are(
    server: Settings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one step of one stream, and more than travels together of several."""
    monkeypatch.setattr(ops, "STEP", 7)
    monkeypatch.setattr(ops, "STEP_BYTES", 5_000)
    numbers = [*range(60)]
    with Publisher("src", settings=server, outbox=path) as publisher:
        for number in numbers:
            publisher.publish_soon(("sink", "other", "third")[number % 3], (number, "x" * (number % 10) * 1_000))
        publisher.publish_many("sink", [(number, "") for number in range(60, 90)])
    assert arrived(server) == [*numbers[::3], *range(60, 90)]
    assert arrived(server, "other") == numbers[1::3]
    assert arrived(server, "third") == numbers[2::3]
