"""Workers in the background: one of each name a home, whoever asks and whatever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.names import NEGOTIATION_WORKER
from claude_comm.runtime import worker_processes
from claude_comm.runtime.worker_processes import WorkerFailed, WorkerRuns
from claude_comm.settings import Settings
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until

CLAIM = """
import sys, time
from pathlib import Path
from claude_comm.runtime import worker_processes
from claude_comm.settings import Settings
with worker_processes.claim(Settings(home=Path(sys.argv[1])), "progress"):
    print("claimed", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that claims to be the progress worker of `tmp_path` until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=child_environ()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_nothing_runs_in_an_empty_home_and_asking_leaves_no_trace(tmp_path: Path) -> None:
    assert worker_processes.running(tmp_path, "progress") is None
    assert worker_processes.stop(tmp_path, "progress") is False
    assert list(tmp_path.iterdir()) == []


def test_a_claim_holds_while_the_block_lasts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, namespace="mine", url="redis://user:secret@host:1")
    with worker_processes.claim(settings, "progress"):
        found = worker_processes.running(tmp_path, "progress")
        assert found is not None
        assert (found.pid, found.namespace, found.url) == (os.getpid(), "mine", "redis://host:1")
        with pytest.raises(WorkerRuns, match="runs already"), worker_processes.claim(settings, "progress"):
            pytest.fail("two workers of one name")
    assert worker_processes.running(tmp_path, "progress") is None
    assert "secret" not in (tmp_path / "run" / "progress.pid").read_text()


def test_a_killed_worker_is_seen_as_dead_at_once(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    found = worker_processes.running(tmp_path, "progress")
    assert found is not None
    assert found.pid == worker.pid
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert (tmp_path / "run" / "progress.pid").read_text()
    assert worker_processes.running(tmp_path, "progress") is None
    with worker_processes.claim(Settings(home=tmp_path), "progress"):
        assert worker_processes.running(tmp_path, "progress") is not None


def test_asking_does_not_keep_a_worker_from_starting(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as threads:
        asking = [
            threads.submit(lambda: [worker_processes.running(tmp_path, "progress") for _ in range(200)]) for _ in "abc"
        ]
        for _ in range(50):
            with worker_processes.claim(Settings(home=tmp_path), "progress"):
                pass
        for asked in asking:
            asked.result()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_worker_that_a_signal_ends_is_stopped(tmp_path: Path, worker: subprocess.Popen[str], frozen: bool) -> None:
    if frozen:
        worker.send_signal(signal.SIGSTOP)
    assert worker_processes.stop(tmp_path, "progress") is True
    assert worker.wait(timeout=PATIENCE_S) == -signal.SIGTERM


def test_a_worker_of_another_host_is_not_signalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two containers may share the home; a pid of the one means nothing in the other."""
    with worker_processes.claim(Settings(home=tmp_path), "progress"):
        monkeypatch.setattr(worker_processes, "_host", lambda: "elsewhere")
        with pytest.raises(WorkerFailed, match="stop it there"):
            worker_processes.stop(tmp_path, "progress")


def test_ten_starts_at_once_make_one_worker(shared_home: Path, settings: Settings) -> None:
    with ThreadPoolExecutor(10) as threads:
        started = list(threads.map(lambda _: worker_processes.start(settings, NEGOTIATION_WORKER)[0], range(10)))
    try:
        assert len({service.pid for service in started}) == 1
        other = Settings(home=settings.home, url=settings.url, namespace="another")
        with pytest.raises(ConfigurationError, match="serves namespace"):
            worker_processes.start(other, NEGOTIATION_WORKER)
    finally:
        assert worker_processes.stop(settings.home, NEGOTIATION_WORKER) is True
    wait_until(lambda: worker_processes.running(settings.home, NEGOTIATION_WORKER) is None)


def test_a_worker_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, url="unix:///nowhere/at/all.sock", namespace="x", log_level="error")
    with pytest.raises(WorkerFailed, match="no worker is called 'nonesuch'"):
        worker_processes.start(settings, "nonesuch")
