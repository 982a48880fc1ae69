"""What a registration and the start of a publisher ask of the registry does not grow with the number of modules."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client.publisher import negotiate
from claude_comm.effects import Batch, Operation
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.transport.driver import Client

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def declared(name: str, version: int, partner: str) -> Contract:
    produces = [Produced("sum", SCHEMA, partner)]
    return contract(name, version=f"1.{version}.0", accepts={"item": SCHEMA}, produces=produces)


def asked(client: Client, operation: Operation[Any]) -> tuple[int, int]:
    """How many commands an operation takes, and how large the replies are."""
    commands = size = 0

    def counted() -> Operation[Any]:
        nonlocal commands, size
        reply: Any = None
        try:
            effect = next(operation)
            while True:
                commands += len(effect.commands) if isinstance(effect, Batch) else 1
                reply = yield effect
                size += len(repr(reply))
                effect = operation.send(reply)
        except StopIteration:
            return

    client.run(counted())
    return commands, size


@pytest.fixture
def crowd(client: Client, settings: Settings) -> Any:
    keys = Keys(settings.namespace)

    def grow(first: int, last: int) -> None:
        for number in range(first, last):
            for version in range(5):
                made = declared(f"m{number:03}", version, f"m{max(number - 1, 0):03}")
                client.run(registration.register(keys, made, instance=f"i{version}"))

    return grow


def test_one_more_module_costs_the_same_among_few_and_among_many(
    crowd: Any, client: Client, settings: Settings
) -> None:
    keys = Keys(settings.namespace)
    costs = []
    for first, last in ((0, 4), (4, 60)):
        crowd(first, last)
        registering = asked(client, registration.register(keys, declared(f"new-{last:02}", 0, "m001")))
        starting = asked(client, negotiate.questions(keys, f"new-{last:02}", "m001", "item", SCHEMA))
        costs.append((registering, starting))
    assert costs[0] == costs[1]
