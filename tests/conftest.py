"""A real server for every test that wants one: embedded, in a home of its own, stopped by its own pid."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from claude_comm.runtime import private_server, worker_processes
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

REPOSITORY = Path(__file__).resolve().parent.parent
_numbers = itertools.count()


def new_home() -> Path:
    """A short folder: a Unix socket's path must fit into 100 bytes."""
    return Path(tempfile.mkdtemp(prefix="cc-"))


def remove_home(home: Path) -> None:
    for name in worker_processes.WORKERS:
        worker_processes.stop(home, name)
    private_server.stop(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """One server for the whole run; each test has a namespace of its own in it."""
    home = new_home()
    private_server.ensure(home)
    yield home
    remove_home(home)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home with nothing started; whatever server and workers a test starts in it are stopped."""
    path = new_home()
    yield path
    remove_home(path)


@pytest.fixture
def settings(shared_home: Path, tmp_path: Path) -> Settings:
    """Settings on the shared server, with a namespace and a database of this test alone."""
    url = f"unix://{private_server.socket_path(shared_home)}"
    return Settings(home=tmp_path, url=url, namespace=f"t{os.getpid()}-{next(_numbers)}")


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    """The same settings for a child process."""
    return child_environ(
        CLAUDE_COMM_HOME=str(settings.home), CLAUDE_COMM_URL=settings.url, CLAUDE_COMM_NAMESPACE=settings.namespace
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with connect(settings) as opened:
        yield opened


def child_environ(**variables: str) -> dict[str, str]:
    """This process's environment without any setting of ours, plus these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_COMM_")}
    scripts = str(Path(sys.executable).parent)
    return {**kept, "PATH": scripts + os.pathsep + kept.get("PATH", ""), "PYTHONPATH": str(REPOSITORY), **variables}


def wait_until(condition: Callable[[], bool], *, within_s: float = 20.0, what: str = "the condition") -> None:
    """Polls until it holds; fails the test when it does not."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {within_s:g} s")
        time.sleep(0.01)
