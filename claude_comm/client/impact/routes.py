"""Sessions on their way through pipelines, and the pipelines themselves, under a new contract of a module."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from claude_comm.client.pipeline.preparation import check_live
from claude_comm.impact.effects import Effect, FailingMessage, Status, worst
from claude_comm.impact.replay import Evidence
from claude_comm.names import Keys
from claude_comm.ops import in_flight as ops
from claude_comm.ops import sessions as records
from claude_comm.pipeline import in_flight as pipeline
from claude_comm.pipeline.check import Checked, Hop, State
from claude_comm.pipeline.in_flight import EndangeredMessage, Outlook
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.weighing import Ask
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import Incompatible
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client

# Of a pipeline nothing is on its way: what has a witness breaks it.
_OF_STEP: dict[pipeline.Status, Status] = {
    "breaks": "broken",
    "may break": "broken",
    "undecided": "undecided",
    "safe": "safe",
}
# Of a pipeline that is only written down.
_OF_HOP: dict[State, Status] = {
    "compatible": "safe",
    "adapted": "adapted",
    "incompatible": "broken",
    "impossible": "broken",
    "undecided": "undecided",
    "undeclared": "undecided",
}


class Routes(msgspec.Struct, frozen=True):
    """What was found of sessions, or of pipelines."""

    looked_at: int
    sentence: str
    effects: list[Effect]


def sessions(
    client: Client,
    keys: Keys,
    settings: Settings,
    new: Contract,
    now_us: int,
    evidence: Mapping[tuple[str, str], Evidence],
) -> Routes:
    """One effect for each session with messages that are not safe, and one for all that are."""
    way = client.run(ops.through(keys, new.module, now_us=now_us, max_bytes=settings.max_envelope_bytes))
    standing = pipeline.in_flight(way.messages, new, way.pinned, Ask(clock=time.monotonic))
    if not way.sessions:
        return Routes(0, "no session is on its way through a pipeline with this module", [])
    by_session = {session.session: session for session in way.sessions}
    findings: dict[str, list[EndangeredMessage]] = {}
    for finding in standing.findings:
        findings.setdefault(finding.session, []).append(finding)
    seen = any(of.messages for of in evidence.values()) and not any(of.refused for of in evidence.values())
    effects = [_session(by_session[name], of, new, seen) for name, of in findings.items() if name in by_session]
    if standing.safe:
        words = f"{standing.safe:,} message(s) on their way are safe to the end, proved."
        effects.append(
            Effect(partner="sessions", direction="pipeline", type="*", status="safe", why=words, messages=standing.safe)
        )
    return Routes(standing.messages, standing.sentence, effects)


def pipelines(client: Client, keys: Keys, new: Contract) -> Routes:
    """One effect for each step of each pipeline that was run lately, or runs, and has to do with the module."""
    effects: list[Effect] = []
    known: dict[tuple[str, tuple[str, ...]], RunSession] = {}
    for session in client.run(records.everything(keys)):
        if any(leg.target == new.module for leg in session.whole.legs.values()):
            known.setdefault((session.pipeline, session.route), session)
    pinned = client.run(ops.pinned(keys, list(known.values())))
    for session in known.values():
        outlooks = pipeline.whole_route(session.whole, session.door, new, pinned, Ask(clock=time.monotonic))
        steps = {outlook.step: [other for other in outlooks if other.step == outlook.step] for outlook in outlooks}
        effects += [_step(session, step, of) for step, of in steps.items()]
    words = f"{len(known):,} pipeline(s) that run or ran lately, {len(effects):,} of their steps weighed"
    return Routes(len(effects), words, effects)


def documents(client: Client, keys: Keys, new: Contract, written: Iterable[tuple[str, Any]]) -> Routes:
    """One effect for each hop of these pipelines, given by name and document, that the new contract stands at an end of
    or changes, and for each problem that comes with it."""
    effects: list[Effect] = []
    count = 0
    for name, document in written:
        before = check_live(client, keys, document, Ask(clock=time.monotonic))
        after = check_live(client, keys, document, Ask(clock=time.monotonic), instead=new)
        effects += _document(name, before, after, new)
        count += 1
    words = f"{count:,} pipeline(s) given as a document, {len(effects):,} of their hops and problems"
    return Routes(len(effects), words, effects)


def _document(name: str, before: Checked, after: Checked, new: Contract) -> list[Effect]:
    partner = f"pipeline {after.report.pipeline_name or name}"
    known = {problem.path for problem in before.report.problems}
    effects = [
        Effect(
            partner=partner,
            direction="pipeline",
            type="*",
            status="broken",
            why=f"{problem.path}: {problem.sentence}" + (" (today as well)" if problem.path in known else ""),
        )
        for problem in after.report.problems
    ]
    states: dict[tuple[str, str], State] = {(hop.producer, hop.consumer): hop.state for hop in before.report.hops}
    modules = {step.name: step.module for step in after.pipeline.steps} if after.pipeline else {}
    for hop in after.report.hops:
        own = new.module in (modules.get(hop.consumer), *map(modules.get, hop.producer.split()))
        if own or states.get((hop.producer, hop.consumer)) != hop.state:
            type_ = after.facts[hop.consumer].type
            effects.append(_hop(partner, type_, hop, states.get((hop.producer, hop.consumer))))
    return effects


def _hop(partner: str, type_: str, hop: Hop, before: State | None) -> Effect:
    status = _OF_HOP[hop.state]
    words = {
        "safe": "every message fits, proved.",
        "adapted": "every message fits after its adapter, proved.",
        "broken": "the producer may send what the consumer refuses.",
        "undecided": hop.note or "it could not be decided.",
    }[status]
    lacking = " ".join(missing.sentence for missing in hop.missing)
    today = " (today as well)" if status in ("broken", "undecided") and before == hop.state else ""
    return Effect(
        partner=partner,
        direction="pipeline",
        type=type_,
        status=status,
        why=f"{hop.producer} -> {hop.consumer}: {lacking or words}{today}",
        witness=hop.verdict.witness if isinstance(hop.verdict, Incompatible) else msgspec.UNSET,
    )


def _session(session: RunSession, findings: list[EndangeredMessage], new: Contract, seen: bool) -> Effect:
    breaking = [finding for finding in findings if finding.status == "breaks"]
    statuses: list[Status] = [_status(session, finding, new, seen) for finding in findings]
    failing = [
        FailingMessage(
            id=finding.message,
            source=session.pipeline,
            type=_type(session, finding.step),
            where="session",
            path=finding.path,
            why=finding.why,
        )
        for finding in breaking
    ]
    return Effect(
        partner=f"session {session.session}",
        direction="pipeline",
        type=_type(session, findings[0].step),
        status=worst(statuses),
        why=f"step {findings[0].step}: {findings[0].why}",
        messages=len(findings),
        failing=failing,
    )


def _status(session: RunSession, finding: EndangeredMessage, new: Contract, seen: bool) -> Status:
    """What may still come to the module has a witness; whether the like was ever seen, its traffic says."""
    if finding.status == "may break":
        leg = session.whole.legs.get(finding.step)
        entering = leg is not None and leg.target == new.module
        return "theoretical" if entering and seen else "broken"
    return "broken" if finding.status == "breaks" else finding.status


def _step(session: RunSession, step: str, outlooks: list[Outlook]) -> Effect:
    statuses: list[Status] = [_OF_STEP[outlook.status] for outlook in outlooks]
    leg = session.whole.legs[step]
    status = worst(statuses)
    why = next((outlook.why for outlook, own in zip(outlooks, statuses, strict=True) if own == status), "")
    if status == "safe":
        status = "adapted" if leg.adapter else "safe"
        why = "what comes to this step fits, proved."
    return Effect(
        partner=f"pipeline {session.pipeline}", direction="pipeline", type=leg.type, status=status,
        why=f"step {step}: {why}",
    )  # fmt: skip


def _type(session: RunSession, step: str) -> str:
    leg = session.whole.legs.get(step)
    return leg.type if leg is not None else "*"
