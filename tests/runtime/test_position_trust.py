"""Positions of projections: a forged one makes nobody trim, and no outbox forget."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from claude_comm import Consumer, Publisher, Settings
from claude_comm.cli.commands.trim import trimmed
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import projection_progress
from claude_comm.runtime import key_files
from claude_comm.runtime.position_trust import believed_positions
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.signed_namespace import signed


def read_all(settings: Settings) -> int:
    with Consumer("b", settings=settings) as consumer:
        count = 0
        while deliveries := consumer.read():
            count += len(deliveries)
            for delivery in deliveries:
                consumer.ack(delivery)
    return count


def gone(settings: Settings, stream: str) -> int:
    return next(row.entries for row in trimmed(settings, dry_run=False) if row.stream == stream)


def test_only_what_a_service_signed_lets_entries_go(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    inbox = keys.inbox("b")
    with Publisher("a", settings=signing) as publisher:
        publisher.publish_many("b", range(1000))
    assert read_all(signing) == 1000
    last = client.data.one(Command(("XREVRANGE", inbox, "+", "-", "COUNT", 1)))[0][0].decode()
    soon = msgspec.structs.replace(signing, keep_s=0)
    signer = key_files.load(key_files.path_of(settings.home, "progress")).signer()
    module = key_files.load(key_files.path_of(settings.home, "a")).signer()
    for forger in (None, module):
        # What a projection that does not follow reports; and a forged one, that all of it is durable.
        client.run(projection_progress.report(keys, "p", {inbox: "1-1"}, signer=signer))
        client.run(projection_progress.report(keys, "p", {inbox: last}, durable={inbox: last}, signer=forger))
        assert gone(soon, inbox) == 0
    client.run(projection_progress.report(keys, "p", {inbox: last}, durable={inbox: last}, signer=signer))
    assert gone(soon, inbox) == 999


def test_a_signed_position_counts_for_its_stream_and_projection_alone(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client)
    signer = key_files.load(key_files.path_of(settings.home, "progress")).signer()
    one, two = keys.inbox("b"), keys.inbox("c")
    client.run(projection_progress.report(keys, "p", {one: "5-1"}, durable={one: "5-1"}, signer=signer))
    value = client.control.one(Command(("HGET", keys.durable("p"), one)))
    client.control.one(Command(("HSET", keys.durable("p"), two, value)))
    client.control.one(Command(("HSET", keys.stored("p"), two, value)))
    (projection,) = client.run(believed_positions(signing).awaited(keys, 60))
    assert (dict(projection.stored), dict(projection.durable)) == ({one: "5-1"}, {one: "5-1"})


def test_a_projection_that_nobody_signs_holds_nothing_up(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    now_ms = time.time_ns() // 1_000_000
    client.control.one(Command(("ZADD", keys.projections, now_ms, "ghost")))
    assert client.run(believed_positions(signing).awaited(keys, 60)) == []
    assert [projection.name for projection in client.run(projection_progress.awaited(keys, 60))] == ["ghost"]


def test_a_signed_sign_of_life_does_not_live_for_ever(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client)
    signer = key_files.load(key_files.path_of(settings.home, "progress")).signer()
    now_ms = time.time_ns() // 1_000_000
    client.run(projection_progress.report(keys, "old", {}, now_ms=now_ms - 100_000, signer=signer))
    client.control.one(Command(("ZADD", keys.projections, now_ms, "old")))
    assert client.run(believed_positions(signing).awaited(keys, 60)) == []


def test_a_forged_position_makes_no_outbox_forget(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    signing, inbox = signed(settings, client), keys.inbox("b")
    with Publisher("a", settings=signing, outbox=tmp_path / "outbox.db") as publisher:
        publisher.publish("b", 1)
        sender = publisher._outbox
        last = client.data.one(Command(("XREVRANGE", inbox, "+", "-", "COUNT", 1)))[0][0].decode()
        client.run(projection_progress.report(keys, "evil", {inbox: last}))
        assert client.run(sender._believed.reported(keys, since_ms=0)) == [{}]
        with open_database(settings.database) as database:
            caught_up(client, database, signing)
        told = client.run(sender._believed.reported(keys, since_ms=0))
        assert {inbox: last}.items() <= max(told, key=len).items()


def test_where_no_service_has_a_key_nothing_is_reported(settings: Settings, client: Client, keys: Keys) -> None:
    signing = signed(settings, client, services=())
    with Publisher("a", settings=signing) as publisher:
        publisher.publish("b", 1)
    with open_database(settings.database) as database:
        caught_up(client, database, signing)
    assert client.run(projection_progress.reported(keys, since_ms=0)) == []
