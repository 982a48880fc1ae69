"""What a worker tells its supervisor, on a socket as systemd gives one; and that a worker that hangs says nothing."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.names import NEGOTIATION_WORKER
from claude_comm.runtime import service_manager
from claude_comm.runtime.service_manager import ServiceManager
from claude_comm.runtime.worker_processes import WORKERS
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(PATIENCE_S)
        yield link


def told(supervisor: socket.socket) -> list[str]:
    return supervisor.recv(4096).decode().split("\n")


def test_it_is_ready_once_and_its_status_is_told_when_it_changes(supervisor: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": supervisor.getsockname()}, 1)
    for trouble in ("", "", "the server\nis away", ""):
        manager.state(trouble)
    manager.stopping()
    assert [told(supervisor) for _ in range(4)] == [
        ["READY=1", "STATUS=works"],
        ["STATUS=waits: the server is away"],
        ["STATUS=works"],
        ["STOPPING=1"],
    ]


def test_the_watchdog_hears_of_it_three_times_an_interval(
    supervisor: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(service_manager.time, "monotonic", lambda: now[0])
    environ = {"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}
    manager, other = ServiceManager(environ, 7), ServiceManager(environ, 8)
    for now[0] in (10.0, 10.5, 11.1, 11.2, 12.2):
        manager.state("")
        other.state("")
    supervisor.setblocking(False)
    lines: list[str] = []
    while True:
        try:
            lines += told(supervisor)
        except BlockingIOError:
            break
    assert lines.count("WATCHDOG=1") == 3
    assert lines.count("READY=1") == 2


def test_without_a_supervisor_nothing_happens() -> None:
    ServiceManager({}, 1).state("")
    ServiceManager({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, 1).state("")


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_says_that_it_is_ready_goes_on_and_stops(
    name: str, supervisor: socket.socket, environ: dict[str, str]
) -> None:
    notify = {"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": "300000"}
    with subprocess.Popen(
        ["claude-comm", "worker", name], env=child_environ(**environ, **notify), stderr=subprocess.DEVNULL
    ) as process:
        lines: list[str] = []
        # The negotiation worker comes round with each job, or after half a minute without one.
        while lines.count("WATCHDOG=1") < (1 if name == NEGOTIATION_WORKER else 2):
            lines += told(supervisor)
        process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in lines:
            lines += told(supervisor)
        assert process.wait(PATIENCE_S) == 0
    assert lines[:2] == ["READY=1", "STATUS=works"]


def test_a_step_that_hangs_ends_with_the_process_when_its_time_is_over() -> None:
    """The deadline of a stop is kept by the system, not by the code that hangs."""
    program = (
        "import os, signal, threading, time\n"
        "from claude_comm.runtime.signals import stopped_by_signals\n"
        "stop = threading.Event()\n"
        "with stopped_by_signals(stop, 1):\n"
        "    print('works', flush=True)\n"
        "    while True: time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=child_environ(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == -signal.SIGALRM


def test_a_block_that_ended_in_time_leaves_no_alarm() -> None:
    program = (
        "import os, signal, threading\n"
        "from claude_comm.runtime.signals import stopped_by_signals\n"
        "stop = threading.Event()\n"
        "with stopped_by_signals(stop, 90):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    assert stop.wait(60)\n"
        "print(signal.alarm(0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=child_environ(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
