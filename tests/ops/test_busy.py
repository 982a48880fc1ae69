"""Which streams are not at rest, asked of many at once."""

from __future__ import annotations

import time

import pytest

from claude_comm import Publisher, Settings
from claude_comm.effects import Command, Reach
from claude_comm.names import Keys, Stream
from claude_comm.ops import consume, follow, server, trim
from claude_comm.transport.driver import Client


def announced(client: Client, keys: Keys) -> list[Stream]:
    return client.run(follow.announced(keys)).streams


@pytest.mark.parametrize("reach", ["server", "cluster"])
def test_whatever_waits_is_pending_or_buried_is_busy(
    settings: Settings, client: Client, keys: Keys, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LOOKED_AT", 3)
    names = ["rest", "unread", "pending", "buried", "later", "lagging", "empty"]
    with Publisher("src", settings=settings) as publisher:
        for name in names[:-1]:
            publisher.publish(name, 1, delay_s=3600 if name == "later" else 0)
        client.run(consume.announce(keys, [keys.inbox("empty"), keys.inbox("never-written")]))
        for name in ("rest", "pending", "buried", "lagging"):
            key = keys.inbox(name)
            client.data.one(Command(("XGROUP", "CREATE", key, name, "0")))
            client.data.one(Command(("XREADGROUP", "GROUP", name, "one", "STREAMS", key, ">")))
            if name != "pending":
                (entry,) = client.data.one(Command(("XRANGE", key, "-", "+")))
                client.data.one(Command(("XACK", key, name, entry[0])))
        client.data.one(Command(("XADD", keys.dead("buried"), "*", "e", "x")))
        publisher.publish("lagging", 2)
    client.control.one(Command(("SADD", keys.streams, keys.inbox("text"))))
    client.data.one(Command(("SET", keys.inbox("text"), "x")))
    busy = client.run(server.busy(keys, announced(client, keys), reach=reach))
    client.data.one(Command(("DEL", keys.inbox("text"))))
    expected = ["unread", "pending", "buried", "later", "lagging", "text"]
    assert sorted(stream.key for stream in busy) == sorted(map(keys.inbox, expected))


def test_scripts_that_the_server_forgot_run_all_the_same(settings: Settings, client: Client, keys: Keys) -> None:
    with Publisher("src", settings=settings) as publisher:
        for number in range(5):
            publisher.publish(f"m{number}", number)
    streams = announced(client, keys)
    client.data.one(Command(("SCRIPT", "FLUSH")))
    looks = client.run(trim.looks(streams, [], now_ms=time.time_ns() // 1_000_000))
    assert [look.stream for look in looks] == [stream.key for stream in streams]
    assert {look.hold.kind for look in looks if look.hold} == {"unread"}


def test_a_refusal_stands_in_its_place(client: Client, keys: Keys) -> None:
    client.data.one(Command(("SET", keys.inbox("text"), "x")))
    client.run(consume.announce(keys, [keys.inbox("text"), keys.inbox("b")]))
    held = client.run(trim.looks(announced(client, keys), [], now_ms=0))
    assert [look.hold for look in held] == [None, None]
    client.data.one(Command(("DEL", keys.inbox("text"))))
