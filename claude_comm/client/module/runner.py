"""One run of a module: how it begins, that it lives, and how it ends.

Law: a run waits for its server and works, or ends with an error: one whose workers, reader or upkeep have ended though
nobody stopped it is over. At the end, running handlers are finished within a deadline, and all other deliveries are
given back as if they had not been read.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.identity import Identity, micros
from claude_comm.client.module.breaches import Breaches
from claude_comm.client.module.endings import Means
from claude_comm.client.module.executors import AsyncExecutor, Executor, ThreadExecutor
from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.handling import Handling
from claude_comm.client.module.prefetch import Prefetcher
from claude_comm.client.module.siblings import Siblings
from claude_comm.client.module.signatures import is_async
from claude_comm.client.module.upkeep import Upkeep
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.flow_control import Ahead
from claude_comm.errors import ClaudeCommError, ModuleStopped, TransportError
from claude_comm.ops import consume, registration, registry
from claude_comm.progress.events import Cancelled, Lifecycle
from claude_comm.registry.contracts import Contract
from claude_comm.registry.releases import Release
from claude_comm.runtime.outage import Outage, until_reached
from claude_comm.telemetry.instruments import serve
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.connect_async import connect_async

# How long a read may still take once a stop is requested; beyond it the server does not answer.
_READ_END_S = 2.0
# How often a run looks whether its threads and tasks live.
_LOOK_S = 1.0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of one run: see `Module`."""

    handlers: Mapping[str, Handler]
    starters: Sequence[Callable[..., Any]]
    topics: Sequence[str]
    options: Options
    concurrency: int
    drain_s: float
    on_loop: bool
    breaches: Breaches
    hold: bool = False


class Runner:
    """One run of a module. Its `async` handlers run on the loop that is given, else on one of its own."""

    def __init__(
        self,
        identity: Identity,
        contract: Contract,
        config: RunConfig,
        *,
        stop: threading.Event,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.identity, self.contract, self.config, self.stop = identity, contract, config, stop
        self.log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self.outage = Outage(self.log)
        config.breaches.log = self.log
        settings, options = identity.settings, config.options
        self.client = connect(settings, identity.signer)
        mode = contract.enforcement
        self.publisher = Publisher(identity.module, settings=settings, client=self.client, enforcement=mode)
        self._async_client = connect_async(settings, identity.signer)
        self._on_loop = AsyncPublisher(identity.module, settings=settings, client=self._async_client, enforcement=mode)
        self.subscription = Subscription(identity.module, config.topics, settings, identity.instance, options)
        self.subscription.read_as(contract)
        self.upkeep = Upkeep(
            identity, self.client, self.subscription, self.log, options.lease_s, self.outage, self._tell_again_if_lost
        )
        ahead = Ahead(options.prefetch, config.concurrency)
        self.prefetcher = Prefetcher(
            self.client, self.subscription, self.outage, ahead, self.upkeep.prompt, self.upkeep.prompt_soon
        )
        self.handling = Handling(self._means())
        self.executor: Executor = (
            AsyncExecutor(
                self.prefetcher, config.concurrency, self.handling.handle_turn, self.end, self._close_on_loop, loop
            )
            if config.on_loop
            else ThreadExecutor(self.prefetcher, config.concurrency, self.handling.handle, self.end)
        )

    def run(self) -> int:
        """Handles messages until `stop` is set; 1 when a handler outlived the deadline, else 0.

        Raises the exception that ended a worker, or ModuleStopped when the run ended by itself.
        """
        serve(self.identity.settings, self.log)
        with self.client, self.publisher:
            if not until_reached(self._come_up, self.outage, self.stop):
                return 0
            self.upkeep.start(self.prefetcher.maintain)
            try:
                self.executor.start([partial(starter, self._context_for(starter)) for starter in self.config.starters])
                while self._alive() and not self.stop.wait(_LOOK_S):
                    pass
                ended_by_itself = not self.stop.is_set()
            finally:
                self.stop.set()
                done = self._drain()
                self._leave()
        if self.executor.error is not None:
            raise self.executor.error
        if ended_by_itself:
            raise ModuleStopped(self.identity.module)
        return 0 if done else 1

    def end(self) -> None:
        """Ends the run after the messages being handled; from any thread."""
        self.prefetcher.close()
        self.stop.set()

    def _alive(self) -> bool:
        return self.executor.alive() and self.upkeep.alive()

    def _means(self) -> Means:
        return Means(
            handlers=self.config.handlers,
            contract=self.contract,
            client=self.client,
            publisher=self.publisher,
            on_loop=self._on_loop,
            subscription=self.subscription,
            siblings=Siblings(self.identity, self.contract),
            following=self.prefetcher.following,
            answered=self.prefetcher.answered,
            stopping=lambda: self.prefetcher.closed,
            outage=self.outage,
            log=self.log,
            end=self.end,
        )

    def _context_for(self, starter: Callable[..., Any]) -> Any:
        return self.handling.async_context() if is_async(starter) else self.handling.context()

    async def _close_on_loop(self) -> None:
        await self._on_loop.close()
        await self._async_client.close()

    def _tell(self, event: Lifecycle | Cancelled) -> None:
        identity = self.identity
        self.client.run(consume.record(identity.keys, identity.module, identity.event(event)))

    def _come_up(self) -> bool:
        self._release = self._register(hold=self.config.hold)
        self._tell(Lifecycle("started", self.identity.instance))
        return True

    def _register(self, *, hold: bool) -> Release:
        declared = msgspec.structs.replace(self.contract, registered_us=micros())
        identity = self.identity
        done = self.client.run(registration.register(identity.keys, declared, instance=identity.instance, hold=hold))
        self.log.info(
            "module.registered",
            version=declared.version,
            digest=done.release.digest[:12],
            accepts=sorted(declared.accepts),
        )
        if done.broken:
            self.log.warning(
                "contract.unfit", version=declared.version, why=[breach.sentence for breach in done.broken]
            )
        if done.pending:
            self._await_approval(done.release)
        if done.lost:
            self.log.warning(
                "contract.breaks", version=declared.version, lost=[breach.sentence for breach in done.lost]
            )
        return done.release

    def _tell_again_if_lost(self) -> None:
        """Registers again where the registry was emptied (FLUSHALL, a restart without a file), or another program wrote
        over what this instance registered."""
        identity = self.identity
        limited = self.contract.max_lag > 0
        if self.client.run(
            registration.stands(identity.keys, identity.module, self._release, identity.instance, limited)
        ):
            return
        try:
            # What was live needs nobody's approval to be told again.
            self._register(hold=False)
        except TransportError:
            raise
        except ClaudeCommError as error:
            # It was admitted, and handles what it is sent: what others have written since ends it no more.
            self.log.warning("module.not_registered", error=str(error))
        self.subscription.join_again()

    def _await_approval(self, release: Release) -> None:
        """Waits until each partner that this version breaks has approved it, or the module is stopped."""
        self.log.warning("module.pending", version=release.version, awaits=release.awaits)
        while release.state == "pending" and not self.stop.wait(_LOOK_S):
            self.upkeep.heartbeat.beat_if_due()
            record = self.client.run(registry.record(self.identity.keys, self.identity.module))
            release = (record.find(release.digest) if record is not None else None) or release

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
            self._abandon()
        return done

    def _abandon(self) -> None:
        """Handlers that outlived the deadline are left alone, and their messages are for another instance."""
        abandoned = self.subscription.abandon()
        for delivery in abandoned:
            self.log.error("delivery.abandoned", id=delivery.envelope.id, type=delivery.envelope.type)
        settled = [delivery.settled(micros()) for delivery in abandoned]
        reason = f"its handler went on for more than {self.config.drain_s:g} s after the module was stopped"
        with suppress(TransportError):
            self._tell(Cancelled(settled, reason))

    def _leave(self) -> None:
        self.upkeep.stop()
        try:
            self.prefetcher.give_back(_READ_END_S)
            # A message that ended a worker may do so again: its next attempt counts.
            self.client.run(self.subscription.leaving(counted=self.executor.error is not None))
            self._tell(Lifecycle("stopped", self.identity.instance))
            self.upkeep.heartbeat.stop()
            identity = self.identity
            self.client.run(registration.leave(identity.keys, identity.module, identity.instance, now_us=micros()))
        except TransportError as error:
            self.log.warning("module.left_unheard", error=str(error))
        else:
            self.log.info("module.stopped")
