"""The commands `validate-pipeline` and `verify-compatibility`."""

from __future__ import annotations

import time

from claude_comm.cli import documents, verdicts
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AsJson, Budget, Document, Strict, policy
from claude_comm.documents import form
from claude_comm.pipeline.check import Hop, PipelineReport, inspect
from claude_comm.terminal.output import clean, emit, emit_json, say

EXIT_CODES = {"yes": 0, "no": 1, "undecided": 4}


def validate_pipeline(
    file: Document, strict: Strict = False, budget: Budget = DEFAULT_BUDGET_MS, as_json: AsJson = False
) -> int:
    """Check a pipeline: its form, its schemas, every hop.

    FILE holds {pipeline_name, modules: [{name, version, input_schema?, output_schema?, config?}]}. Every problem is
    listed with its place. Exits with 0 when all is well, 1 for any problem, 4 when a hop cannot be decided.
    """
    report = _report(file, strict, budget)
    if as_json:
        emit_json({"pipeline": report.pipeline_name, "answer": report.answer, **_parts(report)})
    else:
        for problem in report.problems:
            emit(clean(f"problem   {problem.path}: {problem.sentence}"))
        for hop in report.hops:
            _show(hop)
        say(_summary(report))
    return EXIT_CODES[report.answer]


def verify_compatibility(
    file: Document, strict: Strict = False, budget: Budget = DEFAULT_BUDGET_MS, as_json: AsJson = False
) -> int:
    """Give the verdict on each hop of a pipeline.

    FILE is a pipeline document as for `validate-pipeline`; one with another problem than a verdict exits with 2.
    Exits with 0 when every hop fits, 1 when one does not, 4 when one cannot be decided.
    """
    report = _report(file, strict, budget)
    if report.problems:
        form.raise_invalid(documents.origin(file), report.problems)
    if as_json:
        emit_json(report.hops)
    else:
        for hop in report.hops:
            _show(hop)
    return EXIT_CODES[report.answer]


def _report(file: str, strict: bool, budget: float) -> PipelineReport:
    return inspect(documents.read(file), policy=policy(strict), budget_ms=budget, clock=time.monotonic)


def _parts(report: PipelineReport) -> dict[str, object]:
    return {"problems": report.problems, "hops": report.hops}


def _show(hop: Hop) -> None:
    title = f"{hop.producer} -> {hop.consumer}"
    if hop.verdict is None:
        emit(clean(f"{title}: {hop.note}"))
    else:
        verdicts.show(hop.verdict, title)


def _summary(report: PipelineReport) -> str:
    weighed = [hop for hop in report.hops if hop.verdict is not None]
    counts = [f"{len(report.problems)} problem(s) of form", f"{len(weighed)} of {len(report.hops)} hop(s) weighed"]
    verdict = {"yes": "valid", "no": "not valid", "undecided": "undecided"}[report.answer]
    return f"{report.pipeline_name or 'this pipeline'}: {verdict} ({', '.join(counts)})."
