"""A consumer registers a narrower contract while a producer sends under load: refused in time, and nothing lost."""

from __future__ import annotations

import threading
from typing import Any

from claude_comm import Module, Publisher, Settings
from claude_comm.errors import NegotiationRefused
from claude_comm.names import Keys
from claude_comm.ops import agreements, registry
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import dead, pending
from tests.support.waiting import wait_until

WIDE = {"type": "object", "properties": {"n": {"type": "integer"}, "unit": {"type": "string"}}, "required": ["n"]}
NARROW = {**WIDE, "required": ["n", "unit"]}


def test_a_narrower_contract_under_load_stops_the_producer_and_loses_nothing(
    settings: Settings, client: Client
) -> None:
    keys, taken, published = Keys(settings.namespace), list[int](), list[int]()
    old, new = (Module("sink", version=version, settings=settings) for version in ("1.0.0", "2.0.0"))

    @old.handles("item", accepts=WIDE)
    def item(payload: dict[str, Any]) -> None:
        taken.append(payload["n"])

    @new.handles("item", accepts=NARROW)
    def whole(payload: dict[str, Any]) -> None:
        taken.append(payload["n"])

    refusals: list[NegotiationRefused] = []

    def send() -> None:
        with Publisher("src", settings=settings) as publisher:
            publisher.negotiate("sink", WIDE, type="item")
            while not refusals:
                try:
                    publisher.publish("sink", {"n": len(published)}, type="item")
                    published.append(len(published))
                except NegotiationRefused as error:
                    refusals.append(error)

    sender = threading.Thread(target=send)
    with running(old):
        wait_until(lambda: client.run(registry.find(keys, "sink")) is not None)
        sender.start()
        wait_until(lambda: len(taken) > 200)
    # The old version has ended: what still lies there, the new one reads.
    with running(new):
        wait_until(lambda: bool(refusals), what="publishing is refused")
        sender.join()
        wait_until(lambda: len(taken) + len(dead(client, keys, "sink")) >= len(published))
        wait_until(lambda: pending(client, keys, "sink") == 0)
    buried = len(dead(client, keys, "sink"))
    assert len(taken) + buried == len(published)
    assert sorted(set(taken)) == sorted(taken)
    refused: Any = refusals[0].refusal
    assert refused.consumer_version == "2.0.0"
    assert "unit" in str(refusals[0])
    pair = client.run(agreements.pair(keys, "src", "sink", "item"))
    assert pair is not None
    assert [(turn.answer, turn.consumer_version) for turn in pair.history] == [
        ("compatible", "1.0.0"),
        ("incompatible", "2.0.0"),
    ]
    assert "sink 2.0.0" in pair.history[1].because
