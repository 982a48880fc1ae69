"""What becomes of a message that breaks the contract of the module that reads it, in each mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.client.module.breaches import Breaches
from claude_comm.envelope import Envelope
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.waiting import wait_until

SMALL = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 10}}, "required": ["n"]}


@pytest.mark.parametrize("mode", ["enforce", "warn", "off"])
def test_a_message_beyond_the_contract_is_buried_or_handed_over_as_the_mode_says(
    mode: Any, settings: Settings, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    module = Module("sink", settings=settings, enforcement=mode)
    seen: list[Any] = []

    @module.handles("item", accepts=SMALL)
    def take(payload: dict[str, Any]) -> None:
        seen.append(payload["n"])

    with Publisher("src", settings=settings) as publisher:
        for n in (1, 11, 12, 2):
            publisher.publish("sink", {"n": n}, type="item")
        # No mode hands over what the type of the handler cannot take.
        publisher.publish("sink", [3], type="item")
        publisher.publish("sink", {"n": 3}, type="item")
    dead = Keys(settings.namespace).dead("sink")
    with running(module):
        wait_until(lambda: 3 in seen)
        wait_until(lambda: _length(client, dead) == (3 if mode == "enforce" else 1))
    assert seen == ([1, 2, 3] if mode == "enforce" else [1, 11, 12, 2, 3])
    said = capfd.readouterr().err
    assert said.count("contract.broken") == (2 if mode == "warn" else 0)
    if mode == "enforce":
        reasons = client.run(_reasons(dead))
        assert sum(b"$.n" in reason for reason in reasons) == 2


def test_each_place_is_said_at_its_first_and_at_each_power_of_ten() -> None:
    breaches, said = Breaches(), []

    class Log:
        def warning(self, event: str, **keys: Any) -> None:
            said.append((event, keys["type"], keys["path"], keys["count"]))

    breaches.log = Log()  # type: ignore[assignment]
    envelope = Envelope(id="1", source="src", target="sink", type="item", time=0)
    for _ in range(120):
        breaches.note(envelope, "$.n", "it is too large")
    breaches.note(envelope, "$.m", "it is missing")
    assert [count for _, _, path, count in said if path == "$.n"] == [1, 10, 100]
    assert said[-1] == ("contract.broken", "item", "$.m", 1)


def _length(client: Client, key: str) -> int:
    from claude_comm.effects import Command

    def asked() -> Any:
        return (yield Command(("XLEN", key)))

    return int(client.run(asked()))


def _reasons(key: str) -> Any:
    from claude_comm.effects import Command

    entries = yield Command(("XRANGE", key, "-", "+"))
    return [json.dumps([str(part) for part in entry[1]]).encode() for entry in entries]
