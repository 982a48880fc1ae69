"""Handling: what becomes of each delivery, on threads and on an event loop.

Law: a delivery is acked after its handler returned, and after what the handler began has ended. Whatever else leaves a
handler is a failure of its message, cancellation included; only SystemExit and KeyboardInterrupt end the module. A
payload that cannot be read is buried at once, whatever reading it raised; one in a store that cannot be reached waits.
A delivery whose end (`endings`) the server does not confirm is released: it comes back when its lease is over.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeAlias

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.module.async_context import AsyncContext
from claude_comm.client.module.context import Context
from claude_comm.client.module.endings import Endings, Means, one_line, speakable
from claude_comm.client.module.forked import leave, watch
from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.signatures import unrun
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.effects import Operation
from claude_comm.envelope import BLOB, Envelope
from claude_comm.errors import TransportError
from claude_comm.telemetry.current import InSession

# These end the module; every other exception is a failure of the message.
ENDING = (SystemExit, KeyboardInterrupt)
# Results that need no second look.
_PLAIN = frozenset({bool, int, float, str, bytes, dict, list, tuple})

# For how long a task whose handler never waits keeps other tasks from running (seconds).
TURN_S = 0.001
# In place of a payload that has not been read.
_UNREAD = object()

# A handler, the deliveries that it is called for, and its payload.
Prepared: TypeAlias = tuple[Handler, Sequence[Delivery], Any]
# The next delivery, if there is one.
Poll: TypeAlias = Callable[[], Delivery | None]
# Awaits a handler of any kind, given as a function and its arguments.
Call: TypeAlias = Callable[..., Awaitable[Any]]
# The scope of a handler, given the session and the deliveries that it is called for.
Scope: TypeAlias = Callable[..., AbstractContextManager[None]]
# How deliveries end: each with the operation that says so to the server.
Ended: TypeAlias = Sequence[tuple[Delivery, Operation[None]]]


class Handling:
    """The handlers of one run."""

    def __init__(self, means: Means) -> None:
        self._means, self._handlers = means, means.handlers
        self._ack: Callable[[Delivery], None] = means.subscription.in_flight.ack
        self._forked = False
        # The context of a plain function and of an `async` one, from the envelope or the envelopes of a batch.
        self.context = partial(Context, means.publisher, means.contract, means.end)
        self.async_context = partial(AsyncContext, means.on_loop, means.contract, means.end)
        self._endings = Endings(means)
        # What a handler runs within: the session of its message, and its span where this process tells of it.
        self._scope: Scope = InSession
        # Whether a message without a session has a scope, too.
        self._traced = means.subscription.telemetry is not None
        if means.subscription.telemetry is not None:
            from claude_comm.telemetry.tracing import Processing

            self._scope = partial(Processing, means.subscription.telemetry)
        watch(self)

    def forked(self) -> None:
        """A handler forked this process: it ends where that handler does."""
        self._forked, self._ack = True, leave
        self._endings.forked()

    def handle(self, delivery: Delivery) -> None:
        """Brings one delivery to its end, and those handled together with it.

        Written out, and without what only few messages need: this runs for every message. The executor calls it in a
        context (`contextvars`) that no message has changed.
        """
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None or handler.most or (envelope.expires and delivery.expired()):
            self._handle_special(delivery)
            return
        try:
            argument = handler.argument(envelope)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001  (reading runs the user's types: this file is the place around them)
            self._end(delivery, self._endings.unread(handler, delivery, error))
            return
        try:
            arguments = (argument, self.context(envelope)) if handler.takes_context else (argument,)
            if envelope.session or self._traced:
                with self._scope(envelope.session, delivery):
                    result = handler.function(*arguments)
            else:
                result = handler.function(*arguments)
            if result is not None and result.__class__ not in _PLAIN and (why := unrun(result)):
                raise TypeError(why)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001
            self._end(delivery, self._endings.failing(handler, delivery, error))
        else:
            if envelope.reply_to or envelope.route:
                if ending := self._endings.answered(delivery, result):
                    self._end(delivery, ending)
            else:
                self._ack(delivery)

    async def handle_turn(self, poll: Poll, call: Call, clean: contextvars.Context) -> bool:
        """The same on an event loop, of what there is, for no longer than a turn; `call` awaits a handler of any kind.
        Whether the next message may be handled in this context, which is `clean` until a handler sets a variable.

        One coroutine for many deliveries: one for each would cost as much as its handler's.
        """
        turn_ends = time.monotonic() + TURN_S
        while (delivery := poll()) is not None:
            envelope = delivery.envelope
            handler = self._handlers.get(envelope.type)
            if handler is None or handler.most or not handler.is_async or (envelope.expires and delivery.expired()):
                await self._handle_special_async(delivery, call)
            else:
                argument: Any = _UNREAD
                try:
                    if envelope.content_type == BLOB:
                        argument = await asyncio.to_thread(handler.argument, envelope)
                    else:
                        argument = handler.argument(envelope)
                    if envelope.session or self._traced:
                        with self._scope(envelope.session, delivery):
                            result = await self._awaited(handler, argument, envelope)
                    elif handler.takes_context:
                        context = self.async_context(envelope)
                        result = await handler.function(argument, context)
                        if context.busy:
                            await context.finish()
                    else:
                        result = await handler.function(argument)
                    if result is not None and result.__class__ not in _PLAIN and (why := unrun(result)):
                        raise TypeError(why)
                except ENDING:
                    raise
                except BaseException as error:  # noqa: BLE001  (reading runs the user's types: as in `handle`)
                    self._survive(error)
                    ending = self._endings.unread if argument is _UNREAD else self._endings.failing
                    await self._end_async(delivery, ending(handler, delivery, error))
                else:
                    if envelope.reply_to or envelope.route:
                        if answering := self._endings.answered(delivery, result):
                            await self._end_async(delivery, answering)
                    else:
                        self._ack(delivery)
            if contextvars.copy_context() != clean:
                return False
            if time.monotonic() >= turn_ends:
                break
        return True

    async def _awaited(self, handler: Handler, argument: Any, envelope: Envelope) -> Any:
        """The result of an `async` handler, once what it began has ended."""
        if not handler.takes_context:
            return await handler.function(argument)
        context = self.async_context(envelope)
        result = await handler.function(argument, context)
        await context.finish()
        return result

    def _handle_special(self, delivery: Delivery, alone: bool = False) -> None:
        """The same for any delivery."""
        prepared, ended = self._prepared(delivery, alone)
        for other, ending in ended:
            self._end(other, ending)
        if prepared is None:
            return
        handler, deliveries, payload = prepared
        context = [self.context(*_about(handler, deliveries))] if handler.takes_context else []
        try:
            with self._scope(_session_of(deliveries), *deliveries):
                result = contextvars.copy_context().run(handler.function, payload, *context)
            if why := unrun(result) or _unpaired(handler, deliveries, result):
                raise TypeError(why)
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001
            if len(deliveries) == 1:
                self._end(deliveries[0], self._endings.failing(handler, deliveries[0], error))
                return
            self._note_batch(handler, deliveries, error)
        else:
            for handled, own in zip(deliveries, _results(handler, deliveries, result), strict=True):
                if more := self._endings.answered(handled, own):
                    self._end(handled, more)
            return
        for failed in deliveries:
            self._handle_special(failed, alone=True)

    async def _handle_special_async(self, delivery: Delivery, call: Call, alone: bool = False) -> None:
        """The same for any delivery."""
        prepared, ended = self._prepared(delivery, alone)
        for other, ending in ended:
            await self._end_async(other, ending)
        if prepared is None:
            return
        handler, deliveries, payload = prepared
        about = _about(handler, deliveries)
        try:
            with self._scope(_session_of(deliveries), *deliveries):
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
                await self._end_async(deliveries[0], self._endings.failing(handler, deliveries[0], error))
                return
            self._note_batch(handler, deliveries, error)
        else:
            for handled, own in zip(deliveries, _results(handler, deliveries, result), strict=True):
                if more := self._endings.answered(handled, own):
                    await self._end_async(handled, more)
            return
        for failed in deliveries:
            await self._handle_special_async(failed, call, alone=True)

    def _prepared(self, delivery: Delivery, alone: bool) -> tuple[Prepared | None, Ended]:
        """The call of a handler for a delivery, if there is one, and the deliveries that end without a call."""
        envelope = delivery.envelope
        handler = self._handlers.get(envelope.type)
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            reason = f"no handler for {envelope.type!r} messages; there are: {known}"
            return None, [(delivery, self._endings.unaccepted(delivery, reason))]
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
                ended.append((delivery, self._endings.burying(delivery, EXPIRED)))
                continue
            try:
                payloads.append(handler.argument(delivery.envelope))
                deliveries.append(delivery)
            except ENDING:
                raise
            except BaseException as error:  # noqa: BLE001
                ended.append((delivery, self._endings.unread(handler, delivery, error)))
        return deliveries, payloads, ended

    def _note_batch(self, handler: Handler, deliveries: Sequence[Delivery], error: BaseException) -> None:
        """Deliveries that failed together are handled again at once, one by one, so that only the guilty one counts."""
        if self._forked:
            leave()
        count = len(deliveries)
        self._means.log.warning("batch.failed", type=handler.type, count=count, error=one_line(speakable(error)))

    def _end(self, delivery: Delivery, ending: Operation[None]) -> None:
        if self._forked:
            leave()
        try:
            self._means.client.run(ending)
        except TransportError as error:
            self._unheard(delivery, error)

    async def _end_async(self, delivery: Delivery, ending: Operation[None]) -> None:
        if self._forked:
            leave()
        try:
            await self._means.on_loop.client.run(ending)
        except TransportError as error:
            self._unheard(delivery, error)

    def _survive(self, error: BaseException) -> None:
        """A cancellation ends the handling of its message, and not the worker's task: raises it only at the deadline of
        a stop, when the message is left alone."""
        task = asyncio.current_task()
        if not issubclass(type(error), asyncio.CancelledError) or task is None or not task.cancelling():
            return
        if self._means.stopping():
            raise error
        while task.cancelling():
            task.uncancel()

    def _unheard(self, delivery: Delivery, error: TransportError) -> None:
        self._means.outage.met(error)
        self._means.subscription.release(delivery)


def _session_of(deliveries: Sequence[Delivery]) -> str:
    """The session of messages that are handled together; none where they are of several."""
    sessions = {delivery.envelope.session for delivery in deliveries}
    return sessions.pop() if len(sessions) == 1 else ""


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
    return [own if delivery.envelope.route else result for delivery, own in zip(deliveries, result, strict=True)]
