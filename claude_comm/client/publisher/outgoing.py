"""What the blocking and the asyncio publisher share: envelopes made, agreements held, streams announced.

Law: a message is checked, named and encoded before anything of it is sent, so that what cannot be sent costs
nothing, and so that every attempt carries the same bytes.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from claude_comm import envelope as envelopes
from claude_comm.client.identity import Identity, identify, micros, new_id
from claude_comm.client.publisher.backpressure import OnLag, Pressure
from claude_comm.client.publisher.enforcement import Guard
from claude_comm.delivery.schedule import ALWAYS, Times, times
from claude_comm.effects import REPLY_WITHIN_MS, Operation, Post
from claude_comm.envelope import DEFAULT_TYPE, MSGPACK, Envelope, Form
from claude_comm.errors import ConfigurationError, ServerFull, ServerRefused, ServerUnreachable, TransportError
from claude_comm.ids import BATCH_ENTROPY_BYTES, MAX_BATCH, uuid7s
from claude_comm.names import check_name, check_session, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import later, replies
from claude_comm.ops import publish as ops
from claude_comm.ops.publish import Outcomes, is_full
from claude_comm.progress.events import Event
from claude_comm.settings import Settings, on_cluster

# Announcing a stream again after this long mends a registry that was emptied under a living publisher.
ANNOUNCE_EVERY_S = 30.0
# Waits between the attempts of one publish while the server does not answer: about 1.5 s in all.
RETRY_WAITS_S = (0.05, 0.15, 0.4, 0.9)
# On a cluster: for how long nothing is waited for after that was in vain.
IMPATIENT_S = 5.0
# And while its memory is full: consumers and the janitor make room meanwhile. About 3 s in all.
FULL_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)

# Kinds of messages (target, type, session, agreement) that a publisher keeps a form for.
_MAX_FORMS = 1_000
# How many delayed messages one command puts where they wait: the server does nothing else meanwhile.
DELAY_PART = 500
# What is left to a request whose time went by while it waited for room in the inbox.
LEAST_S = 0.001


class Sending:
    """The state of one publisher."""

    def __init__(self, source: str, settings: Settings | None, on_lag: OnLag, lag_wait_s: float) -> None:
        self.identity: Identity = identify(source, settings)
        self._pressure = Pressure(self.identity.keys, self.identity.settings.max_lag, on_lag, lag_wait_s)
        self._guard = Guard()
        self.source = self.identity.module
        self._announced: dict[str, float] = {}
        self._streams: dict[str, str] = {}
        self._forms: dict[tuple[str, str, str, str], Form] = {}
        self._on_cluster = on_cluster(self.identity.settings.url)
        self._impatient_until = 0.0

    def patient(self) -> bool:
        """Whether to wait for a server that does not answer. Not where a master of the cluster was waited for in vain
        a moment ago: what goes to the others would wait as well."""
        return time.monotonic() >= self._impatient_until

    def wait_s(self, patience: Patience, error: TransportError) -> float:
        """How long to wait after this error before the same is sent again; raises it when it is not to be."""
        if isinstance(error, ServerUnreachable):
            self._announced.clear()
            if not self.patient():
                raise error
        try:
            return patience.wait_s(error)
        except ServerUnreachable:
            if self._on_cluster and patience.spent:
                self._impatient_until = time.monotonic() + IMPATIENT_S
            raise

    def agreed(self, target: str, type: str = DEFAULT_TYPE) -> bool:
        """Whether messages of this type to this target go under an agreement."""
        return self._guard.holds(target, type)

    def hold(self, agreement: Agreement) -> Agreement:
        """Sends under an agreement that was made before. Raises NegotiationRefused."""
        return self._guard.hold(agreement)

    def prepare(
        self,
        target: str,
        data: object,
        *,
        type: str,
        session: str = "",
        correlation: str = "",
        causation: str = "",
        reply_to: str = "",
        content_type: str = MSGPACK,
        headers: Mapping[str, str] | None = None,
        times: Times = ALWAYS,
    ) -> tuple[str, Post]:
        """The id of a new message, and what is sent of it."""
        stream = self._streams.get(target) or self._stream(target)
        check_name(type, "message type")
        if session:
            check_session(session)
        time_us = micros()
        id_ = new_id(time_us)
        if not (correlation or causation or reply_to or headers) and times is ALWAYS and content_type == MSGPACK:
            agreement = self._guard.check(target, type, data)
            form = self._forms.get((target, type, session, agreement)) or self._form(target, type, session, agreement)
            return id_, Post(stream, form.fill(id_, time_us, data))
        envelope = Envelope(
            id=id_,
            source=self.source,
            target=target,
            type=type,
            time=time_us,
            session=session,
            correlation=correlation,
            causation=causation,
            reply_to=reply_to,
            agreement=self._guard.check(target, type, data),
            not_before=times.not_before,
            expires=times.expires,
            content_type=content_type,
            headers=dict(headers) if headers else {},
            data=envelopes.pack(data),
        )
        return id_, Post(stream, self.identity.encode(envelope))

    def prepare_many(
        self, target: str, payloads: Iterable[object], type: str, session: str, times: Times = ALWAYS
    ) -> tuple[list[str], list[Post]]:
        """The same for many of one kind, whose names are checked once."""
        datas = list(payloads)
        stream, ids, time_us = self.identity.keys.stream(check_target(target)), self._ids(len(datas)), micros()
        check_name(type, "message type")
        if session:
            check_session(session)
        agreement = ""
        if self.agreed(target, type):
            for data in datas:
                agreement = self._guard.check(target, type, data)
        fill = self._form(target, type, session, agreement, times).fill
        return ids, [Post(stream, fill(id_, time_us, data)) for id_, data in zip(ids, datas, strict=True)]

    def fact(self, event: Event, session: str) -> Post:
        """An event of this module, as it is sent."""
        return Post(self.identity.keys.events(self.source), self.identity.event(event, session))

    def times(self, delay_s: float | None, at: datetime | None, ttl_s: float | None) -> Times:
        """From when and until when a message that is sent now is handed out. Raises ConfigurationError."""
        if delay_s is None and at is None and ttl_s is None:
            return ALWAYS
        return times(micros(), delay_s=delay_s, at=at, ttl_s=ttl_s)

    def asked(
        self,
        target: str,
        data: object,
        address: str,
        *,
        type: str,
        session: str,
        correlation: str,
        causation: str,
        timeout_s: float,
    ) -> tuple[str, Post]:
        """A request and its id: nobody handles it once its time is over. Raises ConfigurationError."""
        if not timeout_s > 0:
            raise ConfigurationError(f"timeout_s is {timeout_s!r}: it is a number of seconds above 0.")
        return self.prepare(
            target,
            data,
            type=type,
            session=session,
            correlation=correlation,
            causation=causation,
            reply_to=address,
            times=times(micros(), delay_s=None, at=None, ttl_s=timeout_s),
        )

    def asking(self, post: Post, within_s: float) -> Operation[None]:
        """Sends a request; the server has that long to confirm it."""
        unannounced, within_ms = self._unannounced({post.stream}), max(int(within_s * 1000), 1)
        yield from replies.ask(self.identity.keys, post, unannounced, within_ms=min(within_ms, REPLY_WITHIN_MS))
        self._announced.update(dict.fromkeys(unannounced, time.monotonic()))

    def operation(self, posts: Sequence[Post]) -> Operation[Outcomes]:
        unannounced = self._unannounced({post.stream for post in posts})
        if unannounced:
            self._pressure.learn((yield from ops.announce(self.identity.keys, unannounced)))
        outcomes = yield from ops.publish(self.identity.keys, posts, ())
        self._announced.update(dict.fromkeys(unannounced, time.monotonic()))
        return outcomes

    def delaying(self, target: str, posts: Sequence[Post], times: Times) -> Operation[None]:
        """Puts messages where they wait for their time."""
        unannounced, due_ms = self._unannounced({posts[0].stream}), times.not_before // 1000
        yield from later.delay(
            self.identity.keys, target, [post.body for post in posts], due_ms=due_ms, unannounced=unannounced
        )
        self._announced.update(dict.fromkeys(unannounced, time.monotonic()))

    def _unannounced(self, streams: Collection[str]) -> set[str]:
        """Those that the registry has not been told of lately."""
        before = time.monotonic() - ANNOUNCE_EVERY_S
        return {stream for stream in streams if self._announced.get(stream, -1e9) < before}

    def _form(self, target: str, type: str, session: str, agreement: str, times: Times = ALWAYS) -> Form:
        """What messages of this kind have in common; the names are checked."""
        max_bytes = self.identity.settings.max_envelope_bytes
        like = Envelope(
            id="",
            source=self.source,
            target=target,
            type=type,
            time=0,
            session=session,
            agreement=agreement,
            not_before=times.not_before,
            expires=times.expires,
        )
        form = Form(like, max_bytes=max_bytes)
        if times is ALWAYS:
            if len(self._forms) >= _MAX_FORMS:
                self._forms.clear()
            self._forms[target, type, session, agreement] = form
        return form

    def _stream(self, target: str) -> str:
        """The stream of a target whose name is checked when it is first used. Raises InvalidName."""
        stream = self._streams[target] = self.identity.keys.stream(check_target(target))
        return stream

    def _ids(self, count: int) -> list[str]:
        ids: list[str] = []
        while len(ids) < count:
            size = min(count - len(ids), MAX_BATCH)
            ids += uuid7s(micros(), os.urandom(size * BATCH_ENTROPY_BYTES), size)
        return ids


def raise_first(outcomes: Outcomes) -> None:
    """Raises the first refusal among them."""
    for outcome in outcomes:
        if isinstance(outcome, TransportError):
            raise outcome


class Patience:
    """How long one sending is tried, until a moment of the monotonic clock at the latest."""

    def __init__(self, until: float = math.inf) -> None:
        self._until = until
        self._unreachable, self._full = iter(RETRY_WAITS_S), iter(FULL_WAITS_S)
        # Whether the server was waited for as long as it is ever.
        self.spent = False

    def wait_s(self, error: TransportError) -> float:
        """How long to wait after this error before the same is sent again; raises it when it is not to be."""
        if not is_full(error):
            wait_s = next(self._unreachable, None) if isinstance(error, ServerUnreachable) else None
        elif (wait_s := next(self._full, None)) is None:
            error = full_for_good(error)
        self.spent = wait_s is None
        if wait_s is None or time.monotonic() + wait_s >= self._until:
            raise error
        return wait_s


def full_for_good(error: bytes | TransportError) -> TransportError:
    return ServerFull(error.text if isinstance(error, ServerRefused) else "", sum(FULL_WAITS_S))


def unreached(outcomes: Outcomes) -> list[int]:
    """The places of what went to a node that did not answer, while others of its cluster did."""
    return [
        place
        for place, outcome in enumerate(outcomes)
        if outcome.__class__ is not bytes and isinstance(outcome, ServerUnreachable)
    ]


def put_back(outcomes: Outcomes, places: Sequence[int], found: Outcomes) -> None:
    """Puts what became of these when they were sent again into their places."""
    for place, outcome in zip(places, found, strict=True):
        outcomes[place] = outcome
