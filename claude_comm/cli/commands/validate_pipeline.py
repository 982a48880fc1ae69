"""The command `validate-pipeline`."""

from __future__ import annotations

from claude_comm.cli.options import DEFAULT_BUDGET_MS, AsJson, BudgetMs, DocumentFile, Strict
from claude_comm.cli.pipeline_report import EXIT_CODES, report, show_hop
from claude_comm.escaping import clean
from claude_comm.pipeline.check import PipelineReport
from claude_comm.terminal.output import emit, emit_json, say


def command(
    file: DocumentFile, strict: Strict = False, budget: BudgetMs = DEFAULT_BUDGET_MS, as_json: AsJson = False
) -> int:
    """Check a pipeline: its form, its schemas, every hop.

    FILE holds {pipeline_name, modules: [{name, version, input_schema?, output_schema?, config?}]}. Every problem is
    listed with its place. Exits with 0 when all is well, 1 for any problem, 4 when a hop cannot be decided.
    """
    checked = report(file, strict=strict, budget_ms=budget)
    if as_json:
        emit_json(
            {
                "pipeline": checked.pipeline_name,
                "answer": checked.answer,
                "problems": checked.problems,
                "hops": checked.hops,
            }
        )
    else:
        for problem in checked.problems:
            emit(clean(f"problem   {problem.path}: {problem.sentence}"))
        for hop in checked.hops:
            show_hop(hop)
        say(_summary(checked))
    return EXIT_CODES[checked.answer]


def _summary(checked: PipelineReport) -> str:
    decided = [hop for hop in checked.hops if hop.verdict is not None]
    counts = [f"{len(checked.problems)} problem(s) of form", f"{len(decided)} of {len(checked.hops)} hop(s) checked"]
    verdict = {"yes": "valid", "no": "not valid", "undecided": "undecided"}[checked.answer]
    return f"{checked.pipeline_name or 'this pipeline'}: {verdict} ({', '.join(counts)})."
