"""Workers that are tasks take in themselves what has arrived: without a wait, in order, and nothing is lost."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from claude_comm import AsyncContext, Module, Publisher, Settings
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.module.prefetch import Prefetcher
from claude_comm.delivery.flow_control import Ahead
from claude_comm.effects import Command
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Begun, Client
from tests.support.modules import running
from tests.support.waiting import PATIENCE_S, wait_until

COUNT, BATCH = 60, 10


@pytest.fixture
def prefetcher(client: Client, settings: Settings) -> Iterator[Prefetcher]:
    """Of one worker, over an inbox with `COUNT` messages, of which the first were read."""
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("sink", range(COUNT))
    subscription = Subscription(
        "sink", (), settings, "reader", Options(batch=BATCH, lease_s=30.0, prefetch_bytes=1 << 20)
    )
    outage = Outage(get_logger("error"))
    prefetcher = Prefetcher(client, subscription, outage, Ahead(4 * BATCH, 1), *(2 * [lambda: None]))
    assert prefetcher._read(ahead=prefetcher._several) == BATCH
    yield prefetcher
    client.run(subscription.leaving())


def polled(prefetcher: Prefetcher) -> list[int]:
    """What is ready, handled and acked."""
    found = []
    while (delivery := prefetcher.poll()) is not None:
        prefetcher._subscription.in_flight.ack(delivery)
        found.append(delivery.payload())
    return found


def rest_of(prefetcher: Prefetcher, first: int) -> list[int]:
    """All that follows, taken in as it arrives; the reader reads where nothing is begun."""
    found: list[int] = []
    while len(found) < COUNT - first:
        if not prefetcher.read_arrived():
            prefetcher._read(ahead=prefetcher._several)
        found += polled(prefetcher)
    return found


def test_what_has_arrived_is_taken_in_by_the_worker_in_order(prefetcher: Prefetcher) -> None:
    handled = polled(prefetcher)
    assert not prefetcher.read_arrived(), "nothing is begun yet"
    prefetcher._read(ahead=prefetcher._several)
    handled += polled(prefetcher)
    wait_until(prefetcher.read_arrived)
    assert [*handled, *polled(prefetcher)] == list(range(3 * BATCH))
    assert rest_of(prefetcher, 3 * BATCH) == list(range(3 * BATCH, COUNT))


def test_while_another_reads_nothing_is_taken_in(prefetcher: Prefetcher) -> None:
    prefetcher._read(ahead=prefetcher._several)
    polled(prefetcher)
    with prefetcher._reading:
        assert not prefetcher.read_arrived()
    wait_until(prefetcher.read_arrived)


def test_in_a_pause_nothing_is_taken_in(prefetcher: Prefetcher) -> None:
    prefetcher._read(ahead=prefetcher._several)
    polled(prefetcher)
    prefetcher.pause()
    assert not prefetcher.read_arrived()
    prefetcher.resume()
    wait_until(prefetcher.read_arrived)


def test_what_asks_more_of_the_server_is_left_to_the_reader(
    prefetcher: Prefetcher, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that has to be buried: that is an exchange, which a loop must not wait for."""
    client.data.one(Command(("XADD", Keys(settings.namespace).inbox("sink"), "*", "e", b"\xc1")))
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("sink", range(COUNT, 2 * COUNT))
    loop_thread, asked = threading.get_ident(), []
    plain = type(client.data).one

    def one(self: Any, command: Command) -> Any:
        asked.append((command.args[0], threading.get_ident()))
        return plain(self, command)

    monkeypatch.setattr(type(client.data), "one", one)
    handled = polled(prefetcher)
    prefetcher._read(ahead=prefetcher._several)
    handled += polled(prefetcher)
    while len(handled) < 2 * COUNT:
        if not prefetcher.read_arrived():
            reader = threading.Thread(target=lambda: prefetcher._read(ahead=prefetcher._several))
            reader.start()
            reader.join()
        handled += polled(prefetcher)
    assert handled == list(range(2 * COUNT))
    buried = [thread for name, thread in asked if name == "EVALSHA"]
    assert buried
    assert loop_thread not in buried


def test_where_the_connection_ends_nothing_is_lost_and_the_order_holds(prefetcher: Prefetcher) -> None:
    handled = polled(prefetcher)
    prefetcher._read(ahead=prefetcher._several)
    handled += polled(prefetcher)
    (begun,) = prefetcher._read_ahead._begun
    begun._replies._connection._socket.shutdown(socket.SHUT_RDWR)
    assert not prefetcher.read_arrived(), "the next one cannot be begun"
    while not prefetcher._read_ahead.idle():  # what had come before is taken in
        prefetcher.read_arrived()
        handled += polled(prefetcher)
    handled += rest_of(prefetcher, len(handled))
    assert handled == list(range(COUNT))


def test_a_read_that_fails_takes_those_behind_it_along(prefetcher: Prefetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were sent after it: what they bring comes after its messages, which are read again."""
    handled = polled(prefetcher)
    prefetcher._read(ahead=prefetcher._several)
    handled += polled(prefetcher)
    failing = [True]

    def over(self: Any) -> bool:
        if failing.pop():
            raise ServerUnreachable("redis://somewhere", "the link was cut")
        return plain(self)

    plain = Begun.over
    monkeypatch.setattr(Begun, "over", over)
    wait_until(lambda: not prefetcher.read_arrived() and not failing)
    assert prefetcher._read_ahead.idle()
    monkeypatch.setattr(Begun, "over", plain)
    assert handled + rest_of(prefetcher, len(handled)) == list(range(COUNT))


def test_the_one_that_takes_the_last_while_nobody_reads_says_so() -> None:
    told: list[None] = []
    prefetcher = Prefetcher(cast(Any, None), cast(Any, None), cast(Any, None), Ahead(10, 2), *(2 * [lambda: None]))
    prefetcher._drained = lambda: told.append(None)
    prefetcher._ready = deque(cast("list[Delivery]", [1, 2, 3]))
    prefetcher.poll()
    assert not told
    prefetcher._parked = True
    prefetcher.poll()
    assert not told, "one is left"
    prefetcher.poll()
    assert len(told) == 1
    assert prefetcher.poll() is None
    assert len(told) == 1


def test_answers_are_left_to_the_read_of_a_reader_that_is_about_to_read() -> None:
    """Two threads that send for one batch take two round trips, and the interpreter from each other."""
    asked: list[str] = []
    in_flight = SimpleNamespace(answer_bytes=1)
    means = cast(Any, None), cast(Any, SimpleNamespace(in_flight=in_flight)), cast(Any, None)
    prefetcher = Prefetcher(*means, Ahead(10, 2), lambda: asked.append("now"), lambda: asked.append("soon"))
    prefetcher.ran_dry()
    assert asked == ["now"], "the reader waits for messages"
    prefetcher._parked = True
    prefetcher.ran_dry()
    assert asked == ["now", "soon"]
    in_flight.answer_bytes = 0
    prefetcher.ran_dry()
    assert asked == ["now", "soon", "now"], "acks: not many more are waited for"


def test_a_loop_reads_for_itself_while_several_messages_come_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    plain = Prefetcher.read_arrived

    def read_arrived(self: Prefetcher) -> bool:
        taken.append(plain(self))
        return taken[-1]

    monkeypatch.setattr(Prefetcher, "read_arrived", read_arrived)
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("counter", range(5_000))
    module, handled = Module("counter", settings=settings), []

    @module.handles()
    async def handle(number: int) -> None:
        handled.append(number)

    with running(module):
        wait_until(lambda: len(handled) == 5_000)
    assert handled == list(range(5_000))
    assert any(taken)


def test_every_worker_has_work_while_others_wait_in_their_handlers(settings: Settings) -> None:
    """Each message waits until three more are handled beside it."""
    most = 0

    async def run() -> None:
        nonlocal most
        module, inside, full, done = Module("quartet", settings=settings, concurrency=4), 0, asyncio.Event(), 0

        @module.handles()
        async def handle(number: int, context: AsyncContext) -> None:
            nonlocal inside, full, done, most
            inside, event = inside + 1, full
            most = max(most, inside)
            if inside == 4:
                inside, full = 0, asyncio.Event()
                event.set()
            await event.wait()
            done += 1
            if done == 400:
                context.stop()

        async with asyncio.timeout(PATIENCE_S):
            await module.serve()

    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("quartet", range(400))
    asyncio.run(run())
    assert most == 4


def test_a_lone_message_is_not_late_while_another_worker_is_busy(settings: Settings) -> None:
    """The reader parks behind several messages; it goes on when the last of them is taken."""
    order: list[int] = []
    release = threading.Event()
    module = Module("pair", settings=settings, concurrency=2)

    @module.handles()
    async def handle(number: int) -> None:
        order.append(number)
        while number == 0 and not release.is_set():
            await asyncio.sleep(0)

    with running(module), Publisher("source", settings=settings) as publisher:
        publisher.publish_many("pair", [0, 1])
        wait_until(lambda: len(order) == 2)
        for number in range(2, 12):
            publisher.publish("pair", number)
            wait_until(lambda: order[-1] == number)  # noqa: B023
        release.set()
    assert sorted(order) == list(range(12))


def test_replies_that_have_come_in_part_are_not_there_yet(settings: Settings) -> None:
    """A reply of several megabytes comes in many parts: what there is of it is kept until the rest has come."""
    large = b"x" * (4 << 20)
    with connect(settings) as client:
        key = f"{settings.namespace}:large"
        client.data.one(Command(("SET", key, large)))
        first = client.data.post([Command(("GET", key))])
        behind = client.data.post([Command(("ECHO", "behind"))], 0, first)
        wait_until(behind.arrived)
        assert first.arrived()
        assert (first.landed(), behind.landed()) == ([large], [b"behind"])
        client.data.one(Command(("DEL", key)))
