"""The command `validate-pipeline`."""

from __future__ import annotations

from claude_comm.cli.options import (
    DEFAULT_BUDGET_MS,
    AgainstLive,
    AllowUndeclared,
    AsJson,
    BudgetMs,
    PipelineFile,
    Strict,
)
from claude_comm.cli.pipeline_report import EXIT_CODES, json_of, report, show_hop, show_problems, summary
from claude_comm.terminal.output import emit_json, say


def command(
    file: PipelineFile,
    against_live: AgainstLive = False,
    allow_undeclared: AllowUndeclared = False,
    strict: Strict = False,
    budget: BudgetMs = DEFAULT_BUDGET_MS,
    as_json: AsJson = False,
) -> int:
    """Check a pipeline whole: its form, its graph, every hop.

    FILE contains {pipeline_name, modules: [{name, version, after?, input_schema?, output_schema?, ...}]};
    docs/pipelines.md lists all properties of a step. Every problem is listed with its place, and with a fix for a hop.
    Exits with 0 if all is proved, 1 for any problem, 4 if a hop cannot be decided or a step declares no schema.
    """
    checked = report(
        file, strict=strict, budget_ms=budget, against_live=against_live, allow_undeclared=allow_undeclared
    )
    if as_json:
        emit_json(json_of(checked))
    else:
        show_problems(checked)
        for hop in checked.hops:
            show_hop(hop)
        say(summary(checked))
    return EXIT_CODES[checked.answer]
