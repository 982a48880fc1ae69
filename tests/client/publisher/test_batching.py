"""Many callers, one line: what is queued travels together, in order, bounded, each with its own outcome."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.client.publisher.batching import (
    MAX_ALOFT,
    MAX_FLIGHT,
    PART,
    AsyncCoalescer,
    Coalescer,
    Landed,
    OnFull,
)
from claude_comm.effects import Command, Post
from claude_comm.errors import EncodeError, PublisherFull, ServerRefused, ServerUnreachable, TransportError
from claude_comm.ops.publish import Outcomes
from claude_comm.transport.driver import Client
from tests.support.streams import sent
from tests.support.waiting import PATIENCE_S, wait_until


class Line:
    """Stands for the server: records its flights, and holds each until the gate is open."""

    def __init__(self) -> None:
        self.flights: list[list[bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.refused: dict[bytes, ServerRefused] = {}
        self.broken: Exception | None = None

    def deliver(self, posts: Sequence[Post]) -> Outcomes:
        self.flights.append([post.body for post in posts])
        assert self.gate.wait(PATIENCE_S)
        if self.broken is not None:
            raise self.broken
        return [self.refused.get(post.body, b"1-1") for post in posts]


def post(body: bytes) -> Post:
    return Post("s", body)


def test_those_who_arrive_during_a_flight_share_the_next() -> None:
    line = Line()
    line.gate.clear()
    coalescer = Coalescer(line.deliver, 10_000, "wait")
    first = threading.Thread(target=coalescer.send, args=("0", post(b"0")))
    first.start()
    wait_until(lambda: len(line.flights) == 1)
    rest = [threading.Thread(target=coalescer.send, args=(str(n), post(b"%d" % n))) for n in range(1, 20)]
    for thread in rest:
        thread.start()
    wait_until(lambda: len(coalescer._queue.tickets) == 19)
    line.gate.set()
    for thread in (first, *rest):
        thread.join(PATIENCE_S)
    assert [len(flight) for flight in line.flights] == [1, 19]


def test_a_lone_message_goes_at_once_and_alone() -> None:
    line = Line()
    assert Coalescer(line.deliver, 10_000, "wait").send("id", post(b"x")) == "id"
    assert line.flights == [[b"x"]]


def test_each_caller_gets_the_outcome_of_its_own_message() -> None:
    line = Line()
    line.refused[b"bad"] = ServerRefused("OOM no", code="OOM")
    coalescer = Coalescer(line.deliver, 10_000, "wait")
    good, bad = coalescer.send_soon("g", post(b"good")), coalescer.send_soon("b", post(b"bad"))
    coalescer.flush()
    assert good.result(PATIENCE_S) == "g"
    assert isinstance(bad.exception(PATIENCE_S), ServerRefused)
    coalescer.close()


def test_a_flight_that_fails_fails_all_in_it_and_the_line_goes_on() -> None:
    line = Line()
    line.broken = ServerUnreachable("u", "gone")
    coalescer = Coalescer(line.deliver, 10_000, "wait")
    with pytest.raises(ServerUnreachable):
        coalescer.send("1", post(b"1"))
    line.broken = None
    assert coalescer.send("2", post(b"2")) == "2"


@pytest.mark.parametrize("on_full", ["refuse", "drop_oldest"])
def test_what_waits_is_bounded_in_bytes(on_full: OnFull) -> None:
    line = Line()
    line.gate.clear()
    coalescer = Coalescer(line.deliver, 30, on_full)
    flying = coalescer.send_soon("0", post(b"0" * 10))
    wait_until(lambda: len(line.flights) == 1)
    waiting = [coalescer.send_soon(str(n), post(b"%010d" % n)) for n in range(1, 4)]
    if on_full == "refuse":
        with pytest.raises(PublisherFull, match="not taken"):
            coalescer.send_soon("4", post(b"4" * 10))
        expected = ["1", "2", "3"]
    else:
        waiting.append(coalescer.send_soon("4", post(b"4" * 10)))
        dropped = waiting.pop(0)
        assert isinstance(dropped.exception(PATIENCE_S), PublisherFull)
        expected = ["2", "3", "4"]
    line.gate.set()
    coalescer.flush()
    assert flying.result(PATIENCE_S) == "0"
    assert [future.result(PATIENCE_S) for future in waiting] == expected
    coalescer.close()


def test_with_wait_a_full_queue_slows_the_caller_and_loses_nothing() -> None:
    line = Line()
    coalescer = Coalescer(line.deliver, 50, "wait")
    futures = [coalescer.send_soon(str(n), post(b"%010d" % n)) for n in range(500)]
    coalescer.close()
    assert [future.result(PATIENCE_S) for future in futures] == [str(n) for n in range(500)]
    assert [body for flight in line.flights for body in flight] == [b"%010d" % n for n in range(500)]
    assert max(len(flight) for flight in line.flights) <= 6


def test_no_flight_is_larger_than_the_largest() -> None:
    line = Line()
    line.gate.clear()
    coalescer = Coalescer(line.deliver, 10**9, "wait")
    for n in range(MAX_FLIGHT * 2 + 10):
        coalescer.send_soon(str(n), post(b"x"))
    line.gate.set()
    coalescer.close()
    assert max(len(flight) for flight in line.flights) <= MAX_FLIGHT


def test_asyncio_tasks_share_flights_and_keep_their_order() -> None:
    line = Line()

    async def deliver(posts: Sequence[Post]) -> Outcomes:
        await asyncio.sleep(0)
        return line.deliver(posts)

    async def scenario() -> list[str]:
        coalescer = AsyncCoalescer(deliver, 10**6, "wait")
        return await asyncio.gather(*(coalescer.push(str(n), post(b"%d" % n)) for n in range(300)))

    assert asyncio.run(scenario()) == [str(n) for n in range(300)]
    assert len(line.flights) < 10
    assert [body for flight in line.flights for body in flight] == [b"%d" % n for n in range(300)]


def test_a_cancelled_asyncio_caller_does_not_disturb_the_others(settings: Settings, client: Client) -> None:
    async def scenario() -> None:
        async with AsyncPublisher("src", settings=settings) as publisher:
            tasks = [asyncio.create_task(publisher.publish("sink", n)) for n in range(50)]
            await asyncio.sleep(0)
            for task in tasks[::5]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(outcome, str) for outcome in outcomes) == 40

    asyncio.run(scenario())
    payloads = [envelope.payload() for envelope in sent(client, settings, "sink")]
    assert set(range(50)) - set(range(0, 50, 5)) <= set(payloads)


@pytest.mark.parametrize("on_full", ["wait", "refuse", "drop_oldest"])
def test_the_asyncio_publisher_is_bounded_too(settings: Settings, on_full: OnFull) -> None:
    async def scenario() -> list[object]:
        async with AsyncPublisher("src", settings=settings, max_waiting_bytes=2_000, on_full=on_full) as publisher:
            sending = (publisher.publish("sink", "x" * 400) for _ in range(100))
            return await asyncio.gather(*sending, return_exceptions=True)

    outcomes = asyncio.run(scenario())
    full = sum(isinstance(outcome, PublisherFull) for outcome in outcomes)
    assert full == 0 if on_full == "wait" else full > 50
    assert full + sum(isinstance(outcome, str) for outcome in outcomes) == 100


def test_published_soon_is_in_the_stream_after_a_flush_in_order(settings: Settings, client: Client) -> None:
    with Publisher("src", settings=settings) as publisher:
        futures = [publisher.publish_soon("sink", n, session="s") for n in range(3_000)]
        with pytest.raises(EncodeError):
            publisher.publish_soon("sink", object())
        publisher.flush()
        assert all(future.done() for future in futures)
    found = sent(client, settings, "sink")
    assert [envelope.payload() for envelope in found] == list(range(3_000))
    assert [envelope.id for envelope in found] == [future.result() for future in futures]


def test_a_refusal_reaches_the_one_whose_message_was_refused(settings: Settings, client: Client) -> None:
    with Publisher("src", settings=settings) as publisher:
        client.data.one(Command(("SET", publisher.identity.keys.inbox("wrong"), "not a stream")))
        good, bad = publisher.publish_soon("right", 1), publisher.publish_soon("wrong", 1)
        publisher.flush()
        assert good.result(PATIENCE_S)
        error = bad.exception(PATIENCE_S)
    assert isinstance(error, ServerRefused)
    assert error.code == "WRONGTYPE"


def test_an_unexpected_error_ends_neither_the_thread_in_the_background_nor_what_comes_after() -> None:
    line = Line()
    line.broken = ZeroDivisionError("a defect")
    coalescer = Coalescer(line.deliver, 10_000, "wait")
    assert isinstance(coalescer.send_soon("1", post(b"1")).exception(PATIENCE_S), ZeroDivisionError)
    line.broken = None
    assert coalescer.send_soon("2", post(b"2")).result(PATIENCE_S) == "2"
    coalescer.close()


class Air:
    """Stands for a connection that carries several flights: records them, and lands them when it is told to."""

    def __init__(self) -> None:
        self.aloft: list[tuple[list[bytes], Landed]] = []
        self.bodies: list[bytes] = []
        self.clear = True

    def begin(self, posts: Sequence[Post], done: Landed) -> bool:
        if self.clear:
            self.bodies += [post.body for post in posts]
            self.aloft.append(([post.body for post in posts], done))
        return self.clear

    def land(self, outcome: TransportError | None = None) -> None:
        bodies, done = self.aloft.pop(0)
        done(outcome or [b"1-1" for _ in bodies])


def flying(scenario: Callable[[Air, Line, AsyncCoalescer], Awaitable[None]]) -> None:
    async def run() -> None:
        air, line = Air(), Line()

        async def deliver(posts: Sequence[Post]) -> Outcomes:
            await asyncio.sleep(0)
            return line.deliver(posts)

        await scenario(air, line, AsyncCoalescer(deliver, 10**6, "wait", air.begin))

    asyncio.run(run())


def test_a_lone_message_of_a_task_goes_at_once_and_the_next_while_it_is_in_the_air() -> None:
    async def scenario(air: Air, line: Line, coalescer: AsyncCoalescer) -> None:
        promises = [coalescer.push(str(n), post(b"%d" % n)) for n in range(1 + PART + 3)]
        assert [len(bodies) for bodies, _ in air.aloft] == [1, PART]
        air.land()
        assert [len(bodies) for bodies, _ in air.aloft] == [PART, 3]
        air.land()
        air.land()
        assert [await promise for promise in promises] == [str(n) for n in range(1 + PART + 3)]
        assert air.bodies == [b"%d" % n for n in range(1 + PART + 3)]
        assert line.flights == []

    flying(scenario)


def test_flights_in_the_air_are_bounded() -> None:
    async def scenario(air: Air, line: Line, coalescer: AsyncCoalescer) -> None:
        for n in range(PART * (MAX_ALOFT + 3)):
            coalescer.push(str(n), post(b"x"))
        assert len(air.aloft) == MAX_ALOFT
        while air.aloft:
            air.land()
        assert len(air.bodies) == PART * (MAX_ALOFT + 3)

    flying(scenario)


def test_what_a_lost_connection_carried_is_sent_again_in_order_before_anything_newer() -> None:
    async def scenario(air: Air, line: Line, coalescer: AsyncCoalescer) -> None:
        promises = [coalescer.push(str(n), post(b"%d" % n)) for n in range(1 + PART)]
        first, second = ([*bodies] for bodies, _ in air.aloft)
        air.land(ServerUnreachable("u", "gone"))
        air.land(ServerUnreachable("u", "gone"))
        promises.append(coalescer.push("last", post(b"last")))
        await coalescer.flush()
        assert line.flights == [first, second, [b"last"]]
        assert [promise.result() for promise in promises] == [*(str(n) for n in range(1 + PART)), "last"]

    flying(scenario)


def test_nothing_overtakes_what_is_in_the_air() -> None:
    """A batch, or a message that needs the long way, waits until the air is clear; later messages wait behind it."""

    async def scenario(air: Air, line: Line, coalescer: AsyncCoalescer) -> None:
        coalescer.push("0", post(b"0"))
        batch = asyncio.create_task(coalescer.send_all([post(b"batch")]))
        air.clear = False
        later = [coalescer.push(str(n), post(b"%d" % n)) for n in range(1, 1 + PART)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert line.flights == []
        air.land()
        assert [await promise for promise in later] == [str(n) for n in range(1, 1 + PART)]
        await batch
        assert line.flights == [[b"%d" % n for n in range(1, 1 + PART)], [b"batch"]]

    flying(scenario)


def test_a_task_that_gives_up_takes_nothing_of_its_flight_with_it() -> None:
    async def scenario(air: Air, line: Line, coalescer: AsyncCoalescer) -> None:
        promises = [coalescer.push(str(n), post(b"x")) for n in range(3)]
        promises[0].cancel()
        air.land()
        air.land()
        assert [promise.result() for promise in promises[1:]] == ["1", "2"]

    flying(scenario)
