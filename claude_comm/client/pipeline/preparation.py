"""Making a pipeline ready to run: checked against what is registered, its agreements made, its route written.

Law: nothing is sent before every way from step to step is proved, unless the caller says otherwise. What was proved is
stored as an agreement and pinned: a run keeps its agreements and adapters, whatever is registered meanwhile.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import msgspec

from claude_comm.client.identity import micros, millis
from claude_comm.errors import ClaudeCommError, ConfigurationError, NotFound
from claude_comm.names import Keys, check_session
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation.agreement import Answer, Question
from claude_comm.ops import agreements as stored
from claude_comm.ops import registry, sessions
from claude_comm.pipeline import shapes
from claude_comm.pipeline.check import Checked, PipelineReport, ProvedHop, check_pipeline
from claude_comm.pipeline.document import START, Step, read
from claude_comm.pipeline.facts import registered
from claude_comm.pipeline.plan import collector, plan
from claude_comm.pipeline.session import RunSession, digest
from claude_comm.pipeline.weighing import Ask
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import passes
from claude_comm.transport.driver import Client


class PipelineRefused(ClaudeCommError):
    """A pipeline that does not pass its check; `report` has all that was found."""

    def __init__(self, report: PipelineReport, origin: str) -> None:
        self.report = report
        # As `validate-pipeline` ends: what is not proved is no "no".
        self.exit_code = 1 if report.answer == "no" else 4
        what = {
            "no": "does not fit together",
            "undecided": "could not be decided, which counts as no",
            "undeclared": "has steps without a schema (--allow-undeclared runs it all the same)",
        }[report.answer]
        super().__init__(
            f"{origin} {what}; nothing was sent. `claude-comm validate-pipeline --against-live` shows why and what "
            "would mend it."
        )


def check_live(
    client: Client,
    keys: Keys,
    document: Any,
    ask: Ask,
    *,
    allow_undeclared: bool = False,
    instead: Contract | None = None,
) -> Checked:
    """The check against what is registered now; of the module of `instead`, against that contract."""
    pipeline = read(document).pipeline
    modules = sorted({step.module for step in pipeline.steps}) if pipeline else []
    contracts = {module: _offered(client, keys, module) for module in modules}
    known = client.run(registry.names(keys))
    if instead is not None:
        contracts[instead.module] = [instead]
    return check_pipeline(document, ask, resolve=registered(contracts, known), allow_undeclared=allow_undeclared)


def _offered(client: Client, keys: Keys, module: str) -> list[Contract]:
    """The contracts of a module that messages may be meant for, the preferred one first; none where it has none."""
    standing = client.run(registry.standing(keys, module, now_ms=millis()))
    digests = [release.digest for release in standing.offered()] if standing else []
    by_digest = client.run(registry.contracts_of(keys, [(module, digest) for digest in digests]))
    return [by_digest[digest] for digest in digests if digest in by_digest]


def prepare(
    client: Client,
    keys: Keys,
    document: Any,
    origin: str,
    session: str,
    ask: Ask,
    *,
    inputs: str = "",
    allow_undeclared: bool = False,
    unchecked: bool = False,
) -> RunSession:
    """The record of a new run. Raises PipelineRefused or ConfigurationError."""
    if client.run(sessions.find(keys, check_session(session))) is not None:
        raise ConfigurationError(
            f"there is a session {session!r} already: go on with it by --resume, or give this run another name."
        )
    checked = check_live(client, keys, document, ask, allow_undeclared=allow_undeclared)
    if checked.graph is None or checked.report.problems or not (unchecked or checked.report.answer == "yes"):
        raise PipelineRefused(checked.report, origin)
    pinned = {name: _agree(client, keys, checked, step, session) for name, step in checked.graph.steps.items()}
    doors = {name: checked.facts[name].accepts for name in checked.graph.followers[START]}
    now_us = micros()
    return RunSession(
        session=session,
        pipeline=checked.report.pipeline_name,
        digest=digest(document),
        route=plan(checked, session, {name: id_ for name, id_ in pinned.items() if id_}),
        door={name: schema for name, schema in doors.items() if schema is not None},
        started_ms=millis(),
        touched_us=now_us,
        inputs=inputs,
    )


def resumed(client: Client, keys: Keys, document: Any, session: str, *, inputs: str) -> RunSession:
    """The record of a run to go on with, as it was pinned. Raises NotFound or ConfigurationError."""
    record: RunSession | None = client.run(sessions.find(keys, check_session(session)))
    if record is None or client.run(sessions.is_gone(keys, record)):
        raise NotFound(
            f"there is no session {session!r} to go on with: it never was, or its results were removed a day after its "
            "end."
        )
    if record.digest != digest(document):
        raise ConfigurationError(
            f"the session {session!r} runs another pipeline ({record.pipeline!r} as it was then): go on with that file."
        )
    if record.inputs != inputs:
        raise ConfigurationError(f"the session {session!r} was given other inputs: go on with the same file.")
    return msgspec.structs.replace(record, state="running")


def run_name(document: Any) -> str:
    """A name for a run, after its pipeline and the moment."""
    named = document.get("pipeline_name", "") if isinstance(document, dict) else ""
    short = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(named))[:40].strip("-") or "pipeline"
    return f"{short}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def _agree(client: Client, keys: Keys, checked: Checked, step: Step, session: str) -> str:
    """The id of the agreement that messages to a step go under; empty where nothing was proved about them."""
    edges = [edge for edge in checked.edges if edge.step == step.name]
    if not edges or not all(edge.hop.verdict is not None and passes(edge.hop.verdict) for edge in edges):
        return ""
    try:
        question = _question(checked, step, edges, session)
    except shapes.Mixed:
        return ""
    id_ = agreements.digest(question)
    if client.run(stored.find(keys, id_)) is None:
        verdict = edges[0].hop.verdict
        assert verdict is not None
        outcome = agreements.conclude(question, Answer(verdict=verdict), decided_by="caller", decided_us=micros())
        client.run(stored.store(keys, outcome))
    return id_


def _question(checked: Checked, step: Step, edges: list[ProvedHop], session: str) -> Question:
    assert checked.pipeline is not None
    if step.joins:
        producer = step.module
    else:
        producer = collector(session) if step.after[0] == START else checked.pipeline.step(step.after[0]).module
    return Question(
        producer=producer,
        consumer=step.module,
        type=checked.facts[step.name].type,
        produced=shapes.either(edge.produced for edge in edges),
        accepted=edges[0].accepted,
        # What comes out of an adapter was closed before it.
        policy="strict" if any(edge.hop.adapter for edge in edges) else "closed-producer",
    )
