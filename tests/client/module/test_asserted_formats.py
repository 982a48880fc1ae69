"""A contract that asserts its formats: agreed on, enforced where a message is sent, and held to where it is handled."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.errors import AgreementBroken, NegotiationRefused
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import dead
from tests.support.waiting import wait_until

DATED = {"type": "object", "properties": {"at": {"type": "string", "format": "date"}}, "required": ["at"]}
TEXT = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
GOOD, BAD = {"at": "2024-02-29"}, {"at": "2023-02-29"}


def sink(settings: Settings, formats: Any) -> tuple[Module, list[Any]]:
    module, seen = Module("sink", settings=settings, formats=formats), list[Any]()

    @module.handles("dated", accepts=DATED)
    def handle(payload: dict[str, Any]) -> None:
        seen.append(payload)

    return module, seen


def test_a_text_is_no_date_to_a_contract_that_asserts(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    module, seen = sink(settings, "assert")
    asserted = module.contract().accepts["dated"]
    with Publisher("source", settings=settings) as publisher, running(module):
        wait_until(lambda: client.run(registry.find(keys, "sink")) is not None)
        with pytest.raises(NegotiationRefused, match="in the format"):
            publisher.negotiate("sink", TEXT, type="dated")
        publisher.negotiate("sink", asserted, type="dated")
        publisher.publish("sink", GOOD, type="dated")
        with pytest.raises(AgreementBroken, match="date"):
            publisher.publish("sink", BAD, type="dated")
        # What comes without an agreement is held to it where it is handled.
        with Publisher("stranger", settings=settings) as stranger:
            stranger.publish("sink", BAD, type="dated")
        wait_until(lambda: bool(dead(client, keys, "sink")) and seen == [GOOD])


def test_by_default_a_format_is_a_remark(settings: Settings, client: Client) -> None:
    module, seen = sink(settings, "annotate")
    with Publisher("source", settings=settings) as publisher, running(module):
        wait_until(lambda: client.run(registry.find(Keys(settings.namespace), "sink")) is not None)
        publisher.negotiate("sink", TEXT, type="dated")
        publisher.publish("sink", BAD, type="dated")
        wait_until(lambda: seen == [BAD])
