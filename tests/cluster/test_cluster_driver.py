"""Both cluster drivers on three real masters: split, redirected, cut off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.effects import Append, Batch, Command, Operation, Post, Script
from claude_comm.errors import ConfigurationError, ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import follow
from claude_comm.transport.cluster import ClusterTransport
from claude_comm.transport.connect import connect
from claude_comm.transport.connect_async import connect_async
from tests.support.masters import Master, Masters, lone_server, modules_on_all
from tests.support.waiting import wait_until

Run = Callable[[Operation[Any]], Any]


@pytest.fixture(params=["blocking", "asyncio"])
def run(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Run]:
    """Runs operations on the driver of that name, all on the same pools."""
    if request.param == "blocking":
        with connect(settings) as client:
            yield client.run
        return
    with asyncio.Runner() as runner:

        async def opened() -> Any:
            return connect_async(settings)

        client_async = runner.run(opened())
        yield lambda operation: runner.run(client_async.run(operation))
        runner.run(client_async.close())


@pytest.fixture
def inboxes(settings: Settings, masters: Masters) -> list[str]:
    """Six inboxes, two on each master, in turn."""
    return [Keys(settings.namespace).inbox(name) for name in modules_on_all(masters, settings.namespace)]


def effect(one: Command | Batch | Append | Script) -> Operation[Any]:
    return (yield one)


def ask(*words: Any) -> Operation[Any]:
    return (yield Command(words))


def numbers(run: Run, stream: str) -> list[int]:
    return [int(fields[1]) for _, fields in run(ask("XRANGE", stream, "-", "+"))]


def test_a_batch_over_all_masters_has_its_replies_in_order_and_errors_in_their_places(
    run: Run, inboxes: list[str], masters: Masters
) -> None:
    adds = tuple(Command(("XADD", stream, f"{number}-1", "e", number)) for number, stream in enumerate(inboxes, 1))
    ids = run(effect(Batch(adds)))
    assert ids == [f"{number}-1".encode() for number in range(1, 7)]
    again = run(effect(Batch((*adds[:2], Command(("XLEN", inboxes[2])), *adds[3:], Command(("PING",))))))
    assert [type(reply) for reply in again[:2] + again[3:6]] == [ServerRefused] * 5
    assert (again[2], again[6]) == (1, b"PONG")
    assert {masters.owner(stream).port for stream in inboxes} == {node.port for node in masters.nodes}


def test_posts_to_all_masters_keep_the_order_of_each_stream(run: Run, inboxes: list[str], masters: Masters) -> None:
    posts = [Post(inboxes[number % 6], b"%d" % number) for number in range(5000)]
    ids = run(effect(Append(posts)))
    for start, stream in enumerate(inboxes):
        assert numbers(run, stream) == list(range(start, 5000, 6))
        held = [id_ for id_, _ in masters.owner(stream).ask("XRANGE", stream, "-", "+")]
        assert held == ids[start::6]


def test_one_command_over_two_slots_is_refused_and_the_projection_reads_each_tag_by_itself(
    run: Run, inboxes: list[str]
) -> None:
    run(effect(Append([Post(stream, b"x") for stream in inboxes])))
    after = dict.fromkeys(inboxes, "0-0")
    with pytest.raises(ServerRefused) as caught:
        run(follow.read(after, count=10, reach="server"))
    assert caught.value.code == "CROSSSLOT"
    assert set(run(follow.read(after, count=10, reach="cluster"))) == set(inboxes)


def test_a_script_that_one_master_does_not_know_is_sent_there_as_text(
    run: Run, inboxes: list[str], masters: Masters
) -> None:
    for node in masters.nodes:
        node.ask("SCRIPT", "FLUSH")
    for stream in inboxes:
        later = stream.replace(":inbox", ":later")
        run(ask("ZADD", later, 1, b"0:body"))
        assert run(effect(Script("due", (later, stream), (5, 10))))[0] == 1


def test_a_moved_slot_is_followed_by_a_client_whose_map_is_old(run: Run, inboxes: list[str], masters: Masters) -> None:
    stream, other = inboxes[0], inboxes[1]
    run(effect(Append([Post(stream, b"0"), Post(other, b"0")])))
    target = masters.move(stream)
    ids = run(effect(Append([Post((stream, other)[number % 2], b"%d" % number) for number in range(1, 2000)])))
    assert all(isinstance(id_, bytes) for id_ in ids)
    assert numbers(run, stream) == [0, *range(2, 2000, 2)]
    assert numbers(run, other) == [0, *range(1, 2000, 2)]
    assert target.ask("XLEN", stream) == 1000
    assert run(ask("XREAD", "COUNT", 1, "STREAMS", stream, "0-0"))


def test_a_key_that_has_left_its_slot_is_asked_for_and_one_that_has_not_is_not(
    run: Run, inboxes: list[str], masters: Masters
) -> None:
    """The slot is on the move: its keys are on the one master or on the other, and new ones go to the other."""
    stream = inboxes[0]
    staying = stream.replace(":inbox", ":events")
    run(effect(Append([Post(stream, b"0"), Post(staying, b"0")])))
    source = masters.owner(stream)
    target = masters.other_than(source)
    masters.begin_move(stream, source, target)
    try:
        source.ask("MIGRATE", "127.0.0.1", target.port, stream, 0, 5000)
        run(effect(Append([Post(name, b"%d" % number) for number in range(1, 1000) for name in (stream, staying)])))
        assert numbers(run, stream) == numbers(run, staying) == list(range(1000))
        assert source.ask("XLEN", staying) == 1000
        assert run(ask("XGROUP", "CREATE", stream, "g", "0")) == b"OK"
    finally:
        masters.move_keys(stream, source, target)
        masters.end_move(stream, target)
    assert numbers(run, stream) == list(range(1000))


def test_a_script_over_keys_on_both_sides_waits_for_the_end_of_the_move(
    settings: Settings, inboxes: list[str], masters: Masters
) -> None:
    """Only one of its keys has arrived: the servers say TRYAGAIN, and it is tried until they say no more."""
    stream = inboxes[1]
    later = stream.replace(":inbox", ":later")
    source = masters.owner(stream)
    target = masters.other_than(source)

    async def scenario() -> Any:
        async with connect_async(settings) as client:
            await client.run(ask("ZADD", later, 1, b"0:body"))
            await client.run(effect(Append([Post(stream, b"first")])))
            masters.begin_move(stream, source, target)
            source.ask("MIGRATE", "127.0.0.1", target.port, stream, 0, 5000)
            waiting = asyncio.create_task(client.run(effect(Script("due", (later, stream), (5, 10)))))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            masters.move_keys(stream, source, target)
            masters.end_move(stream, target)
            return await waiting

    assert asyncio.run(scenario())[0] == 1
    assert [fields[1] for _, fields in target.ask("XRANGE", stream, "-", "+")] == [b"first", b"body"]


@pytest.mark.parametrize("way", ["key by key", "at once"])
def test_a_reader_that_waits_is_sent_on_when_the_slot_leaves(
    run: Run, inboxes: list[str], masters: Masters, way: str
) -> None:
    """A read that blocks on the old master ends with what is written to the new one."""
    stream = inboxes[2]
    run(ask("XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"))
    source = masters.owner(stream)

    def move() -> None:
        wait_until(lambda: b"blocked_clients:1" in source.ask("INFO", "clients"))
        target = masters.move(stream) if way == "key by key" else masters.move_at_once(stream)
        target.ask("XADD", stream, "*", "e", "x")

    mover = threading.Thread(target=move)
    mover.start()
    words = ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 60_000, "STREAMS", stream, ">")
    reply = run(effect(Command(words, wait_ms=60_000)))
    mover.join()
    assert list(reply) == [stream.encode()]


def test_a_cancelled_batch_leaves_no_reply_on_any_master(
    settings: Settings, inboxes: list[str], masters: Masters
) -> None:
    """All were sent their part, one of them waits: whoever comes next gets its own answers."""
    waiting = Command(("XREAD", "BLOCK", 60_000, "STREAMS", inboxes[5], "$"), wait_ms=60_000)
    asked = [*(Command(("XLEN", stream)) for stream in inboxes[:5]), waiting]

    owner = masters.owner(inboxes[5])

    async def scenario() -> Any:
        async with connect_async(settings) as client:
            await client.run(effect(Append([Post(stream, b"x") for stream in inboxes])))
            task = asyncio.create_task(client.data.many(asked, 60_000))
            await asyncio.to_thread(wait_until, lambda: b"blocked_clients:1" in owner.ask("INFO", "clients"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await client.data.many([Command(("ECHO", number)) for number in range(3)] + asked[:5])

    assert asyncio.run(scenario()) == [b"0", b"1", b"2", 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("kind", "told"), [("hostname", "localhost"), ("unknown-endpoint", "127.0.0.1")])
def test_nodes_are_reached_as_they_announce_themselves(
    settings: Settings, inboxes: list[str], masters: Masters, kind: str, told: str
) -> None:
    """By name; or not at all, which means the host that was asked."""
    try:
        for node in masters.nodes:
            node.ask("CONFIG", "SET", "cluster-announce-hostname", "localhost")
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", kind)
        announced = {b"localhost"} if kind == "hostname" else {None}
        wait_until(lambda: all(_hosts(node) == announced for node in masters.nodes))
        with connect(settings) as client:
            client.run(effect(Append([Post(stream, b"0") for stream in inboxes])))
            masters.move(inboxes[0])
            client.run(effect(Append([Post(stream, b"1") for stream in inboxes])))
            assert [numbers(client.run, stream) for stream in inboxes] == [[0, 1]] * 6
            assert {server.url.partition("://")[2].partition(":")[0] for server in client.data.pools()} == {told}
    finally:
        for node in masters.nodes:
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")
            node.ask("CONFIG", "SET", "cluster-announce-hostname", "")
        wait_until(lambda: all(_hosts(node) == {b"127.0.0.1"} for node in masters.nodes))


def _hosts(node: Master) -> set[bytes | None]:
    return {master[0] for _, _, master, *_ in node.ask("CLUSTER", "SLOTS")}


def test_user_and_password_go_to_every_node(settings: Settings, inboxes: list[str], masters: Masters) -> None:
    for node in masters.nodes:
        node.ask("ACL", "SETUSER", "me", "on", ">p,w", "~*", "+@all")
    place = masters.url.partition("://")[2]
    for password, served in (("p,w", True), ("wrong", False)):
        named = Settings(home=settings.home, url=f"redis+cluster://me:{password}@{place}", namespace=settings.namespace)
        with connect(named) as client:
            if served:
                assert client.run(effect(Batch(tuple(Command(("XLEN", one)) for one in inboxes)))) == [0] * 6
                continue
            with pytest.raises(ServerRefused, match=r"WRONGPASS|password") as caught:
                client.run(ask("XLEN", inboxes[0]))
            assert "p,w" not in str(caught.value)


def test_a_single_server_is_told_apart(settings: Settings, masters: Masters) -> None:
    with (
        lone_server() as port,
        closing(ClusterTransport(f"redis+cluster://127.0.0.1:{port}")) as transport,
        pytest.raises(ConfigurationError, match="not a cluster: write redis://127"),
    ):
        transport.one(Command(("PING",)))
    plain = Settings(home=settings.home, url=masters.url.replace("+cluster", ""), namespace=settings.namespace)
    elsewhere = next(str(key) for key in range(1000) if masters.owner(str(key)) is not masters.nodes[0])
    with connect(plain) as client, pytest.raises(ServerRefused, match=r"redis\+cluster://"):
        client.data.one(Command(("XLEN", elsewhere)))
