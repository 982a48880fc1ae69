"""The pytest plugin: fixtures for tests of modules. It loads by itself where `claude-comm` is installed.

Law: a run of tests that asks for none of them pays for this file alone: everything else is imported by the fixture
that needs it.

| fixture | |
| --- | --- |
| `comm` | a `Bus` on a real server: one for the whole run, a namespace for each test |
| `fake_comm` | the same without a server, in this process; see docs/testing.md for what it does not show |
| `chaos` | a `Chaos`: a server of this test alone, to be killed, frozen and cut off |
| `module_runner` | runs modules within the test, on `fake_comm` where the test asks for that, else on `comm` |
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from claude_comm.client.module.module import Module
    from claude_comm.testing.bus import Bus
    from claude_comm.testing.chaos import Chaos
    from claude_comm.testing.running import RunningModule

_numbers = itertools.count()


@pytest.fixture(scope="session")
def comm_server() -> Iterator[Path]:
    """The home of a server that this run of tests shares; stopped and removed at its end."""
    from claude_comm.testing.servers import private_home

    with private_home() as home:
        yield home


@pytest.fixture
def comm(comm_server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """A `Bus` on a real server, in a namespace of this test alone. The environment leads there as well: a `Module` or a
    `Publisher` without settings, and a child process, are on it."""
    from claude_comm.testing.servers import address_of

    with _bus(address_of(comm_server), tmp_path, monkeypatch, fake=False) as bus:
        yield bus


@pytest.fixture(scope="session")
def fake_comm_server() -> Iterator[str]:
    """The address of what stands for a server in this process; shared by this run of tests."""
    from claude_comm.testing.fake_server import FakeServer

    with FakeServer() as server:
        yield server.url


@pytest.fixture
def fake_comm(fake_comm_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """As `comm`, without a server: fakeredis in this process. It refuses what a server would refuse; docs/testing.md
    says what it does not show."""
    with _bus(fake_comm_server, tmp_path, monkeypatch, fake=True) as bus:
        yield bus


@pytest.fixture
def chaos(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chaos]:
    """A `Chaos`: a `Bus` on a server of this test alone, which can be killed, frozen and cut off."""
    from claude_comm.testing.chaos import Chaos

    with Chaos() as failures:
        _lead_to(failures.bus, monkeypatch)
        yield failures


@pytest.fixture
def module_runner(request: pytest.FixtureRequest) -> Iterator[Callable[..., RunningModule]]:
    """`module_runner(module)` runs a module until the end of the test and returns a `RunningModule`.

    `partners` names modules that it sends to without declaring so: they are registered with what it declares for any
    target. Those that it declares are registered by themselves, unless they run already.
    """
    from claude_comm.testing.running import RunningModule

    bus: Bus = request.getfixturevalue("fake_comm" if "fake_comm" in request.fixturenames else "comm")
    runs: list[RunningModule] = []

    def run(module: Module, *, partners: Sequence[str] = ()) -> RunningModule:
        runs.append(RunningModule(bus, module, partners))
        return runs[-1]

    yield run
    for running in reversed(runs):
        running.stop()


def _bus(url: str, home: Path, monkeypatch: pytest.MonkeyPatch, *, fake: bool) -> Bus:
    from claude_comm.settings import Settings
    from claude_comm.testing.bus import Bus

    namespace = f"test-{os.getpid()}-{next(_numbers)}"
    bus = Bus(Settings(home=home, url=url, namespace=namespace, log_level="warning"), fake=fake)
    _lead_to(bus, monkeypatch)
    return bus


def _lead_to(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process's environment lead there, and nothing of it elsewhere."""
    for name in [name for name in os.environ if name.startswith("CLAUDE_COMM_")]:
        monkeypatch.delenv(name)
    for name, value in bus.environ.items():
        monkeypatch.setenv(name, value)
