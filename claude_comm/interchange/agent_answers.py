"""What a module may answer to an agent beyond plain data: content, a question to the user, a prompt, a resource.

Law: pure, and without the package `mcp`, so that a module that answers so needs nothing more. Each is an ordinary reply
that says by its property `mcp` what it is; a module without agents in mind answers data, as ever.

A handler that asks the user has a parameter type with a property `mcp_input` of type `AgentInput | None`: it is called
again with the answers. What agents see of a message is said in its schema by the keyword `x-mcp`:

| member | |
| --- | --- |
| `title` | for people |
| `readOnly`, `destructive`, `idempotent`, `openWorld` | hints about the tool |
| `task` | `optional`: a task where the client knows tasks; `required`: else refused; `never` |
| `ask` | `first`: questions to the user come before the task begins |
| `as` | `prompt`, or `resource` with its `uri` or `uriTemplate` and its `mimeType`: no tool |
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.verdict import Json

KEYWORD = "x-mcp"
# The property by which a module is handed what the user answered: no agent writes it.
INPUT_PROPERTY = "mcp_input"
MARK = "mcp"


class ToolAnswer(msgspec.Struct, frozen=True, tag="answer", tag_field=MARK, omit_defaults=True):
    """The result of a tool: blocks of content as MCP has them (text, image, audio, resource), and data beside them."""

    content: list[dict[str, Any]]
    structured: dict[str, Any] | None = None
    is_error: bool = False


class Question(msgspec.Struct, frozen=True, tag="question", tag_field=MARK, omit_defaults=True):
    """What the client is to ask before the module can go on: requests by name, each with `method` and `params`. `state`
    comes back unchanged with the answers."""

    requests: dict[str, dict[str, Any]]
    state: str = ""


class PromptAnswer(msgspec.Struct, frozen=True, tag="prompt", tag_field=MARK, omit_defaults=True):
    """The messages of a prompt, each with `role` and `content`."""

    messages: list[dict[str, Any]]
    description: str = ""


class ResourceAnswer(msgspec.Struct, frozen=True, tag="resource", tag_field=MARK, omit_defaults=True):
    """The contents of a resource, each with `uri`, `mimeType`, and `text` or `blob`."""

    contents: list[dict[str, Any]]


class AgentInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was answered to the questions of before, by name, and the state that went with them."""

    answers: dict[str, Any] = {}
    state: str = ""


AgentAnswer: TypeAlias = ToolAnswer | Question | PromptAnswer | ResourceAnswer


def agent_answer(reply: Json) -> AgentAnswer | None:
    """The reply as such an answer; None for plain data."""
    if not isinstance(reply, dict) or not isinstance(reply.get(MARK), str):
        return None
    try:
        answer: AgentAnswer = msgspec.convert(reply, AgentAnswer)
    except msgspec.ValidationError:
        return None
    return answer


def answers_agents(schema: Json) -> bool:
    """Whether replies of this schema may be such answers: then the schema does not say what a tool's result is."""
    return any(MARK in part.get("properties", {}) for part in keywords.schemas(schema))
