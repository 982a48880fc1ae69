"""Receiving messages on an event loop.

Law: at least once. A delivery that is not acked comes back: to another instance after the lease, to this module's
next start at the latest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from claude_comm.client.arguments import DAY_S, check_count, check_kind, check_seconds, check_words
from claude_comm.client.consumer.async_read_ahead import AsyncReadAhead
from claude_comm.client.consumer.delivery import Delivery, check_delivery
from claude_comm.client.consumer.options import DEFAULT_BATCH, DEFAULT_LEASE_S, DEFAULT_PREFETCH_BYTES, Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.errors import ServerUnreachable
from claude_comm.ops.consume import Why
from claude_comm.settings import Settings
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.connect_async import connect_async

# How long one read of an endless iteration waits on the server.
READ_WAIT_S = 1.0
# A batch that took a tenth of the lease leaves time enough for one that was handed out meanwhile.
QUICK_FRACTION = 0.1


class AsyncConsumer:
    """Reads the inbox of one module, and topics; iterate it, then `ack`, `retry` or `fail` each delivery.

    `batch` deliveries are read at a time; `lease_s` is how long one may take before another instance may claim it. At
    most `prefetch` deliveries (0: no bound) of `prefetch_bytes` together are in flight: read and not ended. Their sizes
    are estimated from recent ones. `instance` is a stable name, used by one process at a time; its unfinished messages
    are delivered first after a restart. `dedup` is how many handled messages this instance remembers, and `dedup_s` for
    how long (seconds) all instances remember them, on the server: a copy within that time is acked and not handed out.
    An iteration requests the next batch while a full one is handled, if handling is quick: then up to two are in
    flight. An async context manager. Reads raise ServerUnreachable while the server does not answer.
    """

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
        self._subscription = Subscription(module, topics, settings, instance, options)
        self._ack = self._subscription.in_flight.ack
        self._owns_client = client is None
        self.client = (
            connect_async(self._subscription.identity.settings, self._subscription.identity.signer)
            if client is None
            else check_kind("client", client, AsyncClient)
        )
        if self._subscription.telemetry is not None:
            from claude_comm.client.consumer import traced

            traced.wrap_async(self, self._subscription.telemetry)
        self._read_ahead = AsyncReadAhead(self.client, self._subscription)
        self._stopped = False
        self._unpaused = asyncio.Event()
        self._unpaused.set()
        self._quick_s = lease_s * QUICK_FRACTION

    @property
    def out(self) -> int:
        """The number of deliveries that were read and not yet acked, retried or failed."""
        return len(self._subscription.in_flight)

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries without end, until `stop`."""
        quick = False
        while not self._stopped:
            if quick and self._subscription.filled and self._unpaused.is_set():
                with suppress(ServerUnreachable):  # the next read notices it
                    while await self._read_ahead.begin(self._subscription.options.batch):
                        pass
            deliveries = await self.read(wait_s=READ_WAIT_S)
            since = time.monotonic()
            for delivery in deliveries:
                yield delivery
            quick = time.monotonic() - since < self._quick_s

    async def read(self, *, wait_s: float = READ_WAIT_S, most: int | None = None) -> list[Delivery]:
        """The next deliveries, up to `most` or a batch; empty when none came within `wait_s` seconds.

        Sends the acks gathered before. Empty also while paused, and while the bounds are reached.
        """
        check_seconds("wait_s", wait_s)
        if most is not None:
            check_count("most", most)
        if not self._unpaused.is_set():
            await self._read_ahead.give_back()
            await self.flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._unpaused.wait(), wait_s)
            return []
        return await self._read_ahead.take(most) or await self._read_ahead.read(wait_s, most)

    def ack(self, delivery: Delivery) -> None:
        """Ends a delivery as handled. It reaches the server with the next read, `flush` or `close`."""
        self._ack(delivery)

    async def retry(self, delivery: Delivery, *, wait_s: float, reason: str) -> None:
        """Ends a delivery as failed for now: the module gets the message again after `wait_s` seconds."""
        check_delivery(delivery)
        check_seconds("wait_s", wait_s, most=365 * DAY_S)
        check_words(reason=reason)
        await self.client.run(self._subscription.retrying(delivery, wait_s, reason))

    async def reply(self, delivery: Delivery, data: object) -> None:
        """Answers a request; `ack` it after that. Does nothing for a message whose sender waits for no reply.

        Raises EncodeError or TooLarge.
        """
        await self.client.run(self._subscription.replying(check_delivery(delivery), data))

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

        `schema_path` is the place in the schema that refused it. A long `traceback` keeps its beginning and its end.
        A requester that waits for a reply receives the reason, and the class and the text of `error`.
        """
        check_delivery(delivery)
        check_words(reason=reason, path=path, schema_path=schema_path, traceback=traceback)
        if error is not None:
            check_kind("error", error, BaseException)
        await self.client.run(self._subscription.burying(delivery, Why(reason, path, schema_path, traceback), error))

    def release(self, delivery: Delivery) -> None:
        """Drops a delivery without ending it: it is delivered again when its lease ends."""
        self._subscription.release(check_delivery(delivery))

    async def flush(self) -> None:
        """Sends the collected acks now."""
        await self.client.run(self._subscription.settling())

    async def renew(self) -> None:
        """Renews the lease of every open delivery that no other instance has claimed."""
        await self.client.run(self._subscription.renewing())

    async def give_back(self, *deliveries: Delivery) -> None:
        """Makes these available to other instances at once; this does not count as an attempt."""
        await self.client.run(self._subscription.giving_back([check_delivery(delivery) for delivery in deliveries]))

    def pause(self) -> None:
        """Stops reading new messages until `resume`."""
        self._unpaused.clear()

    def resume(self) -> None:
        """Ends a pause."""
        self._unpaused.set()

    def stop(self) -> None:
        """Ends the iteration after the deliveries already read."""
        self._stopped = True

    async def close(self, *, counted: bool = False) -> None:
        """Sends the acks, gives back the deliveries that have not ended, and closes the connection.

        Giving back is no attempt, unless `counted`.
        """
        self.stop()
        try:
            await self._read_ahead.give_back()
            await self.client.run(self._subscription.leaving(counted=counted))
        finally:
            if self._owns_client:
                await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A delivery in flight when an error left the block may be its cause: it counts as an attempt, so that it
        # cannot come back for ever.
        await self.close(counted=kind is not None)
