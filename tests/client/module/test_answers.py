"""Answers of a module: they travel with the acks of their requests, before them, and none waits for a slow handler."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from claude_comm import Consumer, Module, Publisher, Settings
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.module import endings
from claude_comm.client.module.prefetch import Prefetcher
from claude_comm.delivery.flow_control import Ahead
from claude_comm.effects import Batch, Command, Effect
from claude_comm.envelope import Envelope, decode, decode_array
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.progress.events import EVENT_TYPE, Handled, decode_event
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from claude_comm.transport.pool import ConnectionPool
from tests.support.modules import answering
from tests.support.streams import pending
from tests.support.waiting import PATIENCE_S, wait_until


def desk(settings: Settings, answer: Callable[[Any], Any], **options: Any) -> Module:
    module = Module("desk", settings=settings, **options)

    @module.handles()
    def handle(payload: Any) -> Any:
        return answer(payload)

    return module


def batches_of(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the commands of each batch that any client in this process sends from now on."""
    seen: list[list[str]] = []
    perform = Client._perform

    def look(self: Client, effect: Effect) -> Any:
        if isinstance(effect, Batch):
            seen.append([str(command.args[0]) for command in effect.commands])
        return perform(self, effect)

    monkeypatch.setattr(Client, "_perform", look)
    return seen


def test_an_answer_and_its_ack_are_one_batch_and_the_answer_comes_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = desk(settings, lambda payload: payload * 2)
    with answering(module), Publisher("asker", settings=settings) as publisher:
        assert publisher.request("desk", 1) == 2
        seen = batches_of(monkeypatch)
        assert publisher.request("desk", 2) == 4
        wait_until(lambda: any("XACK" in names for names in seen))
    (names,) = [names for names in seen if "XACK" in names][:1]
    assert names[:5] == ["XADD", "XADD", "PEXPIRE", "XACK", "XADD"]


@pytest.mark.parametrize("is_async", [False, True])
def test_answers_of_many_requests_travel_together(client: Client, settings: Settings, is_async: bool) -> None:
    module = Module("desk", settings=settings)
    if is_async:

        @module.handles()
        async def handle(payload: int) -> int:
            return payload

    else:

        @module.handles()
        def handle_plainly(payload: int) -> int:
            return payload

    with answering(module), Publisher("asker", settings=settings) as publisher, ThreadPoolExecutor(40) as pool:
        assert publisher.request("desk", 0) == 0
        before = _calls(client, "xack")
        assert list(pool.map(lambda n: publisher.request("desk", n), range(400))) == list(range(400))
        assert _calls(client, "xack") - before < 200


@pytest.mark.parametrize(("address", "entries"), [("asker/many-1", 1), ("asker/1", 3), ("asker/task-1", 3)])
def test_answers_of_one_batch_share_an_entry_where_the_address_says_that_it_is_read(
    client: Client, keys: Keys, settings: Settings, address: str, entries: int
) -> None:
    """A publisher of an earlier release, or in another language, reads one answer in an entry."""
    with Publisher("asker", settings=settings) as asker, Consumer("desk", settings=settings) as consumer:
        ids = [asker.publish("desk", n, reply_to=address) for n in range(3)]
        subscription = consumer._subscription
        for delivery in consumer.read():
            subscription.in_flight.ack(delivery, subscription.reply(delivery, delivery.payload()))
        client.run(subscription.settling())
    stored = client.data.one(Command(("XRANGE", keys.replies(*address.split("/")), "-", "+")))
    bodies = [fields[1] for _, fields in stored]
    answers = decode_array(bodies[0]) if entries == 1 else [decode(body) for body in bodies]
    assert len(stored) == entries
    assert [(answer.causation, answer.payload()) for answer in answers if isinstance(answer, Envelope)] == [
        (id_, n) for n, id_ in enumerate(ids)
    ]


@pytest.mark.parametrize("others", [0, 1])
def test_an_answer_before_another_handler_is_sent_beside_it(settings: Settings, others: int) -> None:
    """With nothing else to handle the worker's own read carries it at once."""
    called: list[str] = []
    with connect(settings) as client:
        subscription = Subscription("desk", (), settings, None, Options(batch=1, lease_s=1.0, prefetch_bytes=1))
        prefetcher = Prefetcher(
            *(client, subscription, Outage(get_logger("error")), Ahead(10, 1)),
            *(lambda: called.append("idle"), lambda: called.append("soon")),
        )
        prefetcher._ready.extend([None] * others)  # type: ignore[list-item]
        prefetcher.answered()
    assert called == ["soon"] * others


def test_large_answers_do_not_gather(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "MAX_ANSWER_BYTES", 1_000)
    module = desk(settings, lambda payload: "x" * payload)
    with answering(module), Publisher("asker", settings=settings) as publisher, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: publisher.request("desk", n), [50_000] * 40))
    assert answers == ["x" * 50_000] * 40


def test_an_answer_that_the_server_refuses_holds_up_no_other(client: Client, keys: Keys, settings: Settings) -> None:
    """The key of its replies is of another type: its requester's time runs out, and all messages are acked."""
    module = desk(settings, lambda payload: payload)
    client.data.one(Command(("SET", keys.replies("odd", "one"), "x")))
    with answering(module), Publisher("odd", settings=settings) as odd, Publisher("asker", settings=settings) as asker:
        odd.publish("desk", 1, reply_to="odd/one")
        assert [asker.request("desk", n) for n in range(3)] == [0, 1, 2]
        wait_until(lambda: pending(client, keys, "desk") == 0)
    assert len(_settled(client, keys)) == 4, "what was refused once is not sent again for ever"


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_answered_and_not_confirmed_is_answered_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    """The batch of the answer is lost on its way: it stays here, and goes with the next one."""
    module = Module("desk", settings=settings)
    if is_async:

        @module.handles()
        async def handle(payload: int) -> int:
            return payload

    else:

        @module.handles()
        def handle_plainly(payload: int) -> int:
            return payload

    lost: list[int] = []
    whole = ConnectionPool.many

    def lose(self: ConnectionPool, commands: Any, *times_ms: int) -> Any:
        if not lost and any(command.args[0] == "PEXPIRE" for command in commands):
            lost.append(1)
            raise ServerUnreachable(self.url, "cut")
        return whole(self, commands, *times_ms)

    with answering(module), Publisher("asker", settings=settings) as publisher:
        assert publisher.request("desk", 1) == 1
        monkeypatch.setattr(ConnectionPool, "many", lose)
        assert publisher.request("desk", 2, timeout_s=PATIENCE_S) == 2
        assert lost


def test_messages_that_come_one_by_one_share_their_acks(client: Client, keys: Keys, settings: Settings) -> None:
    handled = threading.Semaphore(0)
    module = desk(settings, lambda _: handled.release())
    with answering(module), Publisher("src", settings=settings) as publisher:
        publisher.publish("desk", 0)
        assert handled.acquire(timeout=PATIENCE_S)
        wait_until(lambda: pending(client, keys, "desk") == 0)
        before = _calls(client, "xack")
        for n in range(100):
            publisher.publish("desk", n)
            assert handled.acquire(timeout=PATIENCE_S)
        wait_until(lambda: pending(client, keys, "desk") == 0)
        assert _calls(client, "xack") - before < 100
    settled = _settled(client, keys)
    assert len(set(settled)) == len(settled) == 101


def _settled(client: Client, keys: Keys) -> list[str]:
    """The messages whose end is told on the stream of events, in its order."""
    entries = client.data.one(Command(("XRANGE", keys.events("desk"), "-", "+")))
    told = [decode(fields[1]) for _, fields in entries]
    happened = [decode_event(each.data) for each in told if each.type == EVENT_TYPE]
    return [delivery.id for event in happened if isinstance(event, Handled) for delivery in event.deliveries]


def _calls(client: Client, command: str) -> int:
    told = client.data.one(Command(("INFO", "commandstats")))
    text = told.decode() if isinstance(told, bytes) else str(told)
    for line in text.splitlines():
        if line.startswith(f"cmdstat_{command}:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0
