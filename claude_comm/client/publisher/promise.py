"""A future that costs little until somebody waits for it.

Law: to everybody who has one it is a `concurrent.futures.Future`. What makes those dear is a condition with its locks,
made for each and taken for each look; here it is made when a thread waits, adds a callback or cancels, and most
messages are confirmed before anybody does. One lock for all decides which came first. Whoever waits for the id holds
nothing that its sender needs: a signal handler on that thread may wait for a message behind this one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

_OVER = (FINISHED, CANCELLED, CANCELLED_AND_NOTIFIED)


class Promise(Future[str]):
    """The id of a message that is on its way."""

    # It may be asked for in a signal handler on the very thread that has it.
    _making: ClassVar[Any] = threading.RLock()

    # What it is before anything has happened is the class's: to make one is to make an empty object.
    _made: threading.Condition | None = None
    _state: str = PENDING
    _result: str | None = None
    _exception: BaseException | None = None
    # A lock for each thread that waits, which is released when it is over.
    _sleepers: list[Any] | None = None
    _waiters: list[Any]
    _done_callbacks: list[Any]

    # Not that of the class above, which makes all of it; and none in Python, which would be called for every message.
    if not TYPE_CHECKING:
        __init__ = object.__init__

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        """Whoever waits or adds a callback takes this first."""
        if self._made is None:
            with self._making:
                if self._made is None:
                    self._waiters, self._done_callbacks = [], []
                    self._made = threading.Condition()
        return self._made

    def done(self) -> bool:
        return self._state in _OVER

    def result(self, timeout: float | None = None) -> str:
        if self._state == FINISHED and self._exception is None and self._result is not None:
            return self._result
        self._sleep(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._sleep(timeout)
        return super().exception(0)

    def set_result(self, result: str) -> None:
        with self._making:
            if self._made is None and self._sleepers is None and self._state == PENDING:
                self._result, self._state = result, FINISHED
                return
        super().set_result(result)
        self._rouse()

    def set_exception(self, exception: BaseException | None) -> None:
        super().set_exception(exception)
        self._rouse()

    def cancel(self) -> bool:
        cancelled = super().cancel()
        self._rouse()
        return cancelled

    def _sleep(self, timeout: float | None) -> None:
        """Waits until it is over or the time (seconds) is."""
        over = threading.Lock()
        over.acquire()
        with self._making:
            if self._sleepers is None:
                self._sleepers = []
            self._sleepers.append(over)
        # Whoever ends it looks for sleepers after that, so one of the two sees the other.
        if not self.done():
            over.acquire(timeout=-1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX))
        self._sleepers.remove(over)

    def _rouse(self) -> None:
        for over in tuple(self._sleepers or ()):
            with suppress(RuntimeError):  # somebody else has
                over.release()

    @classmethod
    def resolve(cls, promises: Iterable[tuple[str, Promise]]) -> None:
        """`set_result` of many, each with its id: nothing for one that is over."""
        looked_at = []
        with cls._making:
            for id_, promise in promises:
                if promise._made is None and promise._sleepers is None and promise._state == PENDING:
                    promise._result, promise._state = id_, FINISHED
                else:
                    looked_at.append((id_, promise))
        for id_, promise in looked_at:
            try:
                if not promise.done():
                    promise.set_result(id_)
            except InvalidStateError:
                pass  # another thread has cancelled it since


def _after_fork() -> None:
    """Another thread of the parent may have held it."""
    Promise._making = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
