"""Answers as the protocol has them."""

from __future__ import annotations

from typing import Any

import mcp_types as types

from claude_comm.interchange.agent_answers import PromptAnswer
from claude_comm.mcp_server.desk.answers import ToolReply
from claude_comm.mcp_server.tools.prompts import ListedPrompt
from claude_comm.mcp_server.tools.resources import ListedResource
from claude_comm.mcp_server.tools.toolbox import ListedTool


def tool(listed: ListedTool) -> types.Tool:
    hints = listed.hints
    return types.Tool(
        name=listed.name,
        title=listed.title,
        description=listed.description,
        input_schema=listed.input_schema,
        output_schema=listed.output_schema,
        annotations=types.ToolAnnotations(
            title=listed.title,
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
    )


def result(answer: ToolReply) -> types.CallToolResult:
    structured: Any = answer.structured
    if structured is not None and not isinstance(structured, dict):
        structured = {"value": structured}
    content: Any = answer.content if answer.content is not None else [{"type": "text", "text": answer.text}]
    return types.CallToolResult.model_validate(
        {"content": content, "structuredContent": structured, "isError": answer.is_error}
    )


def prompt(listed: ListedPrompt) -> types.Prompt:
    return types.Prompt(
        name=listed.name,
        title=listed.title,
        description=listed.description,
        arguments=[
            types.PromptArgument(name=one.name, description=one.description or None, required=one.required)
            for one in listed.arguments
        ],
    )


def prompt_result(answer: Any) -> Any:
    """The messages of a prompt; what the protocol has itself stays as it is."""
    if not isinstance(answer, PromptAnswer):
        return answer
    return types.GetPromptResult.model_validate(
        {"messages": answer.messages, "description": answer.description or None}
    )


def resource(listed: ListedResource) -> types.Resource:
    return types.Resource(uri=listed.uri, name=listed.name, description=listed.description, mime_type=listed.mime_type)


def template(listed: ListedResource) -> types.ResourceTemplate:
    return types.ResourceTemplate(
        uri_template=listed.uri, name=listed.name, description=listed.description, mime_type=listed.mime_type
    )


def contents(read: Any) -> Any:
    """The contents of a resource; what the protocol has itself stays as it is."""
    return types.ReadResourceResult.model_validate({"contents": read}) if isinstance(read, list) else read
