"""Answers as the protocol has them."""

from __future__ import annotations

from typing import Any

import mcp_types as types

from claude_comm.mcp_server.desk.answers import Answer
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


def result(answer: Answer) -> types.CallToolResult:
    structured: Any = answer.structured
    if structured is not None and not isinstance(structured, dict):
        structured = {"value": structured}
    content: Any = answer.content if answer.content is not None else [{"type": "text", "text": answer.text}]
    return types.CallToolResult.model_validate(
        {"content": content, "structuredContent": structured, "isError": answer.is_error}
    )
