"""One run of a module: what becomes of each delivery, and how a run begins and ends.

Law: a delivery is acked after its handler returned. What failed waits on the server and not here: an instance that is
killed takes nothing with it. A delivery whose end the server does not hear of is let go: it comes back when its lease
is over. At the end what runs is finished within a deadline, and the rest is given back as if it had not been read.
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

from claude_comm.client.consumer.consumer import Consumer
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.identity import Identity, micros
from claude_comm.client.module.context import Context
from claude_comm.client.module.executors import Call, Hands, Tasks, Threads
from claude_comm.client.module.handlers import Handler, Refused
from claude_comm.client.module.heartbeat import Heart
from claude_comm.client.module.prefetch import Feed
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.burial import brief
from claude_comm.delivery.flow_control import Ahead
from claude_comm.delivery.retry import Bury, after_failure
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.errors import DecodeError, EnvelopeError, TransportError
from claude_comm.ops import consume, registry
from claude_comm.progress.events import Lifecycle
from claude_comm.registry.contracts import Contract
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect

# How long a read may still take once a stop is asked for; beyond it the server does not answer.
_READ_END_S = 2.0

_NOT_AWAITED = "the handler returned a coroutine that nobody awaits: declare it with `async def`"

# A handler, what it is called for, and what it is called with.
Prepared: TypeAlias = tuple[Handler, Sequence[Delivery], tuple[Any, ...]]


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What a module is run with: see `Module`."""

    handlers: Mapping[str, Handler]
    starters: Sequence[Callable[[Context], Any]]
    reading: Mapping[str, Any]
    prefetch: int
    concurrency: int
    lease_s: float
    drain_s: float
    on_loop: bool


class Loop:
    """One run of a module."""

    def __init__(self, identity: Identity, contract: Contract, running: Running, *, stop: threading.Event) -> None:
        self.identity, self.contract, self.running, self.stop = identity, contract, running, stop
        self.log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self.client = connect(identity.settings)
        self.publisher = Publisher(identity.module, settings=identity.settings, client=self.client)
        self.consumer = Consumer(
            identity.module,
            settings=identity.settings,
            instance=identity.instance,
            prefetch=running.prefetch,
            lease_s=running.lease_s,
            client=self.client,
            **running.reading,
        )
        self._handlers, self._ack = running.handlers, self.consumer.ack
        self.heart = Heart(identity, self.client, self.consumer, self.log, running.lease_s)
        ahead = Ahead(running.prefetch, running.concurrency)
        self.feed = Feed(self.consumer, self.log, ahead, self.heart.prompt)
        self.hands: Hands = (
            Tasks(self.feed, running.concurrency, self.handle_async, self.end)
            if running.on_loop
            else Threads(self.feed, running.concurrency, self.handle, self.end)
        )

    def run(self) -> int:
        """Handles messages until `stop` is set; 1 when a handler outlived the deadline, else 0."""
        with self.client, self.publisher:
            self._register()
            self.heart.start(self.feed.tend)
            try:
                self._tell(Lifecycle("started", self.identity.instance))
                self.hands.start([partial(starter, self._context()) for starter in self.running.starters])
                self.stop.wait()
            finally:
                self.stop.set()
                done = self._drain()
                self._leave()
        if self.hands.error is not None:
            raise self.hands.error
        return 0 if done else 1

    def end(self) -> None:
        """Ends the run after what is being handled; from any thread."""
        self.feed.close()
        self.stop.set()

    def handle(self, delivery: Delivery) -> None:
        """Brings one delivery to its end, and those that are handled with it.

        In line, and without what only few messages need: this runs for every one of them.
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
        handler, deliveries, words = prepared
        try:
            result = handler.function(*words)
            if inspect.iscoroutine(result):
                raise TypeError(_NOT_AWAITED)
        except Exception as error:  # noqa: BLE001
            again = self._failed(handler, deliveries, error)
        else:
            again = self._all_done(deliveries, result)
        for one in again:
            self._handle_special(one, alone=True)

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
        handler, deliveries, words = prepared
        try:
            result = await call(handler, *words)
        except Exception as error:  # noqa: BLE001
            again = self._failed(handler, deliveries, error)
        else:
            again = self._all_done(deliveries, result)
        for one in again:
            await self._handle_special_async(one, call, alone=True)

    def _prepared(self, delivery: Delivery, alone: bool) -> Prepared | None:
        """The call that a delivery asks for; None when it was buried instead."""
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
        """One call for this delivery and those of its type that follow it; one that failed before goes alone."""
        batch = [first]
        if not alone and first.attempts == 1:
            batch += self.feed.following(
                handler.most - 1, lambda one: one.envelope.type == handler.type and one.attempts == 1
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
        """The handler returned this: nothing of it is to be done again."""
        if not delivery.envelope.reply_to or self._answered(delivery, result):
            self._ack(delivery)

    def _answered(self, delivery: Delivery, result: Any) -> bool:
        """Sends what the handler returned to who asked, before the ack: a crash between the two repeats it."""
        try:
            self.consumer.reply(delivery, result)
        except EnvelopeError as error:
            self._bury(delivery, f"its reply cannot be sent: {error}", error)
            return False
        except TransportError as error:
            self.log.warning("server.unreachable", error=str(error))
            self.consumer.release(delivery)
            return False
        return True

    def _all_done(self, deliveries: Sequence[Delivery], result: Any) -> Sequence[Delivery]:
        """The same for those that were handled together; what is to be handled again, which is none."""
        for delivery in deliveries:
            self._done(delivery, result)
        return ()

    def _failed(self, handler: Handler, deliveries: Sequence[Delivery], error: Exception) -> Sequence[Delivery]:
        """What is to be handled again at once: one by one what failed together, so that only the guilty one counts."""
        if len(deliveries) > 1:
            self.log.warning("batch.failed", type=handler.type, count=len(deliveries), error=_words(error))
            return deliveries
        (delivery,) = deliveries
        text, traceback = _words(error), tracebacks.format_exc()
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
            self._end(delivery, lambda: self.consumer.retry(delivery, wait_s=outcome.wait_s, reason=text))
        return ()

    def _refuse(self, delivery: Delivery, error: Refused | DecodeError) -> None:
        """Buries what can never be handled."""
        if isinstance(error, Refused):
            self._bury(delivery, str(error), error, path=error.path, schema_path=error.schema_path)
        else:
            self._bury(delivery, str(error), error, traceback=tracebacks.format_exc())

    def _bury(self, delivery: Delivery, reason: str, error: Exception | None = None, **told: str) -> None:
        self.log.error("delivery.buried", id=delivery.envelope.id, source=delivery.envelope.source, reason=reason)
        self._end(delivery, lambda: self.consumer.fail(delivery, reason, error=error, **told))

    def _end(self, delivery: Delivery, ending: Callable[[], None]) -> None:
        try:
            ending()
        except TransportError as error:
            self.log.warning("server.unreachable", error=str(error))
            self.consumer.release(delivery)

    def _context(self, envelopes: Sequence[Any] = ()) -> Context:
        return Context(self.publisher, self.contract, self.end, None, envelopes)

    def _tell(self, event: Lifecycle) -> None:
        identity = self.identity
        self.client.run(consume.record(identity.keys, identity.module, identity.event(event)))

    def _register(self) -> None:
        declared = msgspec.structs.replace(self.contract, registered_us=micros())
        self.client.run(registry.register(self.identity.keys, declared))
        self.log.info("module.registered", version=declared.version, accepts=sorted(declared.accepts))

    def _drain(self) -> bool:
        """Gives back what waits, and finishes what runs; whether all of it was finished before the deadline."""
        deadline = time.monotonic() + self.running.drain_s
        self.feed.close()
        try:
            self.feed.give_back(_READ_END_S)
        except TransportError as error:
            self.log.warning("server.unreachable", error=str(error))
        done = self.hands.join(deadline)
        if not done:
            for delivery in self.consumer.abandon():
                self.log.error("delivery.abandoned", id=delivery.envelope.id, type=delivery.envelope.type)
        return done

    def _leave(self) -> None:
        self.heart.stop()
        try:
            # What ended a hand may do so again: the next attempt at it counts.
            self.consumer.close(counted=self.hands.error is not None)
            self._tell(Lifecycle("stopped", self.identity.instance))
            self.heart.heartbeat.stop()
        except TransportError as error:
            self.log.warning("module.left_unheard", error=str(error))
        else:
            self.log.info("module.stopped")


def _words(error: Exception) -> str:
    """The exception on one line: its class and what it says, if it can say anything."""
    return brief(" ".join("".join(tracebacks.format_exception_only(error)).split()))
