"""What stands in the registry is believed of those who may write it: contracts, agreements, heartbeats, events."""

from __future__ import annotations

import time

import pytest

from claude_comm import Consumer, Module, Publisher, Settings
from claude_comm.client.identity import identify
from claude_comm.client.publisher import negotiate
from claude_comm.effects import Command
from claude_comm.errors import StillRuns, UnknownModule
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Question
from claude_comm.ops import agreements, consume, heartbeats, registration, registry, subscriptions
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.signed_namespace import signed
from tests.support.waiting import wait_until


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def a_module(settings: Settings, name: str = "b", version: str = "1.0") -> Module:
    module = Module(name, version=version, settings=settings)

    @module.handles()
    def handle(payload: int) -> int:
        return payload

    return module


def registered(settings: Settings, name: str = "b") -> None:
    identity = identify(name, settings)
    with connect(settings, identity.signer) as client:
        client.run(registration.register(identity.keys, a_module(settings, name).contract()))


def test_a_contract_that_its_module_signed_is_read_and_a_forged_one_is_nobodys(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client)
    registered(signing)
    # Somebody who reaches the server writes a record, as a client without signatures would.
    client.run(registration.register(keys, a_module(settings, "c").contract()))
    with connect(signing) as trusting:
        found = trusting.run(registry.find(keys, "b"))
        assert found is not None
        assert found.version == "1.0"
        assert trusting.run(registry.find(keys, "c")) is None
        directory = trusting.run(registry.everyone(keys, now_ms=now_ms()))
    assert [module.module for module in directory.modules] == ["b"]
    # Without signatures both are there.
    assert len(client.run(registry.everyone(keys, now_ms=now_ms())).modules) == 2


def test_a_record_of_another_module_or_another_place_is_not_believed(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client, modules=("a", "b", "c"))
    registered(signing, "b")
    record = client.control.one(Command(("HGET", keys.modules, "b")))
    client.control.one(Command(("HSET", keys.modules, "c", record)))
    identity = identify("a", signing)
    with connect(signing, identity.signer) as forger:
        forger.run(registration.register(keys, a_module(settings, "b", version="9.0").contract()))
    with connect(signing) as trusting:
        assert trusting.run(registry.find(keys, "b")) is None
        assert trusting.run(registry.find(keys, "c")) is None
    # Its own module takes its place back when it starts.
    registered(signing, "b")
    with connect(signing) as trusting:
        found = trusting.run(registry.find(keys, "b"))
        assert found is not None
        assert found.version == "1.0"


def test_signatures_that_come_later_sign_what_is_registered_already(
    settings: Settings, client: Client, keys: Keys
) -> None:
    client.run(registration.register(keys, a_module(settings).contract()))
    signing = signed(settings, client)
    registered(signing)
    with connect(signing) as trusting:
        assert trusting.run(registry.find(keys, "b")) is not None


def test_an_agreement_counts_if_one_of_the_two_signed_it(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client, modules=("a", "b", "c"))
    schema = {"type": "integer"}
    question = Question(producer="a", consumer="b", type="t", produced=schema, accepted=schema)
    with connect(signing, identify("c", signing).signer) as stranger:
        forged = negotiate.decide(stranger, keys, question, decided_by="caller")
    with connect(signing, identify("b", signing).signer) as reader:
        assert reader.run(agreements.find(keys, forged.id)) is None
        everything = reader.run(agreements.everything(keys))
        assert (everything.agreements, list(everything.unreadable)) == ([], [forged.id])
    with connect(signing, identify("a", signing).signer) as sender:
        own = negotiate.ask(sender, signing, question)
        assert own.id == forged.id
        assert sender.run(agreements.find(keys, own.id)) == own


def test_a_forged_heartbeat_does_not_hold_a_subscription(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    with Consumer("b", topics=["news"], settings=signing) as consumer:
        consumer.read(wait_s=0)
    client.run(heartbeats.beat(keys.instances, "b/ghost", now_ms=now_ms()))
    with pytest.raises(StillRuns):
        client.run(subscriptions.unsubscribe(keys, "b", "news", now_ms=now_ms()))
    with connect(signing) as trusting:
        assert trusting.run(heartbeats.instances_alive(keys, "b", now_ms=now_ms())) == []
        trusting.run(subscriptions.unsubscribe(keys, "b", "news", now_ms=now_ms()))


def test_a_module_that_signs_its_heartbeats_keeps_its_subscription(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client)
    module = Module("b", topics=["news"], settings=signing)
    module.handles()(lambda payload: payload)
    with running(module), connect(signing) as trusting:
        wait_until(lambda: bool(trusting.run(heartbeats.instances_alive(keys, "b", now_ms=now_ms()))))
        wait_until(lambda: trusting.run(consume.has_group(keys.topic("news"), "b")))
        with pytest.raises(StillRuns):
            trusting.run(subscriptions.unsubscribe(keys, "b", "news", now_ms=now_ms()))
        # An old proof is none, whatever the sorted set says.
        later = now_ms() + 60_000
        (member,) = trusting.run(heartbeats.instances_alive(keys, "b", now_ms=now_ms()))
        client.control.one(Command(("ZADD", keys.instances, later, member)))
        assert trusting.run(heartbeats.instances_alive(keys, "b", now_ms=later)) == []
    assert client.control.one(Command(("HLEN", keys.beats("b")))) == 0


def test_what_is_told_of_the_registry_is_signed_and_stored(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    registered(signing)
    with open_database(settings.database) as database:
        caught_up(client, database, signing)
        assert [kind for (kind,) in database.rows("SELECT kind FROM events")] == ["contract"]
        assert database.rows("SELECT 1 FROM doubtful") == []


def test_without_signatures_nothing_is_signed(settings: Settings, client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, a_module(settings).contract()))
    client.run(heartbeats.beat(keys.instances, "b/one", now_ms=now_ms()))
    assert client.control.one(Command(("HGET", keys.modules, "b")))[:1] == b"{"
    assert client.control.one(Command(("EXISTS", keys.beats("b")))) == 0
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("b", 1)
    with pytest.raises(UnknownModule):
        client.run(registry.require(keys, "nobody"))
