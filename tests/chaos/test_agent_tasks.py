"""Tasks of agents while the MCP server, the module and the data server are killed in turn: all end, and end right."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_comm.runtime import private_server
from tests.support.homes import child_environ
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until

pytest.importorskip("mcp")
import httpx2

TASKS, BETWEEN_KILLS = 200, 20
REVISION, EXTENSION = "2026-07-28", "io.modelcontextprotocol/tasks"
META = {
    "io.modelcontextprotocol/protocolVersion": REVISION,
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {EXTENSION: {}}},
}
MODULE = """
import time
from claude_comm import Module

module = Module("squares", lease_s=2, concurrency=4)


@module.handles("square", accepts={"type": "object", "x-mcp": {"task": "optional"}})
def square(payload: dict[str, int]) -> dict[str, int]:
    time.sleep(0.02)
    return {"square": payload["n"] ** 2}
"""


class Killed:
    """A process that is killed with SIGKILL, and started again."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start, self.process = start, start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def processes(home: Path) -> Iterator[tuple[Killed, Killed, list[int]]]:
    """The module and two MCP servers; the ports of these."""
    environ = child_environ(CLAUDE_COMM_HOME=str(home))
    (home / "squares.py").write_text(MODULE)
    ports = [free_port(), free_port()]

    def start(*arguments: str) -> Callable[[], subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "claude_comm", *arguments]
        log = home / f"{arguments[0]}.log"

        def started() -> subprocess.Popen[bytes]:
            with log.open("ab") as out:
                return subprocess.Popen(command, env=environ, cwd=home, stdout=out, stderr=out)

        return started

    module = Killed(start("run", f"{home}/squares.py:module"))
    first, second = (Killed(start("mcp", "--http", f"127.0.0.1:{port}", "--tools", "all")) for port in ports)
    try:
        yield module, first, ports
    finally:
        for process in (module, first, second):
            process.stop()


def ask(http: httpx2.Client, port: int, method: str, routed: str, **params: Any) -> dict[str, Any] | None:
    """The result of a request; None where nobody answered, or with an error of the moment."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": REVISION,
        "mcp-method": method,
        "mcp-name": routed,
    }
    try:
        reply = http.post(f"http://127.0.0.1:{port}/mcp", json=body, headers=headers)
        result = reply.json().get("result")
    except (httpx2.HTTPError, ValueError):
        return None
    return result if isinstance(result, dict) else None


def kill_server(home: Path) -> None:
    """The data server is killed, and started as any client would."""
    pid = private_server.server_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not private_server.alive(pid), what="the server's end")
    private_server.ensure(home)


@pytest.mark.long
def test_two_hundred_tasks_end_right_while_everything_is_killed_in_turn(home: Path) -> None:
    private_server.ensure(home)
    with processes(home) as (module, server, ports), httpx2.Client(timeout=20) as http:
        both = itertools.cycle(ports)
        kills = itertools.cycle((server.kill, module.kill, lambda: kill_server(home)))
        wait_until(lambda: all(begin(http, port, 0) for port in ports), what="both servers")
        begun: dict[str, int] = {}
        until = time.monotonic() + 2 * PATIENCE_S
        while len(begun) < TASKS and time.monotonic() < until:
            number = len(begun)
            if (task := begin(http, next(both), number)) is not None:
                begun[task] = number
                if number % BETWEEN_KILLS == BETWEEN_KILLS - 1:
                    next(kills)()
            else:
                time.sleep(0.05)
        assert len(begun) == TASKS
        ended: dict[str, dict[str, Any]] = {}
        killed = 0
        while len(ended) < TASKS and time.monotonic() < until:
            for task in begun.keys() - ended.keys():
                told = ask(http, next(both), "tasks/get", task, taskId=task)
                if told is not None and told["status"] not in ("working", "input_required"):
                    ended[task] = told
            if len(ended) // BETWEEN_KILLS > killed:
                killed = len(ended) // BETWEEN_KILLS
                next(kills)()
            time.sleep(0.2)
        assert {task: told["status"] for task, told in ended.items()} == dict.fromkeys(begun, "completed")
        squares = {task: told["result"]["structuredContent"]["square"] for task, told in ended.items()}
        assert squares == {task: number**2 for task, number in begun.items()}
        # Whoever is asked answers the same, the one that has just started again, too.
        for task in list(begun)[:10]:
            for port in ports:
                answers: list[dict[str, Any]] = []
                wait_until(lambda: _answered(http, port, task, answers), what="an answer")  # noqa: B023
                assert answers[-1]["result"]["structuredContent"] == {"square": begun[task] ** 2}


def _answered(http: httpx2.Client, port: int, task: str, answers: list[dict[str, Any]]) -> bool:
    told = ask(http, port, "tasks/get", task, taskId=task)
    answers += [told] if told is not None else []
    return told is not None


def begin(http: httpx2.Client, port: int, number: int) -> str | None:
    arguments = {"n": number}
    result = ask(http, port, "tools/call", "squares__square", name="squares__square", arguments=arguments)
    return None if result is None else result.get("taskId")
