"""What a module that was taken over writes over another module's contract: that module tells it again, alive or started
anew, those who send to it wait meanwhile, and `status` names what nobody signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from claude_comm import Context, Module, Publisher, Settings
from claude_comm.cli import status_report
from claude_comm.client import keyholders
from claude_comm.client.identity import identify, micros
from claude_comm.effects import Command, Operation
from claude_comm.envelope import decode
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Answer, Question, conclude
from claude_comm.ops import agreements, changes, consume, registration, registry
from claude_comm.ops.changes import RegistryBusy
from claude_comm.registry import releases
from claude_comm.registry.changes import RegistryChange
from claude_comm.registry.contracts import Contract, UnreadableContract, contract
from claude_comm.registry.releases import ModuleRecord, release_of
from claude_comm.schema.verdict import Compatible
from claude_comm.security import signed_fields
from claude_comm.security.access import Partners, rules, server_of, user_words
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.signed_namespace import signed
from tests.support.tiers import EVIL
from tests.support.waiting import wait_until

# The module that is attacked, and what it reads beside its inbox.
VICTIM, TOPIC, LIMIT = "b", "news", 7


class Zone:
    """Signatures are demanded, and each module has a user of its own."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self.settings, self.client = signed(settings, client, modules=("a", VICTIM, EVIL)), client
        self.keys = Keys(settings.namespace)
        self.handled: list[int] = []

    def of(self, name: str, partners: Partners) -> Settings:
        server = server_of(self.client.data.one(Command(("INFO", "server"))))
        words = user_words(rules(self.keys, "module", name, partners), server)
        self.client.data.one(Command(("ACL", "SETUSER", self.user(name), *words, ">secret")))
        path = self.settings.url.removeprefix("unix://")
        return msgspec.structs.replace(self.settings, url=f"unix://{self.user(name)}:secret@{path}")

    def user(self, name: str) -> str:
        return f"{self.keys.namespace}-{name}"

    @contextmanager
    def attacker(self) -> Iterator[Client]:
        evil = self.of(EVIL, Partners([VICTIM]))
        with connect(evil, identify(EVIL, evil).signer) as client:
            yield client

    def victim(self) -> Module:
        settings = self.of(VICTIM, Partners([], [TOPIC]))
        module = Module(VICTIM, version="1.0.0", topics=[TOPIC], max_lag=LIMIT, settings=settings)

        @module.handles("number")
        def note(number: int) -> None:
            self.handled.append(number)

        return module

    def sender(self) -> Module:
        module = Module("a", settings=self.of("a", Partners([VICTIM])))
        module.produces("number", int, target=VICTIM)

        @module.handles("number")
        def pass_on(number: int, context: Context) -> None:
            context.send(VICTIM, number, type="number")

        return module

    def is_told(self) -> bool:
        """Whether everybody finds the victim's own contract."""
        with connect(self.settings) as trusting:
            try:
                found = trusting.run(registry.find(self.keys, VICTIM))
            except UnreadableContract:
                return False
        return found is not None and found.version == "1.0.0"

    def named(self) -> list[str]:
        """What removes the unreadable of this namespace; RQ's keys are in none, and other tests fill them."""
        removing = [line for row in status_report.look(self.settings).unreadable for line in row.remove]
        return [line for line in removing if self.settings.namespace in line]


@pytest.fixture
def zone(settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    # Those who run look for their contract as often as they send a heartbeat.
    monkeypatch.setattr("claude_comm.client.module.upkeep.HEARTBEAT_MS", 100)
    made = Zone(settings, client)
    yield made
    for name in ("a", VICTIM, EVIL):
        client.data.one(Command(("ACL", "DELUSER", made.user(name))))


def forge(zone: Zone, attacker: Client) -> None:
    attacker.run(registration.register(zone.keys, contract(VICTIM, version="6.6.6", accepts={"number": False})))


def scribble(zone: Zone, attacker: Client) -> None:
    attacker.control.one(Command(("HSET", zone.keys.modules, VICTIM, b"\xff")))


def outbid(zone: Zone, attacker: Client) -> None:
    """As a release of the program would that is still to come."""
    attacker.control.one(Command(("HSET", zone.keys.modules, VICTIM, b'{"v": 99}')))


def remove(zone: Zone, attacker: Client) -> None:
    attacker.control.one(Command(("HDEL", zone.keys.modules, VICTIM)))


def empty(zone: Zone, attacker: Client) -> None:
    attacker.control.one(Command(("HSET", zone.keys.contracts, zone.victim().contract().digest, b"{}")))


def take_away(zone: Zone, attacker: Client) -> None:
    attacker.control.one(Command(("UNLINK", zone.keys.contracts)))


def put_back(zone: Zone, attacker: Client) -> None:
    """What the victim itself signed, before it had this version."""
    earlier = ModuleRecord(module=VICTIM, releases=[release_of(contract(VICTIM, version="0.9.0"))])
    signer = identify(VICTIM, zone.settings).signer
    assert signer is not None
    (signed_,) = signed_fields.seal(signer, zone.keys.modules, [(VICTIM, releases.encode(earlier))])
    attacker.control.one(Command(("HSET", zone.keys.modules, VICTIM, signed_)))


ATTACKS = [forge, scribble, outbid, put_back, remove, empty, take_away]
Attack = Callable[[Zone, Client], None]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_module_that_runs_tells_its_contract_again_and_messages_to_it_wait(zone: Zone, attack: Attack) -> None:
    with running(zone.victim()), zone.attacker() as attacker, Publisher(EVIL, settings=zone.settings) as publisher:
        wait_until(zone.is_told)
        attack(zone, attacker)
        with running(zone.sender()):
            publisher.publish("a", 1, type="number")
            wait_until(lambda: zone.handled == [1])
        assert zone.is_told()
    assert zone.client.data.one(Command(("XLEN", zone.keys.dead("a")))) == 0


def test_one_that_may_not_tell_it_again_yet_goes_on(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    register, refused = registration.register, list[str]()

    def busy(keys: Keys, declared: Contract, **more: Any) -> Operation[registration.Registration]:
        if len(refused) < 2:
            refused.append(declared.module)
            raise RegistryBusy(declared.module)
        return register(keys, declared, **more)

    with running(zone.victim()), zone.attacker() as attacker:
        wait_until(zone.is_told)
        monkeypatch.setattr(registration, "register", busy)
        remove(zone, attacker)
        wait_until(zone.is_told)
    assert refused == [VICTIM] * 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_one_that_is_started_again_comes_up_and_no_message_to_it_was_buried(zone: Zone, attack: Attack) -> None:
    with running(zone.victim()):
        wait_until(zone.is_told)
    with zone.attacker() as attacker, Publisher(EVIL, settings=zone.settings) as publisher:
        attack(zone, attacker)
        with running(zone.sender()):
            publisher.publish("a", 1, type="number")
            wait_until(lambda: status_report.look(zone.settings).awaited == {"a": [VICTIM]})
            with running(zone.victim()):
                wait_until(lambda: zone.handled == [1])
                assert zone.is_told()
    assert zone.client.data.one(Command(("XLEN", zone.keys.dead("a")))) == 0


def test_status_names_a_record_that_nobody_signed_once_and_what_removes_it(zone: Zone) -> None:
    with running(zone.victim()):
        wait_until(zone.is_told)
    remove_it = f"HDEL {zone.keys.modules} {VICTIM}"
    zone.client.control.one(Command(("HSET", zone.keys.modules, "no name", b"{}")))
    with zone.attacker() as attacker:
        for attack in (forge, scribble):
            attack(zone, attacker)
            assert remove_it in zone.named()
            assert len(zone.named()) == 2
        directory = attacker.run(registry.everyone(zone.keys, now_ms=0))
    assert [error.module for error in directory.unreadable] == [VICTIM]
    zone.client.control.one(Command(("HDEL", zone.keys.modules, VICTIM, "no name")))
    assert zone.named() == []


def test_a_publisher_goes_on_under_its_agreement_while_nobody_can_read_what_changed(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_comm.client.publisher.terms.LOOK_EVERY_S", 0)
    with running(zone.victim()):
        wait_until(zone.is_told)
    with zone.attacker() as attacker, Publisher("a", settings=zone.settings) as publisher:
        held = publisher.negotiate(VICTIM, int, type="number")
        take_away(zone, attacker)
        attacker.run(changes.announce(zone.keys, RegistryChange(kind="registered", module=VICTIM)))
        publisher.publish(VICTIM, 1, type="number")
        with pytest.raises(UnreadableContract):
            publisher.negotiate(VICTIM, int, type="number")
    ((_, fields),) = zone.client.data.one(Command(("XRANGE", zone.keys.inbox(VICTIM), "-", "+")))
    assert decode(fields[1]).agreement == held.id


def test_one_whose_key_was_revoked_does_not_tell_again_and_again_what_nobody_believes(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    believed: list[bool] = []
    is_believed = registration._is_believed

    def noted(keys: Keys, module: str) -> Operation[bool]:
        believed.append((yield from is_believed(keys, module)))
        return believed[-1]

    monkeypatch.setattr(registration, "_is_believed", noted)
    with running(zone.victim()):
        wait_until(zone.is_told)
        keyholders.revoke(zone.client, zone.settings, VICTIM)
        wait_until(lambda: believed[-3:] == [False] * 3)
    kinds = [change.kind for change in zone.client.run(changes.history(zone.keys, VICTIM))]
    assert kinds.count("registered") == 1


@pytest.mark.parametrize("gone", ["limit", "instance"])
def test_a_module_that_runs_tells_again_what_else_it_said(zone: Zone, gone: str) -> None:
    keys = zone.keys
    key, field = (keys.limits, VICTIM) if gone == "limit" else (keys.running(VICTIM), "")
    with running(zone.victim()), zone.attacker() as attacker:
        wait_until(zone.is_told)
        attacker.control.one(Command(("HDEL", key, field) if field else ("UNLINK", key)))
        wait_until(lambda: bool(zone.client.control.one(Command(("HLEN", key)))))


@pytest.mark.parametrize(("text", "stands"), [(b"\xff", False), (b'{"v": 99}', True)])
def test_without_signatures_a_record_of_a_newer_release_is_left_to_it(
    client: Client, keys: Keys, text: bytes, stands: bool
) -> None:
    release = client.run(registration.register(keys, contract(VICTIM, version="1.0.0"), instance="i")).release
    assert client.run(registration.stands(keys, VICTIM, release, "i", False))
    client.control.one(Command(("HSET", keys.modules, VICTIM, text)))
    assert client.run(registration.stands(keys, VICTIM, release, "i", False)) is stands


@pytest.mark.parametrize("alive", [True, False])
def test_no_agreement_of_another_with_a_topic_keeps_out_a_module_that_has_read_it(zone: Zone, alive: bool) -> None:
    """A module that would begin to read what it refuses is refused. One that lost its record does not begin."""
    sent = Question(producer=EVIL, consumer=f"topic:{TOPIC}", type="number", produced={"type": "string"}, accepted=True)
    proof = Answer(verdict=Compatible(proof="every module that reads it"))
    agreement = conclude(sent, proof, decided_by="caller", decided_us=micros())
    with zone.attacker() as attacker:
        with running(zone.victim()):
            wait_until(zone.is_told)
            wait_until(lambda: zone.client.run(consume.has_group(zone.keys.topic(TOPIC), VICTIM)))
            attacker.run(agreements.store(zone.keys, agreement))
            if alive:
                remove(zone, attacker)
                wait_until(zone.is_told)
        if not alive:
            remove(zone, attacker)
            with running(zone.victim()):
                wait_until(zone.is_told)
