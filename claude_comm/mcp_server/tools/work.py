"""Running a pipeline, looking at a session, explaining a failure, and sending what was buried again.

Law: what changes something says first what it would do: a redrive is a dry run unless it is told otherwise.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import Any

import msgspec

from claude_comm.client import dead_letters
from claude_comm.client.acts import act, recorded
from claude_comm.client.pipeline.preparation import PipelineRefused, prepare
from claude_comm.client.pipeline.run import Run
from claude_comm.delivery.burial import Where
from claude_comm.delivery.reply import FAILURE_TYPE, REPLY_TYPE
from claude_comm.errors import ClaudeCommError, UnknownMessage, UnknownModule, UnknownSession
from claude_comm.mcp_server.desk.answers import ToolReply, as_text, cut, marked, refused, refused_by
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.desk.exposure import Exposure
from claude_comm.mcp_server.desk.projection import asked
from claude_comm.mcp_server.tools.definition import READS, SENDS, FixedTool, integer, object_schema, text
from claude_comm.mcp_server.tools.proofs import ask, pipeline_report
from claude_comm.names import Keys, check_name
from claude_comm.ops import agreements
from claude_comm.store import session_list, timelines, traces
from claude_comm.store.traces import TraceStep
from claude_comm.transport.connect import connect

MAX_INPUTS = 100
# An input that has not ended by then counts as failed; what is on its way goes on.
INPUT_TTL_S = 60.0


async def run_pipeline(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """Sends inputs through a pipeline that is proved first, and gathers what comes out."""
    if not call.caller.may("send", "*"):
        return refused("a pipeline is run with the scope send:*, which your token lacks.")
    try:
        told = await asyncio.to_thread(_run, call.desk, arguments["pipeline"], arguments["inputs"])
    except PipelineRefused as refusal:
        return pipeline_report(refusal.report)
    except ClaudeCommError as error:
        return refused_by(error)
    part, rest = cut(as_text(told["results"]), 0, f"Call show_session with session {told['session']!r}")
    words = f"Session {told['session']}: {told['done']} done, {told['failed']} failed."
    return ToolReply(f"{words}\n{marked(part, 'the pipeline')}\n{rest}".rstrip(), told, is_error=bool(told["failed"]))


def _run(desk: Desk, document: Any, inputs: list[Any]) -> dict[str, Any]:
    session = f"mcp-{secrets.token_hex(8)}"
    with connect(desk.settings) as client:
        record = prepare(client, desk.keys, document, "the pipeline", session, ask())
        run = Run(client, desk.settings, record, iter(inputs), total=len(inputs), ttl_s=INPUT_TTL_S)
        run.go(lambda _run: None, INPUT_TTL_S)
        progress = run.progress()
        results = [msgspec.to_builtins(result) for result in run.tally.results(all_=True)]
    return {"session": session, "done": progress.done, "failed": progress.failed, "results": results}


async def show_session(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """One session: hops, tasks, and a page of its messages in order."""
    if refusal := _unread(call):
        return refusal
    name, after, limit = arguments["session"], arguments.get("after", 0), arguments.get("limit", 20)

    def found(database: Any) -> Any:
        page = timelines.timeline(database, name, limit=limit, after=after, failed=arguments.get("failed", False))
        return session_list.session(database, name), page

    detail, page = await asked(call.desk.settings, found)
    if detail is None:
        return refused_by(UnknownSession(name))
    told = {"session": msgspec.to_builtins(detail), "messages": msgspec.to_builtins(page)}
    part, rest = cut(as_text(told), 0, "Call show_session with a smaller limit; it has no reading on")
    more = f"\nFor more call show_session with after {page.after}." if page.more else ""
    return ToolReply(f"{marked(part, 'the session')}\n{rest}{more}".rstrip(), told)


async def explain_failure(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """Why a message did not arrive: its trace, the agreement it went under, and the command that would help."""
    if refusal := _unread(call):
        return refusal
    id_ = arguments["message"]
    try:
        trace = await asked(call.desk.settings, lambda database: traces.trace(database, id_, limit=50))
    except UnknownMessage as error:
        return refused_by(error)
    failed = [step for step in trace.steps if step.message.status in ("failed", "retrying")]
    # A reply goes to who waits for it, and is settled by nobody.
    waits = [
        step
        for step in trace.steps
        if step.message.status == "sent" and not step.deliveries and step.message.type not in _REPLIES
    ]
    told: dict[str, Any] = {
        "message": trace.steps[0].message.id,
        "trace": [_told(step) for step in trace.steps],
        "agreement": await _agreement(call, trace.steps[0].message.agreement),
        "help": [_help(call.desk.exposure, step) for step in failed] + [_start(step) for step in waits],
    }
    found = f"{len(failed)} of {len(trace.steps)} messages failed, {len(waits)} wait."
    part, rest = cut(as_text(told), 0, "Call read_messages with the id of one message; nothing is read on")
    return ToolReply("\n".join([found, *told["help"], marked(part, "the messages"), rest]).rstrip(), told)


def _told(step: TraceStep) -> dict[str, Any]:
    row = step.message
    facts = {name: getattr(row, name) for name in ("id", "source", "target", "type", "status", "timestamp")}
    deliveries = [msgspec.to_builtins(delivery) for delivery in step.deliveries]
    return {**facts, "depth": step.depth, "deliveries": deliveries}


async def _agreement(call: Call, id_: str) -> Any:
    agreement = await call.desk.run(agreements.find(call.desk.keys, id_)) if id_ else None
    return None if agreement is None else msgspec.to_builtins(agreement)


def _help(exposure: Exposure, step: TraceStep) -> str:
    module, type = step.message.target, step.message.type
    return (
        f"To send it again once {module} is mended: {exposure.how_to('redrive', module=module, type=type)}, which is a "
        f"dry run first (claude-comm dead redrive {module} --where type={type} --dry-run)."
    )


def _start(step: TraceStep) -> str:
    module = step.message.target
    return f"{module} has not taken it: does an instance run? (claude-comm modules; claude-comm run FILE:MODULE)"


async def redrive(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """Puts buried messages back into the inbox of their module; without `confirm` only counts them."""
    module = arguments["module"]
    if not call.caller.may("admin"):
        return refused(f"messages of {module} are sent again with the scope admin, which your token lacks.")
    if not call.desk.exposure.shows(module):
        return refused(f"{module} is not shown by this server.")
    where = Where(**{name: arguments[name] for name in ("reason", "type", "path", "source") if name in arguments})
    limit, confirmed = arguments.get("limit", 0), arguments.get("confirm", False)
    try:
        check_name(module)
        work = partial(_redrive, by=call.caller.module or call.caller.owner) if confirmed else _count
        count = await asyncio.to_thread(work, call.desk, module, where, limit)
    except ClaudeCommError as error:
        return refused_by(error)
    told = {"redriven": count} if confirmed else {"would_redrive": count}
    if not count:
        return await _nothing_buried(call, module, told, filtered=where != Where())
    messages = "1 message" if count == 1 else f"{count:,} messages"
    if confirmed:
        return ToolReply(
            f"{messages} put back into the inbox of {module}; read_messages tells what becomes of them.", told
        )
    return ToolReply(
        f"{messages} would be put back. Nothing is done yet: make the same call again, with confirm true.",
        told,
    )


async def _nothing_buried(call: Call, module: str, told: dict[str, int], *, filtered: bool) -> ToolReply:
    """Why nothing was found: there is no such module, nothing that fits, or nothing at all."""
    catalogue = await call.desk.catalogue(call.caller)
    if module not in catalogue.modules:
        return refused_by(UnknownModule(module, list(catalogue.modules)))
    if filtered:
        words = f"No buried message of {module} has all of that: leave out a filter. Nothing was put back."
    else:
        words = (
            f"{module} has no buried messages: there is nothing to put back. explain_failure says where a message is."
        )
    return ToolReply(words, told)


def _redrive(desk: Desk, module: str, where: Where, limit: int, *, by: str) -> int:
    with connect(desk.settings) as client:
        return recorded(
            client,
            Keys(desk.settings.namespace),
            act("redrive", module, f"an agent of {by}", where.words),
            lambda: dead_letters.redrive(client, desk.settings, module, where, limit=limit or None),
            "{:,} put back".format,
        )


def _count(desk: Desk, module: str, where: Where, limit: int) -> int:
    with connect(desk.settings) as client:
        count = sum(1 for _ in dead_letters.walk(client, desk.settings, module, where))
    return min(count, limit or count)


def _unread(call: Call) -> ToolReply | None:
    if call.caller.may("read"):
        return None
    return refused("messages of all modules are read with the scope read:*, which your token lacks.")


_REPLIES = frozenset((REPLY_TYPE, FAILURE_TYPE))
_PIPELINE = {"type": "object", "description": "{pipeline_name, modules: [{name, version, after?}]}"}

TOOLS = (
    FixedTool(
        name="run_pipeline",
        title="Run a pipeline",
        description="Proves a pipeline, sends inputs through it and returns what comes out, in their order.",
        schema=object_schema(
            ("pipeline", "inputs"),
            pipeline=_PIPELINE,
            inputs={"type": "array", "description": "The inputs.", "minItems": 1, "maxItems": MAX_INPUTS},
        ),
        hints=SENDS,
        run=run_pipeline,
    ),
    FixedTool(
        name="show_session",
        title="Show a session",
        description="Shows one session: hops, tasks, members, and its messages in order, a page at a time.",
        schema=object_schema(
            ("session",),
            session=text("The session."),
            after=integer("The number that the page before named.", 0, 2**53, 0),
            limit=integer("How many messages.", 1, 100, 20),
            failed={"type": "boolean", "description": "Only what was buried or waits to be retried."},
        ),
        hints=READS,
        run=show_session,
    ),
    FixedTool(
        name="explain_failure",
        title="Explain a failure",
        description="Says why a message did not arrive, or what it caused that failed: trace, agreement, witness, and"
        " the command that would help.",
        schema=object_schema(("message",), message=text("The id of the message, or its start.")),
        hints=READS,
        run=explain_failure,
    ),
    FixedTool(
        name="redrive",
        title="Redrive buried messages",
        description="Puts buried messages back into the inbox of their module. Without confirm it only counts them.",
        schema=object_schema(
            ("module",),
            module=text("The module that buried them."),
            reason=text("Only with this in their reason."),
            type=text("Only of this type."),
            path=text("Only those refused at this place."),
            source=text("Only of this module."),
            limit=integer("At most this many, the oldest first; 0 is all.", 0, 1_000_000, 0),
            confirm={"type": "boolean", "description": "Do it, and not only count.", "default": False},
        ),
        hints=SENDS,
        run=redrive,
    ),
)
