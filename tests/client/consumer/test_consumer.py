"""Consuming: at least once, each entry ending as acked or buried."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from claude_comm import AsyncConsumer, Consumer, Settings
from claude_comm.delivery.lease import MAX_DELIVERIES
from claude_comm.effects import Command
from claude_comm.envelope import decode
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.progress.events import Buried, Handled, Lifecycle
from claude_comm.transport.driver import Client
from tests.support.streams import dead, events, leases_ms, pending, publish, rows
from tests.support.waiting import wait_until


def test_what_was_sent_before_the_first_read_is_delivered_in_order(settings: Settings) -> None:
    publish(settings, "sink", *range(250))
    seen = []
    with Consumer("sink", settings=settings) as consumer:
        while len(seen) < 250:
            for delivery in consumer.read():
                seen.append(delivery.payload())
                consumer.ack(delivery)
    assert seen == list(range(250))


def test_acks_reach_the_server_as_one_batch_with_one_event(client: Client, keys: Keys, settings: Settings) -> None:
    ids = publish(settings, "sink", 1, 2, 3)
    with Consumer("sink", settings=settings) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
        assert pending(client, keys, "sink") == 3
        consumer.flush()
        assert pending(client, keys, "sink") == 0
    (handled,) = events(client, keys, "sink")
    assert isinstance(handled, Handled)
    assert [settled.id for settled in handled.deliveries] == ids
    assert all(settled.settled_us >= settled.sent_us > 0 for settled in handled.deliveries)


def test_acks_and_the_next_read_share_a_round_trip(
    settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, "sink", 1, 2)
    with Consumer("sink", settings=settings, client=client, batch=1) as consumer:
        (first,) = consumer.read()
        consumer.ack(first)
        trips: list[int] = []
        many = client.data.many
        monkeypatch.setattr(
            client.data,
            "many",
            lambda commands, wait_ms=0, *rest: [trips.append(wait_ms), many(commands, wait_ms, *rest)][1],
        )
        monkeypatch.setattr(client.data, "one", lambda command: pytest.fail(f"another round trip: {command}"))
        (second,) = consumer.read(wait_s=0.5)
        monkeypatch.undo()
        # What is left of the wait when it is sent: on a busy machine some milliseconds less.
        assert len(trips) == 1
        assert 0 < trips[0] <= 500
        assert second.payload() == 2
        assert pending(client, keys, "sink") == 1


def test_a_read_that_waits_longer_than_a_reply_may_take_is_no_failure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a server that has other things to do.
    monkeypatch.setattr("claude_comm.transport.pool.REPLY_TIMEOUT_S", 2.0)
    publish(settings, "sink", 1)
    with Consumer("sink", settings=settings) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)
        assert consumer.read(wait_s=2.5) == []


def test_refused_acks_are_kept_and_the_deliveries_that_came_with_the_refusal_too(
    settings: Settings, client: Client, keys: Keys
) -> None:
    publish(settings, "sink", 1, 2)
    with Consumer("sink", settings=settings, batch=1) as consumer:
        (first,) = consumer.read()
        consumer.ack(first)
        events_stream = keys.events("sink")
        client.data.one(Command(("SET", events_stream, "no stream")))
        (second,) = consumer.read()
        assert second.payload() == 2
        with pytest.raises(ServerRefused):
            consumer.read(wait_s=0)
        client.data.one(Command(("DEL", events_stream)))
        consumer.ack(second)
        assert consumer.read(wait_s=0) == []
        assert pending(client, keys, "sink") == 0
        (handled,) = events(client, keys, "sink")
        assert [settled.id for settled in handled.deliveries] == [first.envelope.id, second.envelope.id]


def test_a_group_that_is_lost_between_an_ack_and_a_read_is_made_anew(
    settings: Settings, client: Client, keys: Keys
) -> None:
    publish(settings, "sink", 1)
    with Consumer("sink", settings=settings) as consumer:
        (first,) = consumer.read()
        client.data.one(Command(("DEL", keys.inbox("sink"))))
        consumer.ack(first)
        assert consumer.read(wait_s=0) == []
        publish(settings, "sink", 2)
        (second,) = consumer.read()
        assert second.payload() == 2


def test_what_was_not_acked_comes_back_to_the_next_consumer_at_once_after_a_close(settings: Settings) -> None:
    publish(settings, "sink", "a", "b")
    with Consumer("sink", settings=settings) as consumer:
        first, _ = consumer.read()
        consumer.ack(first)
    with Consumer("sink", settings=settings) as consumer:
        (back,) = consumer.read()
        assert back.payload() == "b"
        consumer.ack(back)


def test_what_a_killed_consumer_held_is_claimed_after_its_lease(settings: Settings, environ: dict[str, str]) -> None:
    publish(settings, "sink", "held")
    script = "from claude_comm import Consumer\nc = Consumer('sink')\nprint(len(c.read()), flush=True)\ninput()\n"
    child = subprocess.Popen(
        [sys.executable, "-c", script], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    back: list[Any] = []
    with Consumer("sink", settings=settings, lease_s=0.2) as consumer:
        wait_until(lambda: bool(back.extend(consumer.read(wait_s=0.05)) or back))
        assert [delivery.payload() for delivery in back] == ["held"]
        assert back[0].attempts == 2
        consumer.ack(back[0])


def test_a_renewal_begins_the_lease_anew(settings: Settings, client: Client, keys: Keys) -> None:
    publish(settings, "sink", "slow")
    with Consumer("sink", settings=settings) as slow:
        (delivery,) = slow.read()
        (first,) = leases_ms(client, keys, "sink")

        def renewed() -> bool:
            slow.renew()
            return leases_ms(client, keys, "sink")[0] > first

        wait_until(renewed)
        assert [times for _, times in rows(client, keys, "sink")] == [1]
        slow.ack(delivery)


@pytest.mark.parametrize("topics", [[], ["news"]])
def test_it_says_whether_a_read_brought_all_that_it_asked_for(settings: Settings, topics: list[str]) -> None:
    """Whoever reads more and more at a time goes by it."""
    publish(settings, "sink", *range(25))
    with Consumer("sink", topics=topics, settings=settings, batch=10, instance="named") as consumer:
        filled = []
        for _ in range(4):
            for delivery in consumer.read(wait_s=0.05):
                if delivery.payload() < 20:
                    consumer.ack(delivery)
                else:
                    consumer.release(delivery)
            filled.append(consumer._subscription.filled)
    assert filled == [True, True, False, False]
    with Consumer("sink", topics=topics, settings=settings, batch=2, instance="named") as again:
        found = [(len(again.read(wait_s=0.05)), again._subscription.filled) for _ in range(3)]
    assert found == [(2, True), (2, True), (1, False)]


def test_what_another_has_claimed_is_not_taken_back_by_a_renewal(
    client: Client, keys: Keys, settings: Settings
) -> None:
    """As by a process that was stopped for longer than its lease."""
    publish(settings, "sink", "slow", "kept")
    with (
        Consumer("sink", settings=settings, instance="late", lease_s=0.3) as late,
        Consumer("sink", settings=settings, instance="other", lease_s=0.3) as other,
    ):
        late.read()
        claimed: list[Any] = []
        wait_until(lambda: bool(claimed.extend(other.read(wait_s=0.05, most=1)) or claimed))
        late.renew()
        rows = client.data.one(Command(("XPENDING", keys.inbox("sink"), "sink", "-", "+", 10)))
        owners = {row[0].decode(): row[1].decode() for row in rows}
        assert [owners.pop(one.entry.id) for one in claimed] == ["other"] * len(claimed)
        assert set(owners.values()) <= {"late"}


def test_a_failed_delivery_is_on_the_dead_stream_with_its_reason(
    client: Client, keys: Keys, settings: Settings
) -> None:
    (id_,) = publish(settings, "sink", {"n": "x"})
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read()
        consumer.fail(delivery, "no number", path="$.n")
    assert pending(client, keys, "sink") == 0
    (buried,) = dead(client, keys, "sink")
    assert (buried[b"reason"], buried[b"path"]) == (b"no number", b"$.n")
    assert decode(buried[b"e"]).id == id_
    (event,) = events(client, keys, "sink")
    assert isinstance(event, Buried)
    assert event.delivery.id == id_


def test_entries_that_are_no_envelopes_are_buried_and_the_rest_is_delivered(
    client: Client, keys: Keys, settings: Settings
) -> None:
    for fields in (("e", b"\xff\x00"), ("x", "y"), ("e", b"\x81\xa4data" + b"\x91" * 5000)):
        client.data.one(Command(("XADD", keys.inbox("sink"), "*", *fields)))
    publish(settings, "sink", "fine")
    with Consumer("sink", settings=settings) as consumer:
        (delivery,) = consumer.read()
        assert delivery.payload() == "fine"
        consumer.ack(delivery)
    assert len(dead(client, keys, "sink")) == 3


def test_a_message_that_kills_its_consumers_is_buried_in_the_end(
    client: Client, keys: Keys, settings: Settings
) -> None:
    publish(settings, "sink", "poison")
    handed_out = []

    def one_more_death() -> bool:
        consumer = Consumer("sink", settings=settings, lease_s=0.001)
        handed_out.extend(consumer.read(wait_s=0.02))
        consumer.client.close()
        return bool(dead(client, keys, "sink"))

    wait_until(one_more_death)
    assert [delivery.attempts for delivery in handed_out] == list(range(1, MAX_DELIVERIES + 1))
    (buried,) = dead(client, keys, "sink")
    assert b"kills the process" in buried[b"reason"]


def test_a_topic_is_read_by_every_module_that_asks_for_it(settings: Settings) -> None:
    publish(settings, "topic:news", "extra")
    publish(settings, "one", "direct")
    for module, expected in (("one", {"extra", "direct"}), ("two", {"extra"})):
        seen = set()
        with Consumer(module, topics=["news"], settings=settings) as consumer:
            for delivery in consumer.read():
                seen.add(delivery.payload())
                consumer.ack(delivery)
        assert seen == expected


def test_a_group_that_the_server_lost_is_made_anew(client: Client, keys: Keys, settings: Settings) -> None:
    with Consumer("sink", settings=settings) as consumer:
        assert consumer.read(wait_s=0.01) == []
        client.data.one(Command(("DEL", keys.inbox("sink"))))
        publish(settings, "sink", "again")
        found: list[Any] = []
        wait_until(lambda: bool(found.extend(consumer.read(wait_s=0.05)) or found))
        assert found[0].payload() == "again"
        consumer.ack(found[0])


def test_the_asyncio_consumer_does_the_same(client: Client, keys: Keys, settings: Settings) -> None:
    publish(settings, "sink", *range(20))

    async def scenario() -> list[int]:
        seen = []
        async with AsyncConsumer("sink", settings=settings) as consumer:
            async for delivery in consumer:
                seen.append(delivery.payload())
                if delivery.payload() == 7:
                    await consumer.fail(delivery, "seven")
                else:
                    consumer.ack(delivery)
                if len(seen) == 20:
                    consumer.stop()
        return seen

    assert asyncio.run(scenario()) == list(range(20))
    assert pending(client, keys, "sink") == 0
    assert len(dead(client, keys, "sink")) == 1


def test_events_say_when_an_instance_comes_and_goes(client: Client, keys: Keys, settings: Settings) -> None:
    from claude_comm import Module

    module = Module("m", settings=settings)
    module.on_start(lambda context: context.stop())
    assert module.run() == 0
    assert [event.state for event in events(client, keys, "m") if isinstance(event, Lifecycle)] == [
        "started",
        "stopped",
    ]
