"""How each delivery ends, as operations: passed on, answered, acked, retried, left to another version or buried.

Law: the answer to a request travels with its ack, and no later than the next one can. A failed message waits on the
server and not here, so that an instance that is killed takes nothing with it.
"""

from __future__ import annotations

import math
import random
import time
import traceback as tracebacks
from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

import msgspec

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.identity import micros, millis
from claude_comm.client.module.forked import leave
from claude_comm.client.module.handlers import Handler, PayloadRefused, refused
from claude_comm.client.module.siblings import Siblings
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.burial import brief
from claude_comm.delivery.retry import Bury, after_failure
from claude_comm.effects import Operation, Post
from claude_comm.errors import (
    BlobDamaged,
    BlobMissing,
    ClaudeCommError,
    DoesNotFit,
    EnvelopeError,
    NoResponder,
    StoreError,
    UnknownModule,
)
from claude_comm.ops import heartbeats
from claude_comm.ops.consume import Why
from claude_comm.ops.heartbeats import HEARTBEAT_MS
from claude_comm.registry.contracts import Contract, UnreadableContract
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import EventLog
from claude_comm.transport.driver import Client

# How long a message waits for what its handler needs: the contract of a module that it sends to, or the store of large
# payloads; and how often each is looked for.
LONGEST_WAIT_S = 3600.0
CONTRACT_LOOK_S = 1.0
STORE_LOOK_S = 1.0
# How large the answers may become that wait for the acks of their requests to be sent.
MAX_ANSWER_BYTES = 1024 * 1024


class Means(msgspec.Struct, frozen=True):
    """What one run works with. `on_loop` is the publisher of `async` handlers."""

    handlers: Mapping[str, Handler]
    contract: Contract
    client: Client
    publisher: Publisher
    on_loop: AsyncPublisher
    subscription: Subscription
    siblings: Siblings
    following: Callable[[int, Callable[[Delivery], bool]], list[Delivery]]
    answered: Callable[[], None]
    stopping: Callable[[], bool]
    outage: Outage
    log: EventLog
    end: Callable[[], None]


class Endings:
    """The endings of the deliveries of one run."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._ack: Callable[..., None] = means.subscription.in_flight.ack
        # The modules that messages wait for, and when the registry was told so last.
        self._awaited: dict[str, float] = {}

    def forked(self) -> None:
        """In a child that a handler forked (`forked`)."""
        self._ack = leave

    def answered(self, delivery: Delivery, result: Any) -> Operation[None] | None:
        """Ends a delivery whose handler returned; what is to be done for that at once, if anything is."""
        onward: Sequence[Post] = ()
        if delivery.envelope.route:
            try:
                onward = self._means.subscription.onward(delivery, result)
            except EnvelopeError as error:
                return self.burying(delivery, f"its result cannot be passed on: {error}", error)
        return self._replied(delivery, result, onward)

    def _replied(self, delivery: Delivery, result: Any, onward: Sequence[Post]) -> Operation[None] | None:
        """Acks, with the result as the answer where the sender waits for one, and with what goes on along its route."""
        answer = None
        if delivery.envelope.reply_to:
            try:
                answer = self._means.subscription.reply(delivery, result)
            except EnvelopeError as error:
                return self.burying(delivery, f"its reply cannot be sent: {error}", error)
        self._ack(delivery, answer, onward)
        if answer is not None or onward:
            if self._means.subscription.in_flight.answer_bytes > MAX_ANSWER_BYTES:
                return self._means.subscription.settling()
            self._means.answered()
        return None

    def failing(self, handler: Handler, delivery: Delivery, error: BaseException) -> Operation[None]:
        """Tries the message again later, or buries it, as the retry policy says."""
        error = speakable(error)
        if isinstance(error, UnknownModule | UnreadableContract | NoResponder) and _waits(delivery):
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
            **_traced(delivery),
        )
        if isinstance(outcome, Bury):
            yield from self.burying(delivery, outcome.reason, error, traceback=trace)
        else:
            yield from self._means.subscription.retrying(delivery, outcome.wait_s, text)

    def _waiting(self, delivery: Delivery, error: UnknownModule | UnreadableContract | NoResponder) -> Operation[None]:
        """The module that the handler sends to has not registered yet, or another program wrote over that, or the one
        that it asks does not run: the message waits, and this was no attempt."""
        name, now = _awaited(error), time.monotonic()
        if name not in self._awaited:
            self._means.log.warning("module.awaited", name=name, type=delivery.envelope.type)
        if now - self._awaited.get(name, -math.inf) >= HEARTBEAT_MS / 1000:
            self._awaited[name] = now
            identity = self._means.subscription.identity
            member = heartbeats.waits(identity.module, name)
            yield from heartbeats.beat(identity.keys.awaited, member, now_ms=millis())
        yield from self._means.subscription.retrying(delivery, CONTRACT_LOOK_S, one_line(error), counted=False)

    def unread(self, handler: Handler, delivery: Delivery, error: BaseException) -> Operation[None]:
        """Ends a delivery whose payload could not be read. Where that is the fault of the place of large payloads (a
        folder that is not mounted, a service that does not answer), it waits and this was no attempt; else no other
        reading would help."""
        error = speakable(error)
        if not isinstance(error, StoreError) or isinstance(error, BlobMissing | BlobDamaged):
            return self.refusing(delivery, error)
        if not _waits(delivery):
            return self.failing(handler, delivery, error)
        text = one_line(error)
        self._means.log.warning("payload.awaited", id=delivery.envelope.id, type=delivery.envelope.type, error=text)
        return self._means.subscription.retrying(delivery, STORE_LOOK_S, text, counted=False)

    def refusing(self, delivery: Delivery, error: BaseException) -> Operation[None]:
        """Ends a delivery that this version can never handle: another that runs has it, or it is buried."""
        return self._left_or(delivery, self._refusal(delivery, error))

    def unaccepted(self, delivery: Delivery, reason: str) -> Operation[None]:
        """Ends a delivery of a type that this version does not accept: another that runs has it, or it is buried."""
        return self._left_or(delivery, self.burying(delivery, reason))

    def _left_or(self, delivery: Delivery, burying: Operation[None]) -> Operation[None]:
        """Leaves a delivery to another version of the module that accepts it, where one runs."""
        means = self._means
        digest = yield from means.siblings.taker(delivery)
        if digest:
            means.log.info("delivery.left", id=delivery.envelope.id, type=delivery.envelope.type, to=digest[:12])
            yield from means.subscription.handing_over(delivery, digest)
        else:
            yield from burying

    def _refusal(self, delivery: Delivery, error: BaseException) -> Operation[None]:
        if isinstance(error, DoesNotFit):
            error = refused(error)
        if isinstance(error, PayloadRefused):
            return self.burying(delivery, str(error), error, path=error.path, schema_path=error.schema_path)
        reason = str(error) if isinstance(error, EnvelopeError) else f"its payload cannot be read: {one_line(error)}"
        trace = "".join(tracebacks.format_exception(error))
        return self.burying(delivery, reason, error, traceback=trace)

    def burying(
        self, delivery: Delivery, reason: str, error: BaseException | None = None, **where: str
    ) -> Operation[None]:
        envelope = delivery.envelope
        self._means.log.error("delivery.buried", id=envelope.id, source=envelope.source, reason=reason)
        yield from self._means.subscription.burying(delivery, Why(reason, **where), error)


def _awaited(error: UnknownModule | UnreadableContract | NoResponder) -> str:
    match error:
        case UnknownModule(name=name) | UnreadableContract(module=name) | NoResponder(target=name):
            return name
        case _:
            assert_never(error)


def _waits(delivery: Delivery) -> bool:
    """Whether a message may still wait for what its handler needs: another module, or the store of its payload."""
    return micros() - delivery.envelope.time < LONGEST_WAIT_S * 1e6


def speakable(error: BaseException) -> BaseException:
    """The exception, or one that stands for it where asking it for its class or its notes raises, as a `__getattr__`
    that asks itself does."""
    try:
        isinstance(error, ClaudeCommError)
        tracebacks.format_exception_only(error)
    except Exception as trouble:  # noqa: BLE001  (the user's class decides what this is)
        named = f"{type(error).__qualname__} (what it says cannot be told: {type(trouble).__qualname__})"
        return RuntimeError(named)
    return error


def one_line(error: BaseException) -> str:
    """The exception on one line: its class and what it says, if it can say anything."""
    return brief(" ".join("".join(tracebacks.format_exception_only(error)).split()))


def _traced(delivery: Delivery) -> dict[str, str]:
    """The session of a message and the trace that it is part of, where it has them."""
    envelope = delivery.envelope
    told = {"session": envelope.session, "trace_id": envelope.traceparent[3:35]}
    return {name: value for name, value in told.items() if value}
