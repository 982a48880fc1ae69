"""Workers say whether they work: a home whose path has a space, a user without permissions, a server that evicts."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from claude_comm import Publisher
from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError
from claude_comm.names import JANITOR_WORKER, PROGRESS_WORKER, Keys
from claude_comm.ops import projection_progress
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.worker_processes import WORKERS
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from tests.support.homes import REPOSITORY, child_environ, new_home, remove_home
from tests.support.waiting import PATIENCE_S, wait_until


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


# In a name space of its own, the host has a name that is no UTF-8 either.
ELSEWHERE = """
import socket, sys
from pathlib import Path
from claude_comm import Module, Publisher, Settings
from claude_comm.runtime import private_server, worker_processes
from tests.support.modules import answering

socket.sethostname(b"b\\xfcro")
settings = Settings(home=Path(sys.argv[1]))
private_server.ensure(settings.home)
print([service.state for service in worker_processes.start(settings, *worker_processes.WORKERS)])
module = Module("sink", settings=settings)

@module.handles()
def handle(payload: int) -> int:
    return payload

with answering(module), Publisher("a", settings=settings) as publisher:
    print(publisher.negotiate("sink", int).decided_by)
    print(publisher.request("sink", 7, timeout_s=120))
for name in worker_processes.WORKERS:
    worker_processes.stop(settings.home, name)
private_server.stop(settings.home)
"""
_OTHER_NAME = ["unshare", "--uts", *(() if os.geteuid() == 0 else ("--map-root-user",))]


def _may_have_another_name() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_OTHER_NAME, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not _may_have_another_name(), reason="gives the host another name, for a process and its children")
def test_all_workers_work_on_a_host_whose_name_is_not_ascii(home: Path, tmp_path: Path) -> None:
    words = [*_OTHER_NAME, sys.executable, "-c", ELSEWHERE, str(home)]
    # Where another user takes the place of root, what root keeps in the folder for such things is not theirs.
    environ = child_environ() | {"TMPDIR": str(tmp_path)}
    ran = subprocess.run(words, env=environ, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == [str(["works"] * len(WORKERS)), "worker", "7"], ran.stderr


def test_a_worker_works_with_a_closed_stderr(home: Path) -> None:
    private_server.ensure(home)
    command = f"exec {shlex.quote(sys.executable)} -m claude_comm worker janitor 2>&-"
    environ = child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_LOG_LEVEL="debug")
    with subprocess.Popen(["bash", "-c", command], env=environ) as worker:
        try:
            wait_until(lambda: worker.poll() is not None or _state(home, JANITOR_WORKER) == "works")
        finally:
            worker.terminate()
        assert worker.wait(PATIENCE_S) == 0


def test_up_says_which_worker_cannot_do_its_duty(admin: redis.Redis, home: Path) -> None:
    settings = user(admin, home, "~other:*", "+@all")
    environ = worker_processes.environ_for(settings)
    up = [sys.executable, "-m", "claude_comm", "up"]
    ran = subprocess.run(up, env=child_environ(**environ), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    for name in WORKERS:
        assert f"Error: the {name} worker does not work: the server refused" in ran.stderr
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


def test_a_worker_that_comes_round_no_more_is_not_called_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped (SIGSTOP), or hangs."""
    file = tmp_path / "run" / "janitor.pid"
    # Whatever the commands in between take: the next mark is due when the clock says so below.
    monkeypatch.setattr(worker_processes, "MARK_EVERY_S", 100 * PATIENCE_S)
    with worker_processes.claim(Settings(home=tmp_path), JANITOR_WORKER) as report:
        report("")
        assert (_state(tmp_path, JANITOR_WORKER), _check(tmp_path), _check(tmp_path, "--ready")) == ("works", 0, 0)
        _age(file, worker_processes.SILENT_S + 5)
        silent = worker_processes.running(tmp_path, JANITOR_WORKER)
        assert silent is not None
        assert (silent.state, silent.pid) == ("silent", os.getpid())
        assert "has not come round for 12" in silent.trouble
        assert (_check(tmp_path), _check(tmp_path, "--ready")) == (1, 1)
        assert not worker_processes.awake(tmp_path, JANITOR_WORKER)
        # Not each round is written down.
        report("")
        assert _state(tmp_path, JANITOR_WORKER) == "silent"
        later = time.monotonic() + worker_processes.MARK_EVERY_S
        with monkeypatch.context() as patch:
            patch.setattr(time, "monotonic", lambda: later)
            report("")
        assert (_state(tmp_path, JANITOR_WORKER), _check(tmp_path)) == ("works", 0)
        assert worker_processes.awake(tmp_path, JANITOR_WORKER)


@pytest.mark.long
@pytest.mark.parametrize("name", WORKERS)
def test_each_worker_comes_round_while_it_has_nothing_to_do(home: Path, name: str) -> None:
    """The negotiation worker waits longest for its next job."""
    settings = Settings(home=home, namespace="n")
    worker_processes.start(settings, name)
    _age(home / "run" / f"{name}.pid", 3600)
    wait_until(lambda: _state(home, name) == "works", what=f"{name} comes round")


def test_commands_read_for_themselves_beside_a_projection_that_is_silent(home: Path) -> None:
    settings = Settings(home=home, namespace="n")
    with worker_processes.claim(settings, PROGRESS_WORKER), Publisher("a", settings=settings) as publisher:
        _age(home / "run" / f"{PROGRESS_WORKER}.pid", 3600)
        id_ = publisher.publish("b", 1)
        environ = child_environ(**worker_processes.environ_for(settings))
        words = [sys.executable, "-m", "claude_comm", "up", "--json"]
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 1
        assert "the progress worker does not work: it has not come round" in ran.stderr
        words = [sys.executable, "-m", "claude_comm", "list", "--json"]
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
        assert id_ in ran.stdout


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _kind: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ConfigurationError, match="has no locks"), worker_processes.claim(Settings(home=tmp_path), "x"):
        pytest.fail("a claim without a lock")


def _state(home: Path, name: str) -> str:
    service = worker_processes.running(home, name)
    return "" if service is None else service.state


def _age(file: Path, seconds: float) -> None:
    """As if it had been written that long ago."""
    then = time.time() - seconds
    os.utime(file, (then, then))


def _check(home: Path, *options: str) -> int:
    words = [sys.executable, "-m", "claude_comm", "status", "--check", JANITOR_WORKER, *options]
    return subprocess.run(words, env=child_environ(CLAUDE_COMM_HOME=str(home)), check=False).returncode


def _logged(home: Path, event: str) -> int:
    lines = (home / "logs" / f"{JANITOR_WORKER}.log").read_text().splitlines()
    return sum(json.loads(line)["event"] == event for line in lines)
