"""Agreements that nothing can use go; whatever a version, a run or a message may look for stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from claude_comm import ModuleCommunicator, Publisher, Settings
from claude_comm.client.identity import micros
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, digest
from claude_comm.ops import agreements, outdated, registration, registry, sessions
from claude_comm.ops.outdated import KEPT_US, LATE_US
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, prepared, step, up


def accepts(*more: str) -> dict[str, Any]:
    properties = {name: {"type": "number"} for name in ("n", *more)}
    return {"type": "object", "properties": properties, "required": ["n"]}


Look = Callable[..., set[str]]


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.namespace)


@pytest.fixture
def look(client: Client, keys: Keys) -> Look:
    """What a janitor would remove that has looked first a week after now, and then `after_us` later."""
    unused: outdated.Unused = {}

    def look(after_us: int = 3 * LATE_US) -> set[str]:
        first_us = micros() + KEPT_US
        client.run(outdated.outdated(keys, unused, now_us=first_us))
        return client.run(outdated.outdated(keys, unused, now_us=first_us + after_us))

    return look


@pytest.fixture
def superseded(settings: Settings, client: Client, keys: Keys) -> tuple[Agreement, Agreement]:
    """The agreement with a version of `marker` that is the current one no more, and the one with the next."""
    found = []
    with Publisher("sparta", settings=settings) as sparta:
        for version, more in (("1.0.0", ()), ("2.0.0", ("m",))):
            with ModuleCommunicator("marker", settings=settings) as marker:
                marker.register(accepts=accepts(*more), version=version)
            found.append(sparta.negotiate("marker", accepts()))
    stored = {it.id: it for it in client.run(agreements.everything(keys)).agreements}
    return stored[found[0].id], stored[found[1].id]


def test_what_no_version_can_use_goes_after_a_week_and_an_hour(
    superseded: tuple[Agreement, Agreement], look: Look, client: Client, keys: Keys
) -> None:
    old, current = superseded
    assert look(after_us=LATE_US // 2) == set()
    assert look() == {old.id}
    assert client.run(outdated.remove(keys, {old.id})) == 1
    assert [it.id for it in client.run(agreements.everything(keys)).agreements] == [current.id]


def test_nothing_goes_in_its_first_week(superseded: tuple[Agreement, Agreement], client: Client, keys: Keys) -> None:
    unused: outdated.Unused = {}
    for later_us in (0, KEPT_US // 2):
        assert client.run(outdated.outdated(keys, unused, now_us=micros() + later_us)) == set()
    assert unused == {}


@pytest.mark.parametrize("where", ["inbox", "dead", "later"])
def test_what_a_waiting_message_may_have_been_sent_under_stays(
    superseded: tuple[Agreement, Agreement], look: Look, client: Client, keys: Keys, where: str
) -> None:
    if where == "later":
        client.data.one(Command(("ZADD", keys.later("marker"), 1, "a delayed message")))
    else:
        key = keys.inbox("marker") if where == "inbox" else keys.dead("marker")
        client.data.one(Command(("XADD", key, "*", "e", "sent under it, perhaps")))
    assert look() == set()
    key = {"inbox": keys.inbox("marker"), "dead": keys.dead("marker"), "later": keys.later("marker")}[where]
    client.data.one(Command(("UNLINK", key)))
    assert look() == {superseded[0].id}


def test_messages_that_came_after_hold_nothing_back(
    superseded: tuple[Agreement, Agreement], look: Look, client: Client, keys: Keys
) -> None:
    later_ms = (micros() + KEPT_US + 2 * LATE_US) // 1000
    client.data.one(Command(("XADD", keys.inbox("marker"), f"{later_ms}-0", "e", "sent under the next one")))
    assert look() == {superseded[0].id}


def test_a_version_that_becomes_the_current_one_again_keeps_its_agreement(
    superseded: tuple[Agreement, Agreement], settings: Settings, client: Client, keys: Keys
) -> None:
    with ModuleCommunicator("sparta", settings=settings) as sparta:
        sparta.register(produces=accepts())
    record = client.run(registry.record(keys, "sparta"))
    assert record is not None
    declared = msgspec.structs.replace(superseded[0], producer_digest=record.releases[0].digest)
    old = msgspec.structs.replace(declared, id=digest(declared.question))
    client.run(agreements.store(keys, old))
    unused: outdated.Unused = {}
    now_us = micros() + KEPT_US
    client.run(outdated.outdated(keys, unused, now_us=now_us))
    assert set(unused) == {superseded[0].id, old.id}
    client.run(registration.retire(keys, "marker", "2.0.0", now_us=micros(), by="me"))
    assert old.id not in client.run(outdated.outdated(keys, unused, now_us=now_us + 3 * LATE_US))
    assert old.id not in unused


def test_what_a_run_has_pinned_stays(
    superseded: tuple[Agreement, Agreement], settings: Settings, client: Client, keys: Keys, look: Look
) -> None:
    with up(client, settings, module(settings, "one", lambda payload: payload)):
        session = prepared(client, settings, document(step("one", input_schema=accepts())), inputs="")
    leg = f'one {{"agreement":"{superseded[0].id}"}}'
    route = (session.route[0], leg, session.route[-1])
    pinned = msgspec.structs.replace(session, route=route, touched_us=micros() + KEPT_US)
    client.run(sessions.store(keys, pinned))
    assert look() == set()


def test_where_the_registry_cannot_be_read_nobody_knows_what_is_used(client: Client, keys: Keys) -> None:
    assert client.run(outdated._uses(keys, micros())) is not None
    client.control.one(Command(("HSET", keys.modules, "m", b"\xff{"), on="control"))
    assert client.run(outdated._uses(keys, micros())) is None
