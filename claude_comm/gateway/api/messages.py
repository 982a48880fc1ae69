"""Sending over HTTP: CloudEvents in all three modes, our own JSON, and requests that wait for a reply."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.cloudevents import value_shown
from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.core.errors import GatewayRefusal, unusable
from claude_comm.gateway.core.guard import problem_response
from claude_comm.gateway.core.problems import problem_of
from claude_comm.gateway.core.requests import answer, check_charset, convert, gateway_of, json_of, principal_of
from claude_comm.gateway.live.cloudevents_in import BATCH, STRUCTURED, from_batch, from_binary, from_structured
from claude_comm.gateway.live.hub import Hub
from claude_comm.gateway.live.sender import Message


def hub_of(request: Request) -> Hub:
    return cast(Hub, request.app.state.hub)


async def send(request: Request) -> Response:
    """One message, or a batch; 202 with the ids that they have in their streams."""
    principal, sender = principal_of(request), hub_of(request).sender
    messages = await _messages(request)
    if isinstance(messages, Message):
        try:
            return answer({"id": await sender.publish(principal, messages)}, 202)
        except ClaudeCommError as error:
            return problem_response(problem_of(error, messages.data))
    results: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, GatewayRefusal):
            results.append({"error": msgspec.to_builtins(problem_of(message))})
            continue
        try:
            results.append({"id": await sender.publish(principal, message)})
        except ClaudeCommError as error:
            results.append({"error": msgspec.to_builtins(problem_of(error, message.data))})
    refused = any("error" in result for result in results)
    return answer({"results": results}, 207 if refused else 202)


async def request_reply(request: Request) -> Response:
    """One message, and the reply to it."""
    document = await json_of(request)
    if not isinstance(document, dict):
        raise unusable("a request is a JSON object: target, data, type, timeout_s.")
    timeout_s = document.pop("timeout_s", DEFAULT_TIMEOUT_S)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
        raise unusable("timeout_s is a number of seconds.")
    message = convert(document, Message)
    try:
        reply = await hub_of(request).sender.request(principal_of(request), message, timeout_s)
    except ClaudeCommError as error:
        return problem_response(problem_of(error, message.data))
    return answer({"reply": value_shown(reply)})


async def _messages(request: Request) -> Message | list[Message | GatewayRefusal]:
    limits = gateway_of(request).options.limits
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (STRUCTURED, BATCH):
        check_charset(request)
    if kind == STRUCTURED:
        return from_structured(await request.body(), limits)
    if kind == BATCH:
        return from_batch(await request.body(), limits)
    if any(name.startswith("ce-") for name in request.headers):
        return from_binary(request.headers, await request.body(), limits)
    return convert(await json_of(request), Message)
