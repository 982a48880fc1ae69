"""SIGTERM and SIGINT: what the first and the second one do, and that nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from claude_comm.runtime.signals import STOPPING, deferred_signals, ended_by_signals, stopped_by_signals
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S

TWICE = """
import os, signal, threading
from claude_comm.runtime.signals import stopped_by_signals
stop = threading.Event()
with stopped_by_signals(stop):
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(60)
    print("first", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("not here", flush=True)
"""

WITHIN = """
import os, signal, threading
from claude_comm.runtime.signals import stopped_by_signals
stop = threading.Event()
with stopped_by_signals(stop):
    with stop._cond:
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(60)
    print("set", flush=True)
"""


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_signal_sets_the_event_and_all_is_as_before_afterwards(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in STOPPING]
    stop = threading.Event()
    with stopped_by_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.wait(PATIENCE_S)
    assert [signal.getsignal(each) for each in STOPPING] == before


def test_the_second_signal_ends_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TWICE], env=child_environ(), capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.returncode) == ("first\n", -signal.SIGINT)


def test_a_signal_within_a_wait_for_the_event_does_not_wait_for_itself() -> None:
    """The wait holds the lock of the event for a moment: a janitor that a signal met then never ended."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHIN], env=child_environ(), timeout=PATIENCE_S, capture_output=True, check=False
    )
    assert (ended.stdout, ended.returncode) == (b"set\n", 0)


def test_a_signal_leaves_the_block_with_code_0() -> None:
    with pytest.raises(SystemExit) as ended, ended_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 0


def test_what_is_raised_on_the_way_out_does_not_stand_for_the_signal() -> None:
    """A worker that was ended while it imported died of what a half imported module lacked, with the code 1."""

    def broken_off() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            raise AttributeError("module 'referencing' has no attribute 'exceptions'")

    with pytest.raises(SystemExit) as ended, ended_by_signals():
        broken_off()
    assert ended.value.code == 0


def test_an_error_without_a_signal_is_raised() -> None:
    with pytest.raises(AttributeError), ended_by_signals():
        raise AttributeError


def test_a_deferred_signal_is_raised_where_it_is_asked_for_and_the_second_at_once() -> None:
    with deferred_signals() as check:
        check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_off_the_main_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def elsewhere() -> None:
        with stopped_by_signals(threading.Event()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_process_that_was_forked_inside_ends_by_a_signal() -> None:
    """It has the handler, and nobody there looks at the event."""
    with stopped_by_signals(threading.Event()):
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
