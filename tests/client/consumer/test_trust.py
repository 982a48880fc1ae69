"""Signed messages, end to end: who sent it is proved, and what is not believed is buried with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncPublisher, Consumer, Module, Publisher, Settings
from claude_comm.client import keyholders
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.identity import millis
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.effects import Command, Operation
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.ops.consume import Entry, Reader
from claude_comm.runtime import key_files, trusted_keys
from claude_comm.security.merkle import digest_leaf, tree
from claude_comm.security.sealed import seal_fields
from claude_comm.security.signing import MAX_MESSAGES, Seal
from claude_comm.transport.driver import Client, first_batch
from tests.support.modules import answering
from tests.support.tiers import message
from tests.support.waiting import wait_until


@pytest.fixture
def signing(settings: Settings, client: Client) -> Settings:
    """Settings under which signatures are demanded, with keys of the modules a and b in this home."""
    for holder in ("a", "b"):
        added = keyholders.add(client, settings, holder)
        key_files.save(key_files.path_of(settings.home, holder), added.pair)
    return msgspec.structs.replace(settings, signing="require")


def reasons(client: Client, keys: Keys, module: str = "b") -> list[str]:
    rows = client.data.one(Command(("XRANGE", keys.dead(module), "-", "+")))
    named = [dict(zip(pairs[::2], pairs[1::2], strict=True)) for _, pairs in rows]
    return [fields[b"reason"].decode() for fields in named]


def entries(client: Client, stream: str) -> list[list[bytes]]:
    return [pairs for _, pairs in client.data.one(Command(("XRANGE", stream, "-", "+")))]


def read_all(consumer: Consumer) -> list[Any]:
    found = []
    while deliveries := consumer.read():
        found += [delivery.payload() for delivery in deliveries]
        for delivery in deliveries:
            consumer.ack(delivery)
    return found


def test_what_was_signed_is_handed_out_however_it_was_sent(signing: Settings, client: Client, keys: Keys) -> None:
    with Publisher("a", settings=signing) as publisher, Consumer("b", settings=signing) as consumer:
        publisher.publish("b", 1)
        publisher.publish_many("b", range(2, 200))
        publisher.publish("b", 200, delay_s=0.01)
        assert [publisher.publish_soon("b", number).result() for number in (201, 202)]
        found: list[int] = []
        wait_until(lambda: (found.extend(read_all(consumer)), len(found) == 202)[1])
        assert sorted(found) == [*range(1, 203)]
    assert reasons(client, keys) == []


def test_what_tasks_send_is_signed(signing: Settings) -> None:
    async def send() -> None:
        async with AsyncPublisher("a", settings=signing) as publisher:
            await publisher.publish("b", 1)
            await publisher.publish_many("b", [2, 3])

    asyncio.run(send())
    with Consumer("b", settings=signing) as consumer:
        assert read_all(consumer) == [1, 2, 3]


def test_a_module_answers_retries_and_buries_under_signatures(signing: Settings, client: Client, keys: Keys) -> None:
    module, seen = Module("b", settings=signing, topics=["news"], retry=RetryPolicy(attempts=2, first_wait_s=0.01)), []

    @module.handles()
    def handle(payload: int) -> int:
        seen.append(payload)
        if payload in (13, 14):
            raise ValueError("no")
        return payload

    with answering(module), Publisher("a", settings=signing) as publisher:
        assert publisher.request("b", 7) == 7
        publisher.publish("b", 13)
        publisher.publish("topic:news", 14)
        wait_until(lambda: len(reasons(client, keys)) == 2)
    assert seen == [7, 13, 14, 13, 14] or sorted(seen) == [7, 13, 13, 14, 14]
    assert all("ValueError" in reason for reason in reasons(client, keys))
    for stream in (keys.events("b"), keys.events("a")):
        # What changes in the registry is told by whoever changes it, unsigned.
        own = [pairs for pairs in entries(client, stream) if b"\xa4kind\xa8contract" not in pairs[1]]
        assert [pairs for pairs in own if b"s" not in pairs[::2]] == []


ATTACKS = {
    "unsigned": "no signature",
    "altered": "does not fit",
    "copied": "does not fit",
    "another's name": "another module's",
    "unknown key": "not in the keyring",
    "odd seal": "does not fit",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_believed_is_buried_with_its_reason(
    attack: str, signing: Settings, settings: Settings, client: Client, keys: Keys
) -> None:
    target = keys.inbox("c" if attack == "copied" else "b")
    sender = settings if attack == "unsigned" else signing
    if attack == "unknown key":
        path = key_files.path_of(settings.home, "a")
        key_files.save(path, key_files.make_pair())
    with Publisher("b" if attack == "another's name" else "a", settings=sender) as publisher:
        publisher.publish("c" if attack == "copied" else "b", {"amount": 1})
    (pairs,) = entries(client, target)
    fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
    client.data.one(Command(("DEL", target)))
    if attack == "altered":
        fields[b"e"] = fields[b"e"][:-1] + b"\x09"
    if attack == "another's name":
        fields[b"e"] = fields[b"e"].replace(b"\xa6source\xa1b", b"\xa6source\xa1a")
        (seal,) = key_files.load(key_files.path_of(settings.home, "b")).signer().seal(keys.inbox("b"), [fields[b"e"]])
        fields[b"s"] = seal.signature
    if attack == "odd seal":
        fields[b"k"] = b"k"
    words = [word for pair in fields.items() for word in pair]
    client.data.one(Command(("XADD", keys.inbox("b"), "*", *words)))
    with Consumer("b", settings=signing) as consumer:
        assert read_all(consumer) == []
    (reason,) = reasons(client, keys)
    assert reason.startswith("not trusted: ")
    assert ATTACKS[attack] in reason
    events = [text for pairs in entries(client, keys.events("b")) for text in pairs if b"buried" in text]
    assert all(b"\xa1a" not in text.partition(b"source")[2][:4] for text in events)


def test_a_revocation_takes_effect_and_what_was_stored_before_stays_valid(
    signing: Settings, settings: Settings, client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted_keys, "RENEW_S", 0.0)
    with Publisher("a", settings=signing) as publisher, Consumer("b", settings=signing) as consumer:
        publisher.publish("b", "before")
        assert read_all(consumer) == ["before"]
        publisher.publish("b", "stored before")
        stored_ms = millis()
        wait_until(lambda: millis() > stored_ms)
        keyholders.revoke(client, settings, "a")
        publisher.publish("b", "after")
        assert read_all(consumer) == ["stored before"]
    (reason,) = reasons(client, keys)
    assert "revoked" in reason


def test_warn_lets_everything_through_and_says_it_once(
    signing: Settings, settings: Settings, client: Client, keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    warning = msgspec.structs.replace(signing, signing="warn", log_level="warning-json")
    with Publisher("a", settings=settings) as publisher, Consumer("b", settings=warning) as consumer:
        publisher.publish_many("b", range(5))
        assert read_all(consumer) == [*range(5)]
    assert capfd.readouterr().err.count("message.doubted") == 1
    assert reasons(client, keys) == []


def test_without_a_key_nothing_is_sent_under_require_and_all_under_warn(signing: Settings) -> None:
    with pytest.raises(ConfigurationError, match="module add"):
        Publisher("stranger", settings=signing)
    with Publisher("stranger", settings=msgspec.structs.replace(signing, signing="warn")) as publisher:
        publisher.publish("b", 1)


def test_an_outbox_forgets_what_it_signed_once_it_is_stored(signing: Settings, client: Client, keys: Keys) -> None:
    with Publisher("a", settings=signing, outbox=signing.home / "outbox") as publisher:
        publisher.publish_many("b", range(3))
    with Consumer("b", settings=signing) as consumer:
        assert read_all(consumer) == [0, 1, 2]


def test_a_buried_message_is_redriven_under_its_seal(
    signing: Settings, settings: Settings, client: Client, keys: Keys, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("home", "url", "namespace"):
        monkeypatch.setenv(f"CLAUDE_COMM_{name.upper()}", str(getattr(settings, name)))
    with Publisher("a", settings=signing) as publisher, Consumer("b", settings=signing) as consumer:
        publisher.publish("b", 5)
        consumer.fail(consumer.read()[0], "no")
    assert run("dead", "redrive", "b").code == 0
    with Consumer("b", settings=signing) as consumer:
        assert read_all(consumer) == [5]


@pytest.mark.parametrize(("demanded", "asked_for"), [(True, {500}), (False, set(range(64, 499)))])
def test_a_reader_that_signs_reads_more_ahead(
    demanded: bool, asked_for: set[int], signing: Settings, settings: Settings, client: Client
) -> None:
    used = signing if demanded else settings
    with Publisher("a", settings=used) as publisher:
        publisher.publish_many("b", ["x" * 200] * 10)
    reading = Subscription("b", (), used, None, Options(batch=500, lease_s=60, prefetch_bytes=2**26))
    assert len(client.run(reading.reading(0))) == 10
    ahead = reading.reading_ahead(500)
    assert ahead is not None
    with closing(ahead):
        (command,) = first_batch(ahead).commands
    assert command.args[command.args.index("COUNT") + 1] in asked_for


def test_an_iteration_reads_whole_flights_and_looks_at_one_signature_a_read(
    signing: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bytes] = []
    reads: list[int] = []

    def counted(public: bytes, message: bytes, signature: bytes) -> bool:
        looks.append(signature)
        return verify(public, message, signature)

    verify = key_files.verify
    monkeypatch.setattr(key_files, "verify", counted)
    with Publisher("a", settings=signing) as publisher, Consumer("b", settings=signing, batch=250) as consumer:
        publisher.publish_many("b", range(20 * MAX_MESSAGES))
        admission = consumer._subscription._admission
        admit = admission.admit

        def noted(reader: Reader, entries: Sequence[Entry]) -> Operation[list[Delivery]]:
            reads.append(len(entries))
            return admit(reader, entries)

        monkeypatch.setattr(admission, "admit", noted)
        found: list[int] = []
        for delivery in consumer:
            found.append(delivery.payload())
            consumer.ack(delivery)
            if len(found) == 10 * MAX_MESSAGES:
                looks.clear()
                reads.clear()
            if len(found) == 20 * MAX_MESSAGES:
                break
    assert found == [*range(20 * MAX_MESSAGES)]
    assert reads[:4] == [2 * MAX_MESSAGES] * 4
    assert len(looks) <= len(reads)


def test_the_digest_of_a_flight_is_no_message(signing: Settings, client: Client, keys: Keys) -> None:
    bodies = [message("a", target="b") for _ in range(16)]
    signer = key_files.load(key_files.path_of(signing.home, "a")).signer()
    signed = signer.tree(keys.inbox("b"), bodies)
    _, paths = tree([*bodies, digest_leaf(bodies)])
    own = Seal(signer.key_id, signed.seal.signature, bytes((16, 16)) + paths[16])
    words = ("e", digest_leaf(bodies), *seal_fields(own))
    client.data.one(Command(("XADD", keys.inbox("b"), "*", *words)))
    with Consumer("b", settings=signing) as consumer:
        assert read_all(consumer) == []
    (reason,) = reasons(client, keys)
    assert "not trusted" not in reason
