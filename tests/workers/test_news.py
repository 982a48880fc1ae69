"""Many streams at rest: a worker looks at those of which there was news, and at the others in rounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.delivery import attention
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import consume, later, news
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until
from workers import janitor
from workers.janitor import Janitor

MANY = 300


@contextmanager
def cleaning(settings: Settings) -> Iterator[Janitor]:
    """A janitor on a thread, once it has looked at everything."""
    stop = threading.Event()
    with connect(settings) as client:
        worker = Janitor(client, settings, stop, get_logger("error"))
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            known = worker._attention
            wait_until(
                lambda: worker._kept is not None and not known.due(time.monotonic()), what="it has looked at all"
            )
            yield worker
        finally:
            stop.set()
            thread.join()


def scripts(client: Client) -> int:
    text = client.data.one(Command(("INFO", "commandstats")))
    rows = (text.decode() if isinstance(text, bytes) else str(text)).splitlines()
    return sum(int(row.split("calls=")[1].split(",")[0]) for row in rows if row.startswith("cmdstat_evalsha:"))


@pytest.fixture
def no_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """News is all that a worker goes by."""
    monkeypatch.setattr(attention, "LEAST_ROUND_S", 1e6)
    monkeypatch.setattr(attention, "LONGEST_ROUND_S", 1e6)
    monkeypatch.setattr(janitor, "LIST_EVERY_S", 1e6)


def test_a_janitor_at_rest_looks_at_no_more_streams_a_second_than_it_may(
    settings: Settings, client: Client, keys: Keys
) -> None:
    client.run(consume.announce(keys, [keys.inbox(f"m{number}") for number in range(MANY)]))
    with cleaning(settings):
        since, before = time.monotonic(), scripts(client)
        wait_until(lambda: time.monotonic() - since > 2.0, what="some turns")
        looks, taken_s = scripts(client) - before, time.monotonic() - since
    # All of them would be 300 and more in every second; some seconds' share may be due at once.
    assert looks <= (taken_s + 2) * 2 * attention.LOOKS_PER_S < (taken_s + 2) * MANY / 2


@pytest.mark.usefixtures("no_rounds")
def test_news_wakes_it_for_a_stream_that_it_knew_and_for_a_new_one(
    settings: Settings, client: Client, keys: Keys
) -> None:
    client.run(consume.announce(keys, [keys.inbox("known")]))
    with cleaning(settings), Publisher("src", settings=settings) as publisher:
        for target in ("known", "fresh", "topic:fresh"):
            publisher.publish(target, 1, delay_s=0.05)
        streams = [keys.stream(target) for target in ("known", "fresh", "topic:fresh")]
        wait_until(lambda: all(client.data.one(Command(("XLEN", stream))) == 1 for stream in streams))


@pytest.mark.usefixtures("no_rounds")
def test_what_is_due_long_after_the_news_is_moved_in_its_time(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janitor, "AWAKE_S", 0.6)
    with cleaning(settings) as worker, Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 1, delay_s=2.0)
        moved = lambda: client.data.one(Command(("XLEN", keys.inbox("sink")))) == 1  # noqa: E731
        wait_until(lambda: keys.inbox("sink") in worker._due_ms or moved(), what="it was seen")
        wait_until(lambda: not worker._attention.awake(time.monotonic()), what="it sleeps again")
        wait_until(moved)


def test_what_nobody_told_of_is_found_in_a_round(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an older release writes it, or as news that was lost."""
    monkeypatch.setattr(attention, "LEAST_ROUND_S", 0.5)
    inbox = keys.inbox("sink")
    client.run(consume.announce(keys, [inbox]))
    with cleaning(settings):
        client.data.one(Command(("ZADD", keys.later("sink"), 1, later.member(b"old", 0))))
        wait_until(lambda: client.data.one(Command(("XLEN", inbox))) == 1)


def test_more_news_than_is_kept_is_known_to_be_lost(client: Client, keys: Keys) -> None:
    client.run(news.tell(keys, [keys.inbox("a")]))
    position = client.run(news.now(keys))
    assert client.run(news.after(keys, position)) == news.News({}, position)
    client.run(news.tell(keys, [keys.inbox("b"), keys.topic("t")]))
    told = client.run(news.after(keys, position))
    assert (sorted(told.streams), told.lost) == ([keys.inbox("b"), keys.topic("t")], False)
    client.data.one(Command(("XTRIM", keys.news, "MAXLEN", 0)))
    client.run(news.tell(keys, [keys.inbox("c")]))
    assert client.run(news.after(keys, position)).lost


def test_a_consumer_tells_that_its_module_writes_events_and_does_so_seldom(
    settings: Settings, client: Client, keys: Keys
) -> None:
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(20))
    with Consumer("sink", settings=settings, batch=1) as consumer:
        (first,) = consumer.read()
        position = client.run(news.now(keys))
        consumer.ack(first)
        for _ in range(10):
            for delivery in consumer.read():
                consumer.ack(delivery)
        assert client.run(news.after(keys, position)).streams == {}
        consumer._subscription._settler.tell_at = 0.0
        consumer.flush()
        assert list(client.run(news.after(keys, position)).streams) == [keys.events("sink")]
        consumer._subscription._settler.tell_at = 0.0
        (delivery,) = consumer.read()
        consumer.fail(delivery, "no")
        assert client.run(news.after(keys, position)).last_id != position


def test_a_publisher_tells_once_in_a_while_and_not_for_each_message(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Publisher("src", settings=settings) as publisher:
        for number in range(50):
            publisher.publish("sink", number)
        assert client.data.one(Command(("XLEN", keys.news))) == 1
        monkeypatch.setattr("claude_comm.client.publisher.attempts.ANNOUNCE_EVERY_S", 0.0)
        publisher.publish("sink", 50)
        assert client.data.one(Command(("XLEN", keys.news))) == 2
