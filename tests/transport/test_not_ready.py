"""A server that answers and does not serve: waited for like one that is away, on connections that are opened anew."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from claude_comm import AsyncPublisher, Envelope, Publisher
from claude_comm.client.publisher.attempts import FULL_WAITS_S, RETRY_WAITS_S
from claude_comm.effects import Command, Post
from claude_comm.errors import ServerNotReady, ServerRefused, ServerUnreachable
from claude_comm.names import Keys
from claude_comm.runtime import private_server
from claude_comm.settings import Settings
from claude_comm.transport.async_pool import AsyncConnectionPool
from claude_comm.transport.pool import ConnectionPool
from tests.chaos.server import ChaosServer
from tests.support.errors_file import errors_to
from tests.support.waiting import wait_until

ADD = Command(("XADD", "s", "*", "e", "1"))


@pytest.fixture
def admin(home: Path) -> Iterator[redis.Redis]:
    """A connection of an operator to a server of this test alone."""
    with redis.Redis(unix_socket_path=str(private_server.ensure(home))) as client:
        yield client


@pytest.fixture
def url(home: Path) -> str:
    return "unix://" + quote(str(private_server.socket_path(home)))


def replica(admin: redis.Redis) -> None:
    admin.replicaof("127.0.0.1", 1)


def primary(admin: redis.Redis) -> None:
    admin.replicaof("NO", "ONE")


def refusals(admin: redis.Redis, code: str) -> int:
    stats: dict[str, Any] = admin.info("errorstats").get(f"errorstat_{code}", {})
    return int(stats.get("count", 0))


@pytest.mark.parametrize("code", ["READONLY", "MISCONF", "NOAUTH", "BUSY"])
def test_its_state_is_no_refusal_of_the_command(admin: redis.Redis, url: str, home: Path, code: str) -> None:
    pool = ConnectionPool(url)
    pool.one(ADD)
    undo = _STATES[code](admin, home)
    try:
        with pytest.raises(ServerNotReady) as caught:
            pool.one(ADD)
    finally:
        undo()
    assert caught.value.code == code
    wait_until(lambda: _taken(pool), what="the server serves again")
    pool.close()


def test_what_a_server_in_its_right_state_refuses_stays_a_refusal(admin: redis.Redis, url: str) -> None:
    pool = ConnectionPool(url)
    with pytest.raises(ServerRefused):
        pool.one(Command(("XADD", "s", "0-0", "e", "1")))
    pool.close()


def test_a_connection_to_a_server_that_became_a_replica_is_not_used_again(
    tmp_path: Path, home: Path, admin: redis.Redis
) -> None:
    """One address, a primary behind it that becomes a replica, and the new primary behind it from then on."""
    other = home / "other"
    private_server.ensure(other)
    address = Path(os.path.relpath(private_server.socket_path(home), "/tmp")).name
    link = Path("/tmp") / f"cc-{os.getpid()}-{address}"
    link.symlink_to(private_server.socket_path(home))
    try:
        pool, sent = ConnectionPool(f"unix://{link}"), [Post("s", b"1")] * 3
        pool.append(sent)
        replica(admin)
        link.unlink()
        link.symlink_to(private_server.socket_path(other))
        with pytest.raises(ServerNotReady):
            pool.append(sent)
        assert len(pool.append(sent)) == 3
        asyncio.run(_asyncio_leaves_it_too(link, home, other, admin))
        pool.close()
    finally:
        link.unlink()
        private_server.stop(other)


async def _asyncio_leaves_it_too(link: Path, home: Path, other: Path, admin: redis.Redis) -> None:
    link.unlink()
    link.symlink_to(private_server.socket_path(home))
    primary(admin)
    pool, sent = AsyncConnectionPool(f"unix://{link}"), [Post("s", b"1")] * 3
    await pool.append(sent)
    replica(admin)
    link.unlink()
    link.symlink_to(private_server.socket_path(other))
    landed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    assert pool.begin(sent, landed.set_result)
    assert isinstance(await landed, ServerNotReady)
    assert len(await pool.append(sent)) == 3
    await pool.close()


@pytest.fixture
def moving(home: Path, admin: redis.Redis) -> Iterator[tuple[str, Callable[[], None]]]:
    """One address, and what puts another server behind it, as the one before becomes a replica."""
    other, link = home / "other", Path("/tmp") / f"cc-{os.getpid()}-{home.name}-moves"
    private_server.ensure(other)
    link.symlink_to(private_server.socket_path(home))

    def move() -> None:
        replica(admin)
        link.unlink()
        link.symlink_to(private_server.socket_path(other))

    yield f"unix://{link}", move
    link.unlink()
    private_server.stop(other)


_SENT = [Post("s", b"1")] * 3
_WAYS: dict[str, Callable[[Any], Any]] = {
    "append": lambda pool: pool.append(_SENT),
    "one": lambda pool: pool.one(ADD),
    "many": lambda pool: pool.many([ADD, ADD]),
}


@pytest.mark.parametrize("way", [*_WAYS, "post"])
def test_whatever_is_sent_the_connection_is_not_used_again(moving: tuple[str, Callable[[], None]], way: str) -> None:
    def landed(pool: ConnectionPool) -> object:
        posted = pool.post([ADD, ADD])
        posted.land()
        return posted.landed()

    do = _WAYS.get(way, landed)
    with closing(ConnectionPool(moving[0])) as pool:
        do(pool)
        moving[1]()
        with pytest.raises(ServerNotReady):
            do(pool)
        do(pool)


@pytest.mark.parametrize("way", [*_WAYS, "post"])
def test_nor_is_it_on_an_event_loop(moving: tuple[str, Callable[[], None]], way: str) -> None:
    async def landed(pool: AsyncConnectionPool) -> object:
        posted = await pool.post([ADD, ADD])
        await posted.land()
        return posted.landed()

    async def run() -> None:
        do, pool = _WAYS.get(way, landed), AsyncConnectionPool(moving[0])
        await do(pool)
        moving[1]()
        with pytest.raises(ServerNotReady):
            await do(pool)
        await do(pool)
        await pool.close()

    asyncio.run(run())


@pytest.mark.parametrize("waits_s", [RETRY_WAITS_S, FULL_WAITS_S])
def test_each_wait_of_a_publisher_is_longer_than_the_one_before(waits_s: Sequence[float]) -> None:
    assert 0 < waits_s[0] < 0.1
    assert all(after >= 1.5 * before for before, after in pairwise(waits_s))


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_a_publisher_waits_for_it(admin: redis.Redis, url: str, home: Path, face: str) -> None:
    settings = Settings(home=home, url=url, namespace="n")
    inbox = Keys("n").inbox("sink")
    published: list[str] = []

    def publish() -> None:
        with Publisher("a", settings=settings) as publisher:
            publisher.publish("sink", 0)
            replica(admin)
            published.append(publisher.publish("sink", 1))

    async def publish_async() -> None:
        async with AsyncPublisher("a", settings=settings) as publisher:
            await publisher.publish("sink", 0)
            await asyncio.to_thread(replica, admin)
            published.append(await publisher.publish("sink", 1))

    thread = threading.Thread(target=publish if face == "blocking" else lambda: asyncio.run(publish_async()))
    thread.start()
    try:
        wait_until(lambda: refusals(admin, "READONLY") > 0, what="a refusal")
    finally:
        primary(admin)
        thread.join()
    bodies = [fields[b"e"] for _, fields in admin.xrange(inbox)]
    assert [_decoded(body).id for body in bodies][1:] == published


def _decoded(body: bytes) -> Envelope:
    from claude_comm.envelope import decode

    return decode(body, max_bytes=1 << 20)


def _taken(pool: ConnectionPool) -> bool:
    try:
        pool.one(ADD)
    except ServerNotReady:
        return False
    return True


def _misconf(admin: redis.Redis, home: Path) -> Any:
    """A snapshot that cannot be written: a folder lies where its file is to be."""
    (home / "server" / "dump.rdb").mkdir()
    admin.config_set("save", "3600 1000000")
    admin.bgsave()
    wait_until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err", what="a snapshot that failed")
    return lambda: admin.config_set("save", "")


def _readonly(admin: redis.Redis, home: Path) -> Any:
    replica(admin)
    return lambda: primary(admin)


def _noauth(admin: redis.Redis, home: Path) -> Any:
    """A server with a password from now on: connections that it has are ended, as a restart does."""
    admin.config_set("requirepass", "secret")
    admin.client_kill_filter(_type="normal", skipme=True)
    return lambda: admin.config_set("requirepass", "")


def _busy(admin: redis.Redis, home: Path) -> Any:
    admin.config_set("busy-reply-threshold", 1)
    endless = redis.Redis(unix_socket_path=str(private_server.socket_path(home)), socket_timeout=None)
    thread = threading.Thread(target=lambda: _until_killed(endless))
    thread.start()
    wait_until(lambda: _is_busy(admin), what="a script that does not end")

    def undo() -> None:
        admin.script_kill()
        thread.join()
        endless.close()

    return undo


def _until_killed(client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        client.eval("while true do end", 0)


def _is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    return False


_STATES = {"READONLY": _readonly, "MISCONF": _misconf, "NOAUTH": _noauth, "BUSY": _busy}


@pytest.mark.parametrize("code", ["READONLY", "MISCONF", "NOAUTH"])
def test_an_outbox_keeps_what_it_is_given_meanwhile_and_says_so_once(
    admin: redis.Redis, url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr("claude_comm.client.publisher.attempts.RETRY_WAITS_S", (0.01,))
    monkeypatch.setattr("claude_comm.client.publisher.outbox_sender.REVIEW_S", 0.02)
    inbox = Keys("n").inbox("sink")
    settings = Settings(home=home, url=url, namespace="n")
    with errors_to(tmp_path) as errors, Publisher("a", settings=settings, outbox=tmp_path / "a.outbox") as publisher:
        ids = [publisher.publish("sink", 0)]
        undo = _STATES[code](admin, home)
        try:
            ids += [publisher.publish("sink", 1), *publisher.publish_many("sink", [2, 3])]
            wait_until(lambda: "outbox.waiting" in errors.events(), what="a word about it")
            before = refusals(admin, code)
            wait_until(lambda: refusals(admin, code) > before + 5, what="it is tried again")
        finally:
            undo()
        wait_until(lambda: admin.xlen(inbox) == 4, what="all are there")
    assert [_decoded(fields[b"e"]).id for _, fields in admin.xrange(inbox)] == ids
    assert errors.events().count("outbox.waiting") == 1


def test_a_server_that_loads_its_data_is_waited_for(home: Path) -> None:
    """It answers each command with LOADING until it has read its file."""
    # It looks at its clients at each 1,024th command that it reads.
    server = ChaosServer(home / "s", extra=("--key-load-delay", "500"))
    server.start()
    try:
        with server.client() as client, client.pipeline(transaction=False) as pipe:
            for number in range(3_000):
                pipe.set(f"filler {number}", "x")
            pipe.execute()
        server.kill()
        server.start(wait=False)
        pool = ConnectionPool(f"unix://{server.socket}")
        seen: set[str] = set()

        def taken() -> bool:
            try:
                pool.one(ADD)
            except ServerNotReady as error:
                seen.add(error.code)
                return False
            except ServerUnreachable:
                return False
            return True

        wait_until(taken, what="it has loaded")
        pool.close()
        assert seen == {"LOADING"}
    finally:
        server.kill()
