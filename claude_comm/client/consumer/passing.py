"""Passing on: a message on a route, from the step that read it to those that follow.

Law: what follows is sent before the delivery ends, under ids that the place of each decides: a process that dies
between the two sends the same again, and it is known as that. Whatever ends a delivery ends it for the whole of its
pipeline: the collector hears of a failure, and no join waits for what does not come.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.forwarder import Forwarder
from claude_comm.client.identity import Identity, micros
from claude_comm.delivery.burial import brief
from claude_comm.delivery.reply import FAILURE_TYPE
from claude_comm.effects import Operation, Post
from claude_comm.envelope import MSGPACK, Envelope
from claude_comm.errors import DecodeError, EncodeError, EnvelopeError, TransportError
from claude_comm.json_form import json_form, written
from claude_comm.ops import join
from claude_comm.ops.consume import Why
from claude_comm.ops.join import Part
from claude_comm.pipeline import fork, ids, route
from claude_comm.pipeline.fork import Fork
from claude_comm.pipeline.ids import MAX_ITEMS, Carries
from claude_comm.pipeline.notice import FailureNotice
from claude_comm.pipeline.onward import Onward, carried, failed, not_passed, skipped, what_follows
from claude_comm.pipeline.route import FAILED_TYPE, SKIPPED_TYPE, Leg, Route
from claude_comm.schema.evolution.adapter import Adapter, apply

if TYPE_CHECKING:
    from claude_comm.telemetry.tracing import Telemetry

# What became of a part: it is to be acked, after these were sent; or it is to be buried as too large, or was refused.
Joined: TypeAlias = Literal["large"] | list[Post] | TransportError

_TOKENS = {SKIPPED_TYPE: b"s", FAILED_TYPE: b"f"}


class Passing:
    """What one consumer passes on."""

    def __init__(self, identity: Identity, telemetry: Telemetry | None = None) -> None:
        self._identity, self._forwarder, self._telemetry = identity, Forwarder(identity), telemetry

    def adapted(self, delivery: Delivery) -> Delivery:
        """The delivery as its step is to have it: what was sent stays as it is on the server. Raises DecodeError."""
        envelope = delivery.envelope
        here = route.read(envelope.route).here
        if not here.adapter or here.part >= 0:
            return delivery
        form = apply(Adapter(here.adapter), json_form(envelope.payload()))
        return Delivery(msgspec.structs.replace(envelope, data=written(form)), delivery.entry, delivery.reader)

    def result(self, envelope: Envelope, result: Any) -> list[Post]:
        """What a step returned, as it goes to those that follow. Raises EncodeError, TooLarge or DecodeError."""
        way, stamp = route.read(envelope.route), fork.read(envelope)
        form = json_form(result)
        if way.here.split:
            return self._posts(self._items(envelope, way, result, form))
        if way.here.carry or way.here.passes:
            entered = json_form(envelope.payload())
            if name := not_passed(way.here, entered, form):
                raise EncodeError(f"it does not hand on {name!r} unchanged, which the step declares (`passes`)")
            if way.here.carry:
                result = form = carried(way.here, entered, form)
        value = _Value(result, form)
        return self._posts([self._message(envelope, leg, value, stamp) for leg in what_follows(way, form)])

    def _items(self, envelope: Envelope, way: Route, result: Any, form: Any) -> list[Envelope]:
        """Each item of a list as a message; of an empty one what its gathering would make."""
        if not isinstance(form, list):
            raise EncodeError("it does not return a list, which the step declares (`split`)")
        if len(form) > MAX_ITEMS:
            raise EncodeError(f"it returns {len(form):,} items; at most {MAX_ITEMS:,} are split")
        if not form:
            leg = route.gathering(way, way.here)
            whole = self._following(envelope, leg, way.to(leg.step))
            id_ = ids.following(envelope.id, leg.joined, 0, Carries.VALUE)
            return [msgspec.structs.replace(whole, id=id_, data=envelopes.pack([]))]
        own = result if isinstance(result, list | tuple) else form
        messages = []
        for item, (value, its_form) in enumerate(zip(own, form, strict=True)):
            stamp, written_once = Fork(envelope.id, item, len(form)), _Value(value, its_form)
            onward = what_follows(way, its_form)
            messages += [self._message(envelope, leg, written_once, stamp, shift=item) for leg in onward]
        return messages

    def send(self, posts: Sequence[Post]) -> Operation[None]:
        """Sends them now. Raises what refused one."""
        refusals = (yield from self._forwarder.send(posts)) if posts else []
        for refusal in refusals:
            if refusal is not None:
                raise refusal

    def failure(self, envelope: Envelope, why: Why, error: BaseException | None) -> Operation[None]:
        """Tells the collector that a step has given up, and the joins on the way; what an optional step cannot handle
        goes on as it came."""
        try:
            way = route.read(envelope.route)
            onward = failed(way)
        except EnvelopeError:
            return
        try:
            stamp = _leaving(envelope)
        except EnvelopeError:
            # No join can be told which of its items this was; the collector ends its input all the same.
            stamp, onward = (None, 0), []
        if way.here.optional and not way.is_part:
            try:
                posts = self.result(envelope, envelope.payload())
            except EnvelopeError:
                pass  # it cannot go on as it came, either
            else:
                yield from self.send(posts)
                return
        notice = self._notice(envelope, way, why, error)
        failures = [self._message(envelope, leg, _NOTHING, *stamp) for leg in onward]
        yield from self.send(self._posts([notice, *failures]))

    def is_part(self, envelope: Envelope) -> bool:
        """Whether a message is a part of what its step joins. Raises DecodeError for a route that cannot be read, and
        for an item of a list that does not say which."""
        way = route.read(envelope.route)
        if way.is_part and way.here.gather and fork.read(envelope) is None:
            raise DecodeError(f"it has no header {fork.HEADER!r}, which says which item of a list it is.")
        return way.is_part

    def parts(self, deliveries: Sequence[Delivery]) -> Operation[list[Joined]]:
        """Adds what came to what their steps wait for, in one exchange: each part is an atomic step of its own."""
        outcomes = yield from join.add(
            self._identity.keys,
            [self._part(delivery) for delivery in deliveries],
            max_bytes=self._identity.settings.max_envelope_bytes,
            seal=self._identity.seal if self._identity.signer is not None else None,
        )
        return [self._joined(*pair) for pair in zip(deliveries, outcomes, strict=True)]

    def _part(self, delivery: Delivery) -> Part:
        envelope, way = delivery.envelope, route.read(delivery.envelope.route)
        here, stamp = way.here, fork.read(delivery.envelope) if way.here.gather else None
        return Part(
            module=delivery.reader.group,
            session=envelope.session,
            input=route.input_of(envelope, here),
            number=stamp.item if stamp else here.part,
            items=stamp.count if stamp else 0,
            token=_TOKENS.get(envelope.type) or b"v" + bytes(envelope.data),
            head=self._head(envelope, way),
            names=here.after,
        )

    def _joined(self, delivery: Delivery, outcome: join.JoinOutcome | TransportError) -> Joined:
        if isinstance(outcome, TransportError) or outcome == "large":
            return outcome
        if outcome not in ("failed", "skipped"):
            return []
        way = route.read(delivery.envelope.route)
        onward = failed(way) if outcome == "failed" else skipped(way)
        stamp = _leaving(delivery.envelope)
        return self._posts([self._message(delivery.envelope, leg, _NOTHING, *stamp) for leg in onward])

    def _head(self, envelope: Envelope, way: Route) -> bytes:
        """The message that a complete join makes, up to its payload: that stands last."""
        here = way.here
        whole = self._following(envelope, here, way.to(here.step, **({"turn": here.turn} if here.turn else {})))
        _, shift = _leaving(envelope)
        id_ = ids.following(envelope.id, here.joined, here.turn, Carries.VALUE, shift=shift)
        whole = msgspec.structs.replace(whole, id=id_, data=msgspec.Raw(_ONE_BYTE))
        return self._identity.encode(whole).removesuffix(_ONE_BYTE)

    def _message(
        self, envelope: Envelope, onward: Onward, value: _Value, stamp: Fork | None, shift: int = 0
    ) -> Envelope:
        data = value.data(agreed=bool(onward.leg.agreement)) if onward.carries is Carries.VALUE else _NIL
        return msgspec.structs.replace(
            self._following(envelope, onward.leg, onward.route),
            id=ids.following(envelope.id, onward.edge, onward.turn, onward.carries, shift=shift),
            type=onward.type,
            data=data,
            headers=stamp.headers if stamp else {},
        )

    def _notice(self, envelope: Envelope, way: Route, why: Why, error: BaseException | None) -> Envelope:
        place = ids.read(envelope.id)
        most = self._identity.most_text // 2
        said = FailureNotice(
            step=way.here.step,
            module=self._identity.module,
            message=envelope.id,
            reason=brief(why.reason, most),
            path=brief(why.path, most),
            error="" if error is None else brief("".join(traceback.format_exception_only(error)).strip(), most),
        )
        id_ = ids.following(envelope.id, place.edge if place else 0, way.here.turn, Carries.NOTICE)
        following = self._following(envelope, way.collector, way.to(way.collector.step))
        return msgspec.structs.replace(following, id=id_, type=FAILURE_TYPE, agreement="", data=envelopes.pack(said))

    def _following(self, envelope: Envelope, leg: Leg, texts: tuple[str, ...]) -> Envelope:
        """What all messages that follow one have in common."""
        return Envelope(
            id="",
            source=self._identity.module,
            target=leg.target,
            type=leg.type,
            time=micros(),
            session=envelope.session,
            correlation=envelope.correlation or envelope.id,
            causation=envelope.id,
            agreement=leg.agreement,
            route=texts,
            expires=envelope.expires,
            traceparent=envelope.traceparent,
            tracestate=envelope.tracestate,
            content_type=MSGPACK,
        )

    def _posts(self, messages: Sequence[Envelope]) -> list[Post]:
        identity = self._identity
        if self._telemetry is not None:
            from claude_comm.telemetry.onward import created

            messages = [created(self._telemetry, message) for message in messages]
        return [Post(identity.keys.inbox(message.target), identity.encode_any(message)) for message in messages]


class _Value:
    """A result, written in each form once."""

    def __init__(self, result: Any, form: Any) -> None:
        self._result, self._form = result, form
        self._own: msgspec.Raw | None = None
        self._agreed: msgspec.Raw | None = None

    def data(self, *, agreed: bool) -> msgspec.Raw:
        """As MessagePack: in the JSON form that agreements speak of, or as the value is. Raises EncodeError."""
        if agreed:
            self._agreed = written(self._form) if self._agreed is None else self._agreed
            return self._agreed
        self._own = envelopes.pack(self._result) if self._own is None else self._own
        return self._own


def _leaving(envelope: Envelope) -> tuple[Fork | None, int]:
    """The stamp of what follows where no value goes on, and by how much its id shifts: none, and back to the id of the
    whole, after the step that gathers. Raises DecodeError."""
    stamp, here = fork.read(envelope), route.read(envelope.route).here
    if stamp is not None and here.gather:
        return None, -stamp.item
    return stamp, 0


_NOTHING = _Value(None, None)
_ONE_BYTE = b"\xc0"
_NIL = msgspec.Raw(_ONE_BYTE)
