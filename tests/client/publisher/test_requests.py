"""Request and reply: every request ends by its deadline, with its own answer or with a typed error."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import (
    AsyncModuleCommunicator,
    AsyncPublisher,
    Consumer,
    Context,
    Module,
    ModuleCommunicator,
    Publisher,
    RetryPolicy,
    Settings,
)
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.publisher import responders
from claude_comm.client.publisher.request_flights import HALVED, Flights
from claude_comm.delivery.reply import REPLY_TYPE, ReplyAddress, address
from claude_comm.effects import Command
from claude_comm.errors import (
    ConfigurationError,
    DecodeError,
    EncodeError,
    NoResponder,
    ReplyTimeout,
    RequestFailed,
    ServerUnreachable,
    TransportError,
)
from claude_comm.names import Keys
from claude_comm.ops import replies
from claude_comm.runtime import private_server
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.modules import answering, running
from tests.support.waiting import PATIENCE_S, wait_until

# A request whose time is to run out: the server has taken it by then, also on a busy machine.
SERVED_S = 1.5


class Sum(msgspec.Struct):
    total: int


class Numbers(msgspec.Struct):
    a: int
    b: int


def adder(settings: Settings) -> Module:
    module = Module("adder", settings=settings, retry=RetryPolicy(attempts=2, first_wait_s=0.01))

    @module.handles()
    def add(numbers: Numbers) -> Sum:
        return Sum(numbers.a + numbers.b)

    @module.handles("nothing")
    def nothing(_: Any) -> None:
        return None

    @module.handles("bad")
    def bad(_: Any) -> None:
        raise KeyError("no such price")

    @module.handles("unspeakable")
    def unspeakable(_: Any) -> object:
        return threading.Lock()

    @module.handles("garbled")
    def garbled(_: Any) -> msgspec.Raw:
        return msgspec.Raw(b"\xc1")

    @module.handles("slow")
    async def slow(number: int) -> int:
        await asyncio.sleep(random.random() / 50)
        return number

    return module


@contextmanager
def asking(settings: Settings, name: str = "asker") -> Iterator[Publisher]:
    with Publisher(name, settings=settings) as publisher:
        yield publisher


def streams_of_replies(client: Client, settings: Settings) -> list[bytes]:
    found: list[bytes] = client.data.one(Command(("KEYS", f"{settings.namespace}:*:replies:*")))
    return found


def test_what_the_handler_returns_is_the_reply(settings: Settings) -> None:
    with answering(adder(settings)), asking(settings) as publisher:
        assert publisher.request("adder", {"a": 2, "b": 3}) == {"total": 5}
        assert publisher.request("adder", Numbers(2, 3), as_=Sum) == Sum(5)
        assert publisher.request("adder", 1, type="nothing") is None
        with pytest.raises(DecodeError):
            publisher.request("adder", {"a": 2, "b": 3}, as_=int)


def test_an_error_in_the_handler_comes_back_when_the_request_is_given_up(settings: Settings) -> None:
    with answering(adder(settings)), asking(settings) as publisher:
        with pytest.raises(RequestFailed, match="failed 2 times") as caught:
            publisher.request("adder", 1, type="bad")
        assert (caught.value.target, caught.value.error, caught.value.text) == ("adder", "KeyError", "'no such price'")
        assert caught.value.id in str(caught.value)


def test_what_can_never_be_handled_is_answered_at_once_with_its_reason_and_place(settings: Settings) -> None:
    with answering(adder(settings)), asking(settings) as publisher:
        with pytest.raises(RequestFailed) as caught:
            publisher.request("adder", {"a": 1, "b": "two"})
        assert (caught.value.path, caught.value.error) == ("$.b", "PayloadRefused")
        with pytest.raises(RequestFailed, match="no handler for 'unknown'"):
            publisher.request("adder", 1, type="unknown")
        with pytest.raises(RequestFailed, match="its reply cannot be sent") as caught:
            publisher.request("adder", 1, type="unspeakable")
        assert caught.value.error == "EncodeError"
        with pytest.raises(RequestFailed, match="no MessagePack"):
            publisher.request("adder", 1, type="garbled")
        with pytest.raises(EncodeError, match="no MessagePack"):
            publisher.request("adder", msgspec.Raw(b"\xc1"))


def test_a_delivery_that_kills_its_consumers_is_answered_when_it_is_buried(settings: Settings) -> None:
    with asking(settings) as publisher, ThreadPoolExecutor(1) as pool:
        with Consumer("fragile", settings=settings) as joined:
            joined.read(wait_s=0)
            asked = pool.submit(publisher.request, "fragile", 1, timeout_s=PATIENCE_S)
            wait_until(lambda: publisher._responders.known("fragile"))
        for _ in range(7):  # each takes it and dies without an end
            consumer = Consumer("fragile", settings=settings, lease_s=0.001)
            wait_until(lambda consumer=consumer: bool(consumer.read(wait_s=0.05)) or asked.done())
            consumer.client.close()
        with pytest.raises(RequestFailed, match="delivered 5 times"):
            asked.result(PATIENCE_S)


def test_nobody_answers_in_time(client: Client, settings: Settings) -> None:
    with asking(settings) as publisher, Consumer("silent", settings=settings) as consumer:
        consumer.read(wait_s=0)
        started = time.monotonic()
        with pytest.raises(ReplyTimeout, match="claude-comm modules") as caught:
            publisher.request("silent", 1, timeout_s=SERVED_S)
        assert time.monotonic() - started >= SERVED_S
        assert (caught.value.target, caught.value.timeout_s) == ("silent", SERVED_S)
        with pytest.raises(ConfigurationError, match="timeout_s"):
            publisher.request("silent", 1, timeout_s=0)
    handled: list[Any] = []
    late = Module("silent", settings=settings)

    @late.handles()
    def handle(payload: Any) -> None:
        handled.append(payload)

    with running(late):
        wait_until(lambda: client.data.one(Command(("XLEN", Keys(settings.namespace).dead("silent")))) == 1)
    assert handled == [], "a request whose time is over is not handled"


def test_a_late_reply_is_counted_and_reaches_no_other_request(settings: Settings) -> None:
    with asking(settings) as publisher, Consumer("slow", settings=settings) as consumer, ThreadPoolExecutor(1) as pool:
        consumer.read(wait_s=0)
        with pytest.raises(ReplyTimeout):
            publisher.request("slow", "first", timeout_s=SERVED_S)
        second = pool.submit(publisher.request, "slow", "second", timeout_s=PATIENCE_S)
        # The first expired for consumers too: what answers it had begun before, and works on what it read then.
        sent: list[Any] = []
        wait_until(lambda: sent.extend(consumer.read(wait_s=0.05)) or bool(sent))
        first = msgspec.structs.replace(
            sent[0], envelope=msgspec.structs.replace(sent[0].envelope, id=_given_up(publisher))
        )
        consumer.reply(first, "answer to the first")
        wait_until(lambda: publisher.late_replies == 1)
        assert not second.done()
        consumer.reply(sent[0], "answer to the second")
        consumer.reply(sent[0], "again, because it was handled twice")
        consumer.ack(sent[0])
        assert second.result(PATIENCE_S) == "answer to the second"
        wait_until(lambda: publisher.repeated_replies == 1)
        assert publisher.late_replies == 1


def _given_up(publisher: Publisher) -> str:
    (id_,) = publisher._requests.mailbox._expired
    return id_


def test_threads_share_one_reading_and_each_gets_its_own_answer(client: Client, settings: Settings) -> None:
    with answering(adder(settings)), asking(settings) as publisher, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: publisher.request("adder", {"a": n, "b": n}, as_=Sum).total, range(400)))
        assert answers == [2 * n for n in range(400)]
        assert len([thread for thread in threading.enumerate() if thread.name == "replies"]) == 1
        assert len(streams_of_replies(client, settings)) == 1


def test_threads_whose_answers_come_together_are_expected_to_ask_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[tuple[int, int]] = []
    monkeypatch.setattr(Flights, "woke", lambda _, count, waiting: woken.append((count, waiting)))
    with Consumer("slow", settings=settings) as consumer, asking(settings) as publisher:
        consumer.read(wait_s=0)
        with ThreadPoolExecutor(HALVED) as pool:
            answers = [pool.submit(publisher.request, "slow", number) for number in range(HALVED)]
            deliveries: list[Delivery] = []
            while len(deliveries) < HALVED:
                deliveries += consumer.read()
            assert woken == []
            for delivery in deliveries[:2]:
                consumer.reply(delivery, delivery.payload())
                consumer.ack(delivery)
            wait_until(lambda: woken)
            for delivery in deliveries[2:]:
                consumer.reply(delivery, delivery.payload())
                consumer.ack(delivery)
            assert sorted(answer.result(PATIENCE_S) for answer in answers) == list(range(HALVED))
    assert woken[0] in {(1, HALVED - 1), (2, HALVED - 2)}


def test_tasks_share_one_reading_and_answers_come_in_any_order(settings: Settings) -> None:
    async def scenario() -> list[int]:
        async with AsyncPublisher("asker", settings=settings) as publisher:
            return await asyncio.gather(*(publisher.request("adder", n, type="slow") for n in range(200)))

    with answering(adder(settings)):
        assert asyncio.run(scenario()) == list(range(200))


def test_answers_out_of_order_find_their_requests(settings: Settings) -> None:
    with asking(settings) as publisher, Consumer("desk", settings=settings) as consumer, ThreadPoolExecutor(8) as pool:
        consumer.read(wait_s=0)
        asked = [pool.submit(publisher.request, "desk", n, timeout_s=PATIENCE_S) for n in range(8)]
        deliveries: list[Any] = []
        wait_until(lambda: deliveries.extend(consumer.read(wait_s=0.05)) or len(deliveries) == 8)
        for delivery in reversed(deliveries):
            consumer.reply(delivery, delivery.payload() * 10)
            consumer.ack(delivery)
        assert [one.result(PATIENCE_S) for one in asked] == [n * 10 for n in range(8)]


def test_the_asyncio_twin_times_out_and_fails_alike(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with AsyncPublisher("asker", settings=settings) as publisher:
            monkeypatch.setattr(responders, "NOBODY_S", 0.1)
            with pytest.raises(NoResponder):
                await publisher.request("nobody", 1)
            monkeypatch.undo()
            with pytest.raises(ReplyTimeout):
                await publisher.request("silent", 1, timeout_s=SERVED_S)
            with pytest.raises(RequestFailed) as caught:
                await publisher.request("adder", 1, type="bad")
            assert caught.value.error == "KeyError"
            assert await publisher.request("adder", Numbers(1, 1), as_=Sum) == Sum(2)

    with answering(adder(settings)), Consumer("silent", settings=settings) as consumer:
        consumer.read(wait_s=0)
        asyncio.run(scenario())


def test_requests_of_tasks_end_each_by_its_own_time(settings: Settings) -> None:
    """They share a timer: one that is made later may end earlier, and what is left is looked at again."""

    async def scenario() -> None:
        async with AsyncPublisher("asker", settings=settings) as publisher:
            asked = []
            for timeout_s in (PATIENCE_S, SERVED_S + 0.3, SERVED_S, SERVED_S + 0.1):
                asked.append(asyncio.ensure_future(publisher.request("silent", 1, timeout_s=timeout_s)))
                while publisher._requests.mailbox.waiting < len(asked) and not asked[-1].done():
                    await asyncio.sleep(0.001)
            ended, _ = await asyncio.wait(asked[1:])
            assert not asked[0].done()
            assert ended == set(asked[1:])
            assert [one.exception().timeout_s for one in asked[1:]] == [SERVED_S + 0.3, SERVED_S, SERVED_S + 0.1]  # type: ignore[union-attr]
            asked[0].cancel()

    with Consumer("silent", settings=settings) as consumer:
        consumer.read(wait_s=0)
        asyncio.run(scenario())


def test_nothing_is_left_on_the_server_and_what_was_read_is_deleted(client: Client, settings: Settings) -> None:
    with answering(adder(settings)), asking(settings) as publisher:
        for n in range(20):
            publisher.request("adder", Numbers(n, n))
        (key,) = streams_of_replies(client, settings)
        wait_until(lambda: client.data.one(Command(("XLEN", key))) <= 1)
        assert 0 < client.data.one(Command(("PTTL", key))) <= replies.TTL_MS
    assert streams_of_replies(client, settings) == []


def test_a_request_outlives_a_flush_and_a_restart_of_the_server(home: Path) -> None:
    settings = Settings(home=home, log_level="error")
    with asking(settings) as publisher, answering(adder(settings)):
        assert publisher.request("adder", Numbers(1, 1), as_=Sum).total == 2
        publisher.client.data.one(Command(("FLUSHALL",)))
        _ask_until_answered(publisher)
        pid = private_server.server_pid(home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not private_server.alive(pid))
        private_server.ensure(home)
        _ask_until_answered(publisher)


def _ask_until_answered(publisher: Publisher) -> None:
    """Requests that the server lost end with an error; a new one is answered."""
    for _ in range(20):
        try:
            assert publisher.request("adder", Numbers(1, 2), as_=Sum, timeout_s=1).total == 3
            return
        except (NoResponder, ReplyTimeout, TransportError):
            continue
    pytest.fail("no request was answered any more")


def test_a_frozen_server_does_not_hold_a_request_beyond_its_time(home: Path) -> None:
    settings = Settings(home=home, log_level="error")
    with asking(settings) as publisher, answering(adder(settings)):
        publisher.request("adder", Numbers(1, 1))
        pid = private_server.server_pid(home)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises((ReplyTimeout, ServerUnreachable)):
                publisher.request("adder", Numbers(1, 1), timeout_s=0.5)
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_handler_asks_another_module_within_the_same_conversation(settings: Settings) -> None:
    clerk = Module("clerk", settings=settings)

    @clerk.handles()
    def twice(number: int, context: Context) -> int:
        total: int = context.request("adder", Numbers(number, number), as_=Sum).total
        return total

    with answering(adder(settings)), answering(clerk), asking(settings) as publisher:
        assert publisher.request("clerk", 4, session="s1") == 8
        rows = _rows(publisher, settings)
    requests = {row.target: row for row in rows if not row.type.startswith("comm.")}
    assert requests["adder"].causation == requests["clerk"].id
    assert {row.session for row in rows} == {"s1"}


def test_requests_and_replies_are_in_the_projection(settings: Settings) -> None:
    with answering(adder(settings)), asking(settings) as publisher:
        publisher.request("adder", Numbers(2, 2))
        with pytest.raises(RequestFailed):
            publisher.request("adder", 1, type="bad")
    with asking(settings) as publisher:
        rows = _rows(publisher, settings)
    by_cause = {row.causation: row for row in rows if row.causation}
    for row in rows:
        if row.reply_to:
            answer = by_cause[row.id]
            assert (answer.source, answer.target) == ("adder", "asker")
            assert answer.type == (REPLY_TYPE if row.type == "message" else "comm.failure")
    assert len(by_cause) == 2


def _rows(publisher: Publisher, settings: Settings) -> list[Any]:
    with open_database(settings.database) as database:
        catch_up(publisher.client, database, publisher.identity.keys, max_bytes=settings.max_envelope_bytes)
        return list(queries.messages(database))


def test_the_simple_faces_ask_too(settings: Settings) -> None:
    async def scenario() -> int:
        async with AsyncModuleCommunicator("asker", settings=settings) as communicator:
            with communicator.session("s2"):
                total: int = (await communicator.request("adder", {"a": 1, "b": 1}, as_=Sum)).total
                return total

    with answering(adder(settings)), ModuleCommunicator("asker", settings=settings) as communicator:
        with communicator.session("s1"):
            assert communicator.request("adder", {"a": 1, "b": 5}) == {"total": 6}
        assert asyncio.run(scenario()) == 2


FORKING = """
import os
from claude_comm import Publisher
with Publisher("asker") as publisher:
    assert publisher.request("adder", {"a": 1, "b": 1}, timeout_s=60) == {"total": 2}
    parent = publisher._requests.mailbox.address
    child = os.fork()
    if child == 0:
        answer = publisher.request("adder", {"a": 2, "b": 2}, timeout_s=60)
        os._exit(0 if answer == {"total": 4} and publisher._requests.mailbox.address != parent else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert publisher.request("adder", {"a": 3, "b": 3}, timeout_s=60) == {"total": 6}
"""


def test_a_fork_reads_its_own_replies(settings: Settings, environ: dict[str, str]) -> None:
    with answering(adder(settings)):
        done = subprocess.run([sys.executable, "-c", FORKING], env=environ, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "reply_to", ["", "a module", "module", "comm:{m:x}:inbox", "a/b/c", "/", "a/", "x" * 200 + "/i"]
)
def test_only_an_address_is_answered(reply_to: str) -> None:
    assert address(reply_to) is None
    assert address("asker/host-1") == ReplyAddress("asker", "host-1")


def test_a_message_for_whose_answer_nobody_waits_gets_none(client: Client, settings: Settings) -> None:
    seen = threading.Event()
    module = Module("sink", settings=settings)

    @module.handles()
    def handle(_: Any) -> str:
        seen.set()
        return "an answer"

    with asking(settings) as publisher:
        publisher.publish("sink", 1, reply_to="some/where/else")
        with running(module):
            wait_until(seen.is_set)
    assert streams_of_replies(client, settings) == []
