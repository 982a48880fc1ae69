"""Homes for servers and processes that a test starts, and what a child process is told of them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import claude_comm
from claude_comm.runtime import private_server, worker_processes

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# The package under test: in the repository, or installed from a wheel (`tools/release.py` takes the sources away).
PACKAGE = Path(claude_comm.__file__).resolve().parent


def new_home() -> Path:
    """A short folder: a Unix socket's path must fit into 100 bytes."""
    return Path(tempfile.mkdtemp(prefix="cc-"))


def remove_home(home: Path) -> None:
    for name in worker_processes.WORKERS:
        worker_processes.stop(home, name)
    private_server.stop(home)
    shutil.rmtree(home, ignore_errors=True)


def child_environ(**variables: str) -> dict[str, str]:
    """This process's environment without any setting of ours, plus these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_COMM_")}
    scripts = str(Path(sys.executable).parent)
    return {**kept, "PATH": scripts + os.pathsep + kept.get("PATH", ""), "PYTHONPATH": str(REPOSITORY), **variables}
