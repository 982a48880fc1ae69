"""The primary that Sentinels name: found, followed through a failover, and never taken on the word of one alone."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_comm import AsyncPublisher, Module, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import ServerNotReady, ServerUnreachable, TransportError
from claude_comm.names import Keys
from claude_comm.runtime import jobs, private_server
from claude_comm.security.access import rules, user_words
from claude_comm.transport.pool import ConnectionPool
from tests.support.homes import new_home
from tests.support.ports import free_port
from tests.support.waiting import wait_until

# A Sentinel calls a server down after so long, and the others agree.
DOWN_AFTER_MS = 500


class Process:
    """A server or a Sentinel, and a client that speaks to it alone."""

    def __init__(self, folder: Path, port: int, words: list[str]) -> None:
        self.port = port
        folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen([str(private_server.binary()), *words], cwd=folder, stdout=subprocess.DEVNULL)
        self.client = ConnectionPool(f"redis://127.0.0.1:{port}")
        wait_until(lambda: self.ask("PING") == b"PONG", what="its start")

    def ask(self, *words: Any) -> Any:
        try:
            return self.client.one(Command(words))
        except TransportError:
            return None

    def role(self) -> bytes:
        answer = self.ask("ROLE")
        return bytes(answer[0]) if answer else b""

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


class Watched:
    """A primary, its replica, and those that watch them."""

    def __init__(self, servers: list[Process], sentinels: list[Process]) -> None:
        self.servers, self.sentinels = servers, sentinels

    @property
    def url(self) -> str:
        """The first that is named is not there."""
        places = ",".join(f"127.0.0.1:{port}" for port in (free_port(), *(one.port for one in self.sentinels)))
        return f"redis+sentinel://{places}/main"

    def failed_over(self) -> None:
        """Kills the primary, and waits until the replica has taken its place."""
        primary, replica = self.servers
        wait_until(lambda: all(_knows_replica(sentinel) for sentinel in self.sentinels), what="the Sentinels' view")
        primary.close()
        wait_until(lambda: replica.role() == b"master", what="the failover")


def _knows_replica(sentinel: Process) -> bool:
    return bool(sentinel.ask("SENTINEL", "REPLICAS", "main"))


@contextmanager
def watched(sentinel_count: int = 3) -> Iterator[Watched]:
    home = new_home()
    try:
        with ExitStack() as stack:
            ports = [free_port(), free_port()]
            servers = []
            for port in ports:
                words = f"--port {port} --bind 127.0.0.1 --save  --appendonly yes".split(" ")
                words += ["--replicaof", f"127.0.0.1 {ports[0]}"] if port != ports[0] else []
                servers.append(Process(home / str(port), port, words))
                stack.callback(servers[-1].close)
            wait_until(lambda: b"connected" in servers[1].ask("ROLE"), what="the replica's link")
            sentinels = []
            for _ in range(sentinel_count):
                port = free_port()
                folder = home / str(port)
                folder.mkdir()
                (folder / "sentinel.conf").write_text(
                    f"port {port}\nbind 127.0.0.1\n"
                    f"sentinel monitor main 127.0.0.1 {ports[0]} {sentinel_count // 2 + 1}\n"
                    f"sentinel down-after-milliseconds main {DOWN_AFTER_MS}\nsentinel failover-timeout main 5000\n"
                )
                sentinels.append(Process(folder, port, ["sentinel.conf", "--sentinel"]))
                stack.callback(sentinels[-1].close)
            yield Watched(servers, sentinels)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def settings_of(place: Watched, folder: Path) -> Settings:
    return Settings(home=folder, url=place.url, namespace="watched", log_level="error")


def _again(publish: Callable[[], object]) -> None:
    """As a program does that may not lose it: until it is confirmed."""

    def published() -> bool:
        try:
            publish()
        except (ServerUnreachable, ServerNotReady):
            return False
        return True

    wait_until(published, what="the new primary")


@pytest.mark.long
def test_modules_and_publishers_follow_a_failover_by_themselves(tmp_path: Path) -> None:
    """What was replicated is handled; what is sent afterwards is, too; no process is started anew."""
    handled: set[int] = set()
    with watched() as place:
        settings = settings_of(place, tmp_path)
        module = Module("reader", settings=settings)

        @module.handles("number")
        def handle(number: int) -> None:
            handled.add(number)

        thread = threading.Thread(target=module.run)
        thread.start()
        with Publisher("writer", settings=settings) as publisher:
            for number in range(50):
                publisher.publish("reader", number, type="number")
            inbox = f"{settings.namespace}:{{m:reader}}:inbox"
            wait_until(lambda: place.servers[1].ask("XLEN", inbox) == 50, what="the replica's copy")
            place.failed_over()
            for number in range(50, 100):
                _again(lambda number=number: publisher.publish("reader", number, type="number"))  # type: ignore[misc]
        asyncio.run(_published(settings, 100))
        wait_until(lambda: handled >= set(range(101)), what="all of them")
        module.stop()
        thread.join()


async def _published(settings: Settings, number: int, target: str = "reader") -> None:
    async with AsyncPublisher("writer", settings=settings) as publisher:
        await publisher.publish(target, number, type="number")


@pytest.mark.long
def test_a_replica_is_never_taken_for_the_primary(tmp_path: Path) -> None:
    """A Sentinel that is wrong, or cut off, names a server that has become a replica."""
    with watched(sentinel_count=1) as place:
        primary, replica = place.servers
        settings = settings_of(place, tmp_path)
        (sentinel,) = place.sentinels
        sentinel.ask("SENTINEL", "REMOVE", "main")
        sentinel.ask("SENTINEL", "MONITOR", "main", "127.0.0.1", replica.port, 1)
        with (
            pytest.raises(ServerUnreachable, match="is a replica"),
            Publisher("writer", settings=settings) as publisher,
        ):
            publisher.publish("reader", 1)
        with pytest.raises(ServerUnreachable, match="is a replica"):
            asyncio.run(_published(settings, 1))
        assert primary.ask("DBSIZE") == 0


@pytest.mark.long
def test_a_user_with_the_rights_of_a_module_alone_is_served(tmp_path: Path) -> None:
    """What `claude-comm acl` writes allows no ROLE."""
    with watched(sentinel_count=1) as place:
        may = user_words(rules(Keys("watched"), "module", "writer"))
        assert place.servers[0].ask("ACL", "SETUSER", "writer", *may, ">secret") == b"OK"
        limited = place.url.replace("://", "://writer:secret@")
        settings = Settings(home=tmp_path, url=limited, namespace="watched", log_level="error")
        with Publisher("writer", settings=settings) as publisher:
            publisher.publish("writer", 1)
        asyncio.run(_published(settings, 2, "writer"))
        assert place.servers[0].ask("XLEN", Keys("watched").inbox("writer")) == 2


@pytest.mark.long
def test_jobs_run_where_the_sentinels_point(tmp_path: Path) -> None:
    with watched(sentinel_count=1) as place, jobs.connection(place.url) as client:
        assert client.set("key", "value")
        assert place.servers[0].ask("GET", "key") == b"value"


def test_a_service_that_nobody_watches_is_named(tmp_path: Path) -> None:
    port = free_port()
    settings = Settings(home=tmp_path, url=f"redis+sentinel://127.0.0.1:{port}/main")
    says = f"no Sentinel names the primary of 'main': 127.0.0.1:{port}: .*refused"
    with pytest.raises(ServerUnreachable, match=says), Publisher("writer", settings=settings) as publisher:
        publisher.publish("reader", 1)
