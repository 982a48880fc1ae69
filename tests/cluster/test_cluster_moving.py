"""Slots that move while messages are sent and handled: none lost, none doubled, and each source in its order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from claude_comm import AsyncPublisher, Consumer, Publisher, Settings
from claude_comm.names import Keys
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from tests.support.masters import Masters, modules_on_all
from tests.support.waiting import wait_until

MOVES = 8


def send(settings: Settings, source: str, targets: list[str], stop: threading.Event) -> int:
    """Batches and single messages, each numbered, until told to stop; how many to each target."""
    sent = 0
    with Publisher(source, settings=settings) as publisher:
        while not stop.is_set():
            for target in targets:
                publisher.publish_many(target, range(sent, sent + 20))
            for number in range(sent + 20, sent + 30):
                for target in targets:
                    publisher.publish_soon(target, number)
            publisher.flush()
            sent += 30
    return sent


async def send_async(settings: Settings, source: str, targets: list[str], stop: threading.Event) -> int:
    sent = 0
    async with AsyncPublisher(source, settings=settings) as publisher:
        while not stop.is_set():
            pairs = [(target, number) for number in range(sent, sent + 30) for target in targets]
            await asyncio.gather(*(publisher.publish(target, number) for target, number in pairs))
            sent += 30
    return sent


def handle(settings: Settings, module: str, seen: list[tuple[str, int]], stop: threading.Event) -> None:
    with Consumer(module, settings=settings) as consumer:
        while not stop.is_set():
            for delivery in consumer.read(wait_s=0.05):
                seen.append((delivery.envelope.source, delivery.payload()))
                consumer.ack(delivery)


def test_nothing_is_lost_or_doubled_and_order_is_kept_while_slots_move(settings: Settings, masters: Masters) -> None:
    keys = Keys(settings.namespace)
    targets = modules_on_all(masters, settings.namespace, 3)
    sending, handling = threading.Event(), threading.Event()
    sent: dict[str, int] = {}
    seen: dict[str, list[tuple[str, int]]] = {target: [] for target in targets}

    def note(source: str, work: Callable[[], int]) -> None:
        sent[source] = work()

    threads = [
        threading.Thread(target=note, args=("one", lambda: send(settings, "one", targets, sending))),
        threading.Thread(target=note, args=("two", lambda: asyncio.run(send_async(settings, "two", targets, sending)))),
    ]
    readers = [threading.Thread(target=handle, args=(settings, name, seen[name], handling)) for name in targets]
    for thread in [*threads, *readers]:
        thread.start()
    try:
        for number in range(MOVES):
            before = min(map(len, seen.values()))
            moved = keys.inbox(targets[number % 3])
            masters.move(moved) if number % 2 else masters.move_at_once(moved)
            wait_until(lambda before=before: min(map(len, seen.values())) > before + 30)  # type: ignore[misc]
    finally:
        sending.set()
        for thread in threads:
            thread.join()
        wait_until(lambda: all(len(got) >= sum(sent.values()) for got in seen.values()))
        handling.set()
        for thread in readers:
            thread.join()
    assert set(sent) == {"one", "two"}
    for got in seen.values():
        for source, count in sent.items():
            assert [number for by, number in got if by == source] == list(range(count))
    with connect(settings) as client, open_database(settings.database) as database:
        catch_up(client, database, keys, max_bytes=100_000)
        rows = database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages")
        assert rows == [(3 * sum(sent.values()),) * 2]
        handled = database.rows("SELECT count(*) FROM deliveries WHERE status = 'handled' AND attempts = 1")
        assert handled == [(3 * sum(sent.values()),)]


@pytest.mark.parametrize("way", ["key by key", "at once"])
def test_the_projection_goes_on_where_it_was_when_a_stream_has_moved(
    settings: Settings, masters: Masters, way: str
) -> None:
    """The stream keeps its ids, so nothing looks as if its server had lost data."""
    keys = Keys(settings.namespace)
    with (
        connect(settings) as client,
        open_database(settings.database) as database,
        Publisher("source", settings=settings) as publisher,
    ):
        publisher.publish_many("sink", range(10))
        assert catch_up(client, database, keys, max_bytes=100_000) == 10
        (masters.move if way == "key by key" else masters.move_at_once)(keys.inbox("sink"))
        publisher.publish_many("sink", range(10))
        assert catch_up(client, database, keys, max_bytes=100_000) == 10
        assert database.rows("SELECT DISTINCT epoch FROM checkpoints") == [(1,)]
