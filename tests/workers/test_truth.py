"""Workers say whether they work: a home whose path has a space, a user without permissions, a server that evicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from claude_comm import Publisher
from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError
from claude_comm.names import JANITOR_WORKER, Keys
from claude_comm.ops import projection_progress
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.worker_processes import WORKERS
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from tests.support.homes import child_environ, new_home, remove_home
from tests.support.waiting import wait_until


@pytest.fixture
def spaced() -> Iterator[Path]:
    """A home whose path has a space, as the default has on macOS."""
    home = new_home()
    yield home / "a home"
    remove_home(home / "a home")
    remove_home(home)


@pytest.fixture
def admin(home: Path) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(private_server.ensure(home))) as client:
        yield client


def user(admin: redis.Redis, home: Path, *rules: str) -> Settings:
    """Settings of a user who has these permissions on the server of this home."""
    admin.execute_command("ACL", "SETUSER", "worker", "on", ">secret", *rules)
    return Settings(home=home, url=f"unix://worker:secret@{private_server.socket_path(home)}", namespace="n", keep_s=0)


def test_all_workers_work_in_a_home_whose_path_has_a_space(spaced: Path) -> None:
    settings = Settings(home=spaced)
    private_server.ensure(spaced)
    assert [service.state for service in worker_processes.start(settings, *WORKERS)] == ["works"] * len(WORKERS)


def test_up_says_which_worker_cannot_do_its_duty(admin: redis.Redis, home: Path) -> None:
    settings = user(admin, home, "~other:*", "+@all")
    environ = worker_processes.environ_for(settings)
    up = [sys.executable, "-m", "claude_comm", "up"]
    ran = subprocess.run(up, env=child_environ(**environ), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    for name in WORKERS:
        assert f"Error: the {name} worker does not work yet: the server refused" in ran.stderr
    admin.execute_command("ACL", "SETUSER", "worker", "~*")
    wait_until(lambda: _state(home, JANITOR_WORKER) == "works", what="the janitor works")


def test_a_janitor_that_may_not_ask_for_the_memory_trims_all_the_same(admin: redis.Redis, home: Path) -> None:
    settings = user(admin, home, "~*", "+@all", "-info")
    keys, inbox = Keys("n"), Keys("n").inbox("sink")
    with connect(settings) as client, Publisher("a", settings=settings, client=client) as publisher:
        publisher.publish_many("sink", range(300))
        last = client.data.one(Command(("XREVRANGE", inbox, "+", "-", "COUNT", 1)))[0][0].decode()
        admin.xgroup_create(inbox, "sink", "$")
        client.run(projection_progress.report(keys, "p", {inbox: last}, durable={inbox: last}))
        worker_processes.start(settings, JANITOR_WORKER)
        wait_until(lambda: admin.xlen(inbox) == 1, what="the inbox is trimmed")
    assert _state(home, JANITOR_WORKER) == "works"
    assert _logged(home, "janitor.memory_unknown") == 1


def test_a_server_that_evicts_is_named(admin: redis.Redis, home: Path) -> None:
    settings = Settings(home=home, namespace="n")
    admin.config_set("maxmemory-policy", "allkeys-lru")
    environ = child_environ(**worker_processes.environ_for(settings))
    for command in ("up", "status"):
        words = [sys.executable, "-m", "claude_comm", command]
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
        assert "noeviction" in ran.stdout + ran.stderr, command
    wait_until(lambda: _logged(home, "server.evicts") == 1, what="the janitor has said it")


def test_what_others_write_beside_a_pid_does_not_hide_the_worker(tmp_path: Path) -> None:
    with worker_processes.claim(Settings(home=tmp_path), "progress") as report:
        report("x" * 10_000)
        waiting = worker_processes.running(tmp_path, "progress")
        assert waiting is not None
        assert (waiting.state, len(waiting.trouble)) == ("waits", worker_processes.MAX_TROUBLE)
        report("")
        assert _state(tmp_path, "progress") == "works"
        (tmp_path / "run" / "progress.pid").write_bytes(b"\xff{")
        assert worker_processes.running(tmp_path, "progress") is not None


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _kind: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ConfigurationError, match="has no locks"), worker_processes.claim(Settings(home=tmp_path), "x"):
        pytest.fail("a claim without a lock")


def _state(home: Path, name: str) -> str:
    service = worker_processes.running(home, name)
    return "" if service is None else service.state


def _logged(home: Path, event: str) -> int:
    lines = (home / "logs" / f"{JANITOR_WORKER}.log").read_text().splitlines()
    return sum(json.loads(line)["event"] == event for line in lines)
