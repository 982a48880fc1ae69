"""SIGTERM and SIGINT, which ask a process to end, in the three ways that one may want to hear them.

Law: Python takes signals on its main thread alone; on any other these blocks change nothing. What a signal did before
the block, it does after it.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

STOPPING = (signal.SIGTERM, signal.SIGINT)
Handler: TypeAlias = Callable[[int, FrameType | None], None]


# How long a worker may take to end when it is asked to: less than the 40 s after which `claude-comm down` gives up, and
# the 45 s after which the supervisors in `deploy` kill.
DRAIN_S = 30


@contextmanager
def stopped_by_signals(stop: threading.Event, drain_s: int = 0) -> Iterator[None]:
    """The first signal sets the event. The next one does what it does to any process: it ends it.

    With `drain_s`, SIGALRM ends the process so long after the first signal if the block lasts that long: a step that
    hangs in a system call keeps nobody waiting.
    """

    own = os.getpid()

    def ask(asked: int, _frame: FrameType | None) -> None:
        if os.getpid() != own:
            # A process that was forked here has this handler, too, and nobody there looks at the event.
            signal.signal(asked, signal.SIG_DFL)
            os.kill(os.getpid(), asked)
            return
        if drain_s:
            signal.alarm(drain_s)
        for number in STOPPING:
            signal.signal(number, signal.SIG_DFL)
        # Never here: a main thread that is just within `stop.wait` holds the lock of the event, and would wait for
        # itself for ever.
        _thread.start_new_thread(stop.set, ())

    with _handled_by(ask):
        try:
            yield
        finally:
            if drain_s and threading.current_thread() is threading.main_thread():
                signal.alarm(0)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """A signal raises SystemExit with the code 0, wherever the main thread is.

    What else is raised on the way out counts for nothing: an import that the signal broke off leaves modules that lack
    what whoever clears up asks them for. Nor does it count where somebody caught it: it is raised again at the end.
    """
    asked = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        sys.exit(0)

    with _handled_by(end):
        try:
            yield
        finally:
            if asked:
                sys.exit(0)


@contextmanager
def deferred_signals() -> Iterator[Callable[[], None]]:
    """The first signal is noted, and the function given here raises KeyboardInterrupt for it; a second one interrupts
    at once, for whoever does not want to wait for the end of what is being stopped.

    A program that starts others must not be interrupted between starting one and taking note of it: what it does not
    know of, it cannot stop.
    """
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    def check() -> None:
        if noted:
            raise KeyboardInterrupt

    with _handled_by(note):
        yield check


@contextmanager
def postponed_signals() -> Iterator[None]:
    """A signal does what it does to this process, after the block: in the callbacks of a fork Python swallows what a
    handler raises, and whoever was asked to end would never know."""
    noted: list[int] = []
    with _handled_by(lambda number, _frame: noted.append(number)):
        yield
    for number in noted:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in STOPPING}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
