"""A rolling upgrade under load: the commit before and this one on the same streams, replaced one after another."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from claude_comm import Settings
from claude_comm.store.database import open_to_read
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S, wait_until

PROGRAM = REPOSITORY / "tests" / "support" / "upgrade.py"


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it was in the commit before this one."""
    git = ["git", "-C", str(REPOSITORY), "archive", "HEAD~1", "claude_comm", "workers"]
    try:
        done = subprocess.run(git, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode:
        pytest.skip("the commit before this one is not at hand")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


class Fleet:
    """Processes of either release, and what each has written to its file."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder, self._environ = folder, environ
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, release: Path, *command: str) -> None:
        words = ["-P", "-m", "claude_comm", *command] if command[0] == "worker" else [str(PROGRAM), *command, name]
        with self.file(name).open("wb") as out:
            self._running[name] = subprocess.Popen(
                [sys.executable, *words],
                env=child_environ(**self._environ) | {"PYTHONPATH": str(release)},
                cwd=self._folder,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )

    def stop(self, name: str) -> None:
        """Asks it to end, as a supervisor does; it ends well."""
        process = self._running.pop(name)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, name

    def kill_all(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def facts(self, name: str) -> list[str]:
        """Its lines that are whole, but for the first, which says what it imported."""
        return self.file(name).read_text(encoding="utf-8").split("\n")[1:-1]

    def release(self, name: str) -> str:
        return self.file(name).read_text(encoding="utf-8").partition("\n")[0]

    def file(self, name: str) -> Path:
        return self._folder / f"{name}.out"


@pytest.fixture
def fleet(environ: dict[str, str], tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, environ)
    yield made
    made.kill_all()


@pytest.mark.long
def test_nothing_is_lost_while_old_and_new_releases_replace_each_other(
    fleet: Fleet, before: Path, settings: Settings
) -> None:
    handlers = ["old", "new", "back"]

    def moved(name: str, more: int = 50) -> None:
        """Waits until it has done so much more."""
        least = len(fleet.facts(name)) + more
        wait_until(lambda: len(fleet.facts(name)) >= least, what=f"{more} messages of {name}")

    fleet.start("progress-old", before, "worker", "progress")
    fleet.start("old", before, "handle")
    fleet.start("sender-old", before, "publish")
    fleet.start("sender-new", REPOSITORY, "publish")
    moved("old")
    fleet.start("new", REPOSITORY, "handle")
    moved("new")
    fleet.stop("old")
    fleet.stop("progress-old")
    fleet.start("progress-new", REPOSITORY, "worker", "progress")
    moved("new")
    # And back: an upgrade may be undone.
    fleet.start("back", before, "handle")
    moved("back")
    fleet.stop("new")
    moved("back")
    for sender in ("sender-old", "sender-new"):
        fleet.stop(sender)
    published = {fact for sender in ("sender-old", "sender-new") for fact in fleet.facts(sender)}
    assert fleet.release("old").startswith(str(before))
    assert fleet.release("new").startswith(str(REPOSITORY))

    def handled() -> Counter[str]:
        return Counter(fact for name in handlers for fact in fleet.facts(name))

    wait_until(lambda: published <= handled().keys(), what="everything to be handled")

    def stored() -> list[str]:
        with open_to_read(settings.database) as database:
            return [row[0] for row in database.rows("SELECT status FROM messages WHERE target = 'sink'")]

    wait_until(lambda: stored().count("handled") >= len(published), what="everything to be stored")
    assert len(stored()) == len(published)
    # A planned stop gives back what was not begun: nothing is handled twice.
    assert {fact for fact, times in handled().items() if times > 1} == set()
