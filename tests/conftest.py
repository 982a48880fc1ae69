"""A real server for every test that wants one: embedded, in a home of its own, stopped by its own pid."""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

from claude_comm.__main__ import main
from claude_comm.names import Keys
from claude_comm.runtime import jobs, private_server
from claude_comm.schema import bounded
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.command_line import Ran
from tests.support.examples import examples, mark_by_chance
from tests.support.homes import child_environ, new_home, remove_home
from tests.support.order import longest_first
from tests.support.waiting import PATIENCE_S

# Where the package was installed before it had this plugin, nothing loads it by itself.
if not any(point.value == "claude_comm.testing.plugin" for point in entry_points(group="pytest11")):
    pytest_plugins = ["claude_comm.testing.plugin"]

_numbers = itertools.count()
# Machines are shared: how long an example takes says nothing about the code.
# Nor is a machine that is slow to make examples a defect of what is tried with them.
hypothesis.settings.register_profile(
    "no-deadline",
    deadline=None,
    max_examples=examples(),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("no-deadline")


# Thousands of tests are collected, and all of them stay: the garbage collector would walk them again and again.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_by_chance(items)
    longest_first(items)


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """One server for the whole run; each test has a namespace of its own in it.

    `TEST_SERVER` names another program than the embedded one: what a module may do is tried on Redis 7 and 8 as well.
    """
    if program := os.environ.get("TEST_SERVER"):
        private_server.binary = lambda: Path(program)
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
def keys(settings: Settings) -> Keys:
    return Keys(settings.namespace)


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    """The same settings for a child process."""
    return child_environ(
        CLAUDE_COMM_HOME=str(settings.home), CLAUDE_COMM_URL=settings.url, CLAUDE_COMM_NAMESPACE=settings.namespace
    )


@pytest.fixture(scope="session", autouse=True)
def proofs_by_processor_time() -> Iterator[None]:
    """What else runs on the machine decides no verdict: a proof that waits for the processor spends no budget."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "time", SimpleNamespace(monotonic=time.thread_time))
        yield


@pytest.fixture
def patient_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks the negotiation worker waits for it, however late it begins, and does not decide instead."""
    monkeypatch.setattr(jobs, "START_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(jobs, "ANSWER_TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with connect(settings) as opened:
        yield opened


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs one command in this process; no traceback may ever escape it."""

    def run_(*arguments: object) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run_
