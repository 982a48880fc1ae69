"""Several streams in one read: an entry of any of them ends the wait, each has its share, and bounds hold."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest

from claude_comm import AsyncConsumer, Consumer, Publisher
from claude_comm.client.consumer.several_streams import SeveralStreams
from claude_comm.effects import Batch, Command
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops.consume import Reader
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client
from tests.support.waiting import wait_until

TOPICS = ["news", "sport", "weather"]


def reads(client: Client) -> int:
    """How often the server was asked for new entries."""
    text = client.data.one(Command(("INFO", "commandstats")))
    lines = text.decode() if isinstance(text, bytes) else str(text)
    rows = [line for line in lines.splitlines() if line.startswith("cmdstat_xreadgroup:")]
    return sum(int(row.split("calls=")[1].split(",")[0]) for row in rows)


def waiting(client: Client) -> bool:
    text = client.data.one(Command(("INFO", "clients")))
    return b"blocked_clients:0" not in (text if isinstance(text, bytes) else str(text).encode())


def test_an_idle_read_of_several_streams_asks_as_seldom_as_of_one(settings: Settings, client: Client) -> None:
    with Consumer("sink", topics=TOPICS, settings=settings) as consumer:
        consumer.read(wait_s=0.01)
        before = reads(client)
        assert consumer.read(wait_s=1.2) == []
    # The wait, cut where due messages are looked for; in turns it was 50.
    assert reads(client) - before <= 8


@pytest.mark.parametrize("stream", ["sink", *(f"topic:{name}" for name in TOPICS)])
def test_an_entry_of_any_stream_ends_the_wait(settings: Settings, client: Client, stream: str) -> None:
    found: list[Any] = []
    with Consumer("sink", topics=TOPICS, settings=settings) as consumer:
        consumer.read(wait_s=0.01)
        thread = threading.Thread(target=lambda: found.extend(consumer.read(wait_s=60.0)))
        thread.start()
        wait_until(lambda: waiting(client))
        with Publisher("src", settings=settings) as publisher:
            publisher.publish(stream, "here")
        wait_until(lambda: bool(found))
        thread.join()
        consumer.ack(found[0])
    assert [one.payload() for one in found] == ["here"]


def test_so_it_does_on_a_loop(settings: Settings) -> None:
    async def main() -> list[object]:
        async with AsyncConsumer("sink", topics=TOPICS, settings=settings) as consumer:
            await consumer.read(wait_s=0.01)
            reading = asyncio.create_task(consumer.read(wait_s=60.0))
            with Publisher("src", settings=settings) as publisher:
                publisher.publish("topic:sport", "here")
            deliveries = await reading
            for delivery in deliveries:
                consumer.ack(delivery)
            return [delivery.payload() for delivery in deliveries]

    assert asyncio.run(main()) == ["here"]


def test_each_stream_has_its_share_and_the_quiet_leave_theirs(settings: Settings) -> None:
    with Consumer("sink", topics=["news"], settings=settings, batch=10) as consumer:
        consumer.read(wait_s=0.01)
        with Publisher("src", settings=settings) as publisher:
            publisher.publish_many("sink", range(30))
            publisher.publish_many("topic:news", ["a", "b", "c", "d", "e", "f"])
        first, second, third = (consumer.read(wait_s=0.5) for _ in range(3))
        for delivery in (*first, *second, *third):
            consumer.ack(delivery)
    counts = [Counter(type(one.payload()) for one in part) for part in (first, second, third)]
    assert counts == [{int: 5, str: 5}, {int: 9, str: 1}, {int: 10}]
    assert [one.payload() for part in (first, second, third) for one in part if one.payload() in range(30)] == [
        *range(24)
    ]


def test_where_there_is_room_for_one_the_streams_take_turns(settings: Settings) -> None:
    with Consumer("sink", topics=TOPICS, settings=settings, prefetch=1) as consumer:
        consumer.read(wait_s=0.01)
        with Publisher("src", settings=settings) as publisher:
            for target in ("sink", *(f"topic:{name}" for name in TOPICS)):
                publisher.publish_many(target, [target] * 3)
        order = []
        for _ in range(12):
            (delivery,) = consumer.read(wait_s=0.5)
            assert consumer.read(wait_s=0.0) == []
            order.append(delivery.payload())
            consumer.ack(delivery)
    assert all(len(set(order[start : start + 4])) == 4 for start in (0, 4, 8)), order


def test_two_that_come_at_the_same_moment_do_not_break_the_bound(
    settings: Settings, client: Client, keys: Keys
) -> None:
    found: list[Any] = []
    with Consumer("sink", topics=TOPICS, settings=settings, prefetch=1) as consumer:
        consumer.read(wait_s=0.01)
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("elsewhere", 1)
        ((_, (_, body)),) = client.data.one(Command(("XRANGE", keys.inbox("elsewhere"), "-", "+")))
        thread = threading.Thread(target=lambda: found.extend(consumer.read(wait_s=60.0)))
        thread.start()
        wait_until(lambda: waiting(client))
        adding = (Command(("XADD", keys.topic(name), "*", "e", body)) for name in TOPICS)
        client.data.many([Command(("MULTI",)), *adding, Command(("EXEC",))])
        thread.join()
        assert len(found) == 1 == consumer.out
        for _ in range(2):
            consumer.ack(found[-1])
            found += consumer.read(wait_s=5.0)
            assert consumer.out == 1
        consumer.ack(found[-1])
    assert {one.entry.stream for one in found} == {keys.topic(name) for name in TOPICS}
    assert [one.attempts for one in found] == [1, 1, 1]
    assert all(isinstance(one.envelope, Envelope) for one in found)


def test_a_second_look_that_fails_loses_nothing_of_the_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was handed out and never arrived is pending for this consumer, and comes again as if for the first time."""
    with Consumer("sink", topics=["news"], settings=settings, batch=4) as consumer:
        consumer.read(wait_s=0.01)
        with Publisher("src", settings=settings) as publisher:
            publisher.publish_many("sink", range(4))
        one = consumer.client.data.one

        def cut(command: Command) -> Any:
            if command.args[0] == "XREADGROUP" and ">" in command.args and "BLOCK" not in command.args:
                raise ServerUnreachable("here", "cut")
            return one(command)

        with monkeypatch.context() as patch:
            patch.setattr(consumer.client.data, "one", cut)
            with pytest.raises(ServerUnreachable):
                consumer.read(wait_s=0.5)
        assert consumer.out == 0
        deliveries = consumer.read(wait_s=0.5) + consumer.read(wait_s=0.5)
        assert [(one.payload(), one.attempts) for one in deliveries] == [(number, 1) for number in range(4)]
        for delivery in deliveries:
            consumer.ack(delivery)


def test_on_a_cluster_all_are_read_side_by_side_and_one_is_waited_for() -> None:
    readers = [Reader(f"s{number}", "sink", "one") for number in range(3)]
    reading = SeveralStreams(readers, lambda: None, on_cluster=True).new(1_000, 9)
    effect, waits = next(reading), []
    for _ in range(3):
        assert isinstance(effect, Batch)
        assert [command.args[-2] for command in effect.commands] == ["s1", "s2", "s0"]
        waited = reading.send([None, None, None])
        assert isinstance(waited, Command)
        waits.append(waited.wait_ms)
        effect = reading.send(None)
    assert waits == [4, 8, 16]
    with pytest.raises(StopIteration) as end:
        reading.send([None, ServerUnreachable("there", "cut"), {b"s0": [[b"1-0", [b"e", b"x"]]]}])
    assert [(reader.stream, entries[0].body) for reader, entries in end.value.value] == [("s0", b"x")]


def test_on_a_cluster_what_the_quiet_leave_is_read_of_the_others() -> None:
    readers = [Reader(f"s{number}", "sink", "one") for number in range(3)]
    several = SeveralStreams(readers, lambda: None, on_cluster=True)
    reading = several.new(1_000, 9)
    next(reading)
    again = reading.send([entries("s1", 1, 2, 3), None, None])
    assert isinstance(again, Batch)
    assert [(command.args[-2], command.args[5]) for command in again.commands] == [("s1", 6)]
    with pytest.raises(StopIteration) as end:
        reading.send([entries("s1", 4, 5)])
    assert [(reader.stream, len(part)) for reader, part in end.value.value] == [("s1", 3), ("s1", 2)]
    assert not several.filled


def test_a_second_look_that_is_refused_leaves_what_the_first_brought() -> None:
    readers = [Reader(f"s{number}", "sink", "one") for number in range(2)]
    several = SeveralStreams(readers, lambda: None, on_cluster=False)
    reading = several.new(1_000, 4)
    next(reading)
    reading.send(entries("s1", 1, 2))
    with pytest.raises(StopIteration) as end:
        reading.throw(ServerRefused("NOGROUP No such key"))
    assert [(reader.stream, len(part)) for reader, part in end.value.value] == [("s1", 2)]
    assert several.filled


def entries(stream: str, *numbers: int) -> dict[bytes, list[Any]]:
    """The reply that brings these."""
    return {stream.encode(): [[b"%d-0" % number, [b"e", b"x"]] for number in numbers]}
