# ruff: noqa: E501
"""Lists of tools in the shapes of twenty public MCP servers, written from knowledge of what they are like."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
INT: dict[str, Any] = {"type": "integer"}
FLAG: dict[str, Any] = {"type": "boolean"}


def tool(
    called: str, required: str = "", /, *, words: str = "", output: Any = None, hints: Any = None, **properties: Any
) -> Any:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required.split()
    listed: dict[str, Any] = {"name": called, "description": words or called.replace("_", " "), "inputSchema": schema}
    if output is not None:
        listed["outputSchema"] = output
    if hints is not None:
        listed["annotations"] = hints
    return listed


def texts(**more: Any) -> dict[str, Any]:
    return {"type": "array", "items": TEXT, **more}


def numbered(least: int, most: int, default: int) -> dict[str, Any]:
    return {"type": "number", "minimum": least, "maximum": most, "default": default}


EDIT = {"type": "object", "properties": {"oldText": TEXT, "newText": TEXT}, "required": ["oldText", "newText"]}
ENTITY = {
    "type": "object",
    "properties": {"name": TEXT, "entityType": TEXT, "observations": texts()},
    "required": ["name", "entityType", "observations"],
}
READS = {"readOnlyHint": True, "openWorldHint": False}

# fmt: off
LISTS: dict[str, list[Any]] = {
    "filesystem": [
        tool("read_text_file", "path", path=TEXT, head=INT, tail=INT, hints=READS),
        tool("write_file", "path content", path=TEXT, content=TEXT, hints={"destructiveHint": True}),
        tool("edit_file", "path edits", path=TEXT, edits={"type": "array", "items": EDIT}, dryRun=FLAG),
        tool("list_directory", "path", path=TEXT, hints=READS),
    ],
    "git": [
        tool("git_diff", "repo_path target", repo_path=TEXT, target=TEXT, context_lines={**INT, "default": 3}),
        tool("git_commit", "repo_path message", repo_path=TEXT, message=TEXT),
        tool("git_log", "repo_path", repo_path=TEXT, max_count={**INT, "default": 10}, start_timestamp={"anyOf": [TEXT, {"type": "null"}]}),
    ],
    "github": [
        tool("create_issue", "owner repo title", owner=TEXT, repo=TEXT, title=TEXT, body=TEXT, labels=texts(), assignees=texts()),
        tool("list_issues", "owner repo", owner=TEXT, repo=TEXT, state={"enum": ["open", "closed", "all"]}, perPage=numbered(1, 100, 30)),
        tool("search_code", "query", query=TEXT, order={"enum": ["asc", "desc"]}, page={"type": "number", "minimum": 1}),
    ],
    "memory": [
        tool("create_entities", "entities", entities={"type": "array", "items": ENTITY}),
        tool("read_graph", output={"type": "object", "properties": {"entities": {"type": "array", "items": ENTITY}}, "required": ["entities"]}),
    ],
    "fetch": [tool("fetch", "url", url={**TEXT, "format": "uri", "minLength": 1}, max_length={**INT, "exclusiveMinimum": 0, "exclusiveMaximum": 1000000, "default": 5000}, raw=FLAG)],
    "time": [
        tool("get_current_time", "timezone", timezone=TEXT),
        tool("convert_time", "source_timezone time target_timezone", source_timezone=TEXT, time={**TEXT, "pattern": "^[0-2][0-9]:[0-5][0-9]$"}, target_timezone=TEXT),
    ],
    "sequential thinking": [tool("sequentialthinking", "thought nextThoughtNeeded thoughtNumber totalThoughts", thought=TEXT, nextThoughtNeeded=FLAG, thoughtNumber={**INT, "minimum": 1}, totalThoughts={**INT, "minimum": 1}, isRevision=FLAG)],
    "postgres": [tool("query", sql=TEXT, hints=READS)],
    "sqlite": [tool("read_query", "query", query=TEXT), tool("write_query", "query", query=TEXT), tool("list_tables")],
    "slack": [
        tool("slack_post_message", "channel_id text", channel_id=TEXT, text=TEXT),
        tool("slack_get_channel_history", "channel_id", channel_id=TEXT, limit={"type": "number", "default": 10}),
    ],
    "maps": [tool("maps_distance_matrix", "origins destinations", origins=texts(), destinations=texts(), mode={**TEXT, "enum": ["driving", "walking", "transit"]})],
    "puppeteer": [
        tool("puppeteer_navigate", "url", url=TEXT, launchOptions={"type": "object"}, allowDangerous=FLAG),
        tool("puppeteer_screenshot", "name", name=TEXT, selector=TEXT, width={"type": "number"}, height={"type": "number"}),
    ],
    "playwright": [
        tool("browser_click", "element ref", element=TEXT, ref=TEXT, doubleClick=FLAG, button={"enum": ["left", "right", "middle"]}),
        tool("browser_fill_form", "fields", fields={"type": "array", "items": {"type": "object", "properties": {"name": TEXT, "type": {"enum": ["textbox", "checkbox"]}, "value": TEXT}, "required": ["name", "type", "value"], "additionalProperties": False}}),
    ],
    "brave search": [tool("brave_web_search", "query", query={**TEXT, "maxLength": 400}, count=numbered(1, 20, 10), offset=numbered(0, 9, 0))],
    "notion": [
        tool("API-post-page", "parent properties", parent={"oneOf": [{"type": "object", "properties": {"page_id": TEXT}, "required": ["page_id"]}, {"type": "object", "properties": {"database_id": TEXT}, "required": ["database_id"]}]}, properties={"type": "object", "additionalProperties": True}),
        tool("API-get-block-children", "block_id", block_id={**TEXT, "pattern": "^[0-9a-f-]{32,36}$"}, page_size={**INT, "maximum": 100}),
    ],
    "linear": [tool("create_issue", "title teamId", title=TEXT, teamId=TEXT, priority={**INT, "minimum": 0, "maximum": 4}, dueDate={**TEXT, "format": "date"}, labelIds=texts(uniqueItems=True))],
    "stripe": [tool("create_price", "product unit_amount currency", product=TEXT, unit_amount=INT, currency={**TEXT, "minLength": 3, "maxLength": 3}), tool("list_customers", limit={**INT, "minimum": 1, "maximum": 100}, email=TEXT)],
    "sentry": [tool("search_issues", "organizationSlug", organizationSlug=TEXT, query=TEXT, sortBy={"enum": ["date", "freq", "new", "user"], "default": "date"}, regionUrl={"anyOf": [{**TEXT, "format": "uri"}, {"type": "null"}]})],
    "kubernetes": [tool("pods_list", namespace=TEXT, labelSelector={**TEXT, "pattern": "^[A-Za-z0-9_./=,-]+$"}, hints=READS), tool("resources_create_or_update", "resource", resource=TEXT)],
    "everything": [
        tool("echo", "message", message=TEXT),
        tool("structuredContent", "location", location={**TEXT, "minLength": 1}, output={"type": "object", "properties": {"temperature": {"type": "number"}, "conditions": TEXT}, "required": ["temperature", "conditions"]}),
        tool("tree", "root", root={"$ref": "#/$defs/node"}) | {"inputSchema": {"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "required": ["root"], "$defs": {"node": {"type": "object", "properties": {"value": INT, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["value"]}}}},
    ],
}
# fmt: on
