"""A handler that forks its process, and returns in the child as well as in the parent.

Law: the child is no instance of the module. It has none of the other threads, its event loop waits on what belongs to
the parent's, and it holds messages that the parent handles. So it ends where its handler ends; what the handler does
there before that, sending included, is its own affair. A process that is forked for something else, and makes a module
of its own, is not concerned.
"""

from __future__ import annotations

import os
import sys
import weakref
from contextlib import suppress
from typing import Any, NoReturn, Protocol


class Run(Protocol):
    """What a process has of a module that runs in it. `forked` is called in a child of it."""

    def forked(self) -> None: ...


def watch(run: Run) -> None:
    """From now on it is told of forks, as long as it lives."""
    _runs.add(run)


def leave(*_ended: Any) -> NoReturn:
    """Ends the child, as `multiprocessing` ends one: what the parent would do at its own end is not for the child."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)


def _after_fork() -> None:
    for run in list(_runs):
        run.forked()


_runs: weakref.WeakSet[Run] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
