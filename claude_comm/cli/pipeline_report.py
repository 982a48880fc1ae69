"""The report on a pipeline document, as `validate-pipeline`, `verify-compatibility` and `run-pipeline` show it."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from claude_comm.cli import pipeline_documents, verdicts
from claude_comm.cli.options import policy
from claude_comm.client.pipeline.preparation import check_live
from claude_comm.escaping import clean
from claude_comm.names import Keys
from claude_comm.pipeline.check import Hop, PipelineReport, inspect
from claude_comm.pipeline.weighing import Ask
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_styled
from claude_comm.terminal.styles import style_of
from claude_comm.transport.connect import connect

EXIT_CODES = {"yes": 0, "no": 1, "undecided": 4, "undeclared": 4}
_ANSWERS = {"yes": "valid", "no": "not valid", "undecided": "undecided", "undeclared": "undeclared"}


def asked(*, strict: bool, budget_ms: float) -> Ask:
    return Ask(policy=policy(strict), budget_ms=budget_ms, clock=time.monotonic)


def report(
    file: str, *, strict: bool, budget_ms: float, against_live: bool = False, allow_undeclared: bool = False
) -> PipelineReport:
    document, ask = pipeline_documents.read(file), asked(strict=strict, budget_ms=budget_ms)
    if against_live:
        settings = settings_of_process()
        with connect(settings) as client:
            keys = Keys(settings.namespace)
            return check_live(client, keys, document, ask, allow_undeclared=allow_undeclared).report
    return inspect(
        document,
        policy=ask.policy,
        budget_ms=ask.budget_ms,
        clock=ask.clock,
        allow_undeclared=allow_undeclared,
    )


def show_problems(checked: PipelineReport) -> None:
    for problem in checked.problems:
        emit(clean(f"problem   {problem.path}: {problem.sentence}"))


def show_hop(hop: Hop) -> None:
    """The state of a hop and its grounds; then what is missing, and what would mend it."""
    title = f"{hop.producer} -> {hop.consumer}"
    if hop.verdict is None:
        emit_styled(clean(f"{title}: {hop.state}: {hop.note}"), style_of("verdict", hop.state))
    elif hop.state == "adapted":
        steps = msgspec.json.encode(hop.adapter.steps if hop.adapter else ()).decode()
        emit(clean(f"{title}: adapted, and compatible after {steps}"))
    else:
        verdicts.show(hop.verdict, title)
        if hop.note:
            emit(clean(f"  {hop.note}"))
    for missing in hop.missing:
        emit(clean(f"  {missing.sentence}"))
    for mend in hop.mends:
        emit(clean(f"  to mend it, write at step {mend.step!r}: {_written(mend.name, mend.value)}"))
        emit(clean(f"    {mend.sentence} ({'proved' if mend.proved else 'check again: this is not proved'})"))


def summary(checked: PipelineReport) -> str:
    counts = [f"{len(checked.problems)} problem(s) of form", *_by_state(checked)]
    return f"{checked.pipeline_name or 'this pipeline'}: {_ANSWERS[checked.answer]} ({', '.join(counts)})."


def json_of(checked: PipelineReport) -> dict[str, Any]:
    return {
        "pipeline": checked.pipeline_name,
        "answer": checked.answer,
        "problems": checked.problems,
        "hops": checked.hops,
    }


def _by_state(checked: PipelineReport) -> list[str]:
    states = [hop.state for hop in checked.hops]
    return [f"{states.count(state)} of {len(states)} hop(s) {state}" for state in dict.fromkeys(states)]


def _written(name: str, value: Any) -> str:
    return f'"{name}": {msgspec.json.encode(value).decode()}'
