"""The profile `sentinel` of `compose.yaml` as processes, each on a loopback address of its own, with the users and the
files that `acl-file` writes: the primary is killed, and work goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from claude_comm import Publisher, Settings
from claude_comm.errors import ServerNotReady, ServerUnreachable
from claude_comm.runtime import private_server
from tests.support.deployment import SERVICES, command, secret_path
from tests.support.homes import child_environ
from tests.support.ports import free_port
from tests.support.waiting import wait_until

SERVERS = ("server", "replica-1", "replica-2")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
# Other loopback addresses than those of the profile `cluster`.
ADDRESSES = {name: f"127.0.1.{number}" for number, name in enumerate((*SERVERS, *SENTINELS), 1)}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs several loopback addresses")


class Watched(NamedTuple):
    """The running profile."""

    secrets: Path
    port: int
    primary: subprocess.Popen[bytes]
    sentinel_port: int

    def password(self, user: str) -> str:
        return (self.secrets / f"{user}.password").read_text()

    def server(self, name: str) -> redis.Redis:
        return redis.Redis(ADDRESSES[name], self.port, username="admin", password=self.password("admin"))

    def sentinel(self, name: str, user: str) -> redis.Redis:
        return redis.Redis(ADDRESSES[name], self.sentinel_port, username=user, password=self.password(user))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    secrets, port, sentinel_port = tmp_path / "secrets", free_port(), free_port()
    sentinels = ",".join(f"{ADDRESSES[name]}:{sentinel_port}" for name in SENTINELS)
    made = ["claude-comm", "acl-file", str(secrets), "--host", f"{ADDRESSES['server']}:{port}", "--module", "shop"]
    subprocess.run(
        [*made, "--sentinel", sentinels],
        env=child_environ(CLAUDE_COMM_HOME=str(tmp_path)),
        check=True,
        capture_output=True,
    )
    with ExitStack() as stack:
        started = {}
        for name in SERVERS:
            started[name] = _start(stack, tmp_path / name, _server_words(name, secrets, port))
        watched = Watched(secrets, port, started["server"], sentinel_port)
        for name in SERVERS:
            wait_until(lambda name=name: _answers(watched.server(name)), what=name)  # type: ignore[misc]
        for name in SENTINELS:
            _start(stack, tmp_path / name, _sentinel_words(name, secrets, tmp_path / name), tmp_path / "tools")
        yield watched


def _start(stack: ExitStack, folder: Path, words: list[str], tools: Path | None = None) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    environ = child_environ()
    if tools is not None:
        tools.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (tools / "valkey-server").symlink_to(private_server.binary())
        environ |= {"PATH": f"{tools}:{os.environ['PATH']}"}
    process = subprocess.Popen(words, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _server_words(name: str, secrets: Path, port: int) -> list[str]:
    """As compose.yaml has them, with addresses for names. A container cannot write its configuration; here it is a
    copy, since a Sentinel has it rewritten."""
    here = {"server 6379": f"{ADDRESSES['server']} {port}", name: ADDRESSES[name]}
    program, config, *words = (here.get(word, word) for word in command(name, secrets))
    assert program == "valkey-server"
    words.insert(0, shutil.copy(config, secrets / f"{name}.conf"))
    return [str(private_server.binary()), *words, "--port", str(port), "--bind", ADDRESSES[name]]


def _sentinel_words(name: str, secrets: Path, folder: Path) -> list[str]:
    """The script of the service, over a configuration that listens on one address, and waits less long."""
    text = (secrets / "sentinel.conf").read_text().replace("main 5000", "main 500")
    own = secrets / f"{name}.conf"
    # From one loopback address to another the system may take a third as the sender's.
    own.write_text(f"bind {ADDRESSES[name]}\nbind-source-addr {ADDRESSES[name]}\n{text}")
    service = SERVICES[name]
    (script,) = service["command"]
    script = script.replace(secret_path("sentinel.conf"), str(own)).replace("/data", str(folder))
    return [*service["entrypoint"], script]


def _answers(client: redis.Redis) -> bool:
    with client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


@pytest.mark.long
def test_a_replica_takes_the_place_of_the_primary_and_its_users_go_on(watched: Watched, home: Path) -> None:
    """What was replicated is there; and nobody was refused anything by the rules of its user."""
    settings = Settings(home=home, url=(watched.secrets / "shop.url").read_text())
    with Publisher("shop", settings=settings) as publisher:
        _until_confirmed(publisher, 1)
        wait_until(lambda: _known(watched) == [2, 2, 2], what="what the Sentinels know")
        wait_until(lambda: [_stored(watched, name) for name in SERVERS] == [1, 1, 1], what="the copies")
        watched.primary.kill()
        _until_confirmed(publisher, 2)
    (primary,) = [name for name in SERVERS[1:] if _role(watched, name) == "master"]
    assert _stored(watched, primary) == 2
    with watched.server(primary) as client:
        assert [entry for entry in client.acl_log() if entry["username"] != "default"] == []


def _until_confirmed(publisher: Publisher, number: int) -> None:
    """A primary without a replica takes nothing."""

    def published() -> bool:
        try:
            publisher.publish("shop", number)
        except (ServerUnreachable, ServerNotReady):
            return False
        return True

    wait_until(published, what="a primary with a replica")


def _known(watched: Watched) -> list[int]:
    """How many replicas each Sentinel knows."""
    counts = []
    for name in SENTINELS:
        with watched.sentinel(name, "sentinel") as client:
            try:
                state: Any = client.sentinel_master("main")
            except redis.ConnectionError:
                return []
        counts.append(int(state["num-slaves"]) if int(state["num-other-sentinels"]) == 2 else 0)
    return counts


def _stored(watched: Watched, name: str) -> int:
    with watched.server(name) as client:
        return int(client.xlen("comm:{m:shop}:inbox"))


def _role(watched: Watched, name: str) -> str:
    with watched.server(name) as client:
        return str(client.info("replication")["role"])


@pytest.mark.long
def test_who_asks_for_the_primary_may_change_nothing(watched: Watched) -> None:
    with watched.sentinel("sentinel-1", "sentinel-reader") as client:
        wait_until(lambda: _answers(client), what="the Sentinel")
        where: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
        assert where[0] in (ADDRESSES["server"], ADDRESSES["server"].encode())
        for words in (("FAILOVER", "main"), ("SET", "main", "quorum", "1"), ("MONITOR", "x", "127.0.0.1", "1", "1")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command("SENTINEL", *words)
