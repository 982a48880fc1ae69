"""The demo's processes: server, workers and three modules, and how far their work is.

Law: what was not running before does not run after, however the demo ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from claude_comm.client.identity import millis
from claude_comm.demo.shapes import EXTRACTOR, INDEXER, INDEXING, READER, READING, SENT
from claude_comm.errors import ClaudeCommError
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.runtime import private_server, worker_processes
from claude_comm.settings import Settings
from claude_comm.store import queries
from claude_comm.store.activity import module_activity
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import Database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

MODULES = {READER: "reader", EXTRACTOR: "extractor", INDEXER: "indexer"}
# Three modules import what they stand on at once; 4 s were seen on two busy cores.
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02


class DemoFailed(ClaudeCommError):
    """A part of the demo did not do what it should."""


class DemoProgress(msgspec.Struct, frozen=True):
    """How far the run is, in files; `done` when everything that was sent on has been settled."""

    files: int
    read: int
    extracted: int
    indexed: int
    done: bool


@contextmanager
def surroundings(settings: Settings) -> Iterator[None]:
    """The server and the workers, while the block lasts."""
    had_server = bool(settings.url) or private_server.answers(private_server.socket_path(settings.home))
    had = {name for name in worker_processes.WORKERS if worker_processes.running(settings.home, name)}
    try:
        connect(settings).close()
        for name in worker_processes.able(settings):
            worker_processes.start(settings, name)
        yield
    finally:
        for name in worker_processes.WORKERS:
            if name not in had:
                worker_processes.stop(settings.home, name)
        if not had_server:
            private_server.stop(settings.home)


@contextmanager
def modules(
    settings: Settings, client: Client, check: Callable[[], None]
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The three modules as processes, registered and alive; stopped at the end of the block.

    `check` is called while they are waited for, and may raise.
    """
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, file in MODULES.items():
            processes[name] = _spawn(settings, name, f"claude_comm.demo.{file}:module")
        _await_alive(settings, client, processes, check)
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            _await_end(process)


def look(settings: Settings, client: Client, database: Database, session: str, files: int) -> DemoProgress:
    """How far the run is now."""
    caught_up(client, database, settings)
    tasks = {(row.module, row.task): row for row in queries.progress(database) if row.session == session}
    reading, sent = tasks.get((READER, READING)), tasks.get((READER, SENT))
    settled = {name: module_activity(database, session, name) for name in (EXTRACTOR, INDEXER)}
    indexing = tasks.get((INDEXER, INDEXING))
    extracted, indexed = settled[EXTRACTOR], settled[INDEXER]
    ended = indexed.handled + indexed.failed + extracted.failed
    return DemoProgress(
        files=files,
        read=int(reading.completed) if reading else 0,
        extracted=extracted.handled,
        indexed=max(indexed.handled, int(indexing.completed) if indexing else 0),
        done=sent is not None and ended >= sent.completed,
    )


def require_alive(settings: Settings, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Raises DemoFailed, with the end of its log, when a module's process has ended."""
    for name, process in processes.items():
        if process.poll() is not None:
            log = _log(settings, name)
            raise DemoFailed(
                f"{name} ended (exit {process.returncode}); its log {log} ends:\n{private_server.tail(log)}"
            )


def _spawn(settings: Settings, name: str, target: str) -> subprocess.Popen[bytes]:
    with _log(settings, name).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "claude_comm", "run", target],
            cwd=settings.home,
            env=worker_processes.environ_for(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _log(settings: Settings, name: str) -> Path:
    return settings.home / "logs" / f"{name}.log"


def _await_alive(
    settings: Settings, client: Client, processes: dict[str, subprocess.Popen[bytes]], check: Callable[[], None]
) -> None:
    keys = Keys(settings.namespace)
    deadline = time.monotonic() + START_TIMEOUT_S
    expected = {f"-{process.pid}-" for process in processes.values()}
    while True:
        check()
        require_alive(settings, processes)
        alive = [
            instance.name
            for module in client.run(registry.everyone(keys, now_ms=millis())).modules
            for instance in module.instances
            if instance.state == "up"
        ]
        # An instance carries the pid of its process: one that an earlier run left behind does not count.
        if all(any(mark in instance for instance in alive) for mark in expected):
            return
        if time.monotonic() > deadline:
            raise DemoFailed(f"the modules did not start within {START_TIMEOUT_S:.0f} s; see {settings.home / 'logs'}.")
        time.sleep(_POLL_S)


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def new_session() -> str:
    """A name of this run that sorts by time."""
    return time.strftime("demo-%Y%m%d-%H%M%S") + f"-{os.getpid()}"
