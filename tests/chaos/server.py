"""The server under chaos: a real one in a folder of its own, killed, stopped and started again on the same socket."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import redis

from claude_comm.runtime import private_server

START_TIMEOUT_S = 30.0


class ChaosServer:
    """`fsync` is the server's `appendfsync` (always, everysec, no), or `off` for no append-only file at all."""

    def __init__(self, folder: Path, fsync: str = "always", extra: tuple[str, ...] = ()) -> None:
        self.folder, self.fsync, self._extra = folder, fsync, extra
        self.socket = folder / "valkey.sock"
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped = False
        # The port of the server that it follows from its start on; 0 for none.
        self.follows = 0

    @property
    def up(self) -> bool:
        return self._process is not None and not self.stopped

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "logfile": str(self.log),
            "save": "",
            "maxmemory-policy": "noeviction",
            "enable-protected-configs": "yes",
            "appendonly": "no" if self.fsync == "off" else "yes",
            "appendfsync": "no" if self.fsync == "off" else self.fsync,
        }
        if self.follows:
            options["replicaof"] = f"127.0.0.1 {self.follows}"
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [str(private_server.binary()), *words, *self._extra],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not private_server.answers(self.socket):
            assert self._process is not None
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start (exit {code}):\n{private_server.tail(self.log, 20)}")
            time.sleep(0.005)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process, self.stopped = None, False

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped = True

    def resume(self) -> None:
        if self.stopped:
            os.kill(self.pid, signal.SIGCONT)
            self.stopped = False

    def client(self, timeout_s: float = 10.0) -> redis.Redis:
        """A plain connection, independent of the package under test."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=timeout_s, protocol=2)

    def role(self) -> str:
        """What it is just now: master or slave; empty while it does not say."""
        try:
            with self.client(timeout_s=0.5) as client:
                return str(client.role()[0].decode())
        except redis.RedisError:
            return ""

    def unwritten_bytes(self) -> int:
        """What it has confirmed, and not written to its append-only file yet because a flush runs."""
        with self.client() as client:
            return int(client.info("persistence")["aof_buffer_length"])

    def tail_file(self) -> Path:
        """The append-only file that is written to now."""
        return max((self.folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
