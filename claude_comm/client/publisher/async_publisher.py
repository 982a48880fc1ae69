"""Sending messages from an event loop: the asyncio face of what `sending` and `publisher` say.

Law: that of `publisher`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from claude_comm.client.publisher import negotiate
from claude_comm.client.publisher.backpressure import DEFAULT_LAG_WAIT_S, OnLag
from claude_comm.client.publisher.batching import DEFAULT_MAX_WAITING_BYTES, AsyncCoalescer, OnFull
from claude_comm.client.publisher.outbox_sender import DEFAULT_MAX_OUTBOX_BYTES, Outboxed, no_delay_with
from claude_comm.client.publisher.outgoing import (
    DELAY_PART,
    FULL_WAITS_S,
    LEAST_S,
    Patience,
    Sending,
    full_for_good,
    put_back,
    raise_first,
    unreached,
)
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S, AsyncRequests
from claude_comm.delivery.reply import result
from claude_comm.effects import Post
from claude_comm.envelope import DEFAULT_TYPE, MSGPACK
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops.publish import Outcomes, without_room
from claude_comm.progress.events import Event
from claude_comm.settings import Settings
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.async_pool import Landed
from claude_comm.transport.connect import connect_async

T = TypeVar("T")


class AsyncPublisher(Sending):
    """The asyncio twin of `Publisher`, for one event loop. An async context manager."""

    def __init__(
        self,
        source: str,
        *,
        settings: Settings | None = None,
        client: AsyncClient | None = None,
        max_waiting_bytes: int = DEFAULT_MAX_WAITING_BYTES,
        on_full: OnFull = "wait",
        outbox: str | Path | None = None,
        max_outbox_bytes: int = DEFAULT_MAX_OUTBOX_BYTES,
        on_lag: OnLag = "wait",
        lag_wait_s: float = DEFAULT_LAG_WAIT_S,
    ) -> None:
        super().__init__(source, settings, on_lag, lag_wait_s)
        self._outboxed = None if outbox is None else Outboxed(self.identity, outbox, max_outbox_bytes, on_full)
        self._owns_client = client is None
        self.client = client or connect_async(self.identity.settings)
        begin = self._begin if self._outboxed is None else None
        self._line = AsyncCoalescer(self._deliver, max_waiting_bytes, on_full, begin)
        self._requests = AsyncRequests(self.identity, self.client)

    async def publish(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        session: str = "",
        correlation: str = "",
        causation: str = "",
        reply_to: str = "",
        content_type: str = MSGPACK,
        headers: Mapping[str, str] | None = None,
        delay_s: float | None = None,
        at: datetime | None = None,
        ttl_s: float | None = None,
    ) -> str:
        """Sends one message to a module or to `topic:NAME`; its id. Raises as `Publisher.publish` does."""
        times = self.times(delay_s, at, ttl_s)
        id_, post = self.prepare(
            target,
            data,
            type=type,
            session=session,
            correlation=correlation,
            causation=causation,
            reply_to=reply_to,
            content_type=content_type,
            headers=headers,
            times=times,
        )
        if times.not_before:
            no_delay_with(self._outboxed)
            await self._patiently(lambda: self.client.run(self.delaying(target, [post], times)))
            return id_
        if self._pressure.on and not self._pressure.admits(target):
            await self._pressure.hold_async(self.client, target, 1, self._line.flush)
        if self._line.full():
            await self._line.room()
        return await self._line.push(id_, post)

    async def request(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        session: str = "",
        correlation: str = "",
        causation: str = "",
        as_: Any = Any,
    ) -> Any:
        """Sends one message and waits for its reply. Raises as `Publisher.request` does."""
        if self._pressure.on and not self._pressure.admits(target):
            begun = time.monotonic()
            await self._pressure.hold_async(self.client, target, 1, self._line.flush, timeout_s)
            timeout_s = max(timeout_s - (time.monotonic() - begun), LEAST_S)
        id_, post = self.asked(
            target,
            data,
            self._requests.mailbox.address,
            type=type,
            session=session,
            correlation=correlation,
            causation=causation,
            timeout_s=timeout_s,
        )
        return result(await self._requests.ask(id_, target, timeout_s, lambda: self._ask(id_, post)), target, as_)

    @property
    def late_replies(self) -> int:
        """How many answers came after their request's time was over."""
        return self._requests.mailbox.late

    @property
    def repeated_replies(self) -> int:
        """How many answers came to requests that had one, because they were handled twice."""
        return self._requests.mailbox.repeated

    async def publish_many(
        self,
        target: str,
        payloads: Iterable[object],
        *,
        type: str = DEFAULT_TYPE,
        session: str = "",
        delay_s: float | None = None,
        at: datetime | None = None,
        ttl_s: float | None = None,
    ) -> list[str]:
        """Sends these in order as one batch; their ids. Nothing is sent if one of them cannot be.

        `delay_s`, `at` and `ttl_s` are those of `publish`, alike for all.
        """
        times = self.times(delay_s, at, ttl_s)
        ids, posts = self.prepare_many(target, payloads, type, session, times)
        if times.not_before and posts:
            no_delay_with(self._outboxed)
            for start in range(0, len(posts), DELAY_PART):
                part = posts[start : start + DELAY_PART]
                await self._patiently(lambda part=part: self.client.run(self.delaying(target, part, times)))  # type: ignore[misc]
        elif posts:
            if self._pressure.on and not self._pressure.admits(target, len(posts)):
                await self._pressure.hold_async(self.client, target, len(posts), self._line.flush)
            raise_first(await self._line.send_all(posts))
        return ids

    async def publish_soon(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        session: str = "",
        ttl_s: float | None = None,
    ) -> asyncio.Future[str]:
        """Queues one message; the promise of its id, kept when it is in the stream. Raises as `Publisher` does."""
        times = self.times(None, None, ttl_s)
        id_, post = self.prepare(target, data, type=type, session=session, times=times)
        if self._pressure.on and not self._pressure.admits(target):
            await self._pressure.hold_async(self.client, target, 1, self._line.flush)
        if self._line.full():
            await self._line.room()
        return self._line.push(id_, post)

    async def flush(self) -> None:
        """Returns when every message queued before is in the stream or has failed."""
        await self._line.flush()

    async def tell(self, event: Event, *, session: str = "") -> None:
        """Records an event of this module."""
        raise_first(await self._line.send_all([self.fact(event, session)]))

    async def negotiate(self, target: str, schema: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on what this module sends to it. Raises as `Publisher.negotiate` does."""
        question = await self.client.run(negotiate.question(self.identity.keys, self.source, target, type, schema))
        return self._guard.hold(await negotiate.ask_async(self.identity.settings, question))

    async def close(self) -> None:
        """Sends what waits, then closes the connection."""
        await self._line.flush()
        await self._requests.close()
        if self._outboxed is not None:
            await asyncio.to_thread(self._outboxed.close)
        if self._owns_client:
            await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _deliver(self, posts: Sequence[Post]) -> Outcomes:
        if self._outboxed is None:
            return await self._send(posts)
        return await self._outboxed.deliver_async(posts, self._send, asyncio.to_thread)

    async def _send(self, posts: Sequence[Post]) -> Outcomes:
        """What became of each: what a node did not take, or had no memory for, was sent again."""
        outcomes = await self._send_reaching(posts)
        waits = iter(FULL_WAITS_S)
        while full := without_room(outcomes):
            wait_s = next(waits, None)
            if wait_s is None:
                put_back(outcomes, full, [full_for_good(outcomes[place]) for place in full])
                break
            await asyncio.sleep(wait_s)
            put_back(outcomes, full, await self._send_reaching([posts[place] for place in full]))
        return outcomes

    async def _send_reaching(self, posts: Sequence[Post]) -> Outcomes:
        outcomes = await self._patiently(lambda: self.client.run(self.operation(posts)))
        while missed := unreached(outcomes):
            again = [posts[place] for place in missed]
            try:
                found = await self._patiently(lambda again=again: self.client.run(self.operation(again)))  # type: ignore[misc]
            except ServerUnreachable:
                return outcomes
            put_back(outcomes, missed, found)
        return outcomes

    async def _ask(self, id_: str, post: Post) -> None:
        if self._outboxed is not None:
            raise_first(await self._send([post]))
            return
        if self._line.full():
            await self._line.room()
        await self._line.push(id_, post)

    async def _patiently(self, send: Callable[[], Awaitable[T]]) -> T:
        patience = Patience()
        while True:
            try:
                return await send()
            except (ServerUnreachable, ServerRefused) as error:
                await asyncio.sleep(self.wait_s(patience, error))

    def _begin(self, posts: Sequence[Post], done: Landed) -> bool:
        """Sends these without a task of their own, where nothing is to be done before; False if there is."""
        if self._unannounced({post.stream for post in posts}):
            return False
        return self.client.data.begin(posts, done)
