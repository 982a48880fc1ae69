"""Several messages at once, batches, topics, and the order that one hand keeps."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import msgspec
import pytest

from claude_comm import Context, Module, Publisher, RetryPolicy, Settings
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import Page, running
from tests.support.streams import dead, leases_ms, pending, publish
from tests.support.waiting import PATIENCE_S, wait_until


def nothing_pending(client: Client, settings: Settings) -> bool:
    return pending(client, Keys(settings.namespace), "sink") == 0


class Meeting:
    """How many are inside at once. It is full once there are as many as are expected."""

    def __init__(self, expected: int = 0) -> None:
        self.expected = expected
        self.inside = self.most = 0
        self.seen: list[Any] = []
        self._lock = threading.Lock()
        self.full = threading.Event()

    def enter(self, payload: Any) -> None:
        with self._lock:
            self.seen.append(payload)
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == self.expected:
                self.full.set()

    def leave(self) -> None:
        with self._lock:
            self.inside -= 1


@pytest.mark.parametrize("kind", ["function", "async"])
@pytest.mark.parametrize("hands", [1, 5])
def test_so_many_messages_are_handled_at_once_as_there_are_hands(
    settings: Settings, client: Client, kind: str, hands: int
) -> None:
    publish(settings, "sink", *range(40))
    module, meeting = Module("sink", settings=settings, concurrency=hands), Meeting(hands)

    def plain(payload: int) -> None:
        meeting.enter(payload)
        meeting.full.wait(PATIENCE_S)
        time.sleep(0.01)
        meeting.leave()

    async def asynchronous(payload: int) -> None:
        meeting.enter(payload)
        while not meeting.full.is_set():
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        meeting.leave()

    module.handles()(plain if kind == "function" else asynchronous)
    with running(module):
        wait_until(lambda: len(meeting.seen) == 40 and nothing_pending(client, settings))
    assert meeting.most == hands
    assert meeting.seen == list(range(40)) if hands == 1 else sorted(meeting.seen) == list(range(40))


def test_plain_functions_among_async_handlers_run_beside_each_other(settings: Settings) -> None:
    """Two that wait for each other: on one thread neither would end."""
    module, seen = Module("sink", settings=settings, concurrency=2), []
    barrier = threading.Barrier(2, timeout=PATIENCE_S)

    @module.handles("plain")
    def plain(payload: int) -> None:
        barrier.wait()
        seen.append(payload)

    @module.handles("async")
    async def asynchronous(payload: int) -> None:
        seen.append(payload)

    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", [1, 2], type="plain")
    with running(module):
        wait_until(lambda: sorted(seen) == [1, 2])


@pytest.mark.parametrize("kind", ["function", "async"])
def test_an_exception_in_one_hand_disturbs_no_other(settings: Settings, client: Client, kind: str) -> None:
    publish(settings, "sink", *range(60))
    policy = RetryPolicy(attempts=2, first_wait_s=0.01)
    module, handled = Module("sink", settings=settings, concurrency=6, retry=policy), []

    def plain(payload: int) -> None:
        if payload % 3 == 0:
            raise ValueError(payload)
        handled.append(payload)

    async def asynchronous(payload: int) -> None:
        await asyncio.sleep(0)
        plain(payload)

    module.handles()(plain if kind == "function" else asynchronous)
    with running(module):
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 20)
        wait_until(lambda: len(handled) == 40 and nothing_pending(client, settings))
    assert sorted(handled) == [number for number in range(60) if number % 3]


def test_nothing_is_acked_before_its_handler_returned_whatever_its_neighbours_do(
    settings: Settings, client: Client
) -> None:
    publish(settings, "sink", *range(20))
    module, gate, done = Module("sink", settings=settings, concurrency=4), threading.Event(), []

    @module.handles()
    def handle(payload: int) -> None:
        if payload == 0:
            gate.wait(PATIENCE_S)
        done.append(payload)

    with running(module):
        wait_until(lambda: len(done) == 19 and pending(client, Keys(settings.namespace), "sink") == 1)
        gate.set()
        wait_until(lambda: nothing_pending(client, settings))


def test_all_that_is_being_handled_keeps_its_lease(settings: Settings, client: Client, keys: Keys) -> None:
    publish(settings, "sink", *range(40))
    gate, meeting = threading.Event(), Meeting()
    module = Module("sink", settings=settings, concurrency=4, lease_s=0.3)

    @module.handles()
    def handle(payload: int) -> None:
        meeting.enter(payload)
        gate.wait(PATIENCE_S)

    with running(module):
        wait_until(lambda: len(meeting.seen) == 4)
        last = max(leases_ms(client, keys, "sink"))
        wait_until(lambda: min(leases_ms(client, keys, "sink")) > last + 600)
        gate.set()
        wait_until(lambda: len(meeting.seen) >= 40)
    assert sorted(meeting.seen) == list(range(40))


@pytest.mark.parametrize("hands", [1, 3])
def test_what_ends_a_hand_ends_the_module(settings: Settings, hands: int) -> None:
    """A module without hands would look alive for ever."""
    publish(settings, "sink", 1)
    module = Module("sink", settings=settings, concurrency=hands)

    @module.handles()
    def handle(payload: int) -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        module.run()
    assert caught.value.code == 7


def test_a_plain_handler_that_returns_a_coroutine_is_told_so(settings: Settings, client: Client) -> None:
    publish(settings, "sink", 1)
    module = Module("sink", settings=settings, retry=RetryPolicy(attempts=1))

    async def never_awaited() -> None: ...

    module.handles()(lambda payload: never_awaited())
    with running(module):
        wait_until(lambda: bool(dead(client, Keys(settings.namespace), "sink")))
    assert b"async def" in dead(client, Keys(settings.namespace), "sink")[0][b"reason"]


def test_a_batch_handler_is_given_lists_and_all_of_it_is_acked(settings: Settings, client: Client) -> None:
    publish(settings, "sink", *({"number": number} for number in range(250)))
    module, batches = Module("sink", settings=settings), []

    @module.handles_batch(max=100)
    def handle(pages: list[Page], context: Context) -> None:
        assert [envelope.source for envelope in context.envelopes] == ["src"] * len(pages)
        batches.append([page.number for page in pages])

    assert b"integer" in msgspec.json.encode(module.contract().accepts["message"])
    with running(module):
        wait_until(lambda: sum(map(len, batches)) == 250 and nothing_pending(client, settings))
    assert [number for batch in batches for number in batch] == list(range(250))
    assert 2 < len(batches) < 50
    assert max(map(len, batches)) == 100


@pytest.mark.parametrize("kind", ["function", "async"])
def test_one_poison_message_in_a_batch_buries_none_of_its_neighbours(
    settings: Settings, client: Client, kind: str
) -> None:
    publish(settings, "sink", *range(20))
    policy = RetryPolicy(attempts=2, first_wait_s=0.01)
    module, calls, handled = Module("sink", settings=settings, retry=policy), [], []

    def plain(payloads: list[int]) -> None:
        calls.append(payloads)
        if 7 in payloads:
            raise ValueError("seven")
        handled.extend(payloads)

    async def asynchronous(payloads: list[int]) -> None:
        plain(payloads)

    asynchronous.__annotations__ = {"payloads": list[int]}
    plain.__annotations__ = {"payloads": list[int]}
    module.handles_batch()(plain if kind == "function" else asynchronous)
    with running(module):
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 1)
        wait_until(lambda: nothing_pending(client, settings))
    assert sorted(handled) == [number for number in range(20) if number != 7]
    (buried,) = dead(client, Keys(settings.namespace), "sink")
    assert (buried[b"attempts"], b"seven" in buried[b"reason"]) == (b"2", True)
    assert calls[-1] == [7]


def test_a_payload_that_does_not_fit_is_buried_and_the_batch_goes_on_without_it(
    settings: Settings, client: Client
) -> None:
    publish(settings, "sink", {"number": 1}, {"number": "two"}, {"number": 3})
    module, seen = Module("sink", settings=settings), []

    @module.handles_batch(max=1)
    def one(pages: list[Page]) -> None:
        seen.append([page.number for page in pages])

    with running(module):
        wait_until(lambda: seen == [[1], [3]])
    assert dead(client, Keys(settings.namespace), "sink")[0][b"path"] == b"$.number"


def test_batches_keep_the_order_among_other_types(settings: Settings) -> None:
    module, seen = Module("sink", settings=settings), []
    module.handles("single")(seen.append)

    @module.handles_batch("many")
    def many(payloads: list[int]) -> None:
        seen.extend(payloads)

    with Publisher("src", settings=settings) as publisher:
        for number in range(12):
            publisher.publish("sink", number, type="single" if number % 4 == 3 else "many")
    with running(module):
        wait_until(lambda: len(seen) == 12)
    assert seen == list(range(12))


def test_a_batch_handler_takes_a_list() -> None:
    def wrong(payloads: int) -> None: ...

    wrong.__annotations__ = {"payloads": int}
    with pytest.raises(ConfigurationError, match=r"list\[\.\.\.\]"):
        Module("m").handles_batch()(wrong)
    with pytest.raises(ConfigurationError, match="max"):
        Module("m").handles_batch(max=0)


def test_a_module_reads_topics_beside_its_inbox_and_every_group_has_its_own(settings: Settings) -> None:
    seen: dict[str, set[str]] = {"one": set(), "two": set()}

    def reader(name: str) -> Module:
        module = Module(name, topics=["news", "sport"], settings=settings)

        @module.handles()
        def handle(payload: str) -> None:
            seen[name].add(payload)

        return module

    with Publisher("src", settings=settings) as publisher:
        publisher.publish("topic:news", "before")
    with running(reader("one")), running(reader("two")):
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("topic:sport", "goal")
            publisher.publish("one", "direct")
        wait_until(lambda: seen == {"one": {"before", "goal", "direct"}, "two": {"before", "goal"}})


def test_json_payloads_are_read_by_their_content_type(settings: Settings, client: Client) -> None:
    module, seen = Module("sink", settings=settings), []
    module.handles("raw")(seen.append)

    @module.handles("page")
    def page(page: Page) -> None:
        seen.append(page)

    with Publisher("src", settings=settings) as publisher:
        send = lambda data, type: publisher.publish("sink", data, type=type, content_type="application/json")  # noqa: E731
        send(b'{"number": 3}', "page")
        send(b"[1, 2]", "raw")
        send(b'{"number": "x"}', "page")
        send(b"{", "page")
    with running(module):
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "sink")) == 2)
    assert seen == [Page(3), [1, 2]]
    wrong, broken = dead(client, Keys(settings.namespace), "sink")
    assert wrong[b"path"] == b"$.number"
    assert b"no JSON" in broken[b"reason"]


def test_one_hand_keeps_the_order_of_each_source_over_restarts_and_kills(settings: Settings) -> None:
    """But for what is retried: that comes later, after what was sent meanwhile."""
    count = 300
    with Publisher("a", settings=settings) as a, Publisher("b", settings=settings) as b:
        for number in range(count):
            a.publish("sink", ["a", number])
            b.publish("sink", ["b", number])
    seen: list[tuple[str, int]] = []
    ran = 0
    while len(seen) < 2 * count + 1:
        module, ran = Module("sink", settings=settings, instance="only", batch=7), ran + 1

        @module.handles()
        def handle(payload: list[Any], context: Context) -> None:
            source, number = payload
            seen.append((source, number))
            if (source, number) == ("a", 50) and seen.count(("a", 50)) == 1:
                raise ValueError("once")
            if len(seen) % 90 == 0:
                context.stop()

        before = len(seen)
        with running(module):
            wait_until(lambda before=before: len(seen) > before and (len(seen) % 90 == 0 or len(seen) >= 2 * count + 1))
    assert ran > 4
    for source in "ab":
        first = list(dict.fromkeys(number for who, number in seen if who == source))
        assert first == list(range(count))
    later = [number for who, number in seen if who == "a"]
    assert later.count(50) == 2
    assert later.index(50, later.index(50) + 1) > 51
