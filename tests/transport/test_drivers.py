"""Both drivers perform the same operations, and leave no reply behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from claude_comm.effects import Batch, Command, Operation, Pause, Post
from claude_comm.errors import ConfigurationError, ServerRefused, ServerUnreachable
from claude_comm.runtime import private_server
from claude_comm.settings import Settings
from claude_comm.transport.async_pool import AsyncConnectionPool
from claude_comm.transport.connect import connect
from claude_comm.transport.connect_async import connect_async
from claude_comm.transport.driver import Client
from claude_comm.transport.packing import APPEND_PART
from claude_comm.transport.pool import ConnectionPool, public
from tests.support.waiting import PATIENCE_S, wait_until

Run = Callable[[Operation[Any]], Any]


@pytest.fixture(params=["blocking", "asyncio"])
def run(request: pytest.FixtureRequest, settings: Settings) -> Run:
    """Runs an operation on the driver of that name."""
    if request.param == "blocking":
        client = request.getfixturevalue("client")
        run_blocking: Run = client.run
        return run_blocking

    def run_async(operation: Operation[Any]) -> Any:
        async def within() -> Any:
            async with connect_async(settings) as client:
                return await client.run(operation)

        return asyncio.run(within())

    return run_async


def test_replies_come_as_the_server_sent_them(run: Run, settings: Settings) -> None:
    key = settings.namespace

    def operation() -> Operation[list[Any]]:
        yield Command(("XADD", key, "1-1", "e", b"\x00"))
        return (yield Batch((Command(("XRANGE", key, "-", "+")), Command(("NONSENSE",)), Command(("XLEN", key)))))

    entries, refused, length = run(operation())
    assert entries == [[b"1-1", [b"e", b"\x00"]]]
    assert isinstance(refused, ServerRefused)
    assert length == 1


def test_an_error_reply_is_raised_inside_the_operation(run: Run, settings: Settings) -> None:
    def operation() -> Operation[str]:
        try:
            yield Command(("XGROUP", "CREATE", settings.namespace, "g", "0"))
        except ServerRefused as refusal:
            return refusal.code
        return "no error"

    assert run(operation()) == "ERR"


def test_the_code_of_a_refusal_survives(run: Run, settings: Settings) -> None:
    def operation() -> Operation[str]:
        create = Command(("XGROUP", "CREATE", settings.namespace, "g", "0", "MKSTREAM"))
        yield create
        try:
            yield create
        except ServerRefused as refusal:
            return refusal.code
        return "no error"

    assert run(operation()) == "BUSYGROUP"


def test_a_pause_is_waited_for_and_its_reply_is_none(run: Run) -> None:
    def operation() -> Operation[tuple[Any, float]]:
        begun = time.monotonic()
        reply = yield Pause(0.02)
        return reply, time.monotonic() - begun

    reply, took_s = run(operation())
    assert reply is None
    assert took_s >= 0.02


def test_other_tasks_run_while_an_operation_pauses(settings: Settings) -> None:
    done: list[str] = []

    def operation() -> Operation[None]:
        yield Pause(0.05)
        done.append("paused")

    async def other() -> None:
        done.append("other")

    async def scenario() -> None:
        async with connect_async(settings) as client:
            await asyncio.gather(client.run(operation()), other())

    asyncio.run(scenario())
    assert done == ["other", "paused"]


def test_a_cancelled_task_runs_the_finally_of_its_operation_and_leaves_no_reply(settings: Settings) -> None:
    ended = []

    def operation() -> Operation[Any]:
        try:
            return (yield Command(("XREAD", "BLOCK", 60_000, "STREAMS", settings.namespace, "$"), wait_ms=60_000))
        finally:
            ended.append(True)

    async def scenario() -> Any:
        async with connect_async(settings) as client:
            task = asyncio.create_task(client.run(operation()))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await client.data.one(Command(("PING",)))

    assert asyncio.run(scenario()) == b"PONG"
    assert ended == [True]


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    server = ConnectionPool("redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(ServerUnreachable) as caught:
        server.one(Command(("PING",)))
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert public("redis://:p@h:1") == "redis://h:1"


def test_a_connection_that_is_reset_while_replies_are_read_is_a_server_that_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen when a server is killed: the bulk reader meets the operating system's own error."""

    def reset(*_: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    with connect(settings) as client:
        monkeypatch.setattr("claude_comm.transport.connection.Connection.read", reset)
        with pytest.raises(ServerUnreachable):
            client.data.many([Command(("PING",))])
    server = AsyncConnectionPool(settings.url)
    monkeypatch.setattr("claude_comm.transport.async_connection.AsyncConnection.read", reset)
    with pytest.raises(ServerUnreachable):
        asyncio.run(server.many([Command(("PING",))]))


SLOW = Command(("BLPOP", "nothing-comes-here", 60), wait_ms=60_000)


def waits(client: Client, connection: int) -> bool:
    return b" cmd=blpop " in client.data.one(Command(("CLIENT", "LIST", "ID", connection)))


def test_a_reply_that_nobody_waited_for_answers_no_later_command(settings: Settings, client: Client) -> None:
    """Interrupted between a command and its reply, by a signal: the connection is not used again."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    server = ConnectionPool(settings.url)
    connection = server.one(Command(("CLIENT", "ID")))
    main, before = threading.get_ident(), signal.signal(signal.SIGALRM, interrupt)
    once_it_waits = threading.Thread(
        target=lambda: (wait_until(lambda: waits(client, connection)), signal.pthread_kill(main, signal.SIGALRM))
    )
    try:
        once_it_waits.start()
        with pytest.raises(KeyboardInterrupt):
            server.one(SLOW)
    finally:
        signal.signal(signal.SIGALRM, before)
        once_it_waits.join()
    assert server.one(Command(("ECHO", "mine"))) == b"mine"
    server.close()


def test_a_cancelled_command_answers_no_later_one(settings: Settings) -> None:
    async def scenario() -> None:
        server = AsyncConnectionPool(settings.url)
        await server.one(Command(("PING",)))
        task = asyncio.create_task(server.one(SLOW))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await server.one(Command(("ECHO", "mine"))) == b"mine"
        await server.close()

    asyncio.run(scenario())


def test_a_connection_that_ended_at_rest_is_replaced_unseen(home: Path) -> None:
    private_server.ensure(home)
    url = f"unix://{private_server.socket_path(home)}"
    server = ConnectionPool(url)
    server.one(Command(("PING",)))

    async def scenario() -> None:
        other = AsyncConnectionPool(url)
        await other.one(Command(("PING",)))
        await asyncio.to_thread(private_server.stop, home)
        await asyncio.to_thread(private_server.ensure, home)
        assert await other.one(Command(("ECHO", "again"))) == b"again"
        await other.close()

    asyncio.run(scenario())
    assert server.one(Command(("ECHO", "again"))) == b"again"
    server.close()


def test_a_server_that_does_not_answer_in_time_is_unreachable(home: Path) -> None:
    private_server.ensure(home)
    url, pid = f"unix://{private_server.socket_path(home)}", private_server.server_pid(home)
    assert pid is not None
    server, late = ConnectionPool(url), Command(("PING",), within_ms=200)
    server.one(Command(("PING",)))

    async def scenario() -> None:
        other = AsyncConnectionPool(url)
        await other.one(Command(("PING",)))
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ServerUnreachable, match=r"within 0\.2 s"):
            await other.one(late)
        with pytest.raises(ServerUnreachable, match=r"within 0\.2 s"):
            server.one(late)
        os.kill(pid, signal.SIGCONT)
        assert await other.one(Command(("ECHO", "again"))) == b"again"
        await other.close()

    try:
        asyncio.run(scenario())
        assert server.one(Command(("ECHO", "again"))) == b"again"
    finally:
        os.kill(pid, signal.SIGCONT)
        server.close()


FORKING = """
import os, sys
from claude_comm.transport.pool import ConnectionPool
from claude_comm.effects import Command
server, who = ConnectionPool(sys.argv[1]), Command(("CLIENT", "ID"))
parent = server.one(who)
child = os.fork()
if child == 0:
    mine = server.one(who)
    os._exit(0 if mine != parent and server.one(who) == mine else 1)
assert os.waitpid(child, 0)[1] == 0
assert server.one(who) == parent, "the child closed its parent's connection"
"""


def test_a_fork_has_connections_of_its_own(settings: Settings, environ: dict[str, str]) -> None:
    command = [sys.executable, "-c", FORKING, settings.url]
    assert subprocess.run(command, env=environ, timeout=PATIENCE_S, check=False).returncode == 0


def test_large_batches_are_sent_in_parts_and_answered_in_order(settings: Settings) -> None:
    posts = [Post(f"{settings.namespace}:s", b"%d" % n * 100) for n in range(3 * APPEND_PART + 7)]
    server = ConnectionPool(settings.url)
    ids = server.append(posts)
    entries = server.one(Command(("XRANGE", f"{settings.namespace}:s", "-", "+")))
    assert [(id_, fields) for id_, fields in entries] == [
        (id_, [b"e", post.body]) for id_, post in zip(ids, posts, strict=True)
    ]
    server.close()

    async def scenario() -> list[bytes]:
        other = AsyncConnectionPool(settings.url)
        found: list[bytes] = await other.append(posts)
        await other.close()
        return found

    again = asyncio.run(scenario())
    assert len(again) == len(posts)
    assert again == sorted(again, key=lambda id_: tuple(map(int, id_.split(b"-"))))


@pytest.mark.parametrize("count", [1, 50])
def test_threads_share_a_server(settings: Settings, count: int) -> None:
    server = ConnectionPool(settings.url)
    with ThreadPoolExecutor(8) as pool:
        words = [f"w{n}" for n in range(400)]
        batches = pool.map(lambda word: server.many([Command(("ECHO", word))] * count), words)
        assert list(batches) == [[word.encode()] * count for word in words]
    server.close()


def test_a_begun_operation_that_has_landed_is_dropped_without_the_connection_that_it_gave_back(client: Client) -> None:
    def asking() -> Operation[Any]:
        return (yield Batch((Command(("CLIENT", "ID")),)))

    before = client.run(asking())
    landed = client.begin(asking())
    assert landed.land()
    flying = client.begin(asking())
    landed.drop()
    assert flying.finish() == before
    dropped = client.begin(asking())
    dropped.drop()
    assert client.run(asking()) != before


class Go:
    """What commands wait for until the test says so."""

    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key
        self.command = Command(("BLPOP", key, 60))

    def awaited(self) -> Operation[Any]:
        """The connection's number, after the wait."""
        return (yield Batch((self.command, Command(("CLIENT", "ID"))), wait_ms=60_000))[-1]

    def on(self) -> None:
        self._client.data.one(Command(("LPUSH", self._key, "go")))


@pytest.fixture
def go(settings: Settings) -> Iterator[Go]:
    with connect(settings) as other:
        yield Go(other, f"{settings.namespace}:go")


def asking_who(*, block_ms: int = 0) -> Operation[Any]:
    """The connection's number, after a wait."""
    wait = Command(("BLPOP", "nothing", block_ms / 1000))
    commands = (wait, Command(("CLIENT", "ID"))) if block_ms else (Command(("CLIENT", "ID")),)
    return (yield Batch(commands, wait_ms=block_ms))[-1]


def test_what_is_begun_behind_another_goes_on_its_connection_and_the_last_gives_it_back(client: Client) -> None:
    before = client.run(asking_who())
    first = client.begin(asking_who(block_ms=50))
    second = client.begin(asking_who(), first)
    third = client.begin(asking_who(), second)
    apart = client.begin(asking_who())
    # Whoever is landed out of turn lands those before it.
    assert [third.finish(), first.finish(), second.finish()] == [before] * 3
    assert apart.finish() != before
    landed = client.begin(asking_who())
    assert landed.land()
    behind = client.begin(asking_who(), landed)
    assert behind.finish() == landed.finish()


def test_a_connection_is_given_back_by_the_last_that_was_begun_on_it(client: Client) -> None:
    """Before that, what somebody else sends there would be answered by its replies."""
    before = client.run(asking_who())
    first = client.begin(asking_who())
    second = client.begin(asking_who(block_ms=200), first)
    assert first.finish() == before
    assert client.run(asking_who()) not in (None, before)
    assert second.finish() == before


def test_of_asyncio_a_connection_is_given_back_by_the_last_that_was_begun_on_it(settings: Settings) -> None:
    async def scenario() -> None:
        async with connect_async(settings) as client:
            before = await client.run(asking_who())
            first = await client.begin(asking_who())
            second = await client.begin(asking_who(block_ms=200), first)
            assert await first.finish() == before
            assert await client.run(asking_who()) not in (None, before)
            assert await second.finish() == before

    asyncio.run(scenario())


def test_of_asyncio_what_is_begun_behind_another_goes_on_its_connection(settings: Settings) -> None:
    async def scenario() -> None:
        async with connect_async(settings) as client:
            before = await client.run(asking_who())
            first = await client.begin(asking_who(block_ms=50))
            second = await client.begin(asking_who(), first)
            apart = await client.begin(asking_who())
            assert [await second.finish(), await first.finish()] == [before] * 2
            assert await apart.finish() != before
        async with connect_async(settings) as client:
            before = await client.run(asking_who())
            dropped = await client.begin(asking_who(block_ms=60_000))
            follower = await client.begin(asking_who(), dropped)
            dropped.drop()
            with pytest.raises(ServerUnreachable):
                await follower.finish()
            anew = await client.begin(asking_who(), follower)
            assert await anew.finish() not in (None, before)

    asyncio.run(scenario())


def test_what_does_not_go_abreast_is_sent_when_the_one_before_has_landed(client: Client, go: Go) -> None:
    before = client.run(asking_who())
    first = client.begin(go.awaited())
    made: list[bool] = []

    def asking() -> Operation[Any]:
        # It is made while the one before is on its way.
        made.append(first._replies.arrived())
        go.on()
        return (yield from asking_who())

    second = client.begin(asking(), first, abreast=False)
    assert made == [False]
    assert first.arrived()
    assert [second.finish(), first.finish()] == [before] * 2
    failed = client.begin(asking_who(block_ms=5000))
    failed._replies._connection._socket.shutdown(socket.SHUT_RDWR)
    never = asking_who()
    with pytest.raises(ServerUnreachable, match="closed the connection"):
        client.begin(never, failed, abreast=False)
    assert inspect.getgeneratorstate(never) == inspect.GEN_CLOSED


def test_of_asyncio_what_does_not_go_abreast_is_sent_when_the_one_before_has_landed(settings: Settings) -> None:
    async def scenario() -> None:
        async with connect_async(settings) as client:
            first = await client.begin(asking_who(block_ms=50))
            second = await client.begin(asking_who(), first, abreast=False)
            assert first.arrived()
            assert await second.finish() == await first.finish()
            failed = await client.begin(asking_who(block_ms=5000))
            failed.drop()
            never = asking_who()
            with pytest.raises(ServerUnreachable):
                await client.begin(never, failed, abreast=False)
            assert inspect.getgeneratorstate(never) == inspect.GEN_CLOSED

    asyncio.run(scenario())


def asking_twice(go: Go) -> Operation[Any]:
    first = yield Batch((go.command, Command(("ECHO", "once"))), wait_ms=60_000)
    return [*first[1:], (yield Command(("ECHO", "twice")))]


def test_what_has_arrived_is_over_unless_it_asks_more_of_the_server(client: Client, go: Go) -> None:
    asking = client.begin(asking_twice(go))
    assert not asking.arrived()
    go.on()
    wait_until(asking.arrived)
    assert [asking.over(), asking.over()] == [False, False]
    assert asking.finish() == [b"once", b"twice"]
    who = client.begin(asking_who())
    wait_until(who.arrived)
    assert who.over()
    assert who.finish() == client.run(asking_who())


def test_of_asyncio_what_has_arrived_is_over_unless_it_asks_more(settings: Settings, go: Go) -> None:
    async def scenario() -> None:
        async with connect_async(settings) as client:
            asking = await client.begin(asking_twice(go))
            assert not asking.arrived()
            go.on()
            assert await asking.land()
            assert asking.arrived()
            assert not asking.over()
            assert await asking.finish() == [b"once", b"twice"]
            who = await client.begin(asking_who())
            await who.land()
            assert who.over()
            assert await who.finish() == await client.run(asking_who())

    asyncio.run(scenario())


def test_what_is_begun_behind_one_that_fails_fails_with_it(client: Client) -> None:
    first = client.begin(asking_who(block_ms=5000))
    second = client.begin(asking_who(), first)
    first._replies._connection._socket.shutdown(socket.SHUT_RDWR)
    for begun in (second, first):
        with pytest.raises(ServerUnreachable, match="the server closed the connection"):
            begun.finish()
    assert client.run(asking_who()) > 0


@pytest.mark.parametrize(
    ("query", "says"), [("?sokcet_timeout=1", "option that nobody reads: 'sokcet_timeout'"), ("?socket_timeout=x", "x")]
)
def test_an_address_that_cannot_be_used_is_one_sentence_without_its_password(query: str, says: str) -> None:
    for pool in (ConnectionPool, AsyncConnectionPool):
        with pytest.raises(ConfigurationError) as refused:
            pool(f"redis://:secret@localhost/0{query}&password=secret")
        assert "secret" not in str(refused.value)
        assert says in str(refused.value) or "socket_timeout" in str(refused.value)
