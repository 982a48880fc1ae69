"""The prepared child: one process for many answers, replaced when it had to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.runtime.prepared_child import ChildFailed, PreparedChild


def answer(text: str) -> str:
    if text == "hang":
        while True:
            pass
    if text == "die":
        os._exit(3)
    if text == "refuse":
        raise ConfigurationError("no")
    return f"{os.getpid()} {len(text)}"


@pytest.fixture
def child() -> Iterator[PreparedChild]:
    made = PreparedChild(answer)
    yield made
    made.stop()


def ask(child: PreparedChild, text: str, timeout_s: float = 30.0) -> str:
    child.begin(text)
    return child.end(timeout_s)


SIGNALLED = """
import os, signal
from claude_comm.runtime.prepared_child import PreparedChild
from claude_comm.runtime.signals import ended_by_signals

# As one of the locks that are taken up again after a fork, while the signal comes.
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
with ended_by_signals():
    PreparedChild(str).prepare()
    print("nobody has heard of the signal")
"""


def test_a_signal_that_comes_during_the_fork_is_heard() -> None:
    """Python swallows what its handler raises there: a worker that was asked to end went on for ever."""
    ended = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_one_process_answers_all(child: PreparedChild) -> None:
    child.prepare()
    pid = child.pid
    assert {ask(child, "x" * size) for size in (0, 5, 1_000_000)} == {f"{pid} 0", f"{pid} 5", f"{pid} 1000000"}
    assert pid != os.getpid()


def test_what_it_raises_is_told_and_it_lives_on(child: PreparedChild) -> None:
    pid = ask(child, "a").split()[0]
    with pytest.raises(ChildFailed, match="ConfigurationError: no"):
        ask(child, "refuse")
    assert ask(child, "a").split()[0] == pid


@pytest.mark.parametrize(("text", "why"), [("hang", "too long"), ("die", "died")])
def test_one_that_hangs_or_dies_is_replaced(child: PreparedChild, text: str, why: str) -> None:
    first = ask(child, "a").split()[0]
    with pytest.raises(ChildFailed, match=why):
        ask(child, text, 0.05 if text == "hang" else 30.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(first), 0)
    assert ask(child, "a").split()[0] != first


def test_signals_are_its_parents(child: PreparedChild) -> None:
    pid = int(ask(child, "a").split()[0])
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    assert ask(child, "abc") == f"{pid} 3"
    child.stop()
    assert child.pid == 0
    # Stopped twice is as once; and it can be asked again.
    child.stop()
    assert ask(child, "abc").endswith(" 3")


def test_a_killed_one_is_known_when_it_is_asked(child: PreparedChild) -> None:
    child.prepare()
    os.kill(child.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert ask(child, "a")
            return
        except ChildFailed:
            continue
    raise AssertionError("it was never replaced")
