"""A list of MCP tools as a contract: each tool is a type of message, and what it returns the reply.

Law: the list is what `tools/list` answers, whole or its `tools` alone. A schema without `$schema` is of 2020-12, as the
protocol says.
"""

from __future__ import annotations

from typing import Any

from claude_comm.interchange.gathering import SchemaSource
from claude_comm.interchange.imported import ContractDraft, Imported, Steps, free_type, name_of
from claude_comm.interchange.translations import json_schema
from claude_comm.schema.verdict import Json


def tools_of(document: Json) -> Steps | None:
    """Where the list of tools is; None in a document that has none."""
    if isinstance(document, list):
        return () if all(isinstance(tool, dict) and "inputSchema" in tool for tool in document) else None
    for place in (("tools",), ("result", "tools")):
        if isinstance(SchemaSource(document).at(place), list):
            return place
    return None


def read(document: Json, at: Steps) -> Imported:
    """The contract of the tools at this place. Raises ConfigurationError where none of them can be used."""
    source, draft = SchemaSource(document, alone=True), ContractDraft("tools")
    translation = json_schema(source.note)
    listed: Any = source.at(at)
    for index, tool in enumerate(listed):
        place: Steps = (*at, index)
        if not isinstance(tool, dict) or "inputSchema" not in tool:
            source.note(place, "it is no tool: a tool has a name and an `inputSchema`.")
            continue
        schema = source.schema((*place, "inputSchema"), translation)
        if schema is None:
            continue
        wanted = name_of(tool.get("name"), "tool")
        type = free_type(wanted, draft.accepts)
        if type != tool.get("name"):
            source.note((*place, "name"), f"{tool.get('name')!r} is called {type!r} here.")
        draft.accepts[type] = _described(schema, tool.get("description"))
        if "outputSchema" in tool and (reply := source.schema((*place, "outputSchema"), translation)) is not None:
            draft.replies[type] = reply
    return draft.finished(source.notes)


def _described(schema: dict[str, Any] | bool, words: object) -> dict[str, Any] | bool:
    """The schema with the tool's description, where it has none."""
    if isinstance(schema, dict) and isinstance(words, str) and "description" not in schema:
        return {**schema, "description": words}
    return schema
