"""Sending messages from an event loop.

Law: a publish that returned is in the stream. The id exists before the first attempt, and an attempt that may have
reached the server is repeated with the same id, so that every reader can tell the copy.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from builtins import type as type_
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from claude_comm.addresses import on_cluster
from claude_comm.client.arguments import check_choice, check_count, check_kind
from claude_comm.client.identity import identify
from claude_comm.client.publisher.async_batching import AsyncBatcher
from claude_comm.client.publisher.async_requests import AsyncRequests
from claude_comm.client.publisher.async_sender import AsyncSender
from claude_comm.client.publisher.attempts import Attempts, raise_first
from claude_comm.client.publisher.backpressure import DEFAULT_LAG_WAIT_S, Backpressure, OnLag, left, waits_s
from claude_comm.client.publisher.batching import DEFAULT_MAX_WAITING_BYTES, tell_when_left
from claude_comm.client.publisher.outbox_sender import DEFAULT_MAX_OUTBOX_BYTES, OnFull, OutboxSender
from claude_comm.client.publisher.outgoing import NO_ATTRIBUTES, Attributes, Outgoing
from claude_comm.client.publisher.refusals import Refusals
from claude_comm.client.publisher.replies import result
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.client.publisher.responders import Responders
from claude_comm.client.publisher.terms import Terms
from claude_comm.client.publisher.within import bounded
from claude_comm.delivery.schedule import Times
from claude_comm.effects import Post
from claude_comm.envelope import DEFAULT_TYPE, MSGPACK
from claude_comm.errors import (
    AgreementBroken,
    ClaudeCommError,
    ConfigurationError,
    NegotiationRefused,
    ReplyTimeout,
    TransportError,
    UnknownModule,
)
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops.publish import Durability
from claude_comm.progress.events import Event
from claude_comm.registry.contracts import ENFORCEMENTS, Enforcement, UnreadableContract
from claude_comm.settings import Settings
from claude_comm.telemetry.switch import telemetry_of_process
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.connect_async import connect_async

if TYPE_CHECKING:
    from claude_comm.client.publisher.async_durable import AsyncDurable

T = TypeVar("T")


class AsyncPublisher:
    """Sends the messages of one module. An async context manager.

    Safe to share between the tasks of an event loop: messages that several send at once travel together.
    `max_waiting_bytes` bounds the queue of `publish_soon`; `on_full` is what happens when it is full.

    With `outbox`, a file of this publisher alone, each message is on the local disk before it is first sent, and until
    a projection has stored it. Then a publish that returned is in the stream or in the outbox, which sends it when the
    server answers again, also after a restart; `max_outbox_bytes` bounds the messages that are not stored yet.
    """

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
        enforcement: Enforcement = "enforce",
    ) -> None:
        self.identity = identify(source, settings)
        keys, used = self.identity.keys, self.identity.settings
        check_choice("enforcement", enforcement, ENFORCEMENTS)
        self._outgoing = Outgoing(self.identity, enforcement)
        telemetry = telemetry_of_process(used, self.identity.module, self.identity.instance)
        if telemetry is not None:
            from claude_comm.client.publisher import traced

            self._outgoing = traced.TracedOutgoing(self.identity, enforcement)
            traced.wrap_async(self, telemetry)
        self._refusals = Refusals(self.identity.most_text)
        self._terms = Terms(keys, self.identity.module)
        self._backpressure = Backpressure(keys, used.max_lag, on_lag, lag_wait_s)
        self._responders = Responders(keys)
        self._looking = asyncio.Lock()
        learn, cluster = self._backpressure.learn, on_cluster(used.url)
        self._attempts = Attempts(keys, learn, on_cluster=cluster, identity=self.identity)
        check_count("max_outbox_bytes", max_outbox_bytes, least=1)
        self._outbox = None if outbox is None else OutboxSender(self.identity, outbox, max_outbox_bytes, on_full)
        self._owns_client = client is None
        self.client = (
            connect_async(used, self.identity.signer) if client is None else check_kind("client", client, AsyncClient)
        )
        sender = AsyncSender(self.identity, self.client, self._attempts, self._outbox)
        self._batcher = AsyncBatcher(sender, max_waiting_bytes, on_full)
        tell_when_left(self._batcher, self._batcher.unconfirmed, self.identity)
        self._requests = AsyncRequests(self.identity, self.client, self._batcher)

    @property
    def source(self) -> str:
        """The module in whose name it sends."""
        return self.identity.module

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
        durable: Durability | None = None,
    ) -> str:
        """Sends one message to a module or to `topic:NAME`; returns its id.

        `data` is any value that msgspec can encode, and bytes. With `delay_s`, or `at` (a datetime with its time
        zone), it waits on the server until then; a message that is not handled `ttl_s` seconds after that is buried as
        expired. With `durable="fsync"` it returns once the server's disk has the message, and raises NotOnDisk where
        that is not confirmed. Raises ConfigurationError, InvalidName, EncodeError, TooLarge, AgreementBroken,
        InboxFull, ServerRefused or ServerUnreachable.
        """
        batcher = self._batcher if durable is None else self._durable.checked(durable, delay_s, at)
        if self._terms.look_at <= time.monotonic():
            await self._renegotiate()
        try:
            if (correlation == causation == reply_to == "" and content_type == MSGPACK) and (
                headers is None and delay_s is None and at is None and ttl_s is None
            ):
                id_, post = self._outgoing.plain(target, data, type, session)
            else:
                times = self._outgoing.times(delay_s, at, ttl_s)
                attributes = Attributes(correlation, causation, reply_to, content_type, headers)
                id_, post = self._outgoing.prepare(target, data, type, session, attributes, times)
                if times.not_before:
                    await self._delay(target, [post], times)
                    return id_
        except AgreementBroken as error:
            await self._tell_refused(error)
            raise
        if self._backpressure.on and not self._backpressure.admits(target):
            await self._wait_for_room(target, 1)
        return await batcher.send(id_, post)

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
        durable: Durability | None = None,
    ) -> list[str]:
        """Sends these in order as one batch; returns their ids. None is sent if one of them cannot be.

        `delay_s`, `at`, `ttl_s` and `durable` are those of `publish`, alike for all.
        """
        batcher = self._batcher if durable is None else self._durable.checked(durable, delay_s, at)
        if self._terms.look_at <= time.monotonic():
            await self._renegotiate()
        times = self._outgoing.times(delay_s, at, ttl_s)
        try:
            ids, posts = self._outgoing.prepare_many(target, payloads, type, session, times)
        except AgreementBroken as error:
            await self._tell_refused(error)
            raise
        if times.not_before:
            await self._delay(target, posts, times)
        elif posts:
            if self._backpressure.on and not self._backpressure.admits(target, len(posts)):
                await self._wait_for_room(target, len(posts))
            raise_first(await batcher.send_all(posts))
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
        """Queues one message for the background; returns a future, resolved with its id once it is in the stream.

        The future raises what sending it raised. `publish_soon` itself raises as `publish` does for a message that
        cannot be sent, and PublisherFull or waits when the queue is full, as `on_full` says.
        """
        if self._terms.look_at <= time.monotonic():
            await self._renegotiate()
        try:
            if ttl_s is None:
                id_, post = self._outgoing.plain(target, data, type, session)
            else:
                times = self._outgoing.times(None, None, ttl_s)
                id_, post = self._outgoing.prepare(target, data, type, session, times=times)
        except AgreementBroken as error:
            await self._tell_refused(error)
            raise
        if self._backpressure.on and not self._backpressure.admits(target):
            await self._wait_for_room(target, 1)
        return await self._batcher.send_soon(id_, post)

    @overload
    async def request(
        self,
        target: str,
        data: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        session: str = ...,
        correlation: str = ...,
        causation: str = ...,
        as_: type_[T],
    ) -> T: ...

    @overload
    async def request(
        self,
        target: str,
        data: object,
        *,
        type: str = ...,
        timeout_s: float = ...,
        session: str = ...,
        correlation: str = ...,
        causation: str = ...,
        as_: Any = ...,
    ) -> Any: ...

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
        """Sends one message and waits for its reply: the result of the target's handler, as type `as_` if one is given.

        Raises as `publish` does, NoResponder when no instance of the target lives (nothing is sent then), ReplyTimeout
        when no answer came within `timeout_s` seconds (the request is not handled after that), RequestFailed when the
        target gave up on it, and DecodeError for a reply of another type than `as_`. An outbox does not keep it: a
        request that was not answered raises.
        """
        attributes = NO_ATTRIBUTES if correlation == causation == "" else Attributes(correlation, causation)
        self._outgoing.check_request(target, type, session, attributes, timeout_s, as_)
        begun, left_s = time.monotonic(), timeout_s
        if not self._responders.known(target):
            await self.client.run(self._responders.look(target, timeout_s))
            left_s = left(timeout_s, begun)
        if self._backpressure.on and not self._backpressure.admits(target):
            await self._wait_for_room(target, 1, left_s)
            left_s = left(timeout_s, begun)
        if self._terms.look_at <= time.monotonic():
            await self._renegotiate(begun + timeout_s)
            left_s = left(timeout_s, begun)
        try:
            address = self._requests.mailbox.address
            id_, post = self._outgoing.prepare_request(target, data, address, type, session, attributes, left_s)
        except AgreementBroken as error:
            await self._tell_refused(error)
            raise
        try:
            answer = await self._requests.ask(id_, post, target, left_s)
        except ReplyTimeout:
            self._responders.lost(target)
            raise ReplyTimeout(target, id_, timeout_s) from None
        self._responders.saw(target)
        return result(answer, target, as_)

    @property
    def late_replies(self) -> int:
        """The number of replies that arrived after their request had timed out."""
        return self._requests.mailbox.late

    @property
    def repeated_replies(self) -> int:
        """The number of second replies, to requests that were handled twice."""
        return self._requests.mailbox.repeated

    async def flush(self) -> None:
        """Returns when every message queued before is in the stream or has failed."""
        await self._batcher.flush()

    async def send_file(
        self, target: str, path: str | Path, *, type: str = DEFAULT_TYPE, session: str = "", content_type: str = ""
    ) -> str:
        """Stores a file of any size, and sends a message that refers to it; returns the id of the message.

        Its handler declares `Blob`, or `bytes`. Progress is reported as the task `send NAME`. A transfer that was
        killed goes on where it was when it is made again. Raises ConfigurationError, StoreError, and as `publish` does.
        """
        # Few programs send files.
        from claude_comm.client.publisher.file_transfer import FileTransfer

        with closing(FileTransfer(self.identity.settings, path, content_type)) as transfer:
            while (report := await asyncio.to_thread(transfer.step)) is not None:
                await self.tell(report, session=session)
            id_, post = self._outgoing.prepare_blob(target, transfer.manifest, type, session)
        if self._backpressure.on and not self._backpressure.admits(target):
            await self._wait_for_room(target, 1)
        return await self._batcher.send(id_, post)

    async def tell(self, event: Event, *, session: str = "") -> None:
        """Records an event of this module."""
        raise_first(await self._batcher.send_all([self._outgoing.event(event, session)]))

    async def negotiate(self, target: str, schema: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on what this module sends to it; from then on every payload is validated against it.

        `schema` is a JSON Schema or a Python type that has one. Of several versions of the target the first that fits
        is agreed on, with an adapter where that takes no guess; of a topic each module that reads it. The agreement is
        negotiated again when the target registers another version. Raises UnknownModule, SchemaError or
        NegotiationRefused, whose `refusal` carries the verdict and its witness.
        """
        return await self._negotiate(target, schema, type, "")

    async def _negotiate(self, target: str, schema: Any, type: str, because: str, until: float = math.inf) -> Agreement:
        # The engine of schemas takes longer to import than a publisher that never negotiates.
        from claude_comm.client.publisher import negotiate

        await self.client.run(bounded(self._terms.marking(), until))
        asking = negotiate.questions(self.identity.keys, self.source, target, type, schema)
        asked = await self.client.run(bounded(asking, until))
        before = self._outgoing.held(target, type) if because else None
        agreement = await asyncio.to_thread(negotiate.settle_alone, self.identity.settings, asked, because, before)
        self._terms.agree(target, type, schema)
        return self._outgoing.hold(agreement)

    def agreed(self, target: str, type: str = DEFAULT_TYPE) -> bool:
        """Whether messages of this type to this target are sent under an agreement."""
        return self._outgoing.agreed(target, type)

    async def close(self) -> None:
        """Sends the queue, then closes the connection."""
        for event in self._refusals.due(math.inf):
            with suppress(ClaudeCommError):
                await self.tell(event)
        await self._batcher.close()
        if "_durable" in self.__dict__:
            await self._durable.close()
        await self._requests.close()
        if self._outbox is not None:
            await asyncio.to_thread(self._outbox.close)
        if self._owns_client:
            await self.client.close()

    @functools.cached_property
    def _durable(self) -> AsyncDurable:
        # Few programs wait for the server's disk.
        from claude_comm.client.publisher.async_durable import AsyncDurable

        has_outbox = self._outbox is not None
        return AsyncDurable(self.identity, self.client, self._attempts, self._batcher, has_outbox=has_outbox)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _tell_refused(self, error: AgreementBroken) -> None:
        """Counts a message that was not sent, and tells so if it is time."""
        self._refusals.note(error)
        for event in self._refusals.due(time.monotonic()):
            # What is refused is the message: that nobody can be told of it changes nothing.
            with suppress(TransportError):
                await self.tell(event)

    async def _delay(self, target: str, posts: Sequence[Post], times: Times) -> None:
        if self._outbox is not None:
            raise ConfigurationError(
                "a delayed message is not kept in the outbox: send it with a publisher that has none."
            )
        await self.client.run(self._attempts.delaying(target, self.identity.sealed(posts), times))

    async def _renegotiate(self, until: float = math.inf) -> None:
        """Looks at what changed in the registry, and negotiates again what that concerns."""
        for target, type, because in await self.client.run(bounded(self._terms.looking(), until)):
            try:
                await self._negotiate(target, self._terms.shape(target, type), type, because, until)
            except (TransportError, UnreadableContract):
                # It does not say what changed: the agreement that is held goes on.
                self._terms.look_again()
            except (NegotiationRefused, UnknownModule, ConfigurationError) as error:
                self._outgoing.refuse(target, type, error)

    async def _wait_for_room(self, target: str, count: int, within_s: float = math.inf) -> None:
        """Returns when the target's inbox has room for that many. Raises InboxFull."""
        begun, pauses_s = time.monotonic(), waits_s()
        while True:
            async with self._looking:
                # What was granted before must be in the inbox, or it would be granted twice.
                await self._batcher.flush()
                if await self.client.run(self._backpressure.look(target, count, begun, within_s)):
                    return
            await asyncio.sleep(next(pauses_s))
