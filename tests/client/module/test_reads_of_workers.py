"""How workers that are threads read: ahead while more waits than one read brings, and else once for all that comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.module import prefetch
from claude_comm.client.module.prefetch import Prefetcher
from claude_comm.delivery.flow_control import Ahead
from claude_comm.effects import Command
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until

BATCH = 10


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    with Publisher("source", settings=settings) as opened:
        yield opened


@pytest.fixture
def prefetcher(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prefetcher]:
    """Of one worker, which waits for as long as the test does."""
    monkeypatch.setattr(prefetch, "_READ_WAIT_S", PATIENCE_S)
    options = Options(batch=BATCH, lease_s=30.0, prefetch_bytes=1 << 20)
    subscription = Subscription("sink", (), settings, "reader", options)
    outage = Outage(get_logger("error"))
    yield Prefetcher(client, subscription, outage, Ahead(4 * BATCH, 1), *(2 * [lambda: None]))
    client.run(subscription.leaving())


def taken(prefetcher: Prefetcher, count: int) -> list[int]:
    """The next ones, handled and acked."""
    found = []
    for _ in range(count):
        delivery = prefetcher.take()
        assert delivery is not None
        prefetcher._subscription.in_flight.ack(delivery)
        found.append(delivery.payload())
    return found


def reads(client: Client) -> int:
    told = client.data.one(Command(("INFO", "commandstats")))
    text = told.decode() if isinstance(told, bytes) else str(told)
    found = [line for line in text.splitlines() if line.startswith("cmdstat_xreadgroup:")]
    return int(found[0].split("calls=")[1].split(",")[0]) if found else 0


def test_what_comes_together_costs_one_read_where_a_read_brings_all(
    prefetcher: Prefetcher, publisher: Publisher, client: Client
) -> None:
    """As requests of senders that wait for their answers: nothing more can have come while they were handled."""
    publisher.publish_many("sink", range(3))
    assert taken(prefetcher, 3) == [0, 1, 2]
    before, found = reads(client), list[int]()
    for burst in (range(3, 6), range(6, 9)):
        worker = threading.Thread(target=lambda: found.extend(taken(prefetcher, 3)))
        worker.start()
        wait_until(lambda: _waits(client), what="the worker waits at the server")
        publisher.publish_many("sink", burst)
        worker.join()
    assert found == list(range(3, 9))
    # The first message of a burst may end the wait by itself.
    assert reads(client) - before <= 4


def test_where_more_waits_than_a_read_brings_the_next_is_on_its_way(
    prefetcher: Prefetcher, publisher: Publisher
) -> None:
    publisher.publish_many("sink", range(6 * BATCH))
    found: list[int] = []
    ahead = []
    while len(found) < 6 * BATCH:
        found += taken(prefetcher, 1)
        ahead.append(prefetcher._subscription.requested > 0)
    assert found == list(range(6 * BATCH))
    assert any(ahead)


def test_what_is_sent_together_ends_a_wait_together(settings: Settings, client: Client, publisher: Publisher) -> None:
    """Else the first of them would be handled, acked and told of by itself each time."""
    publisher.publish_many("sink", range(BATCH))
    with Consumer("sink", settings=settings) as consumer, ThreadPoolExecutor(1) as thread:
        assert len(consumer.read()) == BATCH
        for _ in range(3):
            reading = thread.submit(consumer.read, wait_s=PATIENCE_S)
            wait_until(lambda: _waits(client), what="the consumer waits at the server")
            publisher.publish_many("sink", range(BATCH))
            assert [delivery.payload() for delivery in reading.result()] == list(range(BATCH))


def _waits(client: Client) -> bool:
    told = client.data.one(Command(("INFO", "clients")))
    text = told.decode() if isinstance(told, bytes) else str(told)
    return "blocked_clients:0" not in text
