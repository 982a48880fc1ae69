"""What is declared and was not negotiated is proved on the map, and nothing is stored by that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client import declared_edges
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import agreements, registration
from claude_comm.ops import graph as maps
from claude_comm.registry.contracts import Produced, contract
from claude_comm.transport.driver import Client

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
RENAMED = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
MORE = {"type": "object", "properties": {"n": {"type": "integer"}, "why": {"type": "string"}}, "required": ["n", "why"]}
NOW_MS = 1_760_000_000_000


@pytest.fixture
def register(settings: Settings, client: Client) -> Callable[..., None]:
    def register(name: str, **declared: Any) -> None:
        made = contract(name, **{"version": "1.0.0", **declared})
        client.run(registration.register(Keys(settings.namespace), made, instance=f"{name}-1"))

    return register


def states(settings: Settings, client: Client, within_s: float = 60.0) -> dict[str, tuple[str, str]]:
    keys = Keys(settings.namespace)
    known = client.run(maps.read(keys, now_ms=NOW_MS))
    shown = declared_edges.proved(client, keys, known, within_s)
    return {edge.target: (edge.state, edge.why) for edge in shown.edges}


def test_each_declared_way_is_told_as_what_it_is(
    settings: Settings, client: Client, register: Callable[..., None]
) -> None:
    targets = ("fits", "renames", "refuses", "other", "absent")
    register("src", produces=[Produced("item", NUMBER, target) for target in targets])
    register("fits", accepts={"item": NUMBER})
    register("renames", accepts={"item": RENAMED}, aliases={"item": {"count": ["n"]}})
    register("refuses", accepts={"item": MORE})
    register("other", accepts={"another": NUMBER})
    found = states(settings, client)
    assert {target: state for target, (state, _) in found.items()} == {
        "fits": "proved",
        "renames": "adapted",
        "refuses": "broken",
        "other": "broken",
        "absent": "undecided",
    }
    assert "not negotiated yet" in found["fits"][1]
    assert found["refuses"][1]
    assert client.run(agreements.everything(Keys(settings.namespace))).agreements == []


def test_what_the_time_does_not_reach_stays_undecided(
    settings: Settings, client: Client, register: Callable[..., None]
) -> None:
    register("src", produces=[Produced("item", NUMBER, "fits")])
    register("fits", accepts={"item": NUMBER})
    assert states(settings, client, within_s=0.0) == {"fits": ("undecided", "declared, and not negotiated yet")}


def test_a_contract_that_cannot_be_read_leaves_its_ways_undecided(
    settings: Settings, client: Client, register: Callable[..., None]
) -> None:
    register("src", produces=[Produced("item", NUMBER, "fits")])
    register("fits", accepts={"item": NUMBER})
    client.control.one(Command(("DEL", Keys(settings.namespace).contracts), on="control"))
    assert states(settings, client)["fits"][0] == "undecided"
