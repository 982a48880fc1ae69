"""Backpressure: a publisher is held while the inbox that it sends to is longer than its limit.

Law: a limit that nobody set costs nothing. Where there is one, the lag of the slowest reader (the module, or a
projection: what it has not stored stays on the server too) is looked at from time to time and not for each message. A
look grants what there is room for, for `SAMPLE_S` at the most. So an inbox may exceed its limit by what one call sends,
and by what other publishers were granted in the same moment; never without end.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeAlias

from claude_comm.effects import Operation
from claude_comm.errors import ConfigurationError, InboxFull
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import lag
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.driver import Client

OnLag: TypeAlias = Literal["wait", "refuse"]
DEFAULT_LAG_WAIT_S = 30.0
# For how long what a look has granted may be sent.
SAMPLE_S = 0.5
# Waits between two looks at an inbox that is too long, doubling from the first to the last.
FIRST_WAIT_S, LAST_WAIT_S = 0.002, 0.2


class _Inbox:
    """What may still be sent to one module, and until when that is believed."""

    __slots__ = ("limit", "room", "until")

    def __init__(self, limit: int) -> None:
        self.limit, self.room, self.until = limit, 0, 0.0


class Pressure:
    """The limits that one publisher knows. Topics have none: no single reader speaks for them."""

    def __init__(self, keys: Keys, default_limit: int, on_lag: OnLag, wait_s: float) -> None:
        if on_lag not in ("wait", "refuse"):
            raise ConfigurationError(f'on_lag is {on_lag!r}: it is "wait" or "refuse".')
        self._keys, self._default, self._on_lag, self._wait_s = keys, default_limit, on_lag, wait_s
        self._inboxes: dict[str, _Inbox | None] = {}
        # One looks at a time, and who comes after is given what is left of that look.
        self._lock, self._line = threading.Lock(), asyncio.Lock()
        # Whether there is any limit at all: what publishing looks at before anything else.
        self.on = default_limit > 0

    def learn(self, declared: Mapping[str, int]) -> None:
        """Takes note of what modules declare, by their names; 0 where one declares nothing."""
        for module, limit in declared.items():
            self._limit(module, limit or self._default)

    def admits(self, target: str, count: int = 1) -> bool:
        """Whether that many may go to the target by what is known; if so, they count as sent."""
        if target not in self._inboxes:
            self._limit(target, 0 if target.startswith(TOPIC_PREFIX) else self._default)
        inbox = self._inboxes[target]
        if inbox is None:
            return True
        if inbox.room > 0 and time.monotonic() < inbox.until:
            inbox.room -= count
            return True
        return False

    def hold(
        self, client: Client, target: str, count: int, land: Callable[[], None], within_s: float = math.inf
    ) -> None:
        """Returns when that many may be sent; `within_s` seconds are the most that it waits, if that is less than its
        own time. `land` returns when what was granted before is in the inbox: else it would be granted twice. Raises
        InboxFull."""
        begun = time.monotonic()
        wait_s = FIRST_WAIT_S
        while True:
            with self._lock:
                land()
                if client.run(self._look(target, count, begun, within_s)):
                    return
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)

    async def hold_async(
        self,
        client: AsyncClient,
        target: str,
        count: int,
        land: Callable[[], Awaitable[None]],
        within_s: float = math.inf,
    ) -> None:
        """The asyncio twin."""
        begun = time.monotonic()
        wait_s = FIRST_WAIT_S
        while True:
            async with self._line:
                await land()
                if await client.run(self._look(target, count, begun, within_s)):
                    return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)

    def _look(self, target: str, count: int, begun: float, within_s: float) -> Operation[bool]:
        """Looks at the inbox, and whether that many may go now. Raises InboxFull when there is no more waiting."""
        if self.admits(target, count):
            return True
        inbox = self._inboxes[target]
        assert inbox is not None  # else it would have been admitted
        limit = inbox.limit
        found = yield from lag.slowest(self._keys, target, enough=limit)
        now = time.monotonic()
        inbox.room, inbox.until = limit - found.lag.entries, now + SAMPLE_S
        if self.admits(target, count):
            return True
        if self._on_lag == "refuse" or now - begun >= min(self._wait_s, within_s):
            raise InboxFull(target, found.lag.entries, limit, now - begun, found.reader)
        return False

    def _limit(self, target: str, limit: int) -> None:
        known = self._inboxes.get(target)
        if not limit:
            self._inboxes[target] = None
        elif known is None or known.limit != limit:
            self._inboxes[target] = _Inbox(limit)
            self.on = True
