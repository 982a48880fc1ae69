"""Calling a module: arguments held to its contract, a request on the streams, and its reply as an answer.

Law: what the contract refuses is not sent, and what the module answers is held to its declared reply. Both say where,
by which rule, and what would be right.
"""

from __future__ import annotations

from typing import Any

from claude_comm.errors import ClaudeCommError, RequestFailed
from claude_comm.mcp_server.desk.answers import (
    Answer,
    as_text,
    breaches,
    cut,
    marked,
    refused,
    refused_arguments,
    refused_by,
)
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.catalogue import INPUT_PROPERTY, for_agents
from claude_comm.mcp_server.tool_schemas.proved import result_schema
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import Json

TIMEOUT_S = 60.0


async def call_module(
    call: Call, contract: Contract, type: str, payload: Json, *, timeout_s: float = TIMEOUT_S
) -> Answer:
    """The answer of a module to one message."""
    if refusal := unfit(contract, type, payload):
        return refusal
    try:
        reply = await call.desk.publisher.request(contract.module, payload, type=type, timeout_s=timeout_s)
    except RequestFailed as failed:
        return _failed(failed)
    except ClaudeCommError as error:
        return refused_by(error)
    return replied(contract, type, reply)


def unfit(contract: Contract, type: str, payload: Json) -> Answer | None:
    """A refusal of a message that the contract does not take; None for one that it takes."""
    tool = f"{contract.module}.{type}"
    if type not in contract.accepts:
        return refused(
            f"{contract.module} accepts no {type!r} messages, but {', '.join(sorted(contract.accepts)) or 'none'}.",
            [f"call describe_module with module {contract.module!r}"],
        )
    schema = for_agents(contract.accepts[type])
    if isinstance(payload, dict) and INPUT_PROPERTY in payload:
        return refused(f"{tool} was not called: {INPUT_PROPERTY!r} is filled in by the server alone.", ["leave it out"])
    broken = breaches(schema, payload)
    return refused_arguments(tool, schema, broken, payload) if broken else None


def replied(contract: Contract, type: str, reply: Json) -> Answer:
    """A reply as data between marks, and as a structured result in the form of the tool's result schema."""
    declared = contract.replies.get(type)
    if declared is not None and (broken := breaches(declared, reply)):
        return refused(
            f"{contract.module} answered what its contract does not allow, at {broken[0].path}: {broken[0].sentence}",
            ["this is a fault of the module: tell its owner"],
            path=broken[0].path,
            rule=broken[0].rule,
        )
    shape = result_schema(declared) if declared is not None else None
    structured: Any = reply if isinstance(reply, dict) and (shape is None or not shape.wrapped) else {"value": reply}
    text, rest = cut(as_text(reply), 0, "Ask for less, or run it as a task, and read on")
    return Answer(f"{marked(text, f'the module {contract.module}')}\n{rest}".rstrip(), structured)


def _failed(failed: RequestFailed) -> Answer:
    words = f": {failed.text}" if failed.text else ""
    error = f" ({failed.error}{words})" if failed.error else ""
    return refused(
        f"{failed.target} gave up on the message{'' if not failed.path else f' at {failed.path}'}.\n"
        + marked(f"{failed.reason}{error}", f"the module {failed.target}"),
        [f"call explain_failure with message {failed.id!r}"] if getattr(failed, "id", "") else [],
        path=failed.path,
    )
