"""Inboxes of modules that a client reads over a WebSocket: the consumer that stands for it.

Law: as for a module in Python: a delivery that is not acked comes back, at once when the client leaves, after the lease
when this gateway dies. The name of a subscription is that of the instance: whoever takes it over is handed its
unfinished messages first, on this gateway or on another. Its heartbeats tell who holds it: a holder that finds one
which it did not write was followed by another, and gives up what it has; the other waits for that before it reads.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress

from claude_comm.client.consumer.async_consumer import AsyncConsumer
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.identity import millis
from claude_comm.delivery.lease import RENEW_FRACTION
from claude_comm.errors import TransportError
from claude_comm.gateway.core.errors import unusable
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.live.batches import event_of
from claude_comm.gateway.live.outbox import ClientOutbox
from claude_comm.ops import heartbeats
from claude_comm.ops.heartbeats import ALIVE_MS, HEARTBEAT_MS

DEFAULT_CREDIT, MOST_CREDIT = 100, 10_000
_AWAY_S = 0.5
# A holder beats so often, looks first whether another has, and is waited for a little longer than two beats.
_BEAT_S = HEARTBEAT_MS / 2000
_GIVE_UP_S = 2.5 * _BEAT_S
_LOOK_S = 0.05
# The first beats of a new holder are not compared: one of the old holder may have crossed them.
_FIRST_BEATS = 2


class Inbox:
    """One subscription. At most `credit` deliveries are with the client at once."""

    def __init__(
        self,
        gateway: Gateway,
        outbox: ClientOutbox,
        sub: str,
        module: str,
        topics: Sequence[str],
        name: str,
        credit: int,
    ) -> None:
        self._gateway, self._outbox, self.sub, self.module, self.name = gateway, outbox, sub, module, name
        self._credit = check_credit(credit)
        instance = name or f"gateway-{secrets.token_hex(6)}"
        self._consumer = AsyncConsumer(
            module,
            topics=topics,
            settings=gateway.settings,
            instance=instance,
            lease_s=gateway.options.limits.lease_s,
            client=gateway.client,
        )
        self._held: dict[str, Delivery] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._member = f"{module}/{instance}"
        self._beats: tuple[int, int] = (0, 0)
        self.closed = False

    def start(self, taken: Callable[[], None]) -> None:
        """Reads from now on; `taken` is called when another gateway has taken the subscription over."""
        self._tasks = [asyncio.create_task(self._run(taken))]

    async def _run(self, taken: Callable[[], None]) -> None:
        if self.name:
            with suppress(TransportError):
                await self._alone()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._live(taken))

    async def _alone(self) -> None:
        """Until the holder on another gateway, if one lives, has given back what it has."""
        last = await self._last_beat()
        if last is None or last < millis() - ALIVE_MS:
            return
        await self._beat()
        until = asyncio.get_running_loop().time() + _GIVE_UP_S
        while await self._last_beat() is not None and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_LOOK_S)

    async def ack(self, ids: Sequence[str]) -> None:
        """Ends these; what is not with this client is left out: it was ended, or handed to another."""
        for id_ in ids:
            if delivery := self._take(id_):
                self._consumer.ack(delivery)
        await self._consumer.flush()

    async def reply(self, id_: str, data: object) -> None:
        """Answers a request, and ends it."""
        if delivery := self._held.get(id_):
            await self._consumer.reply(delivery, data)
            await self.ack([id_])

    async def retry(self, id_: str, wait_s: float, reason: str) -> None:
        if delivery := self._take(id_):
            await self._consumer.retry(delivery, wait_s=wait_s, reason=reason)

    async def fail(self, id_: str, reason: str, path: str) -> None:
        if delivery := self._take(id_):
            await self._consumer.fail(delivery, reason, path=path)

    def credit(self, count: int) -> None:
        """How many deliveries may be with the client from now on; 0 holds them back."""
        self._credit = check_credit(count)
        self._room.set()

    async def close(self) -> None:
        """Gives back what the client has not ended."""
        if self.closed:
            return
        self.closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        with suppress(TransportError):
            await self._consumer.close(counted=True)
            await self._gateway.client.run(heartbeats.stop_beating(self._gateway.keys.instances, self._member))

    def _take(self, id_: str) -> Delivery | None:
        self._room.set()
        return self._held.pop(id_, None)

    async def _read(self) -> None:
        while True:
            await self._outbox.room()
            room = self._credit - len(self._held)
            if room <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            try:
                deliveries = await self._consumer.read(wait_s=1.0, most=room)
            except TransportError as error:
                self._gateway.log.warning("gateway.inbox_away", module=self.module, error=str(error))
                await asyncio.sleep(_AWAY_S)
                continue
            messages = []
            for delivery in deliveries:
                handle = f"{delivery.entry.stream}|{delivery.entry.id}"
                self._held[handle] = delivery
                messages.append({**event_of(delivery.envelope), "delivery": handle, "attempts": delivery.attempts})
            if messages:
                self._outbox.put({"kind": "deliver", "sub": self.sub, "messages": messages})

    async def _live(self, taken: Callable[[], None]) -> None:
        """Says that this instance lives, and renews its leases."""
        every_s = min(_BEAT_S, self._gateway.options.limits.lease_s * RENEW_FRACTION)
        beats = 0
        while True:
            with suppress(TransportError):
                if self.name and beats >= _FIRST_BEATS and await self._last_beat() not in (None, *self._beats):
                    taken()
                    return
                await self._beat()
                beats += 1
                await self._consumer.renew()
            await asyncio.sleep(every_s)

    async def _beat(self) -> None:
        # Kept before it is written: a write whose answer is lost may have been done.
        self._beats = self._beats[1], millis()
        await self._gateway.client.run(
            heartbeats.beat(self._gateway.keys.instances, self._member, now_ms=self._beats[1])
        )

    async def _last_beat(self) -> int | None:
        return await self._gateway.client.run(heartbeats.last_beat(self._gateway.keys.instances, self._member))


def check_credit(count: int) -> int:
    """Raises GatewayRefusal."""
    if not 0 <= count <= MOST_CREDIT:
        raise unusable(f"credit: from 0 to {MOST_CREDIT:,} deliveries.")
    return count
