"""A module: typed handlers, a contract made from them, and the loop that runs them.

Law: a delivery is acked after its handler returned; what a handler raised at is tried again by the retry policy, by
whichever instance is there then, and in the end buried; a payload that does not fit is buried at once. Nothing is
dropped in silence. A stop that was asked for finishes what runs and gives back the rest, so that nothing is handled
twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from claude_comm.client.consumer.consumer import DEFAULT_PREFETCH_BYTES
from claude_comm.client.identity import identify
from claude_comm.client.module.context import Context
from claude_comm.client.module.handlers import Handler, handler, is_async
from claude_comm.client.module.runner import Loop, Running
from claude_comm.client.payload_types import schema_of
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError
from claude_comm.names import check_name
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.runtime.signals import stopped_by_signals
from claude_comm.settings import Settings

# Enough for the round trip to cost little beside the messages.
DEFAULT_BATCH = 500

Function = TypeVar("Function", bound=Callable[..., Any])


class Module:
    """A named participant with handlers.

        module = Module("extractor")

        @module.handles("page")
        def extract(page: Page, context: Context) -> None:
            context.send("indexer", Found(...), type="found")

        module.run()

    A handler's first parameter is annotated with a msgspec Struct, a dataclass, a pydantic model or any type that
    msgspec knows; that type's schema is what the module accepts.

    | option | |
    | --- | --- |
    | `topics` | topics that it reads beside its inbox |
    | `instance` | a name that stays over restarts, of one process at a time: what it had not ended comes first |
    | `concurrency` | how many messages are handled at once; 1 keeps the order of each source, more keeps none |
    | `batch` | how many are read, and acked, at once |
    | `prefetch`, `prefetch_bytes` | how much is held at most, read and not handled; less while handlers are slow |
    | `lease_s` | how long after a kill others wait before they take what the killed one held (seconds) |
    | `drain_s` | how long handlers may take to end once a stop is asked for (seconds) |
    | `dedup` | how many handled messages this instance remembers: a copy of one is acked and not handled |
    | `dedup_s` | for how long (seconds) all instances remember them, on the server |
    | `max_lag` | how many messages may wait in its inbox before publishers are held; 0 leaves that to their settings |
    | `retry` | what happens to a message whose handler raised |

    Several are handled at once as tasks of one event loop if any handler is `async`, else on threads.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "1.0.0",
        settings: Settings | None = None,
        topics: Sequence[str] = (),
        instance: str | None = None,
        retry: RetryPolicy | None = None,
        concurrency: int = 1,
        batch: int = DEFAULT_BATCH,
        prefetch: int | None = None,
        prefetch_bytes: int = DEFAULT_PREFETCH_BYTES,
        lease_s: float = 60.0,
        drain_s: float = 30.0,
        dedup: int = 0,
        dedup_s: float = 0.0,
        max_lag: int = 0,
    ) -> None:
        self.name = check_name(name)
        self.version = version
        self.retry = retry or RetryPolicy()
        self.lease_s, self.drain_s, self.concurrency = lease_s, drain_s, concurrency
        self.prefetch = max(2 * batch, 2 * concurrency) if prefetch is None else prefetch
        _check_counts(concurrency, self.prefetch, drain_s)
        self._reading = {
            "topics": tuple(check_name(topic, "topic") for topic in topics),
            "batch": batch,
            "prefetch_bytes": prefetch_bytes,
            "dedup": dedup,
            "dedup_s": dedup_s,
        }
        self.max_lag = max_lag
        self._settings, self._instance = settings, instance
        self._handlers: dict[str, Handler] = {}
        self._produces: list[Produced] = []
        self._starters: list[Callable[[Context], Any]] = []
        self._stop = threading.Event()
        self._paused = False
        self._loop: Loop | None = None

    def handles(
        self, type: str = DEFAULT_TYPE, *, accepts: Any = None, retry: RetryPolicy | None = None
    ) -> Callable[[Function], Function]:
        """Registers a handler `(payload)` or `(payload, context)` for one type of message; it may be `async`.

        `accepts` is a JSON Schema or a type, for a payload whose annotation does not say it all;
        `retry` is the policy for this type, where it is not that of the module.
        """
        return self._register(type, accepts, retry, 0)

    def handles_batch(
        self, type: str = DEFAULT_TYPE, *, max: int = 100, accepts: Any = None, retry: RetryPolicy | None = None
    ) -> Callable[[Function], Function]:
        """Registers a handler `(payloads)` or `(payloads, context)` that is given a list of up to `max` messages.

        They are those of this type that are at hand, one after another; none is waited for. When the function returns,
        all are handled. When it raises, it is called again at once for each alone, and only these calls count for the
        retry policy: one bad message buries none of its neighbours. So make it repeatable. What comes back later
        comes alone.
        """
        if max < 1:
            raise ConfigurationError("max is at least 1.")
        return self._register(type, accepts, retry, max)

    def produces(self, type: str, shape: Any, *, target: str = "") -> None:
        """Declares what this module sends; before the first such message it negotiates with the target.

        Without a `target` the declaration holds for whoever is sent messages of this type.
        """
        self._produces.append(Produced(check_name(type, "message type"), schema_of(shape), target))

    def on_start(self, function: Callable[[Context], Any]) -> Callable[[Context], Any]:
        """Registers a function to run once, before the first message is read; it may be `async`."""
        self._starters.append(function)
        return function

    def contract(self) -> Contract:
        """What this module declares, from its handlers and `produces`."""
        accepts = {type: registered.schema for type, registered in self._handlers.items()}
        return contract(
            self.name,
            version=self.version,
            accepts=accepts or None,
            produces=self._produces,
            max_lag=self.max_lag,
        )

    def run(self) -> int:
        """Registers, then handles messages until SIGTERM, SIGINT, `context.stop()` or `stop()`; the exit code.

        On the way out it gives back what waits, finishes what runs and acks it. What runs after `drain_s` is left
        alone: it stays pending until its lease is over, and the exit code is 1. A second signal ends at once.
        """
        identity = identify(self.name, self._settings, self._instance)
        try:
            with stopped_by_signals(self._stop):
                self._loop = Loop(identity, self.contract(), self._running(), stop=self._stop)
                if self._paused:
                    self._loop.feed.pause()
                return self._loop.run()
        finally:
            self._loop = None
            self._stop.clear()

    def stop(self) -> None:
        """Ends `run` after what is being handled; from any thread."""
        self._stop.set()

    def pause(self) -> None:
        """Nothing is handed to a handler until `resume`, and what was read ahead is given back; from any thread."""
        self._paused = True
        if self._loop is not None:
            self._loop.feed.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._paused = False
        if self._loop is not None:
            self._loop.feed.resume()

    def _register(
        self, type: str, accepts: Any, retry: RetryPolicy | None, most: int
    ) -> Callable[[Function], Function]:
        check_name(type, "message type")
        if type in self._handlers:
            raise ConfigurationError(f"{self.name!r} has a handler for {type!r} messages already.")

        def register(function: Function) -> Function:
            self._handlers[type] = handler(type, function, accepts, retry or self.retry, most=most)
            return function

        return register

    def _running(self) -> Running:
        return Running(
            handlers=dict(self._handlers),
            starters=tuple(self._starters),
            reading=self._reading,
            prefetch=self.prefetch,
            concurrency=self.concurrency,
            lease_s=self.lease_s,
            drain_s=self.drain_s,
            on_loop=any(one.is_async for one in self._handlers.values()) or any(map(is_async, self._starters)),
        )


def _check_counts(concurrency: int, prefetch: int, drain_s: float) -> None:
    for holds, must in (
        (concurrency >= 1, "concurrency is at least 1"),
        (prefetch >= concurrency, "prefetch is at least concurrency, or hands would be idle"),
        (drain_s >= 0, "drain_s is at least 0"),
    ):
        if not holds:
            raise ConfigurationError(f"a module: {must}.")
