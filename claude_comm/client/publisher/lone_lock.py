"""A lock that its own thread is refused, where it would wait for itself.

Law: a signal handler, a `__del__` or a log handler may publish on a thread that is in the middle of publishing. It
queues or is refused (PublisherBusy), and never waits for what only the thread that it interrupted can let go of.
"""

from __future__ import annotations

import threading
from typing import TypeAlias

from claude_comm.errors import PublisherBusy

RLock: TypeAlias = "threading.RLock"


class LoneLock:
    """Not to be taken by a thread that has it, or that has one of `others`, for which whoever has this one waits.

    A lock that may be taken again knows its owner from the very moment in which it is taken, which nothing in Python
    does: a signal comes between the taking and the note of it.
    """

    __slots__ = ("_lock", "_others")

    def __init__(self, *others: RLock) -> None:
        self._lock, self._others = threading.RLock(), others

    def acquire(self, blocking: bool = True) -> bool:
        return not _owned(self._lock) and self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()

    def check(self) -> None:
        """Before this thread waits. Raises PublisherBusy."""
        if _owned(self._lock) or any(map(_owned, self._others)):
            raise PublisherBusy

    def __enter__(self) -> None:
        self.check()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _owned(lock: RLock) -> bool:
    """Whether this thread has it: what `threading.Condition` asks of a lock."""
    owned: bool = lock._is_owned()  # type: ignore[attr-defined]
    return owned
