"""A publisher that traces: its calls run within a `Sending`, whose context its messages carry.

Law: made once, in the constructor of a publisher whose process traces; no other publisher has a line of it. What a call
raises and returns is what it would without. What is queued is created within its call, and sent later with others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from claude_comm.client.arguments import check_payloads, check_text
from claude_comm.client.identity import micros, new_id
from claude_comm.client.publisher.outgoing import MAX_FORMS, NO_ATTRIBUTES, Attributes, Outgoing
from claude_comm.delivery.schedule import ALWAYS, Times, times
from claude_comm.effects import Post
from claude_comm.envelope import Template
from claude_comm.names import check_target
from claude_comm.telemetry.conventions import CREATE, SEND
from claude_comm.telemetry.tracing import Sending, Telemetry, current_sending


def wrap(publisher: Any, telemetry: Telemetry) -> None:
    """Wraps the calls of a blocking publisher."""

    def within(call: Any, operation: str = SEND) -> Any:
        @functools.wraps(call)
        def traced(target: Any, data: Any, **rest: Any) -> Any:
            with Sending(telemetry, check_target(target), operation):
                return call(target, data, **rest)

        return traced

    _replace_calls(publisher, within)


def wrap_async(publisher: Any, telemetry: Telemetry) -> None:
    """Wraps the calls of an asyncio publisher."""

    def within(call: Any, operation: str = SEND) -> Any:
        @functools.wraps(call)
        async def traced(target: Any, data: Any, **rest: Any) -> Any:
            with Sending(telemetry, check_target(target), operation):
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


class TracedOutgoing(Outgoing):
    """Messages that carry the context of the send that they are part of."""

    @functools.cached_property
    def _templates(self) -> dict[tuple[str, str, str, str], Template]:
        return {}

    def plain(self, target: str, data: object, type: str, session: str) -> tuple[str, Post]:
        sending = current_sending.get()
        if sending is None or not sending.traceparent or sending.tracestate:
            id_, post = self._carrying(sending, target, data, type, session)
        else:
            id_, post = self._quick(sending, target, data, type, session)
        if sending is not None:
            sending.message(id_, type, session)
        return id_, post

    def _quick(self, sending: Sending, target: str, data: object, type: str, session: str) -> tuple[str, Post]:
        """As that of an `Outgoing`: nothing is written anew but id, time, context and payload."""
        try:
            stream, _ = self._kinds[target, type, session]
        except (KeyError, TypeError):
            stream, _ = self._kind(target, type, session)
        agreement = ""
        if self._enforcement.on:
            agreement, data = self._enforcement.check(target, type, data)
        time_us = micros()
        id_ = new_id(time_us)
        kind = (target, type, session, agreement)
        form = self._templates.get(kind) or self._template(kind)
        return id_, self._post(stream, form.fill_traced(id_, time_us, sending.traceparent, data))

    def _carrying(
        self, sending: Sending | None, target: str, data: object, type: str, session: str
    ) -> tuple[str, Post]:
        if sending is None or not sending.traceparent:
            return super().plain(target, data, type, session)
        return super().prepare(target, data, type, session, _carried(NO_ATTRIBUTES, sending))

    def _template(self, kind: tuple[str, str, str, str]) -> Template:
        if len(self._templates) >= MAX_FORMS:
            self._templates.clear()
        target, type, session, agreement = kind
        like = self._like(target, type, session, agreement)
        form = Template(like, max_bytes=self._most, varying="traceparent")
        return self._templates.setdefault(kind, form)

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
