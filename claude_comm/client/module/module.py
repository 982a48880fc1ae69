"""A module: typed handlers, the contract made from them, and its runs.

Law: a delivery is acked after its handler returned; a message whose handler raised is tried again by the retry policy,
by whichever instance is there then, and in the end buried; a payload that does not fit is buried at once. None is
dropped in silence. A requested stop finishes running handlers and gives back all other deliveries, so that no message
is handled twice.
"""

from __future__ import annotations

import asyncio
import copy
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from claude_comm.client.arguments import (
    check_choice,
    check_count,
    check_kind,
    check_names,
    check_ranges,
    check_seconds,
    check_topics,
)
from claude_comm.client.consumer.options import DEFAULT_PREFETCH_BYTES, Options
from claude_comm.client.identity import identify
from claude_comm.client.module.async_context import AsyncContext
from claude_comm.client.module.breaches import Breaches
from claude_comm.client.module.context import Context
from claude_comm.client.module.declarations import Declarations
from claude_comm.client.module.handlers import Handler, make_handler
from claude_comm.client.module.runner import RunConfig, Runner
from claude_comm.client.module.self_check import complaint
from claude_comm.client.module.signatures import check_starter
from claude_comm.client.module.upkeep import GATHER
from claude_comm.client.payload_types import accepted, produced
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError, shown
from claude_comm.names import check_name, check_target
from claude_comm.registry.contracts import (
    COMPATIBILITIES,
    ENFORCEMENTS,
    FORMATS,
    Compatibility,
    Contract,
    Enforcement,
    Formats,
    Produced,
    contract,
)
from claude_comm.registry.versions import check_version
from claude_comm.runtime.signals import stopped_by_signals
from claude_comm.settings import Settings

# Enough for the round trip to cost little beside the messages.
DEFAULT_BATCH = 500

# The forms of a handler, of a handler of batches, and of a start function, for type checkers.
OneForm: TypeAlias = Callable[[Any], object] | Callable[[Any, Context], object] | Callable[[Any, AsyncContext], object]
BatchForm: TypeAlias = (
    Callable[[list[Any]], object] | Callable[[list[Any], Context], object] | Callable[[list[Any], AsyncContext], object]
)
StartForm: TypeAlias = Callable[[Context], object] | Callable[[AsyncContext], object]
One = TypeVar("One", bound=OneForm)
Batch = TypeVar("Batch", bound=BatchForm)
Start = TypeVar("Start", bound=StartForm)
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
    | `instance` | a stable name, used by one process at a time: its unfinished messages come first after a restart |
    | `concurrency` | how many messages are handled at once; only 1 keeps the order of each source |
    | `batch` | how many messages are read, and acked, at once |
    | `prefetch`, `prefetch_bytes` | the most messages, and bytes, read and not handled; fewer while handlers are slow |
    | `lease_s` | how long after a kill other instances wait before they take over its messages (seconds) |
    | `drain_s` | how long handlers may take to end once a stop is requested (seconds) |
    | `dedup` | how many handled messages this instance remembers: a copy of one is acked and not handled |
    | `dedup_s` | for how long (seconds) all instances remember them, on the server |
    | `capabilities` | names of what it can do (`pdf.extract`), for `claude-comm find --capability` |
    | `max_lag` | how many messages may wait in its inbox before publishers are held; 0 leaves that to their settings |
    | `prefers` | ranges of its versions (`^1.2`), in the order in which they are negotiated with; else newest first |
    | `compatibility` | what its contract keeps of earlier versions: `backward`, `forward`, `full`, or `none` |
    | `hold` | whether a version that would break partners stays pending until each of them has approved it |
    | `enforcement` | what happens to a message that breaks an agreement: `enforce`, `warn` or `off` |
    | `formats` | `assert` validates each `format` of its schemas; `annotate` ignores it |
    | `retry` | what happens to a message whose handler raised |

    Several messages are handled at once as tasks of one event loop if any handler is `async`, else on threads.
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
        prefers: Sequence[str] = (),
        compatibility: Compatibility = "none",
        enforcement: Enforcement = "enforce",
        formats: Formats = "annotate",
        hold: bool = False,
        capabilities: Sequence[str] = (),
    ) -> None:
        self.name, self.version = check_name(name), check_version(version)
        self.prefers = check_ranges("prefers", prefers)
        self.capabilities = check_names("capabilities", capabilities, "capability", example="pdf.extract")
        self.compatibility: Compatibility = check_choice("compatibility", compatibility, COMPATIBILITIES)
        self.enforcement: Enforcement = check_choice("enforcement", enforcement, ENFORCEMENTS)
        self.formats: Formats = check_choice("formats", formats, FORMATS)
        self.hold = check_kind("hold", hold, bool)
        self.retry = _policy(retry) or RetryPolicy()
        self.drain_s = check_seconds("drain_s", drain_s)
        self.concurrency = check_count("concurrency", concurrency, least=1)
        self.prefetch = _prefetch(prefetch, batch, concurrency)
        self.lease_s = lease_s
        self._topics = check_topics(topics)
        self._options = Options(
            batch=batch, prefetch=self.prefetch, prefetch_bytes=prefetch_bytes, lease_s=lease_s,
            dedup=dedup, dedup_s=dedup_s, gather=GATHER, trusted=1, in_order=self.concurrency == 1,
        )  # fmt: skip
        self.max_lag = check_count("max_lag", max_lag)
        self._settings = None if settings is None else check_kind("settings", settings, Settings)
        self._instance = None if instance is None else check_name(instance, "instance")
        self._declared, self._breaches = Declarations(), Breaches()
        self._stop, self._paused = threading.Event(), False
        self._runner: Runner | None = None

    def handles(
        self,
        type: str = DEFAULT_TYPE,
        *,
        accepts: Any = None,
        retry: RetryPolicy | None = None,
        aliases: Mapping[str, Sequence[str]] | None = None,
        passes: Sequence[str] = (),
    ) -> Callable[[One], One]:
        """Registers a handler `(payload)` or `(payload, context)` for one type of message; it may be `async`.

        `accepts` is a JSON Schema or a type, for a payload whose annotation does not say it all: a message must fit
        both. A few messages of the contract are decoded at once; a `ContractNotKept` warning names one that fails.
        `retry` is the policy for this type, where it is not that of the module.

        `aliases` are former names of properties: `{"price": ["cost"]}` lets a producer of `cost` be understood, by an
        adapter. `passes` are properties of the message that what this module sends on still has, unchanged; `*` stands
        for those that the contract does not name.

        An annotation of the result is part of the contract, as the schema of replies. A function whose body would not
        run (a generator) is refused.
        """
        register = self._register(type, accepts, retry, 0)
        if aliases:
            self._declared.aliases[type] = {name: list(former) for name, former in aliases.items()}
        if passes:
            self._declared.passes[type] = list(passes)
        return register

    def handles_batch(
        self, type: str = DEFAULT_TYPE, *, max: int = 100, accepts: Any = None, retry: RetryPolicy | None = None
    ) -> Callable[[Batch], Batch]:
        """Registers a handler `(payloads)` or `(payloads, context)` that is given a list of up to `max` messages.

        They are the messages of this type that have been read, in order; none is waited for. When the function
        returns, all are handled. When it raises, it is called again at once for each message alone, and only these
        calls count for the retry policy: one bad message buries none of its neighbours. So make it repeatable. A
        message that is retried later comes alone.
        """
        return self._register(type, accepts, retry, check_count("max", max, least=1))

    def produces(self, type: str, shape: Any, *, target: str = "") -> None:
        """Declares what this module sends; before the first such message it negotiates with the target.

        Without a `target` the declaration holds for every target of messages of this type.
        """
        if target != "":
            check_target(target)
        self._declared.produces.append(Produced(check_name(type, "message type"), produced(shape), target))

    def on_start(self, function: Start) -> Start:
        """Registers a function to run once, before the first message is read; it may be `async`."""
        check_starter(function)
        self._declared.starters.append(function)
        return function

    @property
    def handlers(self) -> Sequence[Handler]:
        """The handlers, one for each type of message."""
        return tuple(self._declared.handlers.values())

    def contract(self) -> Contract:
        """What this module declares, from its handlers and `produces`."""
        declared = self._declared
        accepts = declared.accepts()
        return contract(
            self.name,
            version=self.version,
            accepts=accepts or None,
            produces=declared.produces,
            replies=declared.replies(),
            aliases={type: names for type, names in declared.aliases.items() if type in accepts},
            passes={type: names for type, names in declared.passes.items() if type in accepts},
            topics=self._topics,
            prefers=self.prefers,
            capabilities=self.capabilities,
            compatibility=self.compatibility,
            enforcement=self.enforcement,
            formats=self.formats,
            max_lag=self.max_lag,
        )

    def rehearsed(self, settings: Settings) -> Module:
        """This module on another server, with the waits between attempts left out: for replays of recorded traffic."""
        copied = copy.copy(self)
        copied._settings = settings
        copied._stop, copied._runner = threading.Event(), None
        copied._declared = self._declared.at_once()
        return copied

    def run(self) -> int:
        """Registers, then handles messages until SIGTERM, SIGINT, `context.stop()` or `stop()`; the exit code.

        At the end it gives back waiting messages, finishes running handlers and acks their messages. A handler that
        runs longer than `drain_s` is left alone: its message stays pending until its lease is over, and the exit code
        is 1. A second signal ends the process at once. Inside a running event loop, `await module.serve()` instead.
        """
        if _in_event_loop():
            raise ConfigurationError(
                f"{self.name!r} cannot `run` inside a running event loop, which would stand still meanwhile: "
                "`await module.serve()` runs it there."
            )
        return self._run_once()

    async def serve(self) -> int:
        """As `run`, inside the running event loop: `async` handlers are tasks of this very loop, whichever kind it is.

        Signals are left to the application. Cancelling the task ends the module as `stop` does, before the cancellation
        goes on.
        """
        running = asyncio.ensure_future(asyncio.to_thread(self._run_once, asyncio.get_running_loop()))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([running])
            raise

    def _run_once(self, loop: asyncio.AbstractEventLoop | None = None) -> int:
        identity = identify(self.name, self._settings, self._instance)
        try:
            with stopped_by_signals(self._stop):
                self._runner = Runner(identity, self.contract(), self._config(), stop=self._stop, loop=loop)
                if self._paused:
                    self._runner.prefetcher.pause()
                return self._runner.run()
        finally:
            self._runner = None
            self._stop.clear()

    def stop(self) -> None:
        """Ends `run` after the messages being handled; from any thread."""
        self._stop.set()

    def pause(self) -> None:
        """Hands nothing to a handler until `resume`, and gives back messages read ahead; from any thread."""
        self._paused = True
        if self._runner is not None:
            self._runner.prefetcher.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._paused = False
        if self._runner is not None:
            self._runner.prefetcher.resume()

    def _register(
        self, type: str, accepts: Any, retry: RetryPolicy | None, most: int
    ) -> Callable[[Function], Function]:
        if callable(type):
            raise ConfigurationError(
                "the decorator is called: write `@module.handles()`, or name a message type in it."
            )
        check_name(type, "message type")
        policy = _policy(retry) or self.retry
        if type in self._declared.handlers:
            raise ConfigurationError(f"{self.name!r} has a handler for {type!r} messages already.")
        if accepts is not None and self.formats == "assert":
            from claude_comm.schema.types.formats import assert_formats

            accepts = assert_formats(accepted(accepts))

        def register(function: Function) -> Function:
            local = sys._getframe(1).f_locals
            made = make_handler(
                type,
                function,
                accepts,
                policy,
                most=most,
                local=local,
                mode=self.enforcement,
                breaches=self._breaches,
            )
            self._declared.handlers[type] = made
            told = complaint(self.name, made)
            if told is not None:
                warnings.warn(told, stacklevel=2)
            return function

        return register

    def _config(self) -> RunConfig:
        return RunConfig(
            handlers=dict(self._declared.handlers),
            starters=tuple(self._declared.starters),
            topics=self._topics,
            options=self._options,
            concurrency=self.concurrency,
            drain_s=self.drain_s,
            hold=self.hold,
            breaches=self._breaches,
            on_loop=self._declared.needs_loop(),
        )


def _prefetch(prefetch: int | None, batch: int, concurrency: int) -> int:
    """The most messages read and not handled, which no worker has to wait for; two reads where it is not given."""
    if prefetch is None:
        prefetch = max(2 * check_count("batch", batch, least=1), 2 * concurrency)
    if check_count("prefetch", prefetch) < concurrency:
        raise ConfigurationError(f"prefetch is {prefetch}: it is at least concurrency, or workers would be idle.")
    return prefetch


def _policy(retry: Any) -> RetryPolicy | None:
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise ConfigurationError(f"retry is {shown(retry)}: it is a RetryPolicy, such as RetryPolicy(attempts=3).")
    return retry


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
