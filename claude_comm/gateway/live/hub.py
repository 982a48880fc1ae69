"""What all connections of one gateway share: the sender, the tails, and who holds which subscription.

Law: a subscription has one holder: whoever takes it over by its name is handed what the other had not ended, and the
other is told, on this gateway at once, on another at its next heartbeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from claude_comm.errors import TransportError
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.live.inboxes import Inbox
from claude_comm.gateway.live.outbox import GOING_AWAY, TAKEN_OVER, ClientOutbox, Outlet
from claude_comm.gateway.live.sender import GatewayPublishers
from claude_comm.gateway.live.tails import Tails

# How long a token that was revoked may keep a connection that it opened.
RECHECK_S = 2.0


class Member(Protocol):
    """A connection that lasts."""

    async def recheck(self) -> None:
        """Asks again who this is, and ends where nobody is known any more. Raises TransportError."""


class Hub:
    """One for each gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sender = GatewayPublishers(gateway)
        self.tails = Tails(gateway)
        self.outboxes: set[Outlet] = set()
        self._holders: dict[tuple[str, str], tuple[Inbox, Callable[[], Awaitable[None]]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._members: set[Member] = set()
        self._watching: asyncio.Task[None] | None = None
        gateway.on_drain.append(self.drain)

    def join(self, socket: Member) -> None:
        """Of a connection that lasts: from now on its token is looked at again and again."""
        self._members.add(socket)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    def leave(self, socket: Member) -> None:
        self._members.discard(socket)

    async def _watch(self) -> None:
        """One look at all connections, so that none pays for it with its frames."""
        while True:
            await asyncio.sleep(RECHECK_S)
            for member in tuple(self._members):
                with suppress(TransportError):  # nobody loses a connection because the server is away
                    await member.recheck()

    async def take(self, inbox: Inbox, outbox: ClientOutbox) -> None:
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
        if self._watching is not None:
            self._watching.cancel()
        await self.tails.close()
        await self.sender.close()
