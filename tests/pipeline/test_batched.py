"""Many messages of a pipeline at once: what follows is sent together and before the acks, parts are kept together."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.pipeline.run import Run
from claude_comm.effects import Batch, Command, Effect, Operation, Scripts
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, prepared, step, up
from tests.support.waiting import wait_until

COUNT = 40


def _options(batch: int) -> Options:
    return Options(batch=batch, lease_s=60.0, prefetch_bytes=1 << 20)


@pytest.fixture
def waiting(settings: Settings, client: Client) -> Subscription:
    """A consumer of the step `one`, in whose inbox lie inputs of a run that was cut off."""
    with up(client, settings, module(settings, "one", lambda payload: payload, concurrency=2)):
        session = prepared(client, settings, document(step("one")))
    cut_off = Run(client, settings, session, iter([{"n": n} for n in range(COUNT)]))
    cut_off._send_some()
    return Subscription("one", (), settings, None, _options(COUNT))


def performed(client: Client, operation: Operation[Any], refusing: str = "") -> list[Effect]:
    """The effects of an operation, each performed; of commands in a batch those with that word are refused."""
    effects: list[Effect] = []
    reply: Any = None
    try:
        while True:
            effect = operation.send(reply)
            effects.append(effect)
            reply = client.run(_as_operation(effect))
            if refusing and isinstance(effect, Batch):
                reply = [
                    ServerRefused("NOPERM no") if refusing in str(command.args) else answer
                    for command, answer in zip(effect.commands, reply, strict=True)
                ]
    except StopIteration:
        return effects


def _as_operation(effect: Effect) -> Operation[Any]:
    return (yield effect)


def verbs(effects: list[Effect]) -> list[list[str]]:
    """The commands of each batch."""
    return [[str(command.args[0]) for command in effect.commands] for effect in effects if isinstance(effect, Batch)]


def test_what_follows_is_sent_in_one_exchange_before_the_acks(waiting: Subscription, client: Client) -> None:
    deliveries = client.run(waiting.reading(1_000))
    assert len(deliveries) == COUNT
    for delivery in deliveries:
        waiting.in_flight.ack(delivery, onward=waiting.onward(delivery, {"done": True}))
    onward, settled = verbs(performed(client, waiting.settling()))
    assert onward == ["XADD"] * COUNT
    assert settled[0] == "XACK"


def test_what_could_not_be_sent_on_is_not_acked_and_comes_again(waiting: Subscription, client: Client) -> None:
    deliveries = client.run(waiting.reading(1_000))
    for delivery in deliveries:
        waiting.in_flight.ack(delivery, onward=waiting.onward(delivery, {"done": True}))
    refused = deliveries[7].envelope.id
    effects = performed(client, waiting.settling(), refusing=refused)
    (acks,) = [c for effect in effects if isinstance(effect, Batch) for c in effect.commands if c.args[0] == "XACK"]
    assert len(acks.args) - 3 == COUNT - 1
    assert deliveries[7].entry.id not in acks.args


def test_a_read_that_is_begun_ahead_leaves_what_follows_for_later(waiting: Subscription, client: Client) -> None:
    """Nothing else may be sent before its batch: a way that sent first would end the module."""
    first, *others = client.run(waiting.reading(1_000))
    waiting.in_flight.ack(first, onward=waiting.onward(first, {"done": True}))
    client.run(waiting.reading(0))  # other duties are done
    for delivery in others:
        waiting.in_flight.ack(delivery, onward=waiting.onward(delivery, {"done": True}))
    ahead = waiting.reading_ahead(5)
    assert ahead is not None
    assert verbs(performed(client, ahead)) == [["XREADGROUP"]]
    assert waiting.in_flight.has_acks()


def test_parts_that_came_together_are_kept_in_one_exchange(settings: Settings, client: Client) -> None:
    pipeline = document(
        step("a", after=[]), step("left", after="a"), step("right", after="a"), step("join", after=["left", "right"])
    )
    same = [module(settings, name, lambda payload: payload) for name in ("a", "left", "right")]
    joining = module(settings, "join", lambda payload: payload)
    with up(client, settings, *same, joining):
        session = prepared(client, settings, pipeline)
    cut_off = Run(client, settings, session, iter([{"n": n} for n in range(COUNT)]))
    with up(client, settings, *same):
        cut_off._send_some()
        inbox = Keys(settings.namespace).inbox("join")
        wait_until(lambda: client.data.one(Command(("XLEN", inbox))) == 2 * COUNT, what="the parts")
    subscription = Subscription("join", (), settings, None, _options(2 * COUNT))
    client.run(subscription.reading(0, 1))  # joins the group
    effects = performed(client, subscription.reading(1_000))
    (scripts,) = [effect for effect in effects if isinstance(effect, Scripts)]
    assert len(scripts.scripts) == 2 * COUNT - 1
