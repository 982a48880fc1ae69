"""A publisher that traces: each of its calls is a send, whose context its messages carry.

Law: made once, in the constructor of a publisher whose process traces; no other publisher has a line of it. What a call
raises and returns is what it would without. What is queued is created within its call, and sent later with others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from time import time_ns
from typing import TYPE_CHECKING, Any

import msgspec

from claude_comm.client.arguments import check_payloads, check_text
from claude_comm.client.identity import EXAMINED_MODULES, new_id
from claude_comm.client.publisher.outgoing import MAX_FORMS, NO_ATTRIBUTES, Attributes, Outgoing
from claude_comm.delivery.schedule import ALWAYS, Times
from claude_comm.effects import Post
from claude_comm.envelope import Template
from claude_comm.names import check_target
from claude_comm.telemetry.conventions import CREATE, SEND
from claude_comm.telemetry.tracing import Telemetry, current_sending

if TYPE_CHECKING:
    from claude_comm.telemetry.tracer import Begun


def wrap(publisher: Any, telemetry: Telemetry) -> None:
    """Wraps the calls of a blocking publisher."""

    def within(call: Any, operation: str = SEND) -> Any:
        begin, known = telemetry.begins(operation), telemetry.known(operation)

        @functools.wraps(call)
        def traced(target: Any, data: Any, **rest: Any) -> Any:
            name = target if type(target) is str and target in known else check_target(target)
            # Written out, and no context manager: this runs for every message.
            sending = begin(name)
            token = current_sending.set(sending)
            try:
                result = call(target, data, **rest) if rest else call(target, data)
            except BaseException as error:
                current_sending.reset(token)
                sending.finish(error)
                raise
            current_sending.reset(token)
            sending.finish()
            return result

        return traced

    _replace_calls(publisher, within)


def wrap_async(publisher: Any, telemetry: Telemetry) -> None:
    """Wraps the calls of an asyncio publisher."""

    def within(call: Any, operation: str = SEND) -> Any:
        begin, known = telemetry.begins(operation), telemetry.known(operation)

        @functools.wraps(call)
        async def traced(target: Any, data: Any, **rest: Any) -> Any:
            name = target if type(target) is str and target in known else check_target(target)
            # Written out, and no context manager: this runs for every message.
            sending = begin(name)
            token = current_sending.set(sending)
            try:
                result = await (call(target, data, **rest) if rest else call(target, data))
            except BaseException as error:
                current_sending.reset(token)
                sending.finish(error)
                raise
            current_sending.reset(token)
            sending.finish()
            return result

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
        time_us = time_ns() // 1000
        id_ = new_id(time_us)
        form = forms.get(agreement) or self._traced_form(forms, target, type, session, agreement)
        body = form.fill_traced(id_, time_us, sending.traceparent, data)
        sending.message = id_, type, "", session
        return id_, self._post(stream, body) if self._above and len(body) > self._above else Post(stream, body)

    def _unusual(self, sending: Begun | None, target: str, data: object, type: str, session: str) -> tuple[str, Post]:
        if sending is None or not sending.traceparent:
            id_, post = super().plain(target, data, type, session)
        else:
            id_, post = super().prepare(target, data, type, session, _carried(NO_ATTRIBUTES, sending))
        if sending is not None:
            sending.message = id_, type, "", session
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
        sending.message = id_, type, attributes.correlation, session
        return id_, post

    def prepare_many(
        self, target: str, payloads: Iterable[object], type: str, session: str, times: Times = ALWAYS
    ) -> tuple[list[str], list[Post]]:
        datas = check_payloads(payloads)
        if (sending := current_sending.get()) is not None:
            sending.batch(len(datas))
        return super().prepare_many(target, datas, type, session, times)

    def prepare_request(
        self, target: str, data: object, address: str, type: str, session: str, attributes: Attributes, timeout_s: float
    ) -> tuple[str, Post]:
        return self._whole_request(target, data, address, type, session, attributes, timeout_s)

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


def _carried(attributes: Attributes, sending: Begun) -> Attributes:
    return msgspec.structs.replace(
        attributes, traceparent=sending.traceparent, tracestate=check_text("tracestate", sending.tracestate)
    )
