"""Receiving messages on an event loop: the twin of `consumer`, and its law."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from claude_comm.client.consumer.consumer import (
    AHEAD,
    DEFAULT_BATCH,
    DEFAULT_LEASE_S,
    DEFAULT_PREFETCH_BYTES,
    FULL_WAIT_S,
    QUICK_FRACTION,
    TURN_S,
)
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.subscription import Intake, Options
from claude_comm.ops.consume import Why
from claude_comm.settings import Settings
from claude_comm.transport.async_driver import AsyncBegun, AsyncClient
from claude_comm.transport.connect import connect_async


class AsyncConsumer:
    """The asyncio twin of `Consumer`: `async for`, and `await` on what talks to the server."""

    def __init__(
        self,
        module: str,
        *,
        topics: Sequence[str] = (),
        settings: Settings | None = None,
        instance: str | None = None,
        batch: int = DEFAULT_BATCH,
        prefetch: int = 0,
        prefetch_bytes: int = DEFAULT_PREFETCH_BYTES,
        lease_s: float = DEFAULT_LEASE_S,
        dedup: int = 0,
        dedup_s: float = 0.0,
        client: AsyncClient | None = None,
    ) -> None:
        options = Options(
            batch=batch, prefetch=prefetch, prefetch_bytes=prefetch_bytes, lease_s=lease_s, dedup=dedup, dedup_s=dedup_s
        )
        self._intake = Intake(module, topics, settings, instance, options)
        self._ack = self._intake.ledger.ack
        self._owns_client = client is None
        self.client = client or connect_async(self._intake.identity.settings)
        self._stopped = False
        self._going = asyncio.Event()
        self._going.set()
        self._begun: deque[AsyncBegun[list[Delivery]]] = deque()
        self._ahead: list[Delivery] = []
        self._quick_s = lease_s * QUICK_FRACTION

    @property
    def out(self) -> int:
        """How many deliveries were read and are not ended."""
        return len(self._intake.ledger)

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries without end, until `stop`."""
        ahead = False
        while not self._stopped:
            while ahead and await self.begin_read(most=self._intake.options.batch):
                pass
            found = await self.read(wait_s=TURN_S)
            since = time.monotonic()
            for delivery in found:
                yield delivery
            took_s = time.monotonic() - since
            ahead = took_s < self._quick_s and self._intake.filled

    async def read(self, *, wait_s: float = TURN_S, most: int | None = None) -> list[Delivery]:
        """The next deliveries, up to `most` or a batch; empty when none came within `wait_s` seconds.

        Sends the acks gathered before. Empty also while paused, and while as much is out as may be.
        """
        if not self._going.is_set():
            await self._return_unseen()
            await self.flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._going.wait(), wait_s)
            return []
        found = await self.arrived(most)
        if found:
            return found
        found = await self.client.run(self._intake.reading(int(wait_s * 1000), most))
        if not found and self._intake.full():
            await asyncio.sleep(min(wait_s, FULL_WAIT_S))
        return found

    async def begin_read(self, *, most: int) -> bool:
        """As `Consumer.begin_read`; a server that does not answer is noticed by what takes in what was asked for."""
        begun = self._begun
        if len(begun) == AHEAD or not self._going.is_set() or self.client.data.reach != "server":
            return False
        if begun and not await begun[-1].land():
            return False
        reading = self._intake.reading_ahead(most)
        if reading is None:
            return False
        begun.append(self.client.begin(reading))
        # So that it is sent before the caller goes on.
        await asyncio.sleep(0)
        return True

    async def arrived(self, most: int | None = None) -> list[Delivery]:
        """What the oldest `begin_read` brought that brought anything, up to `most`."""
        while self._begun and not self._ahead:
            self._ahead = await self._finished()
        found, self._ahead = (self._ahead, []) if most is None else (self._ahead[:most], self._ahead[most:])
        return found

    async def take_in(self) -> list[Delivery]:
        """All that was asked for by `begin_read` and is not returned yet."""
        while self._begun:
            self._ahead += await self._finished()
        return await self.arrived()

    def ack(self, delivery: Delivery) -> None:
        """Ends a delivery as handled. It reaches the server with the next read, `flush` or `close`."""
        self._ack(delivery)

    async def retry(self, delivery: Delivery, *, wait_s: float, reason: str) -> None:
        """Ends a delivery as failed for now: the module is handed the message again after `wait_s` seconds."""
        await self.client.run(self._intake.retrying(delivery, wait_s, reason))

    async def reply(self, delivery: Delivery, data: object) -> None:
        """Answers a request; `ack` it after that. A message whose sender waits for nothing is left alone.

        Raises EncodeError or TooLarge.
        """
        await self.client.run(self._intake.answering(delivery, data))

    async def fail(
        self,
        delivery: Delivery,
        reason: str,
        *,
        path: str = "",
        schema_path: str = "",
        traceback: str = "",
        error: BaseException | None = None,
    ) -> None:
        """Ends a delivery as failed for good: it goes to the dead stream with the reason, and `path` in its payload.

        `schema_path` is where in the schema that refused it. A long `traceback` keeps its beginning and its end.
        Who waits for a reply is told the reason, and the class and the words of `error`.
        """
        await self.client.run(self._intake.burying(delivery, Why(reason, path, schema_path, traceback), error))

    def release(self, delivery: Delivery) -> None:
        """Lets go of a delivery without an end: it is handed out again when its lease is over."""
        self._intake.release(delivery)

    async def flush(self) -> None:
        """Sends the gathered acks now."""
        await self.client.run(self._intake.settling())

    async def renew(self) -> None:
        """Starts the lease of every open delivery anew that no other instance has claimed."""
        await self.client.run(self._intake.renewing())

    async def give_back(self, *deliveries: Delivery) -> None:
        """Lets other instances have these at once, as if they had not been handed out: that is no attempt."""
        await self.client.run(self._intake.giving_back(deliveries))

    def pause(self) -> None:
        """From now on nothing new is read, until `resume`."""
        self._going.clear()

    def resume(self) -> None:
        """Ends a pause."""
        self._going.set()

    def stop(self) -> None:
        """Ends the iteration after the deliveries at hand."""
        self._stopped = True

    async def close(self, *, counted: bool = False) -> None:
        """Sends the acks, gives back what is still out, and closes the connection.

        What is given back was no attempt, unless `counted`.
        """
        self.stop()
        try:
            await self._return_unseen()
            await self.client.run(self._intake.leaving(counted=counted))
        finally:
            if self._owns_client:
                await self.client.close()

    async def _finished(self) -> list[Delivery]:
        """As of `Consumer`. A task that is cancelled meanwhile leaves it where it is."""
        await self._begun[0].land()
        try:
            return await self._begun.popleft().finish()
        except BaseException:
            while self._begun:
                self._begun.popleft().drop()
            raise

    async def _return_unseen(self) -> None:
        """Gives back what was read ahead: nobody has seen it, so it was no attempt."""
        unseen = await self.take_in()
        if unseen:
            await self.give_back(*unseen)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(counted=kind is not None)
