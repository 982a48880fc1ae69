"""Registration: versions side by side, policies proved, every change announced and kept."""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec
import pytest

from claude_comm import Settings
from claude_comm.effects import Batch, Believe, Command, Effect, Script, Sign
from claude_comm.errors import ContractRefused, StillRuns, UnknownModule, UnknownVersion, VersionTaken
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement, Question, conclude
from claude_comm.negotiation.weigh import weigh
from claude_comm.ops import agreements, changes, heartbeats, registration, registry
from claude_comm.ops.changes import RegistryBusy
from claude_comm.ops.heartbeats import ALIVE_MS, GONE_MS
from claude_comm.ops.subscriptions import declared_readers
from claude_comm.registry import releases
from claude_comm.registry.contracts import Compatibility, Contract, UnreadableContract, contract
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.by_hand import answered

WHOLE = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
NARROW = {**WHOLE, "required": ["n", "m"]}
WIDE = {"type": "object", "properties": {"n": {"type": "number"}}}


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.namespace)


def made(version: str, schema: Any, compatibility: Compatibility = "none", **more: Any) -> Contract:
    return contract("sink", version=version, accepts={"t": schema}, compatibility=compatibility, **more)


def agreed(producer: str, consumer: str) -> Agreement:
    question = Question(producer=producer, consumer=consumer, type="t", produced=WHOLE, accepted=WHOLE)
    return conclude(question, weigh(question), decided_by="caller", decided_us=1)


def kinds(client: Client, keys: Keys) -> list[tuple[str, str]]:
    return [(change.kind, change.version) for change in client.run(changes.history(keys, "sink"))][::-1]


def test_the_newest_version_is_found_and_the_others_stay(client: Client, keys: Keys) -> None:
    for version, schema in (("1.0.0", WHOLE), ("2.0.0", WIDE), ("1.5.0", WHOLE)):
        client.run(registration.register(keys, made(version, schema)))
    found = client.run(registry.require(keys, "sink"))
    assert (found.version, found.accepts["t"]) == ("2.0.0", WIDE)
    record = client.run(registry.record(keys, "sink"))
    assert record is not None
    assert [release.version for release in record.live()] == ["2.0.0", "1.5.0", "1.0.0"]
    assert kinds(client, keys) == [("registered", "1.0.0"), ("registered", "2.0.0"), ("registered", "1.5.0")]


def test_the_same_contract_again_changes_nothing(client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    written = {**WHOLE, "title": "the same", "type": ["object"]}
    assert client.run(registration.register(keys, made("1.0.0", written))).change is None
    assert kinds(client, keys) == [("registered", "1.0.0")]


def test_of_several_contents_of_one_version_the_last_registered_counts(client: Client, keys: Keys) -> None:
    """Somebody edits a module, tries it, and takes the change back."""
    for schema in (WHOLE, WIDE, WHOLE):
        done = client.run(registration.register(keys, made("1.0.0", schema)))
        assert client.run(registry.require(keys, "sink")).accepts["t"] == schema
    assert done.change == "returned"


def test_what_a_policy_promises_is_proved_and_a_refusal_leaves_nothing(client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, made("1.0.0", WHOLE, "backward")))
    with pytest.raises(ContractRefused, match=r'\{"n":0\} would be refused') as caught:
        client.run(registration.register(keys, made("1.1.0", NARROW, "backward")))
    assert caught.value.exit_code == 1
    # Not to declare it any more takes no promise back.
    with pytest.raises(ContractRefused):
        client.run(registration.register(keys, made("2.0.0", NARROW)))
    assert client.run(registry.require(keys, "sink")).version == "1.0.0"
    assert client.data.one(Command(("HLEN", keys.contracts))) == 1
    client.run(registration.register(keys, made("1.1.0", WIDE, "backward")))
    with pytest.raises(VersionTaken):
        client.run(registration.register(keys, made("1.1.0", WHOLE, "backward")))


def test_a_break_that_no_policy_forbids_is_told(client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    done = client.run(registration.register(keys, made("2.0.0", NARROW)))
    assert [one.side for one in done.lost] == ["accepts"]
    (change, *_) = client.run(changes.history(keys, "sink"))
    assert "would be refused" in change.note


def test_instances_say_what_they_run_and_are_up_late_or_gone(client: Client, keys: Keys) -> None:
    now_ms = time.time_ns() // 1_000_000
    for name, version, age_ms in (("a", "1.0.0", 0), ("b", "2.0.0", ALIVE_MS + 500), ("c", "1.0.0", GONE_MS + 500)):
        schema = WHOLE if version == "1.0.0" else NARROW
        client.run(registration.register(keys, made(version, schema), instance=name))
        client.run(heartbeats.beat(keys.instances, f"sink/{name}", now_ms=now_ms - age_ms))
    standing = client.run(registry.standing(keys, "sink", now_ms=now_ms))
    assert standing is not None
    states = {one.name: (one.state, one.version) for one in standing.instances}
    assert states == {"a": ("up", "1.0.0"), "b": ("late", "2.0.0"), "c": ("gone", "1.0.0")}
    assert [release.version for release in standing.offered()] == ["2.0.0", "1.0.0"]
    (listed,) = client.run(registry.everyone(keys, now_ms=now_ms)).modules
    assert {one.name: one for one in listed.instances} == {one.name: one for one in standing.instances}
    for name in ("a", "b", "c"):
        client.run(registration.leave(keys, "sink", name, now_us=1))
        client.run(heartbeats.stop_beating(keys.instances, f"sink/{name}"))
    standing = client.run(registry.standing(keys, "sink", now_ms=now_ms))
    assert standing is not None
    assert [release.version for release in standing.offered()] == ["2.0.0"]
    assert [kind for kind, _ in kinds(client, keys)][-3:] == ["left"] * 3


def test_a_version_that_runs_is_not_retired_and_one_that_does_not_is(client: Client, keys: Keys) -> None:
    now_us = time.time_ns() // 1_000
    client.run(registration.register(keys, made("1.0.0", WHOLE, registered_us=now_us), instance="a"))
    client.run(registration.register(keys, made("2.0.0", NARROW)))
    with pytest.raises(StillRuns, match="a"):
        client.run(registration.retire(keys, "sink", "1.0.0", now_us=now_us))
    with pytest.raises(UnknownVersion, match=r"2\.0\.0"):
        client.run(registration.retire(keys, "sink", "3", now_us=now_us))
    client.run(registration.retire(keys, "sink", "2.0.0", now_us=now_us, by="ops"))
    assert client.run(registry.require(keys, "sink")).version == "1.0.0"
    client.run(registration.leave(keys, "sink", "a", now_us=now_us))
    client.run(registration.retire(keys, "sink", now_us=now_us))
    assert client.run(registry.find(keys, "sink")) is None
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    assert client.run(registry.require(keys, "sink")).version == "1.0.0"


def test_registrations_at_the_same_time_are_all_kept(client: Client, keys: Keys, settings: Settings) -> None:
    def register(number: int) -> None:
        with connect(settings) as own:
            own.run(registration.register(keys, made(f"1.{number}.0", WHOLE)))

    threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = client.run(registry.record(keys, "sink"))
    assert record is not None
    assert len(record.live()) == 8


def test_a_follower_is_told_what_changed_since_it_looked(client: Client, keys: Keys) -> None:
    at = client.run(changes.position(keys))
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    news = client.run(changes.since(keys, at, wait_ms=1_000))
    assert [(change.kind, change.module) for change in news.changes] == [("registered", "sink")]
    assert news.whole
    assert client.run(changes.since(keys, news.position)).changes == []
    client.data.one(Command(("XADD", keys.changes, "*", "c", b"\xff")))
    assert client.run(changes.since(keys, news.position)).changes == []


@pytest.fixture
def foreign(client: Client, keys: Keys) -> Any:
    def write(text: bytes) -> None:
        client.data.one(Command(("HSET", keys.modules, "sink", text)))

    return write


def test_what_others_wrote_is_written_over_and_a_newer_record_is_not(client: Client, keys: Keys, foreign: Any) -> None:
    foreign(b"\xff no record")
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    assert client.run(registry.require(keys, "sink")).version == "1.0.0"
    foreign(b'{"v":99}')
    with pytest.raises(UnreadableContract, match="newer release"):
        client.run(registration.register(keys, made("1.0.0", WHOLE)))


def test_a_contract_that_is_not_that_of_its_digest_is_told(client: Client, keys: Keys) -> None:
    done = client.run(registration.register(keys, made("1.0.0", WHOLE)))
    client.data.one(Command(("HSET", keys.contracts, done.release.digest, b"{}")))
    with pytest.raises(UnreadableContract):
        client.run(registry.find(keys, "sink"))
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    assert client.run(registry.require(keys, "sink")).accepts["t"] == WHOLE


def test_who_always_comes_too_late_is_told_so() -> None:
    """The server never takes the step: another has changed the record each time."""
    text = b""

    def answer(effect: Effect) -> Any:
        match effect:
            case Script(name="register", args=(_, _, written, *_)) if not text:
                read.append(written)
            case Command(args=("HGET", *_)):
                return text or None
            case Believe():
                return [text or None]
            case Command(args=("HMGET" | "SMEMBERS" | "HKEYS", *_)):
                return [None] if "HMGET" in effect.args else []
            case Batch():
                return [text, {}]
        return None

    read: list[Any] = []
    own, agreement = Keys("n"), agreed("source", "sink")
    with pytest.raises(RegistryBusy, match="'sink'"):
        answered(registration.register(own, made("1.0.0", WHOLE)), answer)
    assert len(read) == registration._ATTEMPTS
    with pytest.raises(RegistryBusy, match="source"):
        answered(agreements.store(own, agreement), answer)
    text = read[0]
    with pytest.raises(RegistryBusy, match="'sink'"):
        answered(registration.retire(own, "sink", now_us=1), answer)
    pending = releases.decode("sink", text).releases[0]
    held = msgspec.structs.replace(pending, state="pending", awaits=("source",))
    text = releases.encode(releases.decode("sink", text).with_release(held))
    with pytest.raises(RegistryBusy, match="'sink'"):
        answered(registration.approve(own, "sink", "1.0.0", "source", now_us=1), answer)


def test_a_module_that_nobody_registered_is_not_approved(client: Client, keys: Keys) -> None:
    with pytest.raises(UnknownModule, match="sink"):
        client.run(registration.approve(keys, "sink", "1.0.0", "source", now_us=1))


def test_a_held_version_registered_again_stays_held(client: Client, keys: Keys) -> None:
    client.run(agreements.store(keys, agreed("source", "sink")))
    for _ in range(2):
        done = client.run(registration.register(keys, made("2.0.0", NARROW), hold=True))
        assert done.pending
    assert [kind for kind, _ in kinds(client, keys)] == ["agreed", "pending"]


def test_a_module_that_is_unregistered_reads_its_topics_no_more(client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, made("1.0.0", WHOLE, topics=["news"])))
    assert client.control.one(Command(("SMEMBERS", keys.edges("topic:news")))) == [b"sink"]
    assert client.run(registration.unregister(keys, "sink"))
    assert client.control.one(Command(("SMEMBERS", keys.edges("topic:news")))) == []


def test_a_record_without_its_contract_is_told(client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, made("1.0.0", WHOLE)))
    client.control.one(Command(("UNLINK", keys.contracts)))
    for look in (registry.find(keys, "sink"), registry.offered(keys, "sink", now_ms=1)):
        with pytest.raises(UnreadableContract, match="only its record"):
            client.run(look)


@pytest.mark.parametrize("idle_ms", [0, 2 * GONE_MS])
def test_instances_that_are_gone_for_long_are_forgotten_where_there_are_many(
    client: Client, keys: Keys, idle_ms: int
) -> None:
    now_us = 10**15
    old = made("1.0.0", WHOLE, registered_us=now_us - idle_ms * 1000)
    digest = client.run(registration.register(keys, old)).release.digest
    text = msgspec.json.encode(releases.RunningInstance(version="1.0.0", digest=digest, since_us=old.registered_us))
    many = [word for number in range(registration._MANY) for word in (f"i{number}", text)]
    client.control.one(Command(("HSET", keys.running("sink"), *many)))
    client.run(heartbeats.beat(keys.instances, "sink/i0", now_ms=now_us // 1000))
    client.run(registration.register(keys, made("1.0.0", WHOLE, registered_us=now_us)))
    left = client.control.one(Command(("HLEN", keys.running("sink"))))
    assert left == (1 if idle_ms else registration._MANY)


def test_where_a_client_signs_a_limit_is_written_with_its_seal() -> None:
    written: list[Any] = []

    def answer(effect: Effect) -> Any:
        if isinstance(effect, Sign):
            return [b"sealed:" + text for _, text in effect.values]
        if isinstance(effect, Script):
            written.extend(effect.args)
            return 1
        return [None] if isinstance(effect, Believe) else 0 if "HLEN" in getattr(effect, "args", ()) else ()

    answered(registration.register(Keys("n"), made("1.0.0", WHOLE, max_lag=7), instance="a"), answer)
    assert b"sealed:7" in written


def test_readers_of_a_topic_are_those_whose_offered_version_says_so(client: Client, keys: Keys) -> None:
    client.run(registration.register(keys, contract("still", accepts=True, topics=["news"])))
    client.run(registration.register(keys, contract("left", accepts=True, topics=["news"])))
    client.run(registration.register(keys, contract("left", version="2.0.0", accepts=True)))
    client.run(registration.retire(keys, "left", "1.0.0", now_us=1))
    client.data.one(Command(("SADD", keys.edges("topic:news"), "nobody", "a/topic:news/count")))
    assert client.run(declared_readers(keys, "news", now_ms=1)) == ["still"]
