"""The home folder is its user's alone, whichever way it is made."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from claude_comm import Publisher
from claude_comm.demo.index import Index, path_in
from claude_comm.errors import ConfigurationError
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store.database import open_database
from claude_comm.store.outbox import Outbox


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A umask that hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


MAKERS: dict[str, Callable[[Path], object]] = {
    "a database": lambda home: open_database(home / "claude-comm.db").close(),
    "an outbox": lambda home: Outbox(home / "outbox.db").close(),
    "a worker's lock": lambda home: worker_processes.claim(Settings(home=home), "demo").__enter__(),
    "the demo's index": lambda home: Index(path_in(home)).close(),
    "a private server": private_server._folder,
}


@pytest.mark.parametrize("made", MAKERS)
def test_whatever_makes_the_home_makes_it_private(tmp_path: Path, made: str) -> None:
    home = tmp_path / "home"
    MAKERS[made](home)
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_what_sqlite_writes_beside_a_database_is_private_too(tmp_path: Path) -> None:
    with open_database(tmp_path / "x.db") as database, database.write() as writer:
        writer.execute("INSERT INTO checkpoints VALUES ('s', 1, '0-0', 0)")
        assert {path.name for path in tmp_path.iterdir()} == {"x.db", "x.db-wal", "x.db-shm"}
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o777, 0o702])
def test_a_home_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(ConfigurationError, match="other users may write"):
        settings_of_process({"CLAUDE_COMM_HOME": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="other users may write"):
        private_server.ensure(tmp_path)
    tmp_path.chmod(0o770)
    settings_of_process({"CLAUDE_COMM_HOME": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user, which root alone may")
def test_the_home_of_another_user_is_refused_in_one_sentence(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        settings_of_process({"CLAUDE_COMM_HOME": str(tmp_path)})


def test_a_publisher_in_a_fresh_home_leaves_nothing_for_others(settings: Settings, tmp_path: Path) -> None:
    with Publisher("a", settings=settings, outbox=tmp_path / "kept" / "outbox.db") as publisher:
        publisher.publish("b", 1)
        for path in (tmp_path / "kept", *(tmp_path / "kept").iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
