"""Pipelines over HTTP: checked, started, and followed.

Law: a run is started by an administrator; nothing is sent before every hop is proved, as with `run-pipeline`.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Literal, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from claude_comm.client.pipeline.preparation import check_live, prepare, resumed, run_name
from claude_comm.errors import UnknownSession
from claude_comm.gateway.core.errors import unusable
from claude_comm.gateway.core.principals import require_admin, require_reading
from claude_comm.gateway.core.requests import answer, convert, gateway_of, json_of, limit_of, principal_of
from claude_comm.gateway.core.runs import ActiveRuns
from claude_comm.names import check_session
from claude_comm.ops import sessions
from claude_comm.pipeline.check import PipelineReport, inspect
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.weighing import Ask
from claude_comm.transport.driver import Client


class Checking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pipeline document; `live` holds it to the contracts that are registered now."""

    pipeline: dict[str, Any]
    live: bool = False
    allow_undeclared: bool = False
    strict: bool = False
    budget_ms: float = 2_000.0


class Starting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run: its inputs in their order, and its name. `resume` goes on with a run that was cut off."""

    pipeline: dict[str, Any]
    inputs: list[Any]
    session: str = ""
    resume: bool = False
    allow_undeclared: bool = False
    unchecked: bool = False
    strict: bool = False
    budget_ms: float = 2_000.0


class RunRecord(msgspec.Struct, frozen=True):
    """A run as it is recorded; `total` is -1 while nobody knows, times are microseconds since 1970."""

    session: str
    pipeline: str
    state: Literal["running", "complete"]
    sent: int
    total: int
    started_us: int
    touched_us: int


def runs_of(request: Request) -> ActiveRuns:
    return cast(ActiveRuns, request.app.state.runs)


async def check(request: Request) -> Response:
    """Checks a pipeline whole: its form, its graph and every hop."""
    principal_of(request)
    gateway, asked = gateway_of(request), convert(await json_of(request), Checking)
    ask = _ask(request, asked)

    def work(client: Client) -> PipelineReport:
        if asked.live:
            return check_live(client, gateway.keys, asked.pipeline, ask, allow_undeclared=asked.allow_undeclared).report
        return inspect(
            asked.pipeline,
            policy=ask.policy,
            budget_ms=ask.budget_ms,
            clock=ask.clock,
            allow_undeclared=asked.allow_undeclared,
        )

    return answer(await gateway.blocking(work))


async def runs(request: Request) -> Response:
    """The recorded runs, the latest first."""
    require_reading(principal_of(request))
    gateway, limit = gateway_of(request), limit_of(request)
    records = await gateway.client.run(sessions.everything(gateway.keys))
    return answer({"runs": [_record(record) for record in records[:limit]]})


async def run(request: Request) -> Response:
    """One run; with how far it is and its results, where this gateway runs it."""
    require_reading(principal_of(request))
    gateway, name = gateway_of(request), check_session(request.path_params["session"])
    record = await gateway.client.run(sessions.find(gateway.keys, name))
    if record is None:
        raise UnknownSession(name)
    return answer({"run": _record(record), "here": runs_of(request).find(name)})


async def start(request: Request) -> Response:
    """Starts a run, once every hop is proved; `/v1/pipelines/SESSION` has its results at its end."""
    gateway, principal = gateway_of(request), principal_of(request)
    require_admin(principal)
    asked = convert(await json_of(request), Starting)
    if asked.resume and not asked.session:
        raise unusable("resume goes on with a run: say which by `session`.")
    session = check_session(asked.session or run_name(asked.pipeline))
    running = runs_of(request)
    running.require_room(session)
    ask, inputs = _ask(request, asked), hashlib.sha256(msgspec.json.encode(asked.inputs)).hexdigest()

    def work(client: Client) -> RunSession:
        if asked.resume:
            return resumed(client, gateway.keys, asked.pipeline, session, inputs=inputs)
        return prepare(
            client,
            gateway.keys,
            asked.pipeline,
            "the pipeline",
            session,
            ask,
            inputs=inputs,
            allow_undeclared=asked.allow_undeclared,
            unchecked=asked.unchecked,
        )

    record = await gateway.blocking(work)
    running.require_room(session)
    here = running.start(record, asked.inputs)
    gateway.log.info("gateway.run_started", session=session, by=principal.name)
    return answer({"run": _record(record), "here": here}, 202)


def _ask(request: Request, asked: Checking | Starting) -> Ask:
    budget_ms = min(max(asked.budget_ms, 1.0), gateway_of(request).options.limits.budget_ms)
    return Ask(policy="strict" if asked.strict else "closed-producer", budget_ms=budget_ms, clock=time.monotonic)


def _record(record: RunSession) -> RunRecord:
    return RunRecord(
        session=record.session,
        pipeline=record.pipeline,
        state=record.state,
        sent=record.sent,
        total=record.total,
        started_us=record.started_ms * 1000,
        touched_us=record.touched_us,
    )
