"""Versions side by side: two contents of one module in one consumer group, while senders go on."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from claude_comm import Module, ModuleCommunicator, Publisher, Settings
from claude_comm.client.identity import millis
from claude_comm.errors import AgreementBroken, ContractRefused, NegotiationRefused
from claude_comm.names import Keys
from claude_comm.ops import agreements, changes, registration, registry
from claude_comm.ops.subscriptions import declared_readers
from claude_comm.progress.events import Adapted, Handled
from claude_comm.registry.contracts import contract
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.streams import dead, events, pending, sent
from tests.support.waiting import wait_until


class Old(msgspec.Struct, forbid_unknown_fields=True):
    n: int


class New(msgspec.Struct, forbid_unknown_fields=True):
    n: int
    m: str


class Extra(msgspec.Struct):
    x: int


def old_version(settings: Settings, taken: list[Any]) -> Module:
    module = Module("sink", version="1.0.0", settings=settings)

    @module.handles("item")
    def item(payload: Old) -> None:
        taken.append(("v1", payload.n))

    return module


def new_version(settings: Settings, taken: list[Any]) -> Module:
    module = Module("sink", version="2.0.0", settings=settings)

    @module.handles("item")
    def item(payload: New) -> None:
        taken.append(("v2", payload.n))

    @module.handles("extra")
    def extra(payload: Extra) -> None:
        taken.append(("extra", payload.x))

    return module


def up(client: Client, keys: Keys, *versions: str) -> bool:
    standing = client.run(registry.standing(keys, "sink", now_ms=_now_ms()))
    return standing is not None and {one.version for one in standing.instances if one.state == "up"} >= set(versions)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_versions_leave_each_others_messages_alone(settings: Settings, client: Client) -> None:
    """Measured before: either buried what was meant for the other."""
    keys, taken = Keys(settings.namespace), list[Any]()
    with running(old_version(settings, taken)), running(new_version(settings, taken)):
        wait_until(lambda: up(client, keys, "1.0.0", "2.0.0"))
        with Publisher("src", settings=settings) as publisher:
            old = publisher.negotiate("sink", Old, type="item")
            assert old.consumer_version == "1.0.0"
            with Publisher("other", settings=settings) as other:
                new = other.negotiate("sink", New, type="item")
                assert new.consumer_version == "2.0.0"
                for n in range(40):
                    publisher.publish("sink", Old(n), type="item")
                    other.publish("sink", New(n, "m"), type="item")
                    other.publish("sink", Extra(n), type="extra")
        wait_until(lambda: len(taken) >= 120, what="every message is handled")
        wait_until(lambda: pending(client, keys, "sink") == 0)
    assert sorted(taken) == sorted([(kind, n) for n in range(40) for kind in ("v1", "v2", "extra")])
    assert dead(client, keys, "sink") == []


def test_what_no_version_accepts_is_buried_and_not_passed_to_and_fro(settings: Settings, client: Client) -> None:
    keys, taken = Keys(settings.namespace), list[Any]()
    with running(old_version(settings, taken)), running(new_version(settings, taken)):
        wait_until(lambda: up(client, keys, "1.0.0", "2.0.0"))
        with Publisher("src", settings=settings) as publisher:
            for n in range(10):
                publisher.publish("sink", {"n": str(n)}, type="item")
                publisher.publish("sink", {}, type="unheard")
        wait_until(lambda: len(dead(client, keys, "sink")) == 20, what="every one is buried")
    assert taken == []


def test_a_message_for_a_version_that_is_gone_is_buried_by_the_other(settings: Settings, client: Client) -> None:
    keys, taken = Keys(settings.namespace), list[Any]()
    with running(old_version(settings, taken)):
        wait_until(lambda: up(client, keys, "1.0.0"))
        with ModuleCommunicator("sink", settings=settings) as registrar:
            registrar.register(accepts={"item": New}, version="2.0.0")
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("sink", {"n": 1, "m": "x"}, type="item")
        wait_until(lambda: len(dead(client, keys, "sink")) == 1)


def test_an_adapter_is_applied_by_the_consumer_and_told(settings: Settings, client: Client) -> None:
    keys, taken = Keys(settings.namespace), list[Any]()
    module = Module("sink", settings=settings)

    @module.handles("item", accepts={
        "type": "object", "properties": {"cost": {"type": "integer"}, "unit": {"type": "string", "default": "EUR"}},
        "required": ["cost", "unit"],
    }, aliases={"cost": ["price"]})  # fmt: skip
    def item(payload: dict[str, Any]) -> None:
        taken.append(payload)

    with running(module), Publisher("src", settings=settings) as publisher:
        wait_until(lambda: up(client, keys, "1.0.0"))
        sent = {"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]}
        agreement = publisher.negotiate("sink", sent, type="item")
        assert agreement.answer == "adapted"
        publisher.publish("sink", {"price": 3}, type="item")
        wait_until(lambda: taken == [{"cost": 3, "unit": "EUR"}])
        wait_until(lambda: pending(client, keys, "sink") == 0)
        told = [event for event in events(client, keys, "sink") if isinstance(event, Adapted)]
        (handled,) = [event for event in events(client, keys, "sink") if isinstance(event, Handled)]
    assert [one.agreement for one in told] == [agreement.id]
    assert handled.deliveries[0].adapter == told[0].digest


def test_a_running_publisher_is_held_to_what_its_target_accepts_now(settings: Settings, client: Client) -> None:
    """The consumer registers a narrower contract, then a wider one: within half a second, and without a restart."""
    keys = Keys(settings.namespace)
    wide = {"type": "object", "properties": {"n": {"type": "integer"}}}
    with ModuleCommunicator("sink", settings=settings) as sink, Publisher("src", settings=settings) as publisher:
        sink.register(accepts={"item": wide}, version="1.0.0")
        first = publisher.negotiate("sink", wide, type="item")
        publisher.publish("sink", {"n": 1}, type="item")
        sink.register(accepts={"item": {**wide, "required": ["n"]}}, version="2.0.0")
        sent = [0]

        def refused() -> bool:
            try:
                publisher.publish("sink", {"n": 2}, type="item")
                sent[0] += 1
            except NegotiationRefused as error:
                return error.refusal.consumer_version == "2.0.0"  # type: ignore[attr-defined]
            return False

        wait_until(refused)
        default = {"n": {"type": "integer", "default": 0}}
        sink.register(accepts={"item": {**wide, "properties": default, "required": ["n"]}}, version="3.0.0")
        wait_until(lambda: not refused())
        pair = client.run(agreements.pair(keys, "src", "sink", "item"))
    assert pair is not None
    assert [(turn.answer, turn.consumer_version) for turn in pair.history] == [
        ("compatible", "1.0.0"), ("incompatible", "2.0.0"), ("adapted", "3.0.0"),
    ]  # fmt: skip
    assert "sink 2.0.0 registered" in pair.history[1].because
    assert pair.history[0].agreement == first.id


def test_a_topic_is_agreed_on_with_every_module_that_reads_it(settings: Settings, client: Client) -> None:
    wide = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    keys, seen = Keys(settings.namespace), list[Any]()
    modules = []
    for name, alias in (("left", {}), ("right", {"count": ["n"]})):
        module = Module(name, settings=settings, topics=["news"])
        schema = {**wide, "properties": {"count": {"type": "integer"}}, "required": ["count"]} if alias else wide

        @module.handles("item", accepts=schema, aliases=alias)
        def item(payload: dict[str, Any], name: str = name) -> None:
            seen.append((name, payload))

        modules.append(module)
    with running(modules[0]), running(modules[1]), Publisher("src", settings=settings) as publisher:
        wait_until(lambda: set(client.run(declared_readers(keys, "news", now_ms=millis()))) == {"left", "right"})
        agreement = publisher.negotiate("topic:news", wide, type="item")
        assert set(agreement.readers) == {"left", "right"}
        publisher.publish("topic:news", {"n": 4}, type="item")
        wait_until(lambda: len(seen) == 2)
    assert sorted(seen, key=str) == [("left", {"n": 4}), ("right", {"count": 4})]
    with Publisher("liar", settings=settings) as liar, pytest.raises(NegotiationRefused, match="'left'"):
        liar.negotiate("topic:news", {"type": "object", "properties": {"n": {"type": "integer"}}}, type="item")


def test_a_module_that_holds_waits_for_its_partners(settings: Settings, client: Client) -> None:
    keys, taken = Keys(settings.namespace), list[Any]()
    with ModuleCommunicator("sink", settings=settings) as registrar, Publisher("src", settings=settings) as publisher:
        registrar.register(accepts={"item": Old}, version="1.0.0")
        publisher.negotiate("sink", Old, type="item")
        held = Module("sink", version="2.0.0", settings=settings, hold=True)

        @held.handles("item")
        def item(payload: New) -> None:
            taken.append(payload.n)

        with running(held):
            wait_until(lambda: len(pending_releases(client, keys)) == 1)
            publisher.publish("sink", Old(1), type="item")
            assert taken == []
            now_us = _now_ms() * 1000
            client.run(registration.approve(keys, "sink", "2.0.0", "src", now_us=now_us, by="ann"))
            with Publisher("late", settings=settings) as late:
                late.negotiate("sink", New, type="item")
                late.publish("sink", New(3, "m"), type="item")
            wait_until(lambda: taken == [3])
    kinds = [(change.kind, change.by) for change in client.run(changes.history(keys, "sink"))]
    assert ("approved", "ann") in kinds


def pending_releases(client: Client, keys: Keys) -> list[str]:
    record = client.run(registry.record(keys, "sink"))
    return [one.version for one in record.releases if one.state == "pending"] if record else []


@pytest.mark.parametrize("mode", ["enforce", "warn", "off"])
def test_what_breaks_an_agreement_is_refused_warned_of_or_sent(
    mode: Any, settings: Settings, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with ModuleCommunicator("sink", settings=settings) as registrar:
        registrar.register(accepts={"item": schema})
    with Publisher("src", settings=settings, enforcement=mode) as publisher:
        agreement = publisher.negotiate("sink", schema, type="item")
        publisher.publish("sink", {"n": 1}, type="item")
        for payload in ({"n": "one"}, {"n": "two"}):
            if mode == "enforce":
                with pytest.raises(AgreementBroken, match=r"\$\.n"):
                    publisher.publish("sink", payload, type="item")
                with pytest.raises(AgreementBroken, match=r"\$\.n"):
                    publisher.publish_many("sink", [{"n": 2}, payload], type="item")
            else:
                publisher.publish("sink", payload, type="item")
                publisher.publish_many("sink", [{"n": 2}, payload], type="item")
    stamps = [envelope.agreement == agreement.id for envelope in sent(client, settings, "sink")]
    expected = {"enforce": [True], "warn": [True, False, True, False, False, True, False], "off": [True] * 7}
    assert stamps == expected[mode]
    # Once for each place, and not for each message.
    assert capfd.readouterr().err.count("agreement.broken") == (1 if mode == "warn" else 0)


def test_a_reader_that_joins_a_topic_is_weighed_against_who_publishes(settings: Settings, client: Client) -> None:
    """One that does not fit is refused, or held, or told where its mode is not to enforce; it stops nobody."""
    keys = Keys(settings.namespace)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    narrow = {**schema, "required": ["n", "m"]}

    def reading(name: str, accepted: Any, mode: Any = "enforce") -> Any:
        return contract(name, accepts={"item": accepted}, topics=["news"], enforcement=mode)

    client.run(registration.register(keys, reading("left", schema)))
    with Publisher("src", settings=settings) as publisher:
        first = publisher.negotiate("topic:news", schema, type="item")
        with pytest.raises(ContractRefused, match=r"begin to read a topic.*\n.*what src sends as 'item' would not fit"):
            client.run(registration.register(keys, reading("late", narrow)))
        assert client.run(registry.find(keys, "late")) is None
        done = client.run(registration.register(keys, reading("late", narrow, "warn")))
        assert [(one.partner, one.sends) for one in done.broken] == [("src", True)]
        assert client.run(registration.register(keys, reading("held", narrow), hold=True)).pending
        client.run(registration.register(keys, reading("right", schema)))

        def stamp() -> str:
            publisher.publish("topic:news", {"n": 1}, type="item")
            return sent(client, settings, "topic:news")[-1].agreement

        wait_until(lambda: stamp() != first.id, what="the readers that fit are in the agreement")
        found = client.run(agreements.find(keys, stamp()))
        assert found is not None
        assert set(found.readers) == {"left", "right"}
        refused = client.run(agreements.pair(keys, "src", "late", "item"))
        assert refused is not None
        assert [turn.answer for turn in refused.history] == ["incompatible"]
        # What was agreed with, and does not fit any more, does stop it.
        changed = contract("left", version="2.0.0", accepts={"item": narrow}, topics=["news"])
        client.run(registration.register(keys, changed))

        def stopped() -> bool:
            try:
                stamp()
            except NegotiationRefused:
                return True
            return False

        wait_until(stopped)


def test_a_rolling_deployment_under_load_loses_nothing(settings: Settings, client: Client) -> None:
    """The old version runs, the new one beside it, then the new one alone, while a publisher sends all the time."""
    keys, taken = Keys(settings.namespace), list[Any]()
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    needing = {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "unit": {"type": "string", "default": "piece"}},
        "required": ["count", "unit"],
    }
    old, new = (Module("sink", version=version, settings=settings) for version in ("1.0.0", "2.0.0"))

    @old.handles("item", accepts=schema)
    def item(payload: dict[str, Any]) -> None:
        taken.append(("v1", payload["n"]))

    @new.handles("item", accepts=needing, aliases={"count": ["n"]})
    def counted(payload: dict[str, Any]) -> None:
        assert payload["unit"] == "piece"
        taken.append(("v2", payload["count"]))

    over, published = threading.Event(), list[int]()

    def send() -> None:
        with Publisher("src", settings=settings) as publisher:
            publisher.negotiate("sink", schema, type="item")
            while not over.is_set():
                publisher.publish("sink", {"n": len(published)}, type="item")
                published.append(len(published))
                over.wait(0.002)

    sender = threading.Thread(target=send)
    with ExitStack() as deployed:
        with running(old):
            wait_until(lambda: up(client, keys, "1.0.0"))
            sender.start()
            deployed.callback(sender.join)
            deployed.callback(over.set)
            wait_until(lambda: len(taken) > 20)
            deployed.enter_context(running(new))
            wait_until(lambda: any(version == "v2" for version, _ in taken), what="the new version has its messages")
        before = len(taken)
        wait_until(lambda: len(taken) > before + 50, what="the new version alone goes on")
        over.set()
        sender.join()
        wait_until(lambda: len(taken) >= len(published) and pending(client, keys, "sink") == 0)
    assert sorted(n for _, n in taken) == published
    assert dead(client, keys, "sink") == []
    pair = client.run(agreements.pair(keys, "src", "sink", "item"))
    assert pair is not None
    turns = [(turn.consumer_version, turn.answer) for turn in pair.history]
    assert turns[0] == ("1.0.0", "compatible")
    assert ("2.0.0", "adapted") in turns
