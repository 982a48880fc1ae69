"""A publisher that traces: its calls run within a `Sending`, whose context its messages carry.

Law: made once, in the constructor of a publisher whose process traces; no other publisher has a line of it. What a call
raises and returns is what it would without. What is queued is created within its call, and sent later with others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec

from claude_comm.client.arguments import check_payloads, check_text
from claude_comm.client.identity import EXAMINED_MODULES, micros, new_id
from claude_comm.client.publisher.outgoing import MAX_FORMS, NO_ATTRIBUTES, Attributes, Outgoing
from claude_comm.delivery.schedule import ALWAYS, Times, times
from claude_comm.effects import Post
from claude_comm.envelope import Template
from claude_comm.names import check_target
from claude_comm.telemetry.conventions import CREATE, SEND
from claude_comm.telemetry.tracing import Sending, Telemetry, current_sending


def wrap(publisher: Any, telemetry: Telemetry) -> None:
    """Wraps the calls of a blocking publisher."""

    known = _known(telemetry)

    def within(call: Any, operation: str = SEND) -> Any:
        @functools.wraps(call)
        def traced(target: Any, data: Any, **rest: Any) -> Any:
            name = target if target.__class__ is str and (operation, target) in known else check_target(target)
            with Sending(telemetry, name, operation):
                return call(target, data, **rest)

        return traced

    _replace_calls(publisher, within)


def wrap_async(publisher: Any, telemetry: Telemetry) -> None:
    """Wraps the calls of an asyncio publisher."""

    known = _known(telemetry)

    def within(call: Any, operation: str = SEND) -> Any:
        @functools.wraps(call)
        async def traced(target: Any, data: Any, **rest: Any) -> Any:
            name = target if target.__class__ is str and (operation, target) in known else check_target(target)
            with Sending(telemetry, name, operation):
                return await call(target, data, **rest)

        return traced

    _replace_calls(publisher, within)


def _replace_calls(publisher: Any, within: Callable[..., Any]) -> None:
    """What is queued is created within its call, and sent later."""
    vars(publisher).update(
        publish=within(publisher.publish),
        publish_many=within(publisher.publish_many),
        request=within(publisher.request),
        publish_soon=within(publisher.publish_soon, CREATE),
    )


def _known(telemetry: Telemetry) -> Collection[tuple[str, str]]:
    """Operations with targets that no call has refused."""
    return () if telemetry.spans is None else telemetry.spans.prepared


class TracedOutgoing(Outgoing):
    """Messages that carry the context of the send that they are part of."""

    @functools.cached_property
    def _traced_kinds(self) -> dict[tuple[str, str, str], tuple[str, dict[str, Template]]]:
        """As `_kinds`: with forms that leave room for a context."""
        return {}

    def plain(self, target: str, data: object, type: str, session: str) -> tuple[str, Post]:
        """As that of an `Outgoing`: nothing is written anew but id, time, context and payload."""
        sending = current_sending.get()
        if sending is None or not sending.traceparent or sending.tracestate:
            return self._unusual(sending, target, data, type, session)
        try:
            stream, forms = self._traced_kinds[target, type, session]
        except (KeyError, TypeError):
            stream, forms = self._traced_kind(target, type, session)
        if data.__class__.__module__ in EXAMINED_MODULES:
            return self._unusual(sending, target, data, type, session)
        agreement = ""
        if self._enforcement.on:
            agreement, data = self._enforcement.check(target, type, data)
        time_us = micros()
        id_ = new_id(time_us)
        form = forms.get(agreement) or self._traced_form(forms, target, type, session, agreement)
        post = self._post(stream, form.fill_traced(id_, time_us, sending.traceparent, data))
        sending.message(id_, type, session)
        return id_, post

    def _unusual(self, sending: Sending | None, target: str, data: object, type: str, session: str) -> tuple[str, Post]:
        if sending is None or not sending.traceparent:
            id_, post = super().plain(target, data, type, session)
        else:
            id_, post = super().prepare(target, data, type, session, _carried(NO_ATTRIBUTES, sending))
        if sending is not None:
            sending.message(id_, type, session)
        return id_, post

    def _traced_kind(self, target: str, type: str, session: str) -> tuple[str, dict[str, Template]]:
        stream, _ = self._kind(target, type, session)
        if len(self._traced_kinds) >= MAX_FORMS:
            self._traced_kinds.clear()
        return self._traced_kinds.setdefault((target, type, session), (stream, {}))

    def _traced_form(
        self, forms: dict[str, Template], target: str, type: str, session: str, agreement: str
    ) -> Template:
        like = self._like(target, type, session, agreement)
        return forms.setdefault(agreement, Template(like, max_bytes=self._most, varying="traceparent"))

    def prepare(
        self,
        target: str,
        data: object,
        type: str,
        session: str,
        attributes: Attributes = NO_ATTRIBUTES,
        times: Times = ALWAYS,
    ) -> tuple[str, Post]:
        sending = current_sending.get()
        if sending is None:
            return super().prepare(target, data, type, session, attributes, times)
        id_, post = super().prepare(target, data, type, session, _carried(attributes, sending), times)
        sending.message(id_, type, session, attributes.correlation)
        return id_, post

    def prepare_many(
        self, target: str, payloads: Iterable[object], type: str, session: str, times: Times = ALWAYS
    ) -> tuple[list[str], list[Post]]:
        datas = check_payloads(payloads)
        if (sending := current_sending.get()) is not None:
            sending.batch(len(datas))
        return super().prepare_many(target, datas, type, session, times)

    def prepare_request(
        self, target: str, data: object, type: str, session: str, attributes: Attributes, timeout_s: float
    ) -> tuple[str, Post]:
        expiring = times(micros(), delay_s=None, at=None, ttl_s=timeout_s)
        return self.prepare(target, data, type, session, attributes, expiring)

    def _form(self, target: str, type: str, session: str, agreement: str, times: Times = ALWAYS) -> Template:
        """Of one batch, whose messages carry one context."""
        sending = current_sending.get()
        if sending is None or not sending.traceparent:
            return super()._form(target, type, session, agreement, times)
        like = msgspec.structs.replace(
            self._like(target, type, session, agreement, times),
            traceparent=sending.traceparent,
            tracestate=sending.tracestate,
        )
        return Template(like, max_bytes=self._most)


def _carried(attributes: Attributes, sending: Sending) -> Attributes:
    return msgspec.structs.replace(
        attributes, traceparent=sending.traceparent, tracestate=check_text("tracestate", sending.tracestate)
    )
