"""The report on a pipeline document, as `validate-pipeline` and `verify-compatibility` make and show it."""

from __future__ import annotations

import time

from claude_comm.cli import documents, verdicts
from claude_comm.cli.options import policy
from claude_comm.escaping import clean
from claude_comm.pipeline.check import Hop, PipelineReport, inspect
from claude_comm.terminal.output import emit

EXIT_CODES = {"yes": 0, "no": 1, "undecided": 4}


def report(file: str, *, strict: bool, budget_ms: float) -> PipelineReport:
    return inspect(documents.read(file), policy=policy(strict), budget_ms=budget_ms, clock=time.monotonic)


def show_hop(hop: Hop) -> None:
    title = f"{hop.producer} -> {hop.consumer}"
    if hop.verdict is None:
        emit(clean(f"{title}: {hop.note}"))
    else:
        verdicts.show(hop.verdict, title)
