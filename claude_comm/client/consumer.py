"""Receiving messages.

Law: at least once. A delivery that is not acked comes back: to another instance after the lease, to this module's
next start at the latest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Self

from claude_comm.client.intake import Delivery, Intake
from claude_comm.drive.aio import AsyncLinks
from claude_comm.drive.blocking import Links
from claude_comm.drive.connect import connect, connect_async
from claude_comm.ops.consume import Why
from claude_comm.settings import Settings

DEFAULT_BATCH = 100
DEFAULT_LEASE_S = 60.0
# How long one read of an endless iteration waits on the server.
_TURN_S = 1.0


class Consumer:
    """Reads the inbox of one module, and topics; iterate it, then `ack`, `retry` or `fail` each delivery.

    `batch` deliveries are read at a time; `lease_s` is how long one may take before another instance may claim it.
    A context manager. Raises ServerUnreachable from reads while the server does not answer.
    """

    def __init__(
        self,
        module: str,
        *,
        topics: Sequence[str] = (),
        settings: Settings | None = None,
        instance: str | None = None,
        batch: int = DEFAULT_BATCH,
        lease_s: float = DEFAULT_LEASE_S,
        links: Links | None = None,
    ) -> None:
        self._intake = Intake(module, topics, settings, instance=instance, batch=batch, lease_s=lease_s)
        self._owns_links = links is None
        self.links = links or connect(self._intake.identity.settings)
        self._stopped = False

    def __iter__(self) -> Iterator[Delivery]:
        """Deliveries without end, until `stop`."""
        while not self._stopped:
            yield from self.read(wait_s=_TURN_S)

    def read(self, *, wait_s: float = _TURN_S) -> list[Delivery]:
        """The next deliveries; empty when none came within `wait_s` seconds. Sends the acks gathered before."""
        return self.links.run(self._intake.reading(int(wait_s * 1000)))

    def ack(self, delivery: Delivery) -> None:
        """Ends a delivery as handled. It reaches the server with the next read, `flush` or `close`."""
        self._intake.ack(delivery)

    def retry(self, delivery: Delivery, *, wait_s: float, reason: str) -> None:
        """Ends a delivery as failed for now: the module is handed the message again after `wait_s` seconds."""
        self.links.run(self._intake.retrying(delivery, wait_s, reason))

    def reply(self, delivery: Delivery, data: object) -> None:
        """Answers a request; `ack` it after that. A message whose sender waits for nothing is left alone.

        Raises EncodeError or TooLarge.
        """
        self.links.run(self._intake.answering(delivery, data))

    def fail(
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
        self.links.run(self._intake.burying(delivery, Why(reason, path, schema_path, traceback), error))

    def release(self, delivery: Delivery) -> None:
        """Lets go of a delivery without an end: it is handed out again when its lease is over."""
        self._intake.release(delivery)

    def flush(self) -> None:
        """Sends the gathered acks now."""
        self.links.run(self._intake.settling())

    def renew(self) -> None:
        """Starts the lease of every open delivery anew."""
        self.links.run(self._intake.renewing())

    def stop(self) -> None:
        """Ends the iteration after the deliveries at hand."""
        self._stopped = True

    def close(self) -> None:
        """Sends the acks, gives back what is still open, and closes the connection."""
        self.stop()
        try:
            self.links.run(self._intake.leaving())
        finally:
            if self._owns_links:
                self.links.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        lease_s: float = DEFAULT_LEASE_S,
        links: AsyncLinks | None = None,
    ) -> None:
        self._intake = Intake(module, topics, settings, instance=instance, batch=batch, lease_s=lease_s)
        self._owns_links = links is None
        self.links = links or connect_async(self._intake.identity.settings)
        self._stopped = False

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries without end, until `stop`."""
        while not self._stopped:
            for delivery in await self.read(wait_s=_TURN_S):
                yield delivery

    async def read(self, *, wait_s: float = _TURN_S) -> list[Delivery]:
        """The next deliveries; empty when none came within `wait_s` seconds. Sends the acks gathered before."""
        return await self.links.run(self._intake.reading(int(wait_s * 1000)))

    def ack(self, delivery: Delivery) -> None:
        """Ends a delivery as handled. It reaches the server with the next read, `flush` or `close`."""
        self._intake.ack(delivery)

    async def retry(self, delivery: Delivery, *, wait_s: float, reason: str) -> None:
        """Ends a delivery as failed for now: the module is handed the message again after `wait_s` seconds."""
        await self.links.run(self._intake.retrying(delivery, wait_s, reason))

    async def reply(self, delivery: Delivery, data: object) -> None:
        """Answers a request; `ack` it after that. A message whose sender waits for nothing is left alone.

        Raises EncodeError or TooLarge.
        """
        await self.links.run(self._intake.answering(delivery, data))

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
        await self.links.run(self._intake.burying(delivery, Why(reason, path, schema_path, traceback), error))

    def release(self, delivery: Delivery) -> None:
        """Lets go of a delivery without an end: it is handed out again when its lease is over."""
        self._intake.release(delivery)

    async def flush(self) -> None:
        """Sends the gathered acks now."""
        await self.links.run(self._intake.settling())

    async def renew(self) -> None:
        """Starts the lease of every open delivery anew."""
        await self.links.run(self._intake.renewing())

    def stop(self) -> None:
        """Ends the iteration after the deliveries at hand."""
        self._stopped = True

    async def close(self) -> None:
        """Sends the acks, gives back what is still open, and closes the connection."""
        self.stop()
        try:
            await self.links.run(self._intake.leaving())
        finally:
            if self._owns_links:
                await self.links.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
