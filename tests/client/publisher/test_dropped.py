"""A publisher that is dropped without `close` sends what it was given, and leaves no thread and no descriptor."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from claude_comm import AsyncConsumer, AsyncPublisher, Publisher, Settings
from claude_comm.store.outbox import Outbox
from claude_comm.transport.driver import Client
from tests.support.streams import sent
from tests.support.waiting import PATIENCE_S, wait_until

COUNT = 5
DESCRIPTORS = Path("/proc/self/fd")
pytestmark = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="this system has no list of descriptors")


def held() -> tuple[int, int]:
    """How many threads and descriptors this process has."""
    gc.collect()
    return threading.active_count(), len(list(DESCRIPTORS.iterdir()))


def no_more_than(before: tuple[int, int]) -> bool:
    return all(now <= then for now, then in zip(held(), before, strict=True))


def test_what_was_published_soon_is_sent_and_nothing_stays(settings: Settings, client: Client) -> None:
    before = held()
    for number in range(COUNT):
        Publisher("dropped", settings=settings).publish_soon("sink", number)
    wait_until(lambda: no_more_than(before), what="the end of threads and connections")
    assert sorted(envelope.payload() for envelope in sent(client, settings, "sink")) == list(range(COUNT))


def test_an_outbox_is_let_go_of(settings: Settings, client: Client, tmp_path: Path) -> None:
    before = held()
    Publisher("dropped", settings=settings, outbox=tmp_path / "box").publish("sink", 1)
    wait_until(lambda: no_more_than(before), what="the end of the outbox's thread and files")
    Outbox(tmp_path / "box").close()
    assert len(sent(client, settings, "sink")) == 1


@pytest.mark.long
def test_the_thread_that_reads_replies_ends_with_its_read(settings: Settings, client: Client) -> None:
    before = held()
    publisher = Publisher("dropped", settings=settings)
    publisher._requests._start()
    del publisher
    wait_until(lambda: no_more_than(before), what="the end of the thread")


def test_an_event_loop_keeps_no_connection_of_those_that_are_gone(settings: Settings, client: Client) -> None:
    async def drop() -> None:
        async with AsyncPublisher("kept", settings=settings) as publisher:
            await publisher.publish("sink", -1)
            before = held()
            for number in range(COUNT):
                await (await AsyncPublisher("dropped", settings=settings).publish_soon("sink", number))
                await AsyncConsumer("sink", settings=settings).read()
            async with asyncio.timeout(PATIENCE_S):
                while not no_more_than(before):
                    await asyncio.sleep(0.01)

    asyncio.run(drop())
    assert len(sent(client, settings, "sink")) == COUNT + 1
