"""A private server for tests, in a home of its own that is removed with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from claude_comm.runtime import private_server, worker_processes


@contextmanager
def private_home() -> Iterator[Path]:
    """A new home whose server runs; the server, and workers started there, are stopped at the end."""
    # A short path: that of a Unix socket must fit into 100 bytes.
    home = Path(tempfile.mkdtemp(prefix="cc-"))
    try:
        private_server.ensure(home)
        yield home
    finally:
        for name in worker_processes.WORKERS:
            worker_processes.stop(home, name)
        private_server.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def address_of(home: Path) -> str:
    """The address of the server of that home."""
    return "unix://" + quote(str(private_server.socket_path(home)))
