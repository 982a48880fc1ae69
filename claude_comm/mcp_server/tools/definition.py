"""What a tool of the server itself is: a name, words, a schema, hints, and a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.modules import Outcome

Function: TypeAlias = Callable[[Call, dict[str, Any]], Awaitable[Outcome]]


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """The four annotations; unlike in the protocol none has a default, so that none is forgotten."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


READS = Hints(read_only=True, destructive=False, idempotent=True, open_world=False)
SENDS = Hints(read_only=False, destructive=True, idempotent=False, open_world=True)
CHANGES = Hints(read_only=False, destructive=False, idempotent=True, open_world=False)


class FixedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool of the server itself."""

    name: str
    title: str
    description: str
    schema: dict[str, Any]
    hints: Hints
    run: Function


def object_schema(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    """A closed object with these members."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def integer(description: str, least: int, most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": least, "maximum": most, "default": default}
