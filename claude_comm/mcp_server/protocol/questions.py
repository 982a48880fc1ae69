"""Questions of modules to the user, in both eras: returned to the client, or asked on the session's own channel.

Law: a client is asked only for what it said that it can do. In the revision of 2026-07-28 a question is a result, and
its answers come with the next call; older sessions are asked while the call waits.
"""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from claude_comm.interchange.agent_answers import Question
from claude_comm.mcp_server.protocol.context import Context, capabilities

# What a client declares for each kind of request, and how its answer is read.
_CAPABILITY = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
_REQUESTS: dict[str, Any] = {
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult),
}
# A module that asks again and again is given up.
MAX_ROUNDS = 10


def is_modern(context: Context) -> bool:
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def askable(context: Context, question: Question) -> dict[str, Any]:
    """The parts of a question that this client can answer. Raises MCPError where it can answer none."""
    declared = capabilities(context)
    wanted = {key: _CAPABILITY.get(str(request.get("method"))) for key, request in question.requests.items()}
    chosen = {key: question.requests[key] for key, name in wanted.items() if name is not None and name in declared}
    if question.requests and not chosen:
        needed: dict[str, Any] = {name: {} for name in wanted.values() if name is not None}
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"the client has to declare {', '.join(sorted(needed)) or 'another capability'}",
            {"requiredCapabilities": needed},
        )
    return chosen


def as_result(context: Context, question: Question) -> types.InputRequiredResult:
    """The question as a result of the revision of 2026-07-28. Raises MCPError."""
    requests = askable(context, question)
    try:
        return types.InputRequiredResult.model_validate(
            {"inputRequests": requests or None, "requestState": question.state or None}
        )
    except ValidationError:
        raise MCPError(types.INTERNAL_ERROR, "the module asked what the protocol does not have") from None


async def ask(context: Context, question: Question) -> dict[str, Any]:
    """The answers of an older session's client. Raises MCPError."""
    answers: dict[str, Any] = {}
    related = ServerMessageMetadata(related_request_id=context.request_id)
    for key, request in askable(context, question).items():
        kind, answer = _REQUESTS[request["method"]]
        try:
            asked = kind.model_validate(request)
        except ValidationError:
            raise MCPError(types.INTERNAL_ERROR, "the module asked what the protocol does not have") from None
        given = await context.session.send_request(asked, answer, metadata=related)
        answers[key] = given.model_dump(by_alias=True, mode="json", exclude_none=True)
    return answers


def given(params: types.InputResponseRequestParams) -> dict[str, Any] | None:
    """What the client answers to an earlier question; None where it answers none."""
    if params.input_responses is None and params.request_state is None:
        return None
    responses = params.input_responses or {}
    return {
        key: response.model_dump(by_alias=True, mode="json", exclude_none=True) for key, response in responses.items()
    }
