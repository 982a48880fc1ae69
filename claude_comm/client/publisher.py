"""Sending messages.

Law: a publish that returned is in the stream. The id exists before the first attempt, and an attempt that may have
reached the server is repeated with the same id, so that every reader can tell the copy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from claude_comm.client import asking
from claude_comm.client.guard import Guard
from claude_comm.client.opening import Identity, identify
from claude_comm.drive.aio import AsyncLinks
from claude_comm.drive.blocking import Links
from claude_comm.drive.connect import connect, connect_async
from claude_comm.effects import Operation
from claude_comm.envelope import DEFAULT_TYPE, MSGPACK, Envelope
from claude_comm.errors import ServerUnreachable
from claude_comm.names import check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import publish as ops
from claude_comm.ops.publish import Post
from claude_comm.progress.events import Event
from claude_comm.settings import Settings

# Announcing a stream again after this long mends a registry that was emptied under a living publisher.
ANNOUNCE_EVERY_S = 30.0
# Attempts and waits of one publish while the server does not answer: about 1.5 s in all.
RETRY_WAITS_S = (0.05, 0.15, 0.4, 0.9)


class _Sending:
    """What the blocking and the asyncio publisher share: envelopes made, agreements held, streams announced."""

    def __init__(self, source: str, settings: Settings | None) -> None:
        self.identity: Identity = identify(source, settings)
        self._guard = Guard()
        self._announced: dict[str, float] = {}

    @property
    def source(self) -> str:
        return self.identity.module

    def agreed(self, target: str, type: str = DEFAULT_TYPE) -> bool:
        """Whether messages of this type to this target go under an agreement."""
        return self._guard.holds(target, type)

    def hold(self, agreement: Agreement) -> Agreement:
        """Sends under an agreement that was made before. Raises NegotiationRefused."""
        return self._guard.hold(agreement)

    def _envelope(self, target: str, data: object, type: str, threading: Mapping[str, Any]) -> Envelope:
        agreement = self._guard.check(check_target(target), type, data)
        return self.identity.envelope(target, data, type=type, agreement=agreement, **threading)

    def _operation(self, envelopes: list[Envelope]) -> Operation[list[str]]:
        keys = self.identity.keys
        posts = [Post(keys.stream(envelope.target), self.identity.encode(envelope)) for envelope in envelopes]
        return ops.publish(keys, posts, self._unannounced(posts))

    def _event_operation(self, event: Event, session: str) -> Operation[list[str]]:
        keys = self.identity.keys
        post = Post(keys.events(self.source), self.identity.event(event, session))
        return ops.publish(keys, [post], self._unannounced([post]))

    def _unannounced(self, posts: list[Post]) -> set[str]:
        now = time.monotonic()
        due = {post.stream for post in posts if self._announced.get(post.stream, -1e9) < now - ANNOUNCE_EVERY_S}
        self._announced.update(dict.fromkeys(due, now))
        return due


class Publisher(_Sending):
    """Sends the messages of one module; safe to share between threads. A context manager."""

    def __init__(self, source: str, *, settings: Settings | None = None, links: Links | None = None) -> None:
        super().__init__(source, settings)
        self._owns_links = links is None
        self.links = links or connect(self.identity.settings)

    def publish(
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
    ) -> str:
        """Sends one message to a module or to `topic:NAME`; its id.

        `data` is anything msgspec can write, and bytes. Raises InvalidName, EncodeError, TooLarge, AgreementBroken,
        ServerRefused or ServerUnreachable.
        """
        threading = {
            "session": session,
            "correlation": correlation,
            "causation": causation,
            "reply_to": reply_to,
            "content_type": content_type,
            "headers": headers,
        }
        envelope = self._envelope(target, data, type, threading)
        self._send([envelope])
        return envelope.id

    def publish_many(
        self, target: str, payloads: Iterable[object], *, type: str = DEFAULT_TYPE, session: str = ""
    ) -> list[str]:
        """Sends these in order as one batch; their ids. Nothing is sent if one of them cannot be."""
        envelopes = [self._envelope(target, data, type, {"session": session}) for data in payloads]
        if envelopes:
            self._send(envelopes)
        return [envelope.id for envelope in envelopes]

    def tell(self, event: Event, *, session: str = "") -> None:
        """Records an event of this module."""
        self.links.run(self._event_operation(event, session))

    def negotiate(self, target: str, schema: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on what this module sends to it; from then on every payload is held to it.

        `schema` is a JSON Schema or a Python type that has one. Raises UnknownModule, SchemaError or
        NegotiationRefused, whose `refusal` carries the verdict and its witness.
        """
        question = self.links.run(asking.question(self.identity.keys, self.source, target, type, schema))
        return self._guard.hold(asking.ask(self.links, self.identity.settings, question))

    def close(self) -> None:
        if self._owns_links:
            self.links.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, envelopes: list[Envelope]) -> None:
        for wait_s in RETRY_WAITS_S:
            try:
                self.links.run(self._operation(envelopes))
            except ServerUnreachable:
                self._announced.clear()
                time.sleep(wait_s)
            else:
                return
        self.links.run(self._operation(envelopes))


class AsyncPublisher(_Sending):
    """The asyncio twin of `Publisher`, for one event loop. An async context manager."""

    def __init__(self, source: str, *, settings: Settings | None = None, links: AsyncLinks | None = None) -> None:
        super().__init__(source, settings)
        self._owns_links = links is None
        self.links = links or connect_async(self.identity.settings)

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
    ) -> str:
        """Sends one message to a module or to `topic:NAME`; its id. Raises as `Publisher.publish` does."""
        threading = {
            "session": session,
            "correlation": correlation,
            "causation": causation,
            "reply_to": reply_to,
            "content_type": content_type,
            "headers": headers,
        }
        envelope = self._envelope(target, data, type, threading)
        await self._send([envelope])
        return envelope.id

    async def publish_many(
        self, target: str, payloads: Iterable[object], *, type: str = DEFAULT_TYPE, session: str = ""
    ) -> list[str]:
        """Sends these in order as one batch; their ids. Nothing is sent if one of them cannot be."""
        envelopes = [self._envelope(target, data, type, {"session": session}) for data in payloads]
        if envelopes:
            await self._send(envelopes)
        return [envelope.id for envelope in envelopes]

    async def tell(self, event: Event, *, session: str = "") -> None:
        """Records an event of this module."""
        await self.links.run(self._event_operation(event, session))

    async def negotiate(self, target: str, schema: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on what this module sends to it. Raises as `Publisher.negotiate` does."""
        question = await self.links.run(asking.question(self.identity.keys, self.source, target, type, schema))
        return self._guard.hold(await asking.ask_async(self.identity.settings, question))

    async def close(self) -> None:
        if self._owns_links:
            await self.links.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, envelopes: list[Envelope]) -> None:
        for wait_s in RETRY_WAITS_S:
            try:
                await self.links.run(self._operation(envelopes))
            except ServerUnreachable:
                self._announced.clear()
                await asyncio.sleep(wait_s)
            else:
                return
        await self.links.run(self._operation(envelopes))
