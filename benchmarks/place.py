"""The servers that are measured: a private Valkey in a home of its own, and NATS where it is installed.

Law: every server listens on a Unix socket or on 127.0.0.1, keeps its data in a folder of this run, and is stopped by
its own pid.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import redis

from claude_comm.runtime import private_server
from claude_comm.settings import Settings

START_TIMEOUT_S = 20.0
# Half of what the server rewrites its file at by itself.
TIDY_BYTES = 32 * 1024 * 1024


class Place(msgspec.Struct, frozen=True):
    """Where the servers answer. `nats` is empty where there is none."""

    home: str
    nats: str = ""

    @property
    def socket(self) -> str:
        return str(private_server.socket_path(Path(self.home)))

    def processor_s(self) -> float:
        """What the server has taken of the processor so far."""
        with redis.Redis(unix_socket_path=self.socket, protocol=2) as client:
            told = client.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    def tidy(self) -> None:
        """Has the server rewrite its file where that is long, and waits for the end: else it would do so while a way is
        timed, and in each round the same one."""
        with redis.Redis(unix_socket_path=self.socket, protocol=2) as client:
            if client.info("persistence")["aof_current_size"] < TIDY_BYTES:
                return
            client.bgrewriteaof()
            while _rewrites(client.info("persistence")):
                time.sleep(0.01)

    def settings(self, namespace: str = "bench") -> Settings:
        return Settings(home=Path(self.home), url=f"unix://{self.socket}", namespace=namespace, log_level="error")


@contextmanager
def place(*, with_nats: bool = False) -> Iterator[Place]:
    """Both servers, started empty and stopped at the end."""
    home = Path(tempfile.mkdtemp(prefix="cc-"))
    nats = _start_nats(home) if with_nats else None
    try:
        private_server.ensure(home)
        yield Place(str(home), nats[1] if nats else "")
    finally:
        if nats:
            nats[0].terminate()
            nats[0].wait()
        private_server.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _rewrites(told: dict[str, int]) -> bool:
    return bool(told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"] or told["aof_pending_bio_fsync"])


def nats_program() -> str | None:
    """The NATS server: beside this interpreter, where a wheel puts it, or on the PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


def _start_nats(home: Path) -> tuple[subprocess.Popen[bytes], str] | None:
    program = nats_program()
    if program is None:
        return None
    port = _free_port()
    # As often to disk as the append-only file beside it; by default it would be every two minutes.
    configuration = home / "nats.conf"
    configuration.write_text(f'jetstream {{ store_dir: "{home / "nats"}", sync_interval: "1s" }}', encoding="utf-8")
    words = [program, "-a", "127.0.0.1", "-p", str(port), "-c", str(configuration)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(f"{program} did not start (exit {process.returncode})")
        time.sleep(0.02)
    return process, f"nats://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
