"""A module: typed handlers, a contract made from them, and the loop that runs them.

Law: a delivery is acked after its handler returned; what a handler raised at is tried again by the retry policy, by
whichever instance is there then, and in the end buried; a payload that does not fit is buried at once. Nothing is
dropped in silence.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from claude_comm.client.context import Context
from claude_comm.client.handlers import Handler, handler
from claude_comm.client.loop import Loop
from claude_comm.client.opening import identify
from claude_comm.client.shapes import schema_of
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError
from claude_comm.names import check_name
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


class Module:
    """A named participant with handlers.

        module = Module("extractor")

        @module.handles("page")
        def extract(page: Page, context: Context) -> None:
            context.send("indexer", Found(...), type="found")

        module.run()

    A handler's first parameter is annotated with a msgspec Struct, a dataclass, a pydantic model or any type that
    msgspec knows; that type's schema is what the module accepts. `max_lag` is how many messages may wait in its inbox
    before publishers are held; 0 leaves that to their settings.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "1.0.0",
        settings: Settings | None = None,
        retry: RetryPolicy | None = None,
        lease_s: float = 60.0,
        max_lag: int = 0,
    ) -> None:
        self.name = check_name(name)
        self.version = version
        self.retry = retry or RetryPolicy()
        self.lease_s = lease_s
        self.max_lag = max_lag
        self._settings = settings
        self._handlers: dict[str, Handler] = {}
        self._produces: list[Produced] = []
        self._starters: list[Callable[[Context], Any]] = []
        self._stop = threading.Event()

    def handles(
        self, type: str = DEFAULT_TYPE, *, accepts: Any = None, retry: RetryPolicy | None = None
    ) -> Callable[[Function], Function]:
        """Registers a handler `(payload)` or `(payload, context)` for one type of message; it may be `async`.

        `accepts` is a JSON Schema or a type, for a payload whose annotation does not say it all;
        `retry` is the policy for this type, where it is not that of the module.
        """
        check_name(type, "message type")
        if type in self._handlers:
            raise ConfigurationError(f"{self.name!r} has a handler for {type!r} messages already.")

        def register(function: Function) -> Function:
            self._handlers[type] = handler(type, function, accepts, retry or self.retry)
            return function

        return register

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

        On the way out it finishes the message at hand, acks what is done and gives back the rest.
        """
        identity = identify(self.name, self._settings)
        restore = self._catch_signals()
        try:
            with asyncio.Runner() as runner:
                loop = Loop(identity, self.contract(), self.lease_s, stop=self._stop)
                loop.run(self._handlers, self._starters, lambda result: _finish(runner, result))
        finally:
            restore()
            self._stop.clear()
        return 0

    def stop(self) -> None:
        """Ends `run` after the message at hand; from any thread."""
        self._stop.set()

    def _catch_signals(self) -> Callable[[], None]:
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        before = {number: signal.signal(number, lambda *_: self._stop.set()) for number in _STOPPING}

        def restore() -> None:
            for number, action in before.items():
                signal.signal(number, action)

        return restore


_STOPPING = (signal.SIGTERM, signal.SIGINT)


def _finish(runner: asyncio.Runner, result: Any) -> Any:
    """The outcome of a handler; an `async` one is run to its end on this module's event loop."""
    return runner.run(result) if inspect.iscoroutine(result) else result
