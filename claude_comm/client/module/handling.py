"""Handling: what becomes of each delivery, on threads and on an event loop.

Law: a delivery is acked after its handler returned, and after what the handler began has ended. The answer to a request
travels with its ack, and no later than the next one can. Whatever else leaves a
handler is a failure of its message, cancellation included; only SystemExit and KeyboardInterrupt end the module. A
payload that cannot be read is buried at once, whatever reading it raised. A failed message waits on the server and not
here, so that an instance that is killed takes nothing with it. A delivery whose end the server does not confirm is
released: it comes back when its lease is over.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import time
import traceback as tracebacks
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.identity import micros, millis
from claude_comm.client.module.context import AsyncContext, Context
from claude_comm.client.module.handlers import Handler, Refused
from claude_comm.client.module.siblings import Siblings
from claude_comm.client.module.signatures import unrun
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.burial import brief
from claude_comm.delivery.retry import Bury, after_failure
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.effects import Operation
from claude_comm.errors import EnvelopeError, NoResponder, TransportError, UnknownModule
from claude_comm.ops import heartbeats
from claude_comm.ops.consume import Why
from claude_comm.ops.heartbeats import HEARTBEAT_MS
from claude_comm.registry.contracts import Contract
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import EventLog
from claude_comm.transport.driver import Client

# How long a message waits for the contract of a module that its handler sends to, and how often that is looked for.
CONTRACT_WAIT_S = 3600.0
CONTRACT_LOOK_S = 1.0
# How large the answers may become that wait for the acks of their requests to be sent.
MAX_ANSWER_BYTES = 1024 * 1024
# These end the module; every other exception is a failure of the message.
ENDING = (SystemExit, KeyboardInterrupt)
# Results that need no second look.
_PLAIN = frozenset({type(None), bool, int, float, str, bytes, dict, list, tuple})

# A handler, the deliveries that it is called for, and its payload.
Prepared: TypeAlias = tuple[Handler, Sequence[Delivery], Any]
# Awaits a handler of any kind, given as a function and its arguments.
Call: TypeAlias = Callable[..., Awaitable[Any]]
# How deliveries end: each with the operation that says so to the server.
Endings: TypeAlias = Sequence[tuple[Delivery, Operation[None]]]


class Means(msgspec.Struct, frozen=True):
    """What one run works with. `on_loop` is the publisher of `async` handlers, where there are any."""

    handlers: Mapping[str, Handler]
    contract: Contract
    client: Client
    publisher: Publisher
    on_loop: AsyncPublisher | None
    subscription: Subscription
    siblings: Siblings
    following: Callable[[int, Callable[[Delivery], bool]], list[Delivery]]
    answered: Callable[[], None]
    stopping: Callable[[], bool]
    outage: Outage
    log: EventLog
    end: Callable[[], None]


class Handling:
    """The handlers of one run."""

    def __init__(self, means: Means) -> None:
        self._means, self._handlers = means, means.handlers
        self._ack = means.subscription.in_flight.ack
        # The modules that messages wait for, and when the registry was told so last.
        self._awaited: dict[str, float] = {}

    def context(self, envelope: Any = None, envelopes: Sequence[Any] = ()) -> Context:
        """The context of a plain function."""
        means = self._means
        return Context(means.publisher, means.contract, means.end, envelope, envelopes)

    def async_context(self, envelope: Any = None, envelopes: Sequence[Any] = ()) -> AsyncContext:
        """The context of an `async` function."""
        means = self._means
        assert means.on_loop is not None  # where there is no event loop, no function is `async`
        return AsyncContext(means.on_loop, means.contract, means.end, envelope, envelopes)

    def handle(self, delivery: Delivery) -> None:
        """Brings one delivery to its end, and those handled together with it.

        Written out, and without what only few messages need: this runs for every message.
        """
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None or handler.most or (envelope.expires and delivery.expired()):
            self._handle_special(delivery)
            return
        try:
            argument = handler.argument(envelope)
        except Exception as error:  # noqa: BLE001  (reading runs the user's types: this file is the place around them)
            self._end(delivery, self._refusing(delivery, error))
            return
        try:
            # In a context of its own: what a handler sets for its message is not seen by the next.
            if handler.takes_context:
                result = contextvars.copy_context().run(handler.function, argument, self.context(envelope))
            else:
                result = contextvars.copy_context().run(handler.function, argument)
            if result.__class__ not in _PLAIN and (why := unrun(result)):
                raise TypeError(why)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001
            self._end(delivery, self._failing(handler, delivery, error))
        else:
            if envelope.reply_to or envelope.route:
                if ending := self._answered(delivery, result):
                    self._end(delivery, ending)
            else:
                self._ack(delivery)

    async def handle_async(self, delivery: Delivery, call: Call) -> None:
        """The same on an event loop; `call` awaits a handler of any kind."""
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None or handler.most or not handler.is_async or (envelope.expires and delivery.expired()):
            await self._handle_special_async(delivery, call)
            return
        try:
            argument = handler.argument(envelope)
        except Exception as error:  # noqa: BLE001
            await self._end_async(delivery, self._refusing(delivery, error))
            return
        try:
            if handler.takes_context:
                context = self.async_context(envelope)
                result = await handler.function(argument, context)
                await context.finish()
            else:
                result = await handler.function(argument)
            if result.__class__ not in _PLAIN and (why := unrun(result)):
                raise TypeError(why)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001
            self._survive(error)
            await self._end_async(delivery, self._failing(handler, delivery, error))
        else:
            if envelope.reply_to or envelope.route:
                if ending := self._answered(delivery, result):
                    await self._end_async(delivery, ending)
            else:
                self._ack(delivery)

    def _handle_special(self, delivery: Delivery, alone: bool = False) -> None:
        """The same for any delivery."""
        prepared, ended = self._prepared(delivery, alone)
        for refused, ending in ended:
            self._end(refused, ending)
        if prepared is None:
            return
        handler, deliveries, payload = prepared
        context = [self.context(*_about(handler, deliveries))] if handler.takes_context else []
        try:
            result = contextvars.copy_context().run(handler.function, payload, *context)
            if why := unrun(result) or _unpaired(handler, deliveries, result):
                raise TypeError(why)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001
            if len(deliveries) == 1:
                self._end(deliveries[0], self._failing(handler, deliveries[0], error))
                return
            self._note_batch(handler, deliveries, error)
        else:
            for handled, own in zip(deliveries, _results(handler, deliveries, result), strict=True):
                if more := self._answered(handled, own):
                    self._end(handled, more)
            return
        for failed in deliveries:
            self._handle_special(failed, alone=True)

    async def _handle_special_async(self, delivery: Delivery, call: Call, alone: bool = False) -> None:
        """The same for any delivery."""
        prepared, ended = self._prepared(delivery, alone)
        for refused, ending in ended:
            await self._end_async(refused, ending)
        if prepared is None:
            return
        handler, deliveries, payload = prepared
        about = _about(handler, deliveries)
        try:
            if not handler.takes_context:
                result = await call(handler, payload)
            elif handler.is_async:
                context = self.async_context(*about)
                result = await call(handler, payload, context)
                await context.finish()
            else:
                result = await call(handler, payload, self.context(*about))
            if why := unrun(result) or _unpaired(handler, deliveries, result):
                raise TypeError(why)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001
            self._survive(error)
            if len(deliveries) == 1:
                await self._end_async(deliveries[0], self._failing(handler, deliveries[0], error))
                return
            self._note_batch(handler, deliveries, error)
        else:
            for handled, own in zip(deliveries, _results(handler, deliveries, result), strict=True):
                if more := self._answered(handled, own):
                    await self._end_async(handled, more)
            return
        for failed in deliveries:
            await self._handle_special_async(failed, call, alone=True)

    def _prepared(self, delivery: Delivery, alone: bool) -> tuple[Prepared | None, Endings]:
        """The call of a handler for a delivery, if there is one, and the deliveries that end without a call."""
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            reason = f"no handler for {envelope.type!r} messages; there are: {known}"
            return None, [(delivery, self._left_or(delivery, self._burying(delivery, reason)))]
        batch = [delivery]
        if handler.most and not alone and delivery.attempts == 1:
            type_ = handler.type
            batch += self._means.following(
                handler.most - 1, lambda other: other.envelope.type == type_ and other.attempts == 1
            )
        deliveries, payloads, ended = self._read(handler, batch)
        if not deliveries:
            return None, ended
        return (handler, deliveries, payloads if handler.most else payloads[0]), ended

    def _read(
        self, handler: Handler, batch: Sequence[Delivery]
    ) -> tuple[list[Delivery], list[Any], list[tuple[Delivery, Operation[None]]]]:
        """The deliveries that can be handled, with their payloads, and the endings of the others."""
        deliveries, payloads = [], []
        ended: list[tuple[Delivery, Operation[None]]] = []
        for delivery in batch:
            if delivery.expired():
                ended.append((delivery, self._burying(delivery, EXPIRED)))
                continue
            try:
                payloads.append(handler.argument(delivery.envelope))
                deliveries.append(delivery)
            except Exception as error:  # noqa: BLE001
                ended.append((delivery, self._refusing(delivery, error)))
        return deliveries, payloads, ended

    def _answered(self, delivery: Delivery, result: Any) -> Operation[None] | None:
        """Ends a delivery whose handler returned; what is to be done for that at once, if anything is."""
        return self._passed_on(delivery, result) if delivery.envelope.route else self._replied(delivery, result)

    def _passed_on(self, delivery: Delivery, result: Any) -> Operation[None]:
        """Sends the result on along the route before the delivery ends: a crash between the two repeats the handler."""
        try:
            yield from self._means.subscription.passing_on(delivery, result)
        except EnvelopeError as error:
            yield from self._burying(delivery, f"its result cannot be passed on: {error}", error)
            return
        if more := self._replied(delivery, result):
            yield from more

    def _replied(self, delivery: Delivery, result: Any) -> Operation[None] | None:
        """Acks, with the result as the answer where the sender waits for one."""
        answer = None
        if delivery.envelope.reply_to:
            try:
                answer = self._means.subscription.reply(delivery, result)
            except EnvelopeError as error:
                return self._burying(delivery, f"its reply cannot be sent: {error}", error)
        self._ack(delivery, answer)
        if answer is not None:
            if self._means.subscription.in_flight.answer_bytes > MAX_ANSWER_BYTES:
                return self._means.subscription.settling()
            self._means.answered()
        return None

    def _failing(self, handler: Handler, delivery: Delivery, error: BaseException) -> Operation[None]:
        """Tries the message again later, or buries it, as the retry policy says."""
        if isinstance(error, UnknownModule | NoResponder) and _waits(delivery):
            yield from self._waiting(delivery, error)
            return
        text, trace = one_line(error), "".join(tracebacks.format_exception(error))
        outcome = after_failure(delivery.attempts, error, text, handler.retry, chance=random.random())
        self._means.log.warning(
            "delivery.failed",
            id=delivery.envelope.id,
            type=delivery.envelope.type,
            attempt=delivery.attempts,
            error=text,
            traceback=trace,
        )
        if isinstance(outcome, Bury):
            yield from self._burying(delivery, outcome.reason, error, traceback=trace)
        else:
            yield from self._means.subscription.retrying(delivery, outcome.wait_s, text)

    def _waiting(self, delivery: Delivery, error: UnknownModule | NoResponder) -> Operation[None]:
        """The module that the handler sends to has not registered yet, or the one that it asks does not run: the
        message waits, and this was no attempt."""
        name, now = error.name if isinstance(error, UnknownModule) else error.target, time.monotonic()
        if name not in self._awaited:
            self._means.log.warning("module.awaited", name=name, type=delivery.envelope.type)
        if now - self._awaited.get(name, -math.inf) >= HEARTBEAT_MS / 1000:
            self._awaited[name] = now
            identity = self._means.subscription.identity
            member = heartbeats.waits(identity.module, name)
            yield from heartbeats.beat(identity.keys.awaited, member, now_ms=millis())
        yield from self._means.subscription.retrying(delivery, CONTRACT_LOOK_S, one_line(error), counted=False)

    def _refusing(self, delivery: Delivery, error: Exception) -> Operation[None]:
        """Ends a delivery that this version can never handle: another that runs has it, or it is buried."""
        return self._left_or(delivery, self._refusal(delivery, error))

    def _left_or(self, delivery: Delivery, burying: Operation[None]) -> Operation[None]:
        """Leaves a delivery to another version of the module that accepts it, where one runs."""
        means = self._means
        digest = yield from means.siblings.taker(delivery)
        if digest:
            means.log.info("delivery.left", id=delivery.envelope.id, type=delivery.envelope.type, to=digest[:12])
            yield from means.subscription.handing_over(delivery, digest)
        else:
            yield from burying

    def _refusal(self, delivery: Delivery, error: Exception) -> Operation[None]:
        if isinstance(error, Refused):
            return self._burying(delivery, str(error), error, path=error.path, schema_path=error.schema_path)
        reason = str(error) if isinstance(error, EnvelopeError) else f"its payload cannot be read: {one_line(error)}"
        trace = "".join(tracebacks.format_exception(error))
        return self._burying(delivery, reason, error, traceback=trace)

    def _burying(
        self, delivery: Delivery, reason: str, error: BaseException | None = None, **where: str
    ) -> Operation[None]:
        envelope = delivery.envelope
        self._means.log.error("delivery.buried", id=envelope.id, source=envelope.source, reason=reason)
        yield from self._means.subscription.burying(delivery, Why(reason, **where), error)

    def _note_batch(self, handler: Handler, deliveries: Sequence[Delivery], error: BaseException) -> None:
        """Deliveries that failed together are handled again at once, one by one, so that only the guilty one counts."""
        count = len(deliveries)
        self._means.log.warning("batch.failed", type=handler.type, count=count, error=one_line(error))

    def _end(self, delivery: Delivery, ending: Operation[None]) -> None:
        try:
            self._means.client.run(ending)
        except TransportError as error:
            self._unheard(delivery, error)

    async def _end_async(self, delivery: Delivery, ending: Operation[None]) -> None:
        assert self._means.on_loop is not None
        try:
            await self._means.on_loop.client.run(ending)
        except TransportError as error:
            self._unheard(delivery, error)

    def _survive(self, error: BaseException) -> None:
        """A cancellation ends the handling of its message, and not the worker's task: raises it only at the deadline of
        a stop, when the message is left alone."""
        task = asyncio.current_task()
        if not isinstance(error, asyncio.CancelledError) or task is None or not task.cancelling():
            return
        if self._means.stopping():
            raise error
        while task.cancelling():
            task.uncancel()

    def _unheard(self, delivery: Delivery, error: TransportError) -> None:
        self._means.outage.met(error)
        self._means.subscription.release(delivery)


def _about(handler: Handler, deliveries: Sequence[Delivery]) -> tuple[Any, Sequence[Any]]:
    """The envelope of one message, or the envelopes of a batch."""
    if handler.most:
        return None, [delivery.envelope for delivery in deliveries]
    return deliveries[0].envelope, ()


def _unpaired(handler: Handler, deliveries: Sequence[Delivery], result: Any) -> str:
    """Why what a handler of batches returned cannot go on along the routes of its messages; empty where it can."""
    if not handler.most or not any(delivery.envelope.route for delivery in deliveries):
        return ""
    if isinstance(result, list | tuple) and len(result) == len(deliveries):
        return ""
    return f"it was given {len(deliveries)} messages of a pipeline: it must return a list with a result for each"


def _results(handler: Handler, deliveries: Sequence[Delivery], result: Any) -> Sequence[Any]:
    """The result of each message: of one on a route the item in its place, else the same for all."""
    if not handler.most or not any(delivery.envelope.route for delivery in deliveries):
        return [result] * len(deliveries)
    return [own if each.envelope.route else result for each, own in zip(deliveries, result, strict=True)]


def _waits(delivery: Delivery) -> bool:
    """Whether a message may still wait for the contract of a module that its handler sends to."""
    return micros() - delivery.envelope.time < CONTRACT_WAIT_S * 1e6


def one_line(error: BaseException) -> str:
    """The exception on one line: its class and what it says, if it can say anything."""
    return brief(" ".join("".join(tracebacks.format_exception_only(error)).split()))
