"""Forgetting a module that will not come back, and a name that somebody mistyped."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.client.identity import millis as now_ms
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import agreements, follow, heartbeats, registration, registry
from claude_comm.registry.contracts import contract
from claude_comm.transport.driver import Client


@pytest.fixture(autouse=True)
def _environ(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    monkeypatch.setenv("CLAUDE_COMM_URL", settings.url)
    monkeypatch.setenv("CLAUDE_COMM_NAMESPACE", settings.namespace)


def keys_of(client: Client, settings: Settings, module: str) -> list[bytes]:
    """Whatever the server holds of that module."""
    return list(client.data.one(Command(("KEYS", f"{settings.namespace}:{{m:{module}}}:*"))))


def test_a_mistyped_name_is_forgotten_with_what_was_sent_to_it(run: Any, settings: Settings, client: Client) -> None:
    with Publisher("a", settings=settings) as publisher:
        publisher.publish_many("snik", range(3))
        publisher.publish("snik", 4, delay_s=60)
    for words in (["--dry-run"], []):
        assert keys_of(client, settings, "snik")
        gone = run("forget", "snik", "--json", *words).json
        assert (gone["inbox"], gone["later"], gone["dead"], gone["topics"]) == (3, 1, 0, [])
    assert keys_of(client, settings, "snik") == []
    streams = client.run(follow.announced(Keys(settings.namespace))).streams
    assert "snik" not in [stream.name for stream in streams]
    assert run("forget", "snik").code == 3


def test_a_retired_module_goes_with_its_contract_its_limit_and_its_subscriptions(
    run: Any, settings: Settings, client: Client
) -> None:
    keys = Keys(settings.namespace)
    for version in ("1.0.0", "1.1.0"):
        client.run(registration.register(keys, contract("sink", version=version, accepts=True, max_lag=5)))
    client.run(registration.register(keys, contract("other", accepts=True)))
    assert client.data.one(Command(("HLEN", keys.contracts))) == 3
    with Publisher("a", settings=settings) as publisher, Consumer("sink", topics=["news"], settings=settings) as sink:
        for target in ("sink", "other"):
            publisher.negotiate(target, {"type": "integer"})
        publisher.publish("topic:news", 1)
        publisher.publish("sink", 2)
        for delivery in sink.read():
            sink.fail(delivery, "no")
    gone = run("forget", "sink", "--json").json
    assert (gone["topics"], gone["registered"], gone["dead"] > 0, gone["events"] > 0) == (["news"], True, True, True)
    assert keys_of(client, settings, "sink") == []
    assert client.run(registry.find(keys, "sink")) is None
    assert client.data.one(Command(("HLEN", keys.contracts))) == 1, "that of the other module"
    left = [keys.running("sink"), keys.beats("sink"), keys.history("sink"), keys.edges("sink")]
    assert client.data.one(Command(("EXISTS", *left))) == 0
    assert [pair.consumer for pair in client.run(agreements.all_pairs(keys))] == ["other"]
    assert client.data.one(Command(("SMEMBERS", keys.edges("a")))) == [b"a/other/message"]
    assert client.data.one(Command(("HEXISTS", keys.limits, "sink"))) == 0
    assert client.data.one(Command(("XINFO", "GROUPS", keys.topic("news")))) == []


def test_a_module_that_runs_stays(run: Any, settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("sink", 1)
    client.run(heartbeats.beat(keys.instances, "sink/here-1", now_ms=now_ms()))
    refused = run("forget", "sink")
    assert (refused.code, "sink/here-1" in refused.err) == (1, True)
    assert client.data.one(Command(("XLEN", keys.inbox("sink")))) == 1


def test_the_words_say_what_went(run: Any, settings: Settings) -> None:
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("sink", 1)
    assert "sink would be forgotten: 1 messages in its inbox" in run("forget", "sink", "--dry-run").err
    assert "sink is forgotten: 1 messages in its inbox" in run("forget", "sink").err


def test_a_topic_that_nobody_reads_is_forgotten_with_what_was_agreed_on_it(
    run: Any, settings: Settings, client: Client
) -> None:
    """Nothing of such a topic is trimmed: it grows for as long as somebody sends to it."""
    keys = Keys(settings.namespace)
    with Publisher("a", settings=settings) as publisher:
        publisher.negotiate("topic:news", {"type": "integer"})
        publisher.publish_many("topic:news", range(3))
        publisher.publish("topic:news", 4, delay_s=60)
    assert run("status", "--json").json["unread"] == {"news": 4}
    assert "topic:news (4): nothing is trimmed there" in run("status").out
    for words in (["--dry-run"], []):
        assert client.data.one(Command(("KEYS", f"{settings.namespace}:{{t:news}}:*")))
        assert client.data.one(Command(("HLEN", keys.pairs))) == 1
        assert run("forget", "topic:news", "--json", *words).json == {"topic": "news", "entries": 3, "later": 1}
    assert client.data.one(Command(("KEYS", f"{settings.namespace}:{{t:news}}:*"))) == []
    assert client.data.one(Command(("EXISTS", keys.edges("topic:news"), keys.edges("a"), keys.pairs))) == 0
    assert run("status", "--json").json["unread"] == {}
    unknown = run("forget", "topic:news")
    assert (unknown.code, "nobody has sent to topic:news" in unknown.err) == (3, True)


def test_a_topic_that_is_read_stays(run: Any, settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with Publisher("a", settings=settings) as publisher, Consumer("sink", topics=["news"], settings=settings) as sink:
        publisher.publish("topic:news", 1)
        assert len(sink.read()) == 1
    client.run(registration.register(keys, contract("declared", accepts=True, topics=["news"])))
    for words in (["--dry-run"], []):
        refused = run("forget", "topic:news", *words)
        assert (refused.code, "is read by declared, sink" in refused.err) == (1, True)
    assert client.data.one(Command(("XLEN", keys.topic("news")))) == 1
    assert run("status", "--json").json["unread"] == {}
    assert run("unsubscribe", "sink", "news").code == 0
    assert run("forget", "declared").code == 0
    assert run("forget", "topic:news").code == 0
    assert client.data.one(Command(("EXISTS", keys.topic("news")))) == 0
