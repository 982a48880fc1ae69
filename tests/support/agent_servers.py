"""MCP servers over HTTP as processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until


@contextmanager
def served(environ: dict[str, str], log: Path, *options: str) -> Iterator[str]:
    """A server over HTTP as a process of its own; its address."""
    port = free_port()
    command = [sys.executable, "-m", "claude_comm", "mcp", "--http", f"127.0.0.1:{port}", *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=out, stderr=out)
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None, what="the server's start")
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
