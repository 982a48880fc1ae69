"""What all connections of one gateway share: the sender, the tails, and who holds which subscription.

Law: a subscription has one holder: whoever takes it over by its name is handed what the other had not ended, and the
other is told, on this gateway at once, on another at its next heartbeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.live.inboxes import Inbox
from claude_comm.gateway.live.outbox import GOING_AWAY, TAKEN_OVER, Outbox, Outlet
from claude_comm.gateway.live.sender import Sender
from claude_comm.gateway.live.tails import Tails


class Hub:
    """One for each gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sender = Sender(gateway)
        self.tails = Tails(gateway)
        self.outboxes: set[Outlet] = set()
        self._holders: dict[tuple[str, str], tuple[Inbox, Callable[[], Awaitable[None]]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        gateway.on_drain.append(self.drain)

    async def take(self, inbox: Inbox, outbox: Outbox) -> None:
        """Makes this the only holder of its subscription, and starts it."""

        async def give_up() -> None:
            outbox.put({"kind": "error", "status": 409, "code": "taken_over", "sub": inbox.sub,
                        "detail": f"another client took the subscription {inbox.name!r} over."})  # fmt: skip
            outbox.close(TAKEN_OVER, "taken over")
            await inbox.close()

        def taken() -> None:
            task = asyncio.create_task(give_up())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

        if inbox.name:
            place = inbox.module, inbox.name
            before = self._holders.get(place)
            self._holders[place] = inbox, give_up
            if before is not None:
                await before[1]()
        inbox.start(taken)

    async def release(self, inbox: Inbox) -> None:
        await inbox.close()
        place = inbox.module, inbox.name
        if place in self._holders and self._holders[place][0] is inbox:
            del self._holders[place]

    async def drain(self) -> None:
        """Tells every client to go on elsewhere, from where it is, and waits until they know."""
        for outbox in tuple(self.outboxes):
            outbox.put({"kind": "goodbye", "resume": outbox.sent, "retry_s": 0.2})
            outbox.close(GOING_AWAY, "the gateway ends: connect again, and resume")
        until = asyncio.get_running_loop().time() + self.gateway.options.limits.drain_s
        while self.outboxes and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        await self.tails.close()
        await self.sender.close()
