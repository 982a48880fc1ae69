"""The command `verify-compatibility`."""

from __future__ import annotations

from claude_comm.cli import documents
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AllowUndeclared, AsJson, BudgetMs, PipelineFile, Strict
from claude_comm.cli.pipeline_report import EXIT_CODES, report, show_hop
from claude_comm.documents import form
from claude_comm.terminal.output import emit_json


def command(
    file: PipelineFile,
    allow_undeclared: AllowUndeclared = False,
    strict: Strict = False,
    budget: BudgetMs = DEFAULT_BUDGET_MS,
    as_json: AsJson = False,
) -> int:
    """Give the verdict on each hop of a pipeline.

    FILE is a pipeline document as for `validate-pipeline`. Exits with 0 if every hop fits, 1 if one does not, 2 if the
    document has another problem, 4 if a hop cannot be decided or has no schemas.
    """
    checked = report(file, strict=strict, budget_ms=budget, allow_undeclared=allow_undeclared)
    if checked.problems:
        form.raise_invalid(documents.origin(file), checked.problems)
    if as_json:
        emit_json(checked.hops)
    else:
        for hop in checked.hops:
            show_hop(hop)
    return EXIT_CODES[checked.answer]
