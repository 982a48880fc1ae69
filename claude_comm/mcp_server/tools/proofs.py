"""Asking before doing: whether two schemas fit, what two modules agree on, whether a pipeline holds together."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from claude_comm.client.pipeline.preparation import check_live
from claude_comm.client.publisher import negotiate as negotiations
from claude_comm.errors import ClaudeCommError
from claude_comm.mcp_server.desk.answers import ToolReply, as_text, cut, marked, refused, refused_by
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.desk import Desk
from claude_comm.mcp_server.tools.definition import CHANGES, READS, FixedTool, object_schema, text
from claude_comm.names import check_name, check_target
from claude_comm.negotiation.agreement import Agreement
from claude_comm.ops import registry
from claude_comm.pipeline.check import PipelineReport
from claude_comm.pipeline.weighing import Ask
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Policy, Verdict
from claude_comm.transport.connect import connect

BUDGET_MS = 2_000.0


async def check_schemas(_: Call, arguments: dict[str, Any]) -> ToolReply:
    """The verdict on whether every message of the one schema is accepted by the other."""
    policy: Policy = "strict" if arguments.get("strict") else "closed-producer"
    try:
        verdict = await asyncio.to_thread(check, arguments["produced"], arguments["accepted"], policy=policy)
    except ClaudeCommError as error:
        return refused_by(error)
    return _verdict(verdict)


def _verdict(verdict: Verdict) -> ToolReply:
    told = msgspec.to_builtins(verdict)
    return ToolReply(f"The answer is {verdict.answer}.\n{as_text(told)}", told)


async def negotiate(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """The agreements of what one registered module declares for another."""
    producer, consumer = arguments["producer"], arguments["consumer"]
    if not call.caller.may("read"):
        return refused("negotiations between modules are asked for with the scope read:*, which your token lacks.")
    try:
        check_name(producer)
        check_target(consumer)
        agreements = await asyncio.to_thread(_negotiated, call.desk, producer, consumer, arguments.get("type", ""))
    except ClaudeCommError as error:
        return refused_by(error)
    if not agreements:
        return refused(
            f"{producer} declares no such messages for {consumer}.", [f"call describe_module with module {producer!r}"]
        )
    told = [msgspec.to_builtins(agreement) for agreement in agreements]
    lines = [f"{told_.producer} -> {told_.consumer} ({told_.type}): {told_.verdict.answer}" for told_ in agreements]
    part, rest = cut(as_text(told), 0, "Read the resource claude-comm://agreements/ID")
    return ToolReply("\n".join([*lines, marked(part, "the contracts"), rest]).rstrip(), {"agreements": told})


def _negotiated(desk: Desk, producer: str, consumer: str, type: str) -> list[Agreement]:
    with connect(desk.settings) as client:
        contract = client.run(registry.require(desk.keys, producer))
        outcomes = []
        for sent in contract.produces:
            if sent.target in ("", consumer) and type in ("", sent.type):
                asked = client.run(negotiations.questions(desk.keys, producer, consumer, sent.type, sent.schema))
                outcomes += [
                    negotiations.ask(client, desk.settings, question)
                    for questions in asked.readers.values()
                    for question in questions
                ]
        return outcomes


async def validate_pipeline(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """The proof of a whole pipeline against the contracts that are registered."""
    if not call.caller.may("read"):
        return refused(
            "a pipeline is proved over the contracts of all modules with the scope read:*, which your token lacks."
        )
    try:
        report = await asyncio.to_thread(_checked, call.desk, arguments["pipeline"])
    except ClaudeCommError as error:
        return refused_by(error)
    return pipeline_report(report)


def _checked(desk: Desk, document: Any) -> PipelineReport:
    with connect(desk.settings) as client:
        return check_live(client, desk.keys, document, ask()).report


def ask() -> Ask:
    return Ask(policy="closed-producer", budget_ms=BUDGET_MS, clock=time.monotonic)


def pipeline_report(report: PipelineReport) -> ToolReply:
    """A report in words and as data; what is not proved is an error, so that nothing is run on it."""
    told = {
        "answer": report.answer,
        "problems": [msgspec.to_builtins(problem) for problem in report.problems],
        "hops": [msgspec.to_builtins(hop) for hop in report.hops],
    }
    lines = [f"The pipeline is {'proved' if report.answer == 'yes' else f'not proved: {report.answer}'}."]
    lines += [f"- {problem.path}: {problem.sentence}" for problem in report.problems]
    for hop in report.hops:
        lines.append(f"- {hop.producer} -> {hop.consumer}: {hop.state}")
        lines += [f"  mend at step {mend.step!r}: {mend.sentence}" for mend in hop.mends]
    text_, rest = cut("\n".join(lines), 0, "The structured result has all of it; nothing is read on")
    return ToolReply(f"{marked(text_, 'the pipeline')}\n{rest}".rstrip(), told, is_error=report.answer != "yes")


_SCHEMA = {"type": ["object", "boolean"]}

TOOLS = (
    FixedTool(
        name="check_schemas",
        title="Check two schemas",
        description="Proves whether every message that the first schema allows is accepted by the second, or gives a"
        " message that is not.",
        schema=object_schema(
            ("produced", "accepted"),
            produced={**_SCHEMA, "description": "The JSON Schema of what is sent."},
            accepted={**_SCHEMA, "description": "The JSON Schema of what is accepted."},
            strict={"type": "boolean", "description": "Count properties that the sender does not declare."},
        ),
        hints=READS,
        run=check_schemas,
    ),
    FixedTool(
        name="negotiate",
        title="Negotiate",
        description="Negotiates what one registered module sends to another; the agreement, or the refusal with its"
        " witness, is stored.",
        schema=object_schema(
            ("producer", "consumer"),
            producer=text("The module that sends."),
            consumer=text("The module that reads, or topic:NAME."),
            type=text("Only this type of message."),
        ),
        hints=CHANGES,
        run=negotiate,
    ),
    FixedTool(
        name="validate_pipeline",
        title="Validate a pipeline",
        description="Proves a pipeline whole against the registered contracts: every problem, every hop, and mends.",
        schema=object_schema(
            ("pipeline",),
            pipeline={"type": "object", "description": "{pipeline_name, modules: [{name, version, after?}]}"},
        ),
        hints=READS,
        run=validate_pipeline,
    ),
)
