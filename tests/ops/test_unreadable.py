"""What others wrote into our keys is named, with where it lies and what removes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis

from claude_comm import Settings
from claude_comm.effects import Command
from claude_comm.envelope import WIRE_VERSION
from claude_comm.names import Keys, Stream
from claude_comm.ops import registration, unreadable
from claude_comm.ops.key_kinds import KINDS, Kind
from claude_comm.ops.unreadable import UnreadableKey
from claude_comm.registry.contracts import contract
from claude_comm.runtime import private_server
from claude_comm.store import queries
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support import garbage
from tests.support.command_line import Ran
from tests.support.key_page import PAGE
from tests.support.streams import project, publish

BAD = b'\xff \n"\\x'


@pytest.fixture
def server(settings: Settings) -> redis.Redis:
    return redis.Redis(unix_socket_path=settings.url.removeprefix("unix://"))


def found(client: Client, keys: Keys) -> list[UnreadableKey]:
    names = [name for part in client.run_on_each(lambda: unreadable.scan(keys, "data")) for name in part]
    return [row for row in client.run(unreadable.look(keys, names)) if not row.kind.startswith("rq:")]


OWN = [kind for kind in KINDS if kind.spelling.startswith("ns:")]


def put(server: redis.Redis, keys: Keys, kind: Kind) -> str:
    key = garbage.key(keys, kind)
    commands = {
        "hash": ("HSET", key, BAD, BAD),
        "set": ("SADD", key, BAD),
        "zset": ("ZADD", key, "inf", BAD),
        "stream": ("XADD", key, "*", BAD, BAD),
        "string": ("SET", key, BAD),
    }
    server.execute_command(*commands[kind.type])
    return key


def inline(server: redis.Redis, line: str) -> None:
    """Sends a command as a person types it: the server reads it as `valkey-cli` does."""
    connection = server.connection_pool.get_connection()
    try:
        connection.send_packed_command([line.encode() + b"\r\n"])
        connection.read_response()
    finally:
        server.connection_pool.release(connection)


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.spelling)
def test_each_kind_is_named_and_what_is_said_to_remove_it_does(
    kind: Kind, client: Client, keys: Keys, server: redis.Redis
) -> None:
    key = put(server, keys, kind)
    (row,) = found(client, keys)
    assert (row.key, row.kind, row.values, len(row.remove)) == (key, kind.name, 1, 1)
    assert row.why
    inline(server, row.remove[0])
    assert found(client, keys) == []


def test_what_only_a_newer_release_can_read_is_not_named(client: Client, keys: Keys, server: redis.Redis) -> None:
    newer = msgspec.msgpack.encode({"v": WIRE_VERSION + 1})
    server.zadd(keys.later("a"), {b"1:" + newer: 1})
    server.xadd(keys.replies("a", "i"), {"e": newer})
    assert found(client, keys) == []


@pytest.mark.parametrize("body", [b"\x93\x80", b"\x91\x01"], ids=["cut off", "no envelope"])
def test_an_array_of_replies_that_cannot_be_read_is_named(
    client: Client, keys: Keys, server: redis.Redis, body: bytes
) -> None:
    server.xadd(keys.replies("a", "many-i"), {"e": body})
    (row,) = found(client, keys)
    assert (row.key, row.kind, row.values) == (keys.replies("a", "many-i"), "replies", 1)


def test_what_a_module_that_reads_a_topic_registers_is_not_named(client: Client, keys: Keys) -> None:
    client.run(
        registration.register(keys, contract("sink", accepts={"t": {}}, topics=["news"], max_lag=9), instance="i")
    )
    assert client.control.one(Command(("SMEMBERS", keys.edges("topic:news")))) == [b"sink"]
    assert found(client, keys) == []


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.spelling)
def test_a_key_of_another_type_is_named(kind: Kind, client: Client, keys: Keys, server: redis.Redis) -> None:
    key = garbage.key(keys, kind)
    server.execute_command("RPUSH", key, "x")
    (row,) = found(client, keys)
    assert (row.key, row.why) == (key, f"it holds a list instead of a {kind.type}")
    inline(server, row.remove[0])
    assert not server.exists(key)


def test_the_kinds_are_those_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert {kind.spelling for kind in OWN} == {row for row in _spellings(page) if row.startswith("ns:")}
    rq = {kind.spelling for kind in KINDS} - {kind.spelling for kind in OWN}
    assert {row for row in _spellings(page) if row.startswith("rq:") and "KIND" not in row} <= rq


def test_no_value_by_chance_stops_the_look_and_its_cost_is_bounded(
    client: Client, keys: Keys, server: redis.Redis
) -> None:
    garbage.plant(server, keys, values=300, seed=3)
    rows = found(client, keys)
    assert {row.kind for row in rows} == {kind.name for kind in OWN}
    assert max(row.values for row in rows) <= 2 * unreadable._VALUES


def test_entries_in_the_middle_of_a_stream_are_named_where_they_were_met_before(
    client: Client, settings: Settings, keys: Keys, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable, "_between", lambda *_: [])
    for part in range(2):
        publish(settings, "a", *range(unreadable._VALUES))
        if part == 0:
            middle = server.xadd(keys.inbox("a"), {"e": BAD}).decode()
    assert found(client, keys) == []
    project(settings, client, keys)
    with open_database(settings.database) as database:
        suspected = queries.unreadable_entries(database, [keys.inbox("a"), keys.inbox("b")], most=5)
    assert suspected == {keys.inbox("a"): [middle]}
    (row,) = client.run(unreadable.look(keys, suspected, suspected))
    assert row.remove == [f"XDEL {row.key} {middle}"]
    inline(server, row.remove[0])
    assert client.run(unreadable.look(keys, suspected, suspected)) == []


def test_of_a_long_stream_a_burst_between_its_ends_is_found_beside_names_of_streams_that_are_not_there(
    client: Client, keys: Keys, server: redis.Redis
) -> None:
    with server.pipeline(transaction=False) as pipe:
        for ms in range(1, 4_001):
            pipe.xadd(keys.dead("a"), {"x" if 1_500 < ms < 1_520 else "reason": "r"}, id=f"{ms}-1")
        pipe.execute()
    made_up = [keys.dead(f"a{number}") for number in range(unreadable._KEYS)]
    (row,) = client.run(unreadable.look(keys, [keys.dead("a"), *made_up]))
    assert 0 < row.values < 20
    assert (row.key, row.why) == (keys.dead("a"), "the entry has no field `reason`")


def test_keys_of_the_registry_are_looked_at_however_many_others_there_are(keys: Keys) -> None:
    names = unreadable.known(keys, [Stream(keys.inbox("a"), "inbox", "a"), Stream(keys.topic("t"), "topic", "t")])
    assert {keys.agreements, keys.keyring, keys.dead("a"), keys.later("a"), keys.later("topic:t")} <= names


def test_streams_that_are_made_up_hide_none_that_is_there(
    settings: Settings, client: Client, keys: Keys, environ: dict[str, str], run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])
    client.data.one(Command(("XADD", keys.dead("sink"), "*", "x", "y")))
    for number in range(unreadable._KEYS + 1):
        client.control.one(Command(("SADD", keys.streams, keys.inbox(f"a{number}")), on="control"))
    rows = run("status", "--json").json["unreadable"]
    assert "dead" in {row["kind"] for row in rows}


def test_status_names_each_kind_and_has_every_command_in_json(
    home: Path, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(home))
    private_server.ensure(home)
    keys = Keys(Settings(home=home).namespace)
    socket = str(private_server.socket_path(home))
    with connect(Settings(home=home)) as client, redis.Redis(unix_socket_path=socket) as server:
        assert found(client, keys) == []
        server.hset(keys.agreements, mapping={"a": "x", "b": "y"})
        server.sadd(keys.streams, "\x1b[2J")
    ran = run("status")
    assert ran.code == 0
    lines = [line for line in ran.out.splitlines() if line.startswith("unreadable")]
    assert len(lines) == 2
    assert lines[0].startswith(f"unreadable   streams: 1 in {keys.streams} (it is no stream of this namespace)")
    assert f'`SREM {keys.streams} "\\x1b[2J"` removes it' in lines[0]
    assert f"agreements: 2 in {keys.agreements}" in lines[1]
    rows = run("status", "--json").json["unreadable"]
    assert [(row["kind"], row["values"], len(row["remove"])) for row in rows] == [
        ("streams", 1, 1),
        ("agreements", 2, 2),
    ]


def _spellings(page: str) -> set[str]:
    return {
        cell
        for line in page.splitlines()
        if line.startswith("| `")
        for cell in line.split("|")[1].replace("`", " ").split()
    }
