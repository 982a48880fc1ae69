"""A request to a module of which nobody lives is refused at once and not sent; whoever may be there counts as there."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from claude_comm import AsyncPublisher, Consumer, Context, Module, NoResponder, Publisher, RetryPolicy, Settings
from claude_comm.client.identity import millis
from claude_comm.client.publisher import responders
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import heartbeats, replies
from claude_comm.ops.heartbeats import ALIVE_MS
from claude_comm.transport.driver import Client
from tests.support.modules import answering, running
from tests.support.waiting import PATIENCE_S, wait_until


def oracle(settings: Settings) -> Module:
    module = Module("oracle", settings=settings, instance="one")

    @module.handles()
    def answer(question: Any) -> Any:
        return question

    return module


def responds(client: Client, keys: Keys, module: str, now_ms: int | None = None) -> bool:
    return client.run(replies.responds(keys, module, now_ms or millis()))


def test_nobody_answers_for_a_name_that_nobody_has_and_nothing_is_sent(client: Client, settings: Settings) -> None:
    with answering(oracle(settings)), Publisher("a", settings=settings) as publisher:
        wait_until(lambda: responds(client, Keys(settings.namespace), "oracle"))
        with pytest.raises(NoResponder, match="Did you mean 'oracle'") as caught:
            publisher.request("orcale", 1)
    assert caught.value.exit_code == 3
    assert caught.value.waited_s < responders.NOBODY_S + 25, "not the half minute of a request"
    assert responders.NOBODY_S < 5, "what a look takes on a slow machine comes on top"
    assert client.data.one(Command(("EXISTS", Keys(settings.namespace).inbox("orcale")))) == 0


def test_nobody_answers_for_a_module_that_has_stopped(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    module = oracle(settings)
    with Publisher("a", settings=settings) as publisher:
        with answering(module):
            assert publisher.request("oracle", 1) == 1
        publisher._responders.lost("oracle")
        monkeypatch.setattr(responders, "NOBODY_S", 0.1)
        with pytest.raises(NoResponder, match="Start it, then ask again"):
            publisher.request("oracle", 2)


def test_one_that_starts_meanwhile_answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responders, "NOBODY_S", 120.0)

    async def scenario() -> Any:
        async with AsyncPublisher("a", settings=settings) as publisher:
            asked = asyncio.create_task(publisher.request("oracle", 1, timeout_s=120))
            with running(oracle(settings)):
                return await asked

    assert asyncio.run(scenario()) == 1


def test_a_flow_of_answers_costs_no_looks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    plain = replies.responds

    def seen(keys: Keys, module: str, *rest: Any) -> Any:
        looks.append(module)
        return plain(keys, module, *rest)

    monkeypatch.setattr(replies, "responds", seen)
    monkeypatch.setattr(responders, "SEEN_S", 1e9)
    with answering(oracle(settings)), Publisher("a", settings=settings) as publisher:
        publisher.request("oracle", 0)
        before = len(looks)
        assert [publisher.request("oracle", number) for number in range(20)] == list(range(20))
    assert len(looks) == before


def test_who_counts_as_there(client: Client, settings: Settings, keys: Keys) -> None:
    """By the server's clock: so no clock that is wrong makes anybody dead who reads."""
    assert not responds(client, keys, "desk")
    with Consumer("desk", settings=settings) as bare:
        bare.read(wait_s=0)
        assert responds(client, keys, "desk", now_ms=millis() + 3_600_000)
    assert not responds(client, keys, "desk"), "it has left"


@pytest.mark.parametrize(
    ("beat_ms", "silent_ms", "there"),
    [(None, 600_000, True), (None, 1, False), (0, 600_000, True), (ALIVE_MS, 600_000, False)],
    ids=["a consumer without heartbeats", "one that fell silent", "a module that does not read", "a module that died"],
)
def test_who_reads_no_more_counts_as_there(
    client: Client,
    settings: Settings,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    beat_ms: int | None,
    silent_ms: int,
    there: bool,
) -> None:
    consumer = Consumer("desk", settings=settings, instance="one")
    consumer.read(wait_s=0)
    consumer.client.close()
    now_ms = millis()
    if beat_ms is not None:
        client.run(heartbeats.beat(keys.instances, "desk/one", now_ms=now_ms - beat_ms))
    wait_until(lambda: _idle_ms(client, keys) > 2)
    # The law that it fell silent for less than eight seconds is for those who read: here nobody does any more.
    monkeypatch.setattr(replies, "ALIVE_MS", 1)
    monkeypatch.setattr(replies, "SILENT_MS", silent_ms)
    assert responds(client, keys, "desk", now_ms) is there


def _idle_ms(client: Client, keys: Keys) -> int:
    (facts,) = client.data.one(Command(("XINFO", "CONSUMERS", keys.inbox("desk"), "desk")))
    by_name = facts if isinstance(facts, dict) else dict(zip(facts[::2], facts[1::2], strict=True))
    return int(by_name[b"idle"])


def test_a_handler_that_asks_one_that_is_not_there_yet_waits_for_it(settings: Settings) -> None:
    clerk, done = Module("clerk", settings=settings, retry=RetryPolicy(attempts=1)), threading.Event()

    @clerk.handles()
    def twice(number: int, context: Context) -> None:
        assert context.request("oracle", number, timeout_s=PATIENCE_S) == number
        done.set()

    with running(clerk), Publisher("a", settings=settings) as publisher:
        publisher.publish("clerk", 4)
        wait_until(lambda: publisher.client.run(heartbeats.waiting(Keys(settings.namespace), now_ms=millis())) != {})
        with running(oracle(settings)):
            assert done.wait(PATIENCE_S)
        dead = publisher.client.data.one(Command(("XLEN", Keys(settings.namespace).dead("clerk"))))
    assert dead == 0
