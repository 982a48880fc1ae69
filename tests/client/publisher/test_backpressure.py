"""Backpressure: publishers are held while the inbox that they send to is too long."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Sequence

import msgspec
import pytest

from claude_comm import AsyncPublisher, Consumer, Context, Module, Publisher, Settings
from claude_comm.client.identity import millis
from claude_comm.client.publisher.backpressure import DEFAULT_LAG_WAIT_S
from claude_comm.effects import Command, Operation
from claude_comm.errors import ConfigurationError, InboxFull, PublisherBusy, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops import lag, projection_progress, registration, registry
from claude_comm.ops.heartbeats import ALIVE_MS
from claude_comm.registry.contracts import contract
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until


@pytest.fixture
def limited(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, max_lag=100)


def drain(settings: Settings, count: int) -> None:
    with Consumer("sink", settings=settings, batch=count) as consumer:
        for delivery in consumer.read():
            consumer.ack(delivery)


def length(client: Client, settings: Settings) -> int:
    return int(client.data.one(Command(("XLEN", Keys(settings.namespace).inbox("sink")))))


def test_what_is_too_much_is_refused_with_the_target_the_lag_and_the_limit(limited: Settings, client: Client) -> None:
    with Publisher("src", settings=limited, on_lag="refuse") as publisher:
        for number in range(100):
            publisher.publish("sink", number)
        with pytest.raises(
            InboxFull, match="100 messages wait in the inbox of 'sink' for sink; its limit is 100"
        ) as caught:
            publisher.publish("sink", 100)
        assert (caught.value.target, caught.value.lag, caught.value.limit) == ("sink", 100, 100)
        assert length(client, limited) == 100
        publisher.publish("topic:news", 1)
        publisher.publish("other", 1)
        drain(limited, 40)
        publisher.publish_many("sink", range(40))
        with pytest.raises(InboxFull):
            publisher.publish_many("sink", range(2))
        with pytest.raises(InboxFull):
            publisher.publish_soon("sink", 1)
        publisher._responders.saw("sink")
        with pytest.raises(InboxFull):
            publisher.request("sink", 1)
        assert length(client, limited) == 140


def test_with_wait_it_goes_on_when_the_consumer_has_caught_up(limited: Settings, client: Client) -> None:
    """The inbox never holds more than its limit, whoever is faster."""
    deepest = 0
    stop = threading.Event()

    def consume() -> None:
        nonlocal deepest
        with Consumer("sink", settings=limited, batch=10) as consumer:
            while not stop.is_set():
                deliveries = consumer.read(wait_s=0.05)
                (group,) = consumer.client.data.one(Command(("XINFO", "GROUPS", Keys(limited.namespace).inbox("sink"))))
                deepest = max(deepest, group[b"lag"])
                for delivery in deliveries:
                    consumer.ack(delivery)

    thread = threading.Thread(target=consume)
    thread.start()
    with Publisher("src", settings=limited) as publisher:
        for number in range(1500):
            publisher.publish("sink", number)
        for number in range(1500):
            publisher.publish_soon("sink", number)
        publisher.flush()
    wait_until(lambda: length(client, limited) == 3000)
    stop.set()
    thread.join()
    assert 0 < deepest <= 100


def test_who_is_interrupted_while_it_looks_for_room_is_not_waited_for_by_the_interruption(limited: Settings) -> None:
    with Publisher("src", settings=limited) as publisher, publisher._looking:
        with pytest.raises(PublisherBusy):
            publisher.publish("sink", 1)
        with pytest.raises(PublisherBusy):
            publisher.publish_soon("sink", 1)


def waited_s(error: InboxFull) -> float:
    """As the error's sentence has it."""
    return float(re.search(r"waited (\d+\.\d) s", str(error))[1])  # type: ignore[index]


def test_waiting_has_an_end(limited: Settings) -> None:
    with Publisher("src", settings=limited, lag_wait_s=0.2) as publisher:
        publisher.publish_many("sink", range(100))
        with pytest.raises(InboxFull) as ended:
            publisher.publish("sink", 1)
        assert 0.2 <= waited_s(ended.value) < DEFAULT_LAG_WAIT_S
    with Publisher("src", settings=limited) as publisher:
        publisher._responders.saw("sink")
        with pytest.raises(InboxFull) as ended:
            publisher.request("sink", 1, timeout_s=1.0)
    assert 1.0 <= waited_s(ended.value) < DEFAULT_LAG_WAIT_S


def test_a_look_that_the_end_of_the_waiting_cuts_short_tells_of_the_inbox(limited: Settings) -> None:
    """The server was asked a millisecond before the end: that it had not answered by then says nothing of it."""
    with Publisher("src", settings=limited) as publisher:
        publisher.publish_many("sink", range(100))
        held, begun = publisher._backpressure, time.monotonic()
        assert not publisher.client.run(held.look("sink", 1, begun, 60.0))
        for within_s, tells in ((0.0, InboxFull), (60.0, ServerUnreachable)):
            looking = held.look("sink", 1, begun, within_s)
            next(looking)
            with pytest.raises(tells):
                looking.throw(ServerUnreachable("redis://x", "no reply within 0.001 s"))


def test_the_asyncio_publisher_is_held_too(limited: Settings, client: Client) -> None:
    async def scenario() -> None:
        async with AsyncPublisher("src", settings=limited, on_lag="refuse") as publisher:
            await asyncio.gather(*(publisher.publish("sink", number) for number in range(100)))
            publisher._responders.saw("sink")
            for attempt in (publisher.publish, publisher.publish_soon, publisher.request):
                with pytest.raises(InboxFull):
                    await attempt("sink", 1)
            with pytest.raises(InboxFull):
                await publisher.publish_many("sink", [1])
        async with AsyncPublisher("src", settings=limited, lag_wait_s=20) as publisher:
            waiting = asyncio.create_task(publisher.publish("sink", 1))
            done, _ = await asyncio.wait([waiting], timeout=0.1)
            assert not done
            await asyncio.to_thread(drain, limited, 50)
            await asyncio.wait_for(waiting, PATIENCE_S)

    asyncio.run(scenario())
    assert length(client, limited) == 101


def test_a_module_s_own_limit_goes_before_the_setting_and_is_known_from_the_first_message(
    settings: Settings, client: Client
) -> None:
    keys = Keys(settings.namespace)
    client.run(registration.register(keys, contract("sink", max_lag=10)))
    with Publisher("src", settings=settings, on_lag="refuse") as publisher:
        # The limit is learnt with the first message.
        for number in range(10):
            publisher.publish("sink", number)
        with pytest.raises(InboxFull, match="limit is 10"):
            publisher.publish("sink", 10)
    client.run(registration.register(keys, contract("sink")))
    with Publisher("src", settings=settings, on_lag="refuse") as publisher:
        publisher.publish_many("sink", range(500))
        publisher.publish("sink", 1)


def test_a_module_declares_its_limit(settings: Settings, client: Client) -> None:
    module = Module("sink", settings=settings, max_lag=7)

    @module.on_start
    def stop(context: Context) -> None:
        context.stop()

    module.run()
    found = client.run(registry.require(Keys(settings.namespace), "sink"))
    assert found.max_lag == 7
    assert client.control.one(Command(("HGET", Keys(settings.namespace).limits, "sink"))) == b"7"
    client.run(registration.unregister(Keys(settings.namespace), "sink"))
    assert client.control.one(Command(("HGET", Keys(settings.namespace).limits, "sink"))) is None
    with pytest.raises(ConfigurationError, match="max_lag"):
        Module("sink", settings=settings, max_lag=-1).contract()


def test_a_projection_that_is_behind_holds_publishers_while_it_lives(limited: Settings, client: Client) -> None:
    """What it has not stored cannot be trimmed, whoever has handled it."""
    keys = Keys(limited.namespace)
    inbox = keys.inbox("sink")

    def tell(stored: str, count: int, at_ms: int, settled: dict[str, str]) -> None:
        client.run(
            projection_progress.report(keys, "p", {inbox: stored}, durable=settled, counts={inbox: count}, now_ms=at_ms)
        )

    follows = {inbox: "0-0"}
    with Publisher("src", settings=limited, on_lag="refuse") as publisher:
        publisher.publish_many("sink", range(100))
        ids = [id_.decode() for id_, _ in client.data.one(Command(("XRANGE", inbox, "-", "+")))]
        drain(limited, 100)
        tell("0-0", 0, millis(), follows)
        with pytest.raises(InboxFull, match="100 messages wait in the inbox of 'sink' for projection p"):
            publisher.publish("sink", 1)
        tell(ids[59], 60, millis(), follows)
        publisher.publish_many("sink", range(60))
        drain(limited, 60)
        with pytest.raises(InboxFull):
            publisher.publish("sink", 1)
        tell(ids[59], 60, millis() - ALIVE_MS - 1, follows)
        publisher.publish("sink", 1)
    # A reading command caught up once: it does not follow the stream, and holds nobody.
    tell("0-0", 0, millis(), {})
    with Publisher("src", settings=limited, on_lag="refuse") as publisher:
        publisher.publish("sink", 1)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every inbox whose lag is asked for."""
    seen: list[str] = []
    groups = lag.groups

    def listen(streams: Sequence[str]) -> Operation[dict[str, list[lag.ConsumerGroup]]]:
        seen.extend(streams)
        return groups(streams)

    monkeypatch.setattr(lag, "groups", listen)
    return seen


def test_without_a_limit_nothing_is_looked_at(settings: Settings, looks: list[str]) -> None:
    with Publisher("src", settings=settings) as publisher:
        for number in range(200):
            publisher.publish("sink", number)
        assert not publisher._backpressure.on
    assert looks == []


def test_it_is_looked_at_now_and_then_and_not_for_each_message(limited: Settings, looks: list[str]) -> None:
    roomy = msgspec.structs.replace(limited, max_lag=10_000)
    with Publisher("src", settings=roomy) as publisher:
        begun = time.monotonic()
        for number in range(200):
            publisher.publish("sink", number)
        assert 1 <= len(looks) <= 1 + (time.monotonic() - begun) / 0.5
