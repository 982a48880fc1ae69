"""Sending messages without waiting, and reading what was sent.

Law: what is sent is held to the contract of whoever it is for; what is read is data, cut with the way to read on.
"""

from __future__ import annotations

from typing import Any

from claude_comm.cloudevents import readable
from claude_comm.errors import ClaudeCommError
from claude_comm.mcp_server.desk.answers import ToolReply, cut, marked, refused, refused_by
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.modules import unfit
from claude_comm.mcp_server.desk.projection import asked
from claude_comm.mcp_server.tools.definition import READS, SENDS, FixedTool, integer, object_schema, text
from claude_comm.store import queries
from claude_comm.store.newest import Before
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.records import MessageRow

MAX_MESSAGES = 100
_PREVIEW = 300


async def send_message(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """Puts a message into the inbox of a module; it is handled when an instance runs."""
    module, type, message = arguments["module"], arguments["type"], arguments["message"]
    try:
        entry = (await call.desk.catalogue(call.caller)).known(module)
        if refusal := unfit(call, entry.contract, type, message):
            return refusal
        publisher = call.desk.publisher_of(call.caller)
        id_ = await publisher.publish(module, message, type=type, session=arguments.get("session", ""))
    except ClaudeCommError as error:
        return refused_by(error)
    waits = "" if entry.instances else f" No instance of {module} runs now: it waits until one does."
    return ToolReply(f"Sent; its id is {id_}.{waits} read_messages tells what became of it.", {"id": id_})


async def read_messages(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """Messages with what became of them, the newest first; or one whole, by its id."""
    if not call.caller.may("read"):
        return refused("messages of all modules are read with the scope read:*, which your token lacks.")
    if "id" in arguments:
        return await _whole(call, arguments["id"], arguments.get("offset", 0))
    source, target, session = (arguments.get(name, "") for name in ("source", "target", "session"))
    limit = arguments.get("limit", 20)

    def found(database: Any) -> list[tuple[MessageRow, str]]:
        last = queries.message(database, arguments["before"]) if arguments.get("before") else None
        place = Before(last.time_us, last.number) if last else None
        rows = queries.messages(database, source=source, target=target, session=session, limit=limit, before=place)
        outcomes = deliveries_of(database, [row.number for row in rows])
        return [(row, "; ".join(entry.reason for entry in outcomes[row.number] if entry.reason)) for row in rows]

    rows = await asked(call.desk.settings, found)
    lines = [f"{row.id} {row.source} -> {row.target} ({row.type}) {row.status}: {_preview(row)}" for row, _ in rows]
    whole = [_facts(row, reason) for row, reason in rows]
    more = f"\nFor older ones call read_messages with before {rows[-1][0].id!r}." if len(rows) == limit else ""
    shown, rest = cut("\n".join(lines), 0, "Call read_messages with a smaller limit; it has no reading on")
    found_text = marked(shown, "the messages") if rows else "There are no such messages."
    return ToolReply(f"{found_text}\n{rest}{more}".rstrip(), {"messages": whole})


async def _whole(call: Call, id_: str, offset: int) -> ToolReply:
    try:
        row = await asked(call.desk.settings, lambda database: queries.message(database, id_))
    except ClaudeCommError as error:
        return refused_by(error)
    part, rest = cut(readable(row.data, indent=1), offset, f"Call read_messages with id {row.id!r}")
    return ToolReply(
        f"{marked(part, f'a message of {row.source}')}\n{rest}".rstrip(), {**_facts(row, ""), "part": part}
    )


def _facts(row: MessageRow, reason: str) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in ("id", "source", "target", "type", "session", "timestamp", "status")}
    return {**facts, "reason": reason} if reason else facts


def _preview(row: MessageRow) -> str:
    words = " ".join(readable(row.data).split())
    return words if len(words) <= _PREVIEW else f"{words[:_PREVIEW]}… (read_messages with this id shows it whole)"


TOOLS = (
    FixedTool(
        name="send_message",
        title="Send a message",
        description="Sends a message to a module without waiting for a reply; it is held to the contract first.",
        schema=object_schema(
            ("module", "type", "message"),
            module=text("The module that the message is for."),
            type=text("The type of message."),
            message={"description": "The message, as describe_module shows its schema."},
            session=text("The session that it belongs to."),
        ),
        hints=SENDS,
        run=send_message,
    ),
    FixedTool(
        name="read_messages",
        title="Read messages",
        description="Lists messages with what became of them, the newest first; with an id shows one whole.",
        schema=object_schema(
            id=text("Only this message, whole."),
            offset=integer("Where to read on in a long message.", 0, 100_000_000, 0),
            source=text("Only messages of this module."),
            target=text("Only messages to this module or topic:NAME."),
            session=text("Only messages of this session."),
            before=text("The id of the last message of the page before."),
            limit=integer("How many.", 1, MAX_MESSAGES, 20),
        ),
        hints=READS,
        run=read_messages,
    ),
)
