"""Sending messages.

Law: a publish that returned is in the stream. The id exists before the first attempt, and an attempt that may have
reached the server is repeated with the same id, so that every reader can tell the copy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from claude_comm.client.publisher import negotiate
from claude_comm.client.publisher.backpressure import DEFAULT_LAG_WAIT_S, OnLag
from claude_comm.client.publisher.batching import DEFAULT_MAX_WAITING_BYTES, Coalescer, OnFull
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
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S, Requests
from claude_comm.delivery.reply import result
from claude_comm.effects import Post
from claude_comm.envelope import DEFAULT_TYPE, MSGPACK
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops.publish import Outcomes, without_room
from claude_comm.progress.events import Event
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

T = TypeVar("T")


class Publisher(Sending):
    """Sends the messages of one module. A context manager.

    Safe to share between threads: what several send at once travels together. `max_waiting_bytes` bounds what
    `publish_soon` holds; `on_full` says what it does then.

    With `outbox`, a file of this publisher alone, each message is on the local disk before it is first sent, and until
    a projection has stored it. Then a publish that returned is in the stream or in the outbox, which sends it when the
    server answers again, also after a restart; what `max_outbox_bytes` bounds is what is not stored yet.
    """

    def __init__(
        self,
        source: str,
        *,
        settings: Settings | None = None,
        client: Client | None = None,
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
        self.client = client or connect(self.identity.settings)
        self._line = Coalescer(self._deliver, max_waiting_bytes, on_full)
        self._requests = Requests(self.identity, self.client)

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
        delay_s: float | None = None,
        at: datetime | None = None,
        ttl_s: float | None = None,
    ) -> str:
        """Sends one message to a module or to `topic:NAME`; its id.

        `data` is anything msgspec can write, and bytes. With `delay_s`, or `at` (a datetime with its time zone), it
        waits on the server until then; what is not handled `ttl_s` seconds after that is buried as expired. Raises
        ConfigurationError, InvalidName, EncodeError, TooLarge, AgreementBroken, InboxFull,
        ServerRefused or ServerUnreachable.
        """
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
            self._patiently(lambda: self.client.run(self.delaying(target, [post], times)))
            return id_
        if self._pressure.on and not self._pressure.admits(target):
            self._pressure.hold(self.client, target, 1, self._line.flush)
        return self._line.send(id_, post)

    def request(
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
        """Sends one message and waits for its reply: what the target's handler returned, as type `as_` if one is given.

        Raises as `publish` does, ReplyTimeout when no answer came within `timeout_s` seconds (nobody handles the
        request after that), RequestFailed when the target gave up on it, and DecodeError for a reply of another type
        than `as_`. An outbox does not keep it: who asks is told.
        """
        if self._pressure.on and not self._pressure.admits(target):
            begun = time.monotonic()
            self._pressure.hold(self.client, target, 1, self._line.flush, timeout_s)
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
        return result(self._requests.ask(id_, target, timeout_s, lambda until: self._ask(post, until)), target, as_)

    @property
    def late_replies(self) -> int:
        """How many answers came after their request's time was over."""
        return self._requests.mailbox.late

    @property
    def repeated_replies(self) -> int:
        """How many answers came to requests that had one, because they were handled twice."""
        return self._requests.mailbox.repeated

    def publish_many(
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
                self._patiently(lambda part=part: self.client.run(self.delaying(target, part, times)))  # type: ignore[misc]
        elif posts:
            if self._pressure.on and not self._pressure.admits(target, len(posts)):
                self._pressure.hold(self.client, target, len(posts), self._line.flush)
            raise_first(self._line.send_all(posts))
        return ids

    def publish_soon(
        self,
        target: str,
        data: object,
        *,
        type: str = DEFAULT_TYPE,
        session: str = "",
        ttl_s: float | None = None,
    ) -> Future[str]:
        """Queues one message for the background; the promise of its id, kept when it is in the stream.

        `ttl_s` is that of `publish`; what is to wait waits on the server, put there by `publish`.

        Raises at once what `publish` raises before it sends, and PublisherFull with `on_full="refuse"`.
        """
        times = self.times(None, None, ttl_s)
        id_, post = self.prepare(target, data, type=type, session=session, times=times)
        if self._pressure.on and not self._pressure.admits(target):
            self._pressure.hold(self.client, target, 1, self._line.flush)
        return self._line.send_soon(id_, post)

    def flush(self) -> None:
        """Returns when every message queued before is in the stream or has failed."""
        self._line.flush()

    def tell(self, event: Event, *, session: str = "") -> None:
        """Records an event of this module."""
        raise_first(self._line.send_all([self.fact(event, session)]))

    def negotiate(self, target: str, schema: Any, *, type: str = DEFAULT_TYPE) -> Agreement:
        """Agrees with the target on what this module sends to it; from then on every payload is held to it.

        `schema` is a JSON Schema or a Python type that has one. Raises UnknownModule, SchemaError or
        NegotiationRefused, whose `refusal` carries the verdict and its witness.
        """
        question = self.client.run(negotiate.question(self.identity.keys, self.source, target, type, schema))
        return self._guard.hold(negotiate.ask(self.client, self.identity.settings, question))

    def close(self) -> None:
        """Sends what waits, then closes the connection."""
        self._line.close()
        self._requests.close()
        if self._outboxed is not None:
            self._outboxed.close()
        if self._owns_client:
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _deliver(self, posts: Sequence[Post]) -> Outcomes:
        return self._send(posts) if self._outboxed is None else self._outboxed.deliver(posts, self._send)

    def _send(self, posts: Sequence[Post]) -> Outcomes:
        """What became of each: what a node did not take, or had no memory for, was sent again."""
        outcomes = self._send_reaching(posts)
        waits = iter(FULL_WAITS_S)
        while full := without_room(outcomes):
            wait_s = next(waits, None)
            if wait_s is None:
                put_back(outcomes, full, [full_for_good(outcomes[place]) for place in full])
                break
            time.sleep(wait_s)
            put_back(outcomes, full, self._send_reaching([posts[place] for place in full]))
        return outcomes

    def _send_reaching(self, posts: Sequence[Post]) -> Outcomes:
        outcomes = self._patiently(lambda: self.client.run(self.operation(posts)))
        while missed := unreached(outcomes):
            again = [posts[place] for place in missed]
            try:
                found = self._patiently(lambda again=again: self.client.run(self.operation(again)))  # type: ignore[misc]
            except ServerUnreachable:
                return outcomes
            put_back(outcomes, missed, found)
        return outcomes

    def _ask(self, post: Post, until: float) -> None:
        self._patiently(lambda: self.client.run(self.asking(post, until - time.monotonic())), until)

    def _patiently(self, send: Callable[[], T], until: float = math.inf) -> T:
        """What `send` returns, tried again while the server does not answer or is full: the message has its id."""
        patience = None
        while True:
            try:
                return send()
            except (ServerUnreachable, ServerRefused) as error:
                patience = patience or Patience(until)
                time.sleep(self.wait_s(patience, error))
