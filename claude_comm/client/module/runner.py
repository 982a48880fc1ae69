"""One run of a module: what becomes of each delivery, and how a run begins and ends.

Law: a delivery is acked after its handler returned. A failed message waits on the server and not here, so that an
instance that is killed takes nothing with it. A delivery whose end the server does not confirm is released: it comes
back when its lease is over. At the end, running handlers are finished within a deadline, and all other deliveries are
given back as if they had not been read.
"""

from __future__ import annotations

import inspect
import random
import threading
import time
import traceback as tracebacks
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.subscription import Options, Subscription
from claude_comm.client.identity import Identity, micros
from claude_comm.client.module.context import Context
from claude_comm.client.module.executors import AsyncExecutor, Call, Executor, ThreadExecutor
from claude_comm.client.module.handlers import Handler, Refused
from claude_comm.client.module.prefetch import Prefetcher
from claude_comm.client.module.upkeep import Upkeep
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.burial import brief
from claude_comm.delivery.flow_control import Ahead
from claude_comm.delivery.retry import Bury, after_failure
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.effects import Operation
from claude_comm.errors import DecodeError, EnvelopeError, TransportError
from claude_comm.ops import consume, registry
from claude_comm.ops.consume import Why
from claude_comm.progress.events import Lifecycle
from claude_comm.registry.contracts import Contract
from claude_comm.runtime.outage import Outage, until_reached
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect

# How long a read may still take once a stop is requested; beyond it the server does not answer.
_READ_END_S = 2.0

_NOT_AWAITED = "the handler returned a coroutine that nobody awaits: declare it with `async def`"

# A handler, the deliveries that it is called for, and its arguments.
Prepared: TypeAlias = tuple[Handler, Sequence[Delivery], tuple[Any, ...]]


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of one run: see `Module`."""

    handlers: Mapping[str, Handler]
    starters: Sequence[Callable[[Context], Any]]
    topics: Sequence[str]
    options: Options
    concurrency: int
    drain_s: float
    on_loop: bool


class Runner:
    """One run of a module."""

    def __init__(self, identity: Identity, contract: Contract, config: RunConfig, *, stop: threading.Event) -> None:
        self.identity, self.contract, self.config, self.stop = identity, contract, config, stop
        self.log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self.outage = Outage(self.log)
        self.client = connect(identity.settings)
        self.publisher = Publisher(identity.module, settings=identity.settings, client=self.client)
        options = config.options
        self.subscription = Subscription(identity.module, config.topics, identity.settings, identity.instance, options)
        self._handlers, self._ack = config.handlers, self.subscription.in_flight.ack
        self.upkeep = Upkeep(identity, self.client, self.subscription, self.log, options.lease_s, self.outage)
        ahead = Ahead(options.prefetch, config.concurrency)
        self.prefetcher = Prefetcher(self.client, self.subscription, self.outage, ahead, self.upkeep.prompt)
        self.executor: Executor = (
            AsyncExecutor(self.prefetcher, config.concurrency, self.handle_async, self.end)
            if config.on_loop
            else ThreadExecutor(self.prefetcher, config.concurrency, self.handle, self.end)
        )

    def run(self) -> int:
        """Handles messages until `stop` is set; 1 when a handler outlived the deadline, else 0."""
        with self.client, self.publisher:
            if not until_reached(self._come_up, self.outage, self.stop):
                return 0
            self.upkeep.start(self.prefetcher.maintain)
            try:
                self.executor.start([partial(starter, self._context()) for starter in self.config.starters])
                self.stop.wait()
            finally:
                self.stop.set()
                done = self._drain()
                self._leave()
        if self.executor.error is not None:
            raise self.executor.error
        return 0 if done else 1

    def end(self) -> None:
        """Ends the run after the messages being handled; from any thread."""
        self.prefetcher.close()
        self.stop.set()

    def handle(self, delivery: Delivery) -> None:
        """Brings one delivery to its end, and those handled together with it.

        Written out, and without what only few messages need: this runs for every message.
        """
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None or handler.most or envelope.expires:
            self._handle_special(delivery)
            return
        try:
            argument = handler.argument(envelope)
        except (Refused, DecodeError) as error:
            self._refuse(delivery, error)
            return
        try:
            if handler.takes_context:
                result = handler.function(argument, Context(self.publisher, self.contract, self.end, envelope))
            else:
                result = handler.function(argument)
            if result is not None and inspect.iscoroutine(result):
                raise TypeError(_NOT_AWAITED)
        except Exception as error:  # noqa: BLE001  (this file is the one place around a user's handler)
            self._failed(handler, (delivery,), error)
        else:
            self._done(delivery, result)

    def _handle_special(self, delivery: Delivery, alone: bool = False) -> None:
        """The same for any delivery."""
        prepared = self._prepared(delivery, alone)
        if prepared is None:
            return
        handler, deliveries, arguments = prepared
        try:
            result = handler.function(*arguments)
            if inspect.iscoroutine(result):
                raise TypeError(_NOT_AWAITED)
        except Exception as error:  # noqa: BLE001
            again = self._failed(handler, deliveries, error)
        else:
            again = self._all_done(deliveries, result)
        for failed in again:
            self._handle_special(failed, alone=True)

    async def handle_async(self, delivery: Delivery, call: Call) -> None:
        """The same on an event loop; `call` awaits a handler of any kind."""
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None or handler.most or envelope.expires or not handler.is_async:
            await self._handle_special_async(delivery, call)
            return
        try:
            argument = handler.argument(envelope)
        except (Refused, DecodeError) as error:
            self._refuse(delivery, error)
            return
        try:
            if handler.takes_context:
                result = await handler.function(argument, Context(self.publisher, self.contract, self.end, envelope))
            else:
                result = await handler.function(argument)
        except Exception as error:  # noqa: BLE001
            self._failed(handler, (delivery,), error)
        else:
            self._done(delivery, result)

    async def _handle_special_async(self, delivery: Delivery, call: Call, alone: bool = False) -> None:
        """The same for any delivery."""
        prepared = self._prepared(delivery, alone)
        if prepared is None:
            return
        handler, deliveries, arguments = prepared
        try:
            result = await call(handler, *arguments)
        except Exception as error:  # noqa: BLE001
            again = self._failed(handler, deliveries, error)
        else:
            again = self._all_done(deliveries, result)
        for failed in again:
            await self._handle_special_async(failed, call, alone=True)

    def _prepared(self, delivery: Delivery, alone: bool) -> Prepared | None:
        """The call of a handler for a delivery; None when it was buried instead."""
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            self._bury(delivery, f"no handler for {envelope.type!r} messages; there are: {known}")
            return None
        if envelope.expires and delivery.expired():
            self._bury(delivery, EXPIRED)
            return None
        if handler.most:
            return self._prepared_batch(handler, delivery, alone)
        try:
            argument = handler.argument(envelope)
        except (Refused, DecodeError) as error:
            self._refuse(delivery, error)
            return None
        if handler.takes_context:
            return handler, (delivery,), (argument, Context(self.publisher, self.contract, self.end, envelope))
        return handler, (delivery,), (argument,)

    def _prepared_batch(self, handler: Handler, first: Delivery, alone: bool) -> Prepared | None:
        """One call for this delivery and those of its type that follow it; a delivery that failed before goes alone."""
        batch = [first]
        if not alone and first.attempts == 1:
            batch += self.prefetcher.following(
                handler.most - 1, lambda delivery: delivery.envelope.type == handler.type and delivery.attempts == 1
            )
        deliveries, payloads = [], []
        for delivery in batch:
            if delivery.expired():
                self._bury(delivery, EXPIRED)
                continue
            try:
                payloads.append(handler.argument(delivery.envelope))
                deliveries.append(delivery)
            except (Refused, DecodeError) as error:
                self._refuse(delivery, error)
        if not deliveries:
            return None
        envelopes = [delivery.envelope for delivery in deliveries]
        return handler, deliveries, (payloads, self._context(envelopes)) if handler.takes_context else (payloads,)

    def _done(self, delivery: Delivery, result: Any) -> None:
        """The handler returned this result: the delivery is answered and acked."""
        if not delivery.envelope.reply_to or self._answered(delivery, result):
            self._ack(delivery)

    def _answered(self, delivery: Delivery, result: Any) -> bool:
        """Replies with the handler's result, before the ack: a crash between the two repeats the handler."""
        try:
            self.client.run(self.subscription.replying(delivery, result))
        except EnvelopeError as error:
            self._bury(delivery, f"its reply cannot be sent: {error}", error)
            return False
        except TransportError as error:
            self.outage.met(error)
            self.subscription.release(delivery)
            return False
        return True

    def _all_done(self, deliveries: Sequence[Delivery], result: Any) -> Sequence[Delivery]:
        """The same for deliveries handled together; those to handle again, which are none."""
        for delivery in deliveries:
            self._done(delivery, result)
        return ()

    def _failed(self, handler: Handler, deliveries: Sequence[Delivery], error: Exception) -> Sequence[Delivery]:
        """The deliveries to handle again at once: those that failed together, one by one, so that only the guilty one
        counts."""
        if len(deliveries) > 1:
            self.log.warning("batch.failed", type=handler.type, count=len(deliveries), error=_one_line(error))
            return deliveries
        (delivery,) = deliveries
        text, traceback = _one_line(error), tracebacks.format_exc()
        outcome = after_failure(delivery.attempts, error, text, handler.retry, chance=random.random())
        self.log.warning(
            "delivery.failed",
            id=delivery.envelope.id,
            type=delivery.envelope.type,
            attempt=delivery.attempts,
            error=text,
            traceback=traceback,
        )
        if isinstance(outcome, Bury):
            self._bury(delivery, outcome.reason, error, traceback=traceback)
        else:
            self._end(delivery, self.subscription.retrying(delivery, outcome.wait_s, text))
        return ()

    def _refuse(self, delivery: Delivery, error: Refused | DecodeError) -> None:
        """Buries a delivery that can never be handled."""
        if isinstance(error, Refused):
            self._bury(delivery, str(error), error, path=error.path, schema_path=error.schema_path)
        else:
            self._bury(delivery, str(error), error, traceback=tracebacks.format_exc())

    def _bury(self, delivery: Delivery, reason: str, error: Exception | None = None, **where: str) -> None:
        self.log.error("delivery.buried", id=delivery.envelope.id, source=delivery.envelope.source, reason=reason)
        self._end(delivery, self.subscription.burying(delivery, Why(reason, **where), error))

    def _end(self, delivery: Delivery, ending: Operation[None]) -> None:
        try:
            self.client.run(ending)
        except TransportError as error:
            self.outage.met(error)
            self.subscription.release(delivery)

    def _context(self, envelopes: Sequence[Any] = ()) -> Context:
        return Context(self.publisher, self.contract, self.end, None, envelopes)

    def _tell(self, event: Lifecycle) -> None:
        identity = self.identity
        self.client.run(consume.record(identity.keys, identity.module, identity.event(event)))

    def _come_up(self) -> bool:
        self._register()
        self._tell(Lifecycle("started", self.identity.instance))
        return True

    def _register(self) -> None:
        declared = msgspec.structs.replace(self.contract, registered_us=micros())
        self.client.run(registry.register(self.identity.keys, declared))
        self.log.info("module.registered", version=declared.version, accepts=sorted(declared.accepts))

    def _drain(self) -> bool:
        """Gives back waiting deliveries and finishes running handlers; whether all ended before the deadline."""
        deadline = time.monotonic() + self.config.drain_s
        self.prefetcher.close()
        try:
            self.prefetcher.give_back(_READ_END_S)
        except TransportError as error:
            self.outage.met(error)
        done = self.executor.join(deadline)
        if not done:
            for delivery in self.subscription.abandon():
                self.log.error("delivery.abandoned", id=delivery.envelope.id, type=delivery.envelope.type)
        return done

    def _leave(self) -> None:
        self.upkeep.stop()
        try:
            self.prefetcher.give_back(_READ_END_S)
            # A message that ended a worker may do so again: its next attempt counts.
            self.client.run(self.subscription.leaving(counted=self.executor.error is not None))
            self._tell(Lifecycle("stopped", self.identity.instance))
            self.upkeep.heartbeat.stop()
        except TransportError as error:
            self.log.warning("module.left_unheard", error=str(error))
        else:
            self.log.info("module.stopped")


def _one_line(error: Exception) -> str:
    """The exception on one line: its class and what it says, if it can say anything."""
    return brief(" ".join("".join(tracebacks.format_exception_only(error)).split()))
