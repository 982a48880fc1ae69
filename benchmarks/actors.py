"""Ways of doing a thing, each in a process of its own that stays: connections open, caches warm, told when to go.

A way is a context manager that takes a Place and gives a function: what it does once, `count` messages of it. The
function returns None, or what it measured: its own seconds (a framework whose start must not count), or latencies.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeAlias

from benchmarks.place import Place

Act: TypeAlias = Callable[[int], Any]
Way: TypeAlias = Callable[..., AbstractContextManager[Act]]

_CONTEXT = multiprocessing.get_context("spawn")
# What no way needs for one round on a slow machine.
ROUND_TIMEOUT_S = 120.0


class Spec(NamedTuple):
    """A way by where its function is, so that a new process can import it, and what that takes beside the Place.

    `needs` is the package that it stands on; `count` is how many messages make a round of about a second at most.
    """

    name: str
    path: str
    words: tuple[str, ...] = ()
    needs: str = "redis"
    count: int = 10_000


class Actor:
    """The process of one way."""

    def __init__(self, spec: Spec, place: Place) -> None:
        self.spec = spec
        # Of the processor, of each round (seconds).
        self.spent_s: list[float] = []
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, spec, place), daemon=True)
        self._process.start()
        theirs.close()
        self.wait()

    def go(self, count: int) -> None:
        """Tells it to begin; `wait` tells how it went."""
        self._pipe.send(count)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def wait(self, *, timeout_s: float | None = ROUND_TIMEOUT_S) -> tuple[float, Any]:
        """The seconds that it took, and what it returned. Without a timeout it may take as long as it lives."""
        if not self._pipe.poll(timeout_s):
            raise TimeoutError(f"{self.spec.name} took longer than {timeout_s:g} s")
        try:
            seconds, spent_s, result = self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self.spec.name} ended: see its traceback above") from None
        self.spent_s.append(spent_s)
        return seconds, result

    def run(self, count: int) -> tuple[float, Any]:
        self.go(count)
        return self.wait()

    def close(self) -> None:
        with suppress(BrokenPipeError):  # it may have ended already
            self._pipe.send(None)
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def actors(specs: Sequence[Spec], place: Place) -> Iterator[dict[str, Actor]]:
    """One process a way, by name, all ready."""
    with ExitStack() as stack:
        yield {spec.name: _opened(stack, spec, place) for spec in specs}


def installed(specs: Sequence[Spec], place: Place) -> list[Spec]:
    """Those that can be measured here; each other is named in a line that says why it is left out."""
    kept = []
    for spec in specs:
        if importlib.util.find_spec(spec.needs) is None:
            print(f"{spec.name}: skipped, {spec.needs} is not installed (the extra `bench` has it)")
        elif spec.needs == "nats" and not place.nats:
            print(f"{spec.name}: skipped, there is no nats-server program")
        else:
            kept.append(spec)
    return kept


def _opened(stack: ExitStack, spec: Spec, place: Place) -> Actor:
    actor = Actor(spec, place)
    stack.callback(actor.close)
    return actor


def _serve(pipe: Connection, spec: Spec, place: Place) -> None:
    module, _, function = spec.path.partition(":")
    way: Way = getattr(importlib.import_module(module), function)
    with way(place, *spec.words) as act:
        pipe.send((0.0, 0.0, None))
        while (count := pipe.recv()) is not None:
            started, spent_s = time.perf_counter(), time.process_time()
            result = act(count)
            pipe.send((time.perf_counter() - started, time.process_time() - spent_s, result))
