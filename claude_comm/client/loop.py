"""The loop of a running module: read, handle, settle; and a heart beside it.

Law: one thread handles, one thread beats. The heart renews the leases of what is being handled, so that a slow
handler is not taken for a dead one. What failed waits on the server and not here: an instance that is killed takes
nothing with it. A delivery whose end the server does not hear of is let go: it comes back when its lease is over.
"""

from __future__ import annotations

import random
import threading
import time
import traceback as tracebacks
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from claude_comm.client.consumer import Consumer
from claude_comm.client.context import Context
from claude_comm.client.handlers import Handler, Refused
from claude_comm.client.delivery import Delivery
from claude_comm.delivery.lease import RENEW_FRACTION
from claude_comm.client.opening import Identity, micros, millis
from claude_comm.client.publisher import Publisher
from claude_comm.delivery.burial import brief
from claude_comm.delivery.retry import Bury, after_failure
from claude_comm.delivery.schedule import EXPIRED
from claude_comm.drive.connect import connect
from claude_comm.errors import DecodeError, TransportError
from claude_comm.ops import registry
from claude_comm.ops.registry import HEARTBEAT_MS
from claude_comm.progress.events import Lifecycle
from claude_comm.registry.contracts import Contract
from claude_comm.telemetry.logs import get_logger

# How long one read waits for a message before the loop looks at its other duties.
_TURN_S = 0.25
# How long acks may wait for the rest of their batch: what slow handlers have done is not done again after a crash.
_ACK_WITHIN_S = 0.5
# How long the loop waits before it tries a server again that does not answer.
_UNREACHABLE_WAIT_S = 0.5

Handlers = Mapping[str, Handler]
Finish = Callable[[Any], Any]


class Loop:
    """One run of a module."""

    def __init__(self, identity: Identity, contract: Contract, lease_s: float, *, stop: threading.Event) -> None:
        self.identity, self.contract, self.stop = identity, contract, stop
        self.links = connect(identity.settings)
        self.publisher = Publisher(identity.module, settings=identity.settings, links=self.links)
        self.consumer = Consumer(
            identity.module,
            settings=identity.settings,
            instance=identity.instance,
            links=self.links,
            lease_s=lease_s,
        )
        self.log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self._renew_every_s = lease_s * RENEW_FRACTION

    def run(self, handlers: Handlers, starters: Iterable[Callable[[Context], Any]], finish: Finish) -> None:
        """Handles messages until `stop` is set."""
        with self.links:
            self._register()
            heart = threading.Thread(target=self._beat, daemon=True)
            heart.start()
            try:
                self.publisher.tell(Lifecycle("started", self.identity.instance))
                for starter in starters:
                    finish(starter(self._context()))
                while not self.stop.is_set():
                    self._turn(handlers, finish)
            finally:
                self.stop.set()
                heart.join()
                self._leave()

    def _turn(self, handlers: Handlers, finish: Finish) -> None:
        try:
            deliveries = self.consumer.read(wait_s=_TURN_S)
        except TransportError as error:
            self.log.warning("server.unreachable", error=str(error))
            self.stop.wait(_UNREACHABLE_WAIT_S)
            return
        flush_at = time.monotonic() + _ACK_WITHIN_S
        for delivery in deliveries:
            if self.stop.is_set():
                return
            self._handle(delivery, handlers, finish)
            if time.monotonic() >= flush_at:
                self._flush()
                flush_at = time.monotonic() + _ACK_WITHIN_S

    def _flush(self) -> None:
        try:
            self.consumer.flush()
        except TransportError as error:
            # The acks are kept, and travel with the next read.
            self.log.warning("server.unreachable", error=str(error))

    def _handle(self, delivery: Delivery, handlers: Handlers, finish: Finish) -> None:
        if delivery.expired():
            self._bury(delivery, EXPIRED)
            return
        handler = handlers.get(delivery.envelope.type)
        if handler is None:
            known = ", ".join(sorted(handlers)) or "none"
            self._bury(delivery, f"no handler for {delivery.envelope.type!r} messages; there are: {known}")
            return
        try:
            argument = handler.argument(delivery.payload())
        except Refused as refused:
            self._bury(delivery, str(refused), path=refused.path, schema_path=refused.schema_path)
            return
        except DecodeError as error:
            self._bury(delivery, str(error), traceback=tracebacks.format_exc())
            return
        words = (argument, self._context(delivery)) if handler.takes_context else (argument,)
        try:
            finish(handler.function(*words))
        except Exception as error:  # noqa: BLE001  (the one place around a user's handler)
            self._failed(delivery, handler, error)
        else:
            self.consumer.ack(delivery)

    def _failed(self, delivery: Delivery, handler: Handler, error: Exception) -> None:
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
            self._bury(delivery, outcome.reason, traceback=traceback)
        else:
            self._end(delivery, lambda: self.consumer.retry(delivery, wait_s=outcome.wait_s, reason=text))

    def _bury(self, delivery: Delivery, reason: str, **told: str) -> None:
        self.log.error("delivery.buried", id=delivery.envelope.id, source=delivery.envelope.source, reason=reason)
        self._end(delivery, lambda: self.consumer.fail(delivery, reason, **told))

    def _end(self, delivery: Delivery, ending: Callable[[], None]) -> None:
        try:
            ending()
        except TransportError as error:
            self.log.warning("server.unreachable", error=str(error))
            self.consumer.release(delivery)

    def _context(self, delivery: Delivery | None = None) -> Context:
        envelope = delivery.envelope if delivery is not None else None
        return Context(self.publisher, self.contract, self.stop.set, envelope)

    def _register(self) -> None:
        declared = msgspec.structs.replace(self.contract, registered_us=micros())
        self.links.run(registry.register(self.identity.keys, declared))
        self.log.info("module.registered", version=declared.version, accepts=sorted(declared.accepts))

    def _beat(self) -> None:
        keys = self.identity.keys
        member = f"{self.identity.module}/{self.identity.instance}"
        renew_at = time.monotonic() + self._renew_every_s
        while not self.stop.is_set():
            try:
                self.links.run(registry.beat(keys.instances, member, now_ms=millis()))
                if time.monotonic() >= renew_at:
                    self.consumer.renew()
                    renew_at = time.monotonic() + self._renew_every_s
            except TransportError as error:
                self.log.warning("heartbeat.failed", error=str(error))
            self.stop.wait(min(HEARTBEAT_MS / 1000, self._renew_every_s))

    def _leave(self) -> None:
        keys = self.identity.keys
        try:
            self.consumer.close()
            self.publisher.tell(Lifecycle("stopped", self.identity.instance))
            self.links.run(registry.stop_beating(keys.instances, f"{self.identity.module}/{self.identity.instance}"))
        except TransportError as error:
            self.log.warning("module.left_unheard", error=str(error))
        else:
            self.log.info("module.stopped")


def _words(error: Exception) -> str:
    """The exception on one line: its class and what it says, if it can say anything."""
    return brief(" ".join("".join(tracebacks.format_exception_only(error)).split()))
