"""Failures on purpose: a server of one's own that is killed, frozen or cut off, and modules in processes of their own.

Law: nothing is left to chance, and nothing of it touches the server that other tests share. Each failure is over when
its `with` ends, or when the test does.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from claude_comm.runtime import private_server
from claude_comm.settings import Settings
from claude_comm.testing.bus import PATIENCE_S, Bus, NotSeen, environment
from claude_comm.testing.servers import private_home

_CHUNK = 1 << 16
_LOOK_S = 0.01


class Chaos:
    """A `Bus` on a server of its own (`bus`), behind a link that can be cut. A context manager."""

    def __init__(self) -> None:
        self._home_context = private_home()
        self._home = self._home_context.__enter__()
        self._link = Link(private_server.socket_path(self._home))
        settings = Settings(home=self._home, url=self._link.url, namespace="chaos", log_level="warning")
        self.bus = Bus(settings)
        self._processes: list[subprocess.Popen[bytes]] = []

    def process(self, target: str) -> subprocess.Popen[bytes]:
        """Runs the module at `package.file:name` or `path/file.py:name` in a process of its own, as `claude-comm run`
        does. `kill()` it, or `freeze` it; it is ended with the test."""
        command = [sys.executable, "-m", "claude_comm", "run", target]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_COMM_")}
        started = subprocess.Popen(command, env={**kept, **environment(self.bus.settings)})
        self._processes.append(started)
        return started

    def kill_server(self) -> None:
        """Kills the server (SIGKILL); `start_server` brings it back with what it had written."""
        self._signal_server(signal.SIGKILL)
        pid = self._pid()
        self._until(lambda: pid is None or not private_server.alive(pid), "the server to end")

    def start_server(self) -> None:
        """Starts the server again, and returns when it answers."""
        private_server.ensure(self._home)

    @contextmanager
    def frozen_server(self) -> Iterator[None]:
        """The server is stopped within the `with`, and continues after it (SIGSTOP, SIGCONT)."""
        pid = self._signal_server(signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def frozen(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """The process is stopped within the `with`, and continues after it."""
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Within the `with`, every connection to the server is broken and none can be made; the server runs on."""
        self._link.cut()
        try:
            yield
        finally:
            self._link.mend()

    def close(self) -> None:
        """Ends the processes, the link and the server."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self._link.mend()
        with suppress(ProcessLookupError):
            self._signal_server(signal.SIGCONT)
        self.bus.close()
        self._link.close()
        self._home_context.__exit__(None, None, None)

    def __enter__(self) -> Chaos:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pid(self) -> int | None:
        return private_server.server_pid(self._home)

    def _signal_server(self, number: signal.Signals) -> int:
        pid = self._pid()
        if pid is None:
            raise ProcessLookupError("the server does not run; `start_server` starts it")
        os.kill(pid, number)
        return pid

    def _until(self, holds: object, what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():  # type: ignore[operator]
            if time.monotonic() > end:
                raise NotSeen(f"waited {PATIENCE_S:g} s for {what}.")
            time.sleep(_LOOK_S)


class Link:
    """A Unix socket that forwards to a server's, until it is cut."""

    def __init__(self, there: Path) -> None:
        self._there = there
        self._folder = Path(tempfile.mkdtemp(prefix="cc-link-"))
        path = self._folder / "link.sock"
        self.url = f"unix://{path}"
        self._whole = threading.Event()
        self._whole.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="link", daemon=True).start()

    def cut(self) -> None:
        """Ends every connection; new ones end at once."""
        self._whole.clear()
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _drop(end)

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self.cut()
        _drop(self._listener)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        with self._lock:
            try:
                if not self._whole.is_set():
                    raise ConnectionError
                far.connect(str(self._there))
            except OSError:
                _drop(near)
                _drop(far)
                return
            self._open |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_forward, args=(source, sink), name="link", daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    _drop(source)
    _drop(sink)


def _drop(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
