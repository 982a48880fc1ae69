"""Outgoing messages: checked, named and encoded before any of their bytes are sent.

Law: a message that cannot be sent costs nothing, and every attempt carries the same bytes, because the id exists
before the first one. A payload under an agreement is held to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from time import time_ns
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.arguments import check_headers, check_payloads, check_seconds, check_text
from claude_comm.client.identity import BUFFER_MODULES, EXAMINED_MODULES, Identity, micros, new_id
from claude_comm.client.publisher.backpressure import LEAST_S
from claude_comm.client.publisher.enforcement import Enforcement
from claude_comm.delivery.schedule import ALWAYS, Times, times
from claude_comm.effects import Post
from claude_comm.envelope import BLOB, DEFAULT_TYPE, MSGPACK, Envelope, Template
from claude_comm.errors import ClaudeCommError, ConfigurationError, shown
from claude_comm.ids import BATCH_ENTROPY_BYTES, MAX_BATCH, uuid7s
from claude_comm.names import check_name, check_session, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.progress.events import Event
from claude_comm.registry.contracts import Enforcement as Mode

if TYPE_CHECKING:
    from claude_comm.blobs.manifest import Manifest

# The stream of a kind of messages, and the forms that they share, by their agreement.
_Kind: TypeAlias = tuple[str, dict[str, Template]]

_ANY_SIZE = 2**62
# Kinds of messages (target, type, session) that a publisher keeps forms for.
MAX_FORMS = 1_000


class Attributes(msgspec.Struct, frozen=True):
    """What few messages say beside their payload. It is checked when the message is prepared."""

    correlation: str = ""
    causation: str = ""
    reply_to: str = ""
    content_type: str = MSGPACK
    headers: Mapping[str, str] | None = None
    traceparent: str = ""
    tracestate: str = ""


NO_ATTRIBUTES = Attributes()


class Outgoing:
    """The messages of one publisher, and the agreements that they go under."""

    def __init__(self, identity: Identity, mode: Mode = "enforce") -> None:
        self.identity = identity
        self.source = identity.module
        self._enforcement = Enforcement(identity, mode)
        self._above = identity.settings.takes_out_above
        # What is taken out of its message may have any size.
        self._most = _ANY_SIZE if self._above else identity.settings.max_envelope_bytes
        self._kinds: dict[tuple[str, str, str], _Kind] = {}
        # And of requests, with the address that their replies go to.
        self._request_templates: dict[tuple[str, str, str, str], tuple[str, Template]] = {}

    def agreed(self, target: str, type: str = DEFAULT_TYPE) -> bool:
        """Whether messages of this type to this target are sent under an agreement."""
        return self._enforcement.holds(target, type)

    def held(self, target: str, type: str) -> Agreement | None:
        """The agreement that such messages go under."""
        return self._enforcement.agreement(target, type)

    def hold(self, agreement: Agreement) -> Agreement:
        """Sends under an agreement that was made before. Raises NegotiationRefused."""
        return self._enforcement.hold(agreement)

    def refuse(self, target: str, type: str, error: ClaudeCommError) -> None:
        """From now on, nothing of this type is sent to this target: the agreement that was held does not stand any
        more."""
        self._enforcement.refuse(target, type, error)

    def plain(self, target: str, data: object, type: str, session: str) -> tuple[str, Post]:
        """A new message: its id, and its encoded form for a stream. Nothing of it but id, time and payload is written
        anew."""
        if data.__class__.__module__ in EXAMINED_MODULES:
            if not isinstance(data, msgspec.Raw):
                return self.prepare(target, data, type, session)
            envelopes.check_raw(data)
        try:
            stream, forms = self._kinds[target, type, session]
        except (KeyError, TypeError):  # it is new, or not hashable
            stream, forms = self._kind(target, type, session)
        agreement = ""
        if self._enforcement.on:
            agreement, data = self._enforcement.check(target, type, data)
        time_us = time_ns() // 1000
        id_ = new_id(time_us)
        form = forms.get(agreement) or self._form(target, type, session, agreement)
        body = form.fill(id_, time_us, data)
        return id_, self._post(stream, body) if self._above and len(body) > self._above else Post(stream, body)

    def prepare(
        self,
        target: str,
        data: object,
        type: str,
        session: str,
        attributes: Attributes = NO_ATTRIBUTES,
        times: Times = ALWAYS,
    ) -> tuple[str, Post]:
        """The same for one that says more."""
        stream = self.identity.keys.stream(check_target(target))
        check_name(type, "message type")
        if session != "":
            check_session(session)
        data, content_type = self.identity.buffered(data, attributes.content_type)
        time_us = micros()
        id_ = new_id(time_us)
        agreement = ""
        if self._enforcement.on:
            agreement, data = self._enforcement.check(target, type, data, content_type)
        envelope = Envelope(
            id=id_,
            source=self.source,
            target=target,
            type=type,
            time=time_us,
            session=session,
            correlation=check_text("correlation", attributes.correlation),
            causation=check_text("causation", attributes.causation),
            reply_to=check_text("reply_to", attributes.reply_to),
            agreement=agreement,
            not_before=times.not_before,
            expires=times.expires,
            traceparent=attributes.traceparent,
            tracestate=attributes.tracestate,
            content_type=check_text("content_type", content_type, least=1),
            headers={} if attributes.headers is None else check_headers(attributes.headers),
            data=envelopes.pack(data),
        )
        body = envelopes.encode(envelope, max_bytes=self._most)
        return id_, self._post(stream, body)

    def prepare_blob(self, target: str, manifest: Manifest, type: str, session: str) -> tuple[str, Post]:
        """The same for a payload that is stored already."""
        id_, post = self.prepare(target, manifest, type, session, Attributes(content_type=BLOB))
        return id_, post

    def prepare_many(
        self, target: str, payloads: Iterable[object], type: str, session: str, times: Times = ALWAYS
    ) -> tuple[list[str], list[Post]]:
        """The same for many of one kind, whose names are checked once."""
        datas = check_payloads(payloads)
        if _examined(datas):
            pairs = [Outgoing.prepare(self, target, data, type, session, times=times) for data in datas]
            return [id_ for id_, _ in pairs], [post for _, post in pairs]
        stream, ids, time_us = self.identity.keys.stream(check_target(target)), self._ids(len(datas)), micros()
        check_name(type, "message type")
        if session != "":
            check_session(session)
        if self.agreed(target, type) and self._enforcement.judged_singly:
            judged = [self._enforcement.check(target, type, data) for data in datas]
            fills = [self._form(target, type, session, agreement, times).fill for agreement, _ in judged]
            return ids, [
                self._post(stream, fill(id_, time_us, data))
                for fill, id_, (_, data) in zip(fills, ids, judged, strict=True)
            ]
        if self.agreed(target, type):
            agreement, encode = self._enforcement.encoder(target, type)
            bodies = self._form(target, type, session, agreement, times).frame_all(ids, time_us, encode, datas)
        else:
            bodies = self._form(target, type, session, "", times).fill_all(ids, time_us, datas)
        if self._above and max(map(len, bodies), default=0) > self._above:
            return ids, [self._post(stream, body) for body in bodies]
        return ids, [Post(stream, body) for body in bodies]

    def event(self, event: Event, session: str) -> Post:
        """An event of this module, as it is sent. Raises ConfigurationError."""
        if not isinstance(event, Event):
            raise ConfigurationError(f"event is {shown(event)}: it is an event of `claude_comm.progress.events`.")
        if session != "":
            check_session(session)
        return Post(self.identity.keys.events(self.source), self.identity.event(event, session))

    def times(self, delay_s: float | None, at: datetime | None, ttl_s: float | None) -> Times:
        """The time span in which a message that is sent now is handed out. Raises ConfigurationError."""
        if delay_s is None and at is None and ttl_s is None:
            return ALWAYS
        return times(micros(), delay_s=delay_s, at=at, ttl_s=ttl_s)

    def check_request(
        self, target: str, type: str, session: str, attributes: Attributes, timeout_s: float, as_: Any
    ) -> None:
        """Raises ConfigurationError for what no request can be made with: before the target is looked for."""
        try:
            known = (target, type, session) in self._kinds
        except TypeError:  # one of them is not hashable, and no name
            known = False
        if not known:
            self._kind(target, type, session)
        if attributes is not NO_ATTRIBUTES:
            check_text("correlation", attributes.correlation)
            check_text("causation", attributes.causation)
        check_seconds("timeout_s", timeout_s, least=LEAST_S)
        if as_ is not Any:
            # The exact schemas of types take as long to import as a publisher that asks for none.
            from claude_comm.client.payload_types import check_type

            check_type("as_", as_)

    def prepare_request(
        self, target: str, data: object, address: str, type: str, session: str, attributes: Attributes, timeout_s: float
    ) -> tuple[str, Post]:
        """A new request, which expires with its time; its reply goes to that address."""
        plain = attributes is NO_ATTRIBUTES and data.__class__.__module__ not in EXAMINED_MODULES
        if plain and type.__class__ is session.__class__ is target.__class__ is str:
            return self._plain_request(target, data, address, type, session, timeout_s)
        return self._whole_request(target, data, address, type, session, attributes, timeout_s)

    def _whole_request(
        self, target: str, data: object, address: str, type: str, session: str, attributes: Attributes, timeout_s: float
    ) -> tuple[str, Post]:
        """One that is written as a whole."""
        expiring = times(micros(), delay_s=None, at=None, ttl_s=timeout_s)
        answered = msgspec.structs.replace(attributes, reply_to=address)
        return self.prepare(target, data, type, session, answered, expiring)

    def _plain_request(
        self, target: str, data: object, address: str, type: str, session: str, timeout_s: float
    ) -> tuple[str, Post]:
        """One that shares its form with others: all requests of one publisher have the same address."""
        stream, _ = self._kinds.get((target, type, session)) or self._kind(target, type, session)
        agreement = ""
        if self._enforcement.on:
            agreement, data = self._enforcement.check(target, type, data)
        kind = (target, type, session, agreement)
        form = self._request_templates.get(kind)
        if form is None or form[0] != address:
            form = self._request_templates[kind] = address, self._request_template(kind, address)
        time_us = micros()
        id_ = new_id(time_us)
        body = form[1].fill_expiring(id_, time_us, time_us + int(timeout_s * 1_000_000), data)
        return id_, self._post(stream, body)

    def _request_template(self, kind: tuple[str, str, str, str], address: str) -> Template:
        target, type, session, agreement = kind
        if len(self._request_templates) >= MAX_FORMS:
            self._request_templates.clear()
        like = Envelope(
            id="",
            source=self.source,
            target=target,
            type=type,
            time=0,
            session=session,
            reply_to=check_text("reply_to", address),
            agreement=agreement,
        )
        return Template(like, max_bytes=self._most, varying="expires")

    def _post(self, stream: str, body: bytes) -> Post:
        """An encoded message; what is too large for one travels as chunks. Raises StoreError or TooLarge."""
        if self._above and len(body) > self._above:
            body = self.identity.taken_out(body)
        return Post(stream, body)

    def _kind(self, target: str, type: str, session: str) -> _Kind:
        """The stream of messages of this kind, and their forms by agreement. Raises InvalidName."""
        stream = self.identity.keys.stream(check_target(target))
        check_name(type, "message type")
        if session != "":
            check_session(session)
        if len(self._kinds) >= MAX_FORMS:
            self._kinds.clear()
        return self._kinds.setdefault((target, type, session), (stream, {}))

    def _form(self, target: str, type: str, session: str, agreement: str, times: Times = ALWAYS) -> Template:
        """The form that messages of this kind share. Raises InvalidName."""
        check_name(type, "message type")
        like = self._like(target, type, session, agreement, times)
        form = Template(like, max_bytes=self._most)
        if times is ALWAYS:
            _, forms = self._kind(target, type, session)
            forms[agreement] = form
        return form

    def _like(self, target: str, type: str, session: str, agreement: str, times: Times = ALWAYS) -> Envelope:
        return Envelope(
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

    def _ids(self, count: int) -> list[str]:
        ids: list[str] = []
        while len(ids) < count:
            size = min(count - len(ids), MAX_BATCH)
            ids += uuid7s(micros(), os.urandom(size * BATCH_ENTROPY_BYTES), size)
        return ids


def _examined(datas: list[object]) -> bool:
    """Whether some of these are arrays or tables. A batch has few types, so this costs it next to nothing. Raises
    EncodeError for bytes that are given as MessagePack and are none."""
    kinds = set(map(type, datas))
    if msgspec.Raw in kinds:
        for data in datas:
            if isinstance(data, msgspec.Raw):
                envelopes.check_raw(data)
    return any(kind.__module__ in BUFFER_MODULES for kind in kinds)
