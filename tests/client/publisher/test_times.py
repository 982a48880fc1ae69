"""Messages with a time: those that are to be sent later, and those that expire."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claude_comm import AsyncConsumer, AsyncPublisher, Consumer, Context, Module, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.progress.events import Buried
from claude_comm.transport.driver import Client
from claude_comm.transport.pool import ConnectionPool
from tests.support.later import waiting
from tests.support.modules import collector, running
from tests.support.streams import dead, events, pending
from tests.support.waiting import wait_until


def test_a_delayed_message_is_handed_out_when_it_is_due_and_not_before(
    client: Client, keys: Keys, settings: Settings
) -> None:
    with Publisher("src", settings=settings) as publisher, Consumer("sink", settings=settings) as consumer:
        start, at = time.monotonic(), datetime.now(UTC) + timedelta(seconds=0.2)
        publisher.publish("sink", "now", at=datetime.now(UTC) - timedelta(seconds=5))
        id_ = publisher.publish("sink", "later", delay_s=0.4)
        publisher.publish("sink", "at", at=at)
        seen: list[tuple[str, float]] = []

        def read() -> bool:
            for delivery in consumer.read(wait_s=2):
                seen.append((delivery.payload(), time.monotonic() - start))
                assert delivery.payload() != "later" or delivery.envelope.id == id_
                consumer.ack(delivery)
            return len(seen) == 3

        wait_until(read)
    assert [payload for payload, _ in seen] == ["now", "at", "later"]
    assert seen[1][1] > 0.19
    assert seen[2][1] > 0.39
    assert waiting(client, keys, "sink") == 0


def test_a_message_may_wait_for_a_topic(client: Client, keys: Keys, settings: Settings) -> None:
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("topic:news", "extra", delay_s=0.05)
    assert waiting(client, keys, "topic:news") == 1
    for name in ("one", "two"):
        with Consumer(name, topics=["news"], settings=settings) as consumer:
            found: list[Any] = []
            wait_until(lambda reader=consumer, into=found: bool(into.extend(reader.read(wait_s=0.1)) or into))  # type: ignore[misc]
            assert [delivery.payload() for delivery in found] == ["extra"]
            consumer.ack(found[0])


def test_a_delayed_publish_that_is_sent_again_is_one_message(
    client: Client, keys: Keys, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reply was lost: the second attempt has the same bytes."""
    lost: list[int] = []
    ask = ConnectionPool.one

    def cut_off(self: ConnectionPool, command: Command) -> Any:
        reply = ask(self, command)
        if command.args[0] == "ZADD" and not lost:
            lost.append(1)
            raise ServerUnreachable(self.url, "cut off")
        return reply

    monkeypatch.setattr(ConnectionPool, "one", cut_off)
    monkeypatch.setattr("claude_comm.client.publisher.attempts.RETRY_WAITS_S", (0.0,))
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", 1, delay_s=30)
    assert lost
    assert waiting(client, keys, "sink") == 1


def test_a_handler_sends_later_what_it_does_not_want_to_send_now(settings: Settings) -> None:
    first = Module("first", settings=settings)
    second, seen = Module("second", settings=settings), []

    @first.handles()
    def relay(payload: int, context: Context) -> None:
        context.send("second", payload, delay_s=0.1, ttl_s=60)

    @second.handles()
    def receive(payload: int, context: Context) -> None:
        seen.append(context.envelope)

    with Publisher("src", settings=settings) as publisher:
        id_ = publisher.publish("first", 1, session="s")
    with running(first), running(second):
        wait_until(lambda: bool(seen))
    assert (seen[0].session, seen[0].causation) == ("s", id_)
    assert 90_000 < seen[0].not_before - seen[0].time <= 100_000
    assert seen[0].expires - seen[0].not_before == 60_000_000


def test_an_expired_message_is_buried_and_not_handled(client: Client, keys: Keys, settings: Settings) -> None:
    module, seen = collector(settings, str)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", "stale", ttl_s=0.01)
        publisher.publish("sink", "stale later", delay_s=0.01, ttl_s=0.01)
        publisher.publish("sink", "fresh", ttl_s=60)
        time.sleep(0.05)
    with running(module):
        wait_until(lambda: len(dead(client, keys, "sink")) == 2 and bool(seen))
    assert seen == ["fresh"]
    assert [one[b"reason"] for one in dead(client, keys, "sink")] == [b"expired"] * 2
    assert [event.reason for event in events(client, keys, "sink") if isinstance(event, Buried)] == ["expired"] * 2


def test_a_consumer_without_handlers_is_not_handed_an_expired_message_either(
    client: Client, keys: Keys, settings: Settings
) -> None:
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", "stale", ttl_s=0)
        publisher.publish("sink", "fresh")
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read()
        assert delivery.payload() == "fresh"
        consumer.ack(delivery)
    assert [one[b"reason"] for one in dead(client, keys, "sink")] == [b"expired"]


def test_a_message_that_expires_while_another_is_handled_is_not_handled(
    client: Client, keys: Keys, settings: Settings
) -> None:
    module, seen = Module("sink", settings=settings), []

    @module.handles()
    def handle(payload: str) -> None:
        seen.append(payload)
        time.sleep(0.5)

    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", "slow")
        publisher.publish("sink", "in a hurry", ttl_s=0.4)
        with running(module):
            wait_until(lambda: bool(dead(client, keys, "sink")))
    assert seen == ["slow"]


def test_what_is_no_time_is_refused_before_anything_is_sent(settings: Settings, client: Client, keys: Keys) -> None:
    with Publisher("src", settings=settings) as publisher, pytest.raises(ConfigurationError, match="time zone"):
        publisher.publish("sink", 1, at=datetime(2030, 1, 1))
    assert client.data.one(Command(("EXISTS", keys.inbox("sink"), keys.later("sink")))) == 0


def test_the_asyncio_twins_do_the_same(client: Client, keys: Keys, settings: Settings) -> None:
    async def scenario() -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        async with AsyncPublisher("src", settings=settings) as publisher:
            await publisher.publish("sink", 1, delay_s=0.05, ttl_s=60)
            await publisher.publish("sink", 2, at=datetime.now(UTC) + timedelta(seconds=0.1))
        async with AsyncConsumer("sink", settings=settings) as consumer:
            async for delivery in consumer:
                seen.append((delivery.payload(), delivery.attempts))
                if seen[-1] == (1, 1):
                    await consumer.retry(delivery, wait_s=0.2, reason="once more")
                else:
                    consumer.ack(delivery)
                if len(seen) == 3:
                    consumer.stop()
        return seen

    assert asyncio.run(scenario()) == [(1, 1), (2, 1), (1, 2)]
    assert (waiting(client, keys, "sink"), pending(client, keys, "sink")) == (0, 0)
