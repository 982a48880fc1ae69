"""`up`, `down`, `status`, `worker`, `run`, as processes in a home of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from claude_comm.runtime import private_server, worker_processes
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until


def comm(home: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "claude_comm", *arguments]
    environ = child_environ(CLAUDE_COMM_HOME=str(home))
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE_S, **options
    )


def test_up_starts_server_and_workers_once_and_down_stops_them(home: Path) -> None:
    with_up = [
        subprocess.Popen(
            [sys.executable, "-m", "claude_comm", "up", "--json"],
            env=child_environ(CLAUDE_COMM_HOME=str(home)),
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    told = [json.loads(process.communicate(timeout=PATIENCE_S)[0]) for process in with_up]
    assert [process.returncode for process in with_up] == [0, 0, 0]
    assert told[0] == told[1] == told[2]

    status = json.loads(comm(home, "status", "--json").stdout)
    assert status["server"]["persistent"] is True
    assert {name: worker["pid"] for name, worker in status["workers"].items()} == {
        worker["name"]: worker["pid"] for worker in told[0]["workers"]
    }
    for name in ("server", *worker_processes.WORKERS):
        assert comm(home, "status", "--check", name).returncode == 0

    assert comm(home, "down").returncode == 0
    assert private_server.answers(private_server.socket_path(home)) is False
    assert [worker_processes.running(home, name) for name in worker_processes.WORKERS] == [None] * len(
        worker_processes.WORKERS
    )
    assert "nothing was running" in comm(home, "down").stderr


def test_up_in_the_foreground_stops_what_it_started(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "claude_comm", "up", "--foreground"],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: all(worker_processes.running(home, name) for name in worker_processes.WORKERS))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_S) == 0
    assert private_server.answers(private_server.socket_path(home)) is False
    assert not any(worker_processes.running(home, name) for name in worker_processes.WORKERS)


def test_status_starts_nothing(run: Any, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(home))
    ran = run("status", "--json")
    assert (ran.code, ran.json["server"]) == (0, None)
    assert set(ran.json["workers"].values()) == {None}
    assert list(home.iterdir()) == []
    assert "not running" in run("status").out
    assert run("status", "--check", "server").code == 1
    assert run("status", "--check", "progress").code == 1
    assert run("status", "--check", "nonesuch").code == 2


def test_status_tells_a_server_that_does_not_answer_from_none(run: Any, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(home))
    path = private_server.ensure(home)
    pid = private_server.server_pid(home)
    path.unlink()
    assert f"process {pid} does not answer" in run("status").out
    assert run("status", "--json").json["silent_pid"] == pid
    assert run("down").code == 0
    assert run("status", "--json").json["silent_pid"] is None
    assert "not running" in run("status").out


def test_a_server_that_does_not_answer_exits_with_5_and_hides_the_password(
    run: Any, home: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(home))
    monkeypatch.setenv("CLAUDE_COMM_URL", "redis://me:secret@127.0.0.1:1/0")
    for command in (["status"], ["status", "--check", "server"]):
        ran = run(*command)
        assert (ran.code, ran.out) == (5, "")
        assert "secret" not in ran.err


def test_an_unknown_setting_is_refused_by_name(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOEM", "x")
    ran = run("status")
    assert ran.code == 2
    assert "CLAUDE_COMM_HOME" in ran.err


def test_run_names_what_it_cannot_find(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shopfront.py").write_text("from claude_comm import Module\norders = Module('orders')\nother = 3\n")
    assert run("run", "nowhere.at.all:module").code == 3
    ran = run("run", "shopfront:other")
    assert (ran.code, "orders" in ran.err) == (3, True)
    assert run("run", ":x").code == 2
    assert run("worker", "nonesuch").code == 2


def test_run_runs_a_module_of_the_working_folder_until_it_is_told_to_stop(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "shopfront.py").write_text("from claude_comm import Module\nmodule = Module('shopfront')\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "claude_comm", "run", "shopfront:module"],
        env=environ,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert "module.registered" in process.stderr.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
    finally:
        process.kill()
        process.stderr.close()


def test_a_folder_called_workers_where_the_command_is_run_is_not_imported(home: Path, tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    for name in ("__init__.py", "janitor.py"):
        (tmp_path / "workers" / name).write_text("raise SystemExit('shadowed')\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "claude_comm", "worker", "janitor"],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: worker_processes.running(home, "janitor") is not None or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=PATIENCE_S)
    # A signal that comes before the worker listens for it ends it as well.
    assert b"shadowed" not in words
    assert process.returncode in (0, -signal.SIGTERM), words
