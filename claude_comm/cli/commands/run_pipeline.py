"""The command `run-pipeline`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from claude_comm.cli import completions, documents, pipeline_documents, pipeline_inputs
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AllowUndeclared, AsJson, BudgetMs, PipelineFile, Strict
from claude_comm.cli.pipeline_display import headline, say_failures, shown
from claude_comm.cli.pipeline_report import asked, show_hop, show_problems
from claude_comm.cli.pipeline_results import ResultWriter
from claude_comm.client.pipeline.preparation import PipelineRefused, prepare, resumed, run_name
from claude_comm.client.pipeline.run import WINDOW, Run
from claude_comm.names import Keys
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.weighing import Ask
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit_json, say
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

Inputs = Annotated[
    str, typer.Option("--input", metavar="FILE", help="The inputs, one JSON value per line; - for stdin.")
]
Output = Annotated[
    str, typer.Option("--output", metavar="FILE", help="A file for the results, one line per input; else stdout.")
]
SessionName = Annotated[
    str, typer.Option("--session", help="The name of the run; by default made from the pipeline's name.")
]
Resume = Annotated[
    str,
    typer.Option(
        "--resume",
        metavar="SESSION",
        help="Continue an interrupted run, with the same pipeline and the same inputs.",
        autocompletion=completions.sessions,
    ),
]
InFlight = Annotated[int, typer.Option("--in-flight", min=1, help="At most this many inputs in flight.")]
Ttl = Annotated[
    float | None, typer.Option("--ttl", min=0.001, help="Seconds after which an input that has not ended fails.")
]
Unchecked = Annotated[bool, typer.Option("--unchecked", help="Run even if not every hop is proved to fit.")]


def command(
    file: PipelineFile,
    inputs: Inputs,
    output: Output = "",
    session: SessionName = "",
    resume: Resume = "",
    window: InFlight = WINDOW,
    ttl: Ttl = None,
    allow_undeclared: AllowUndeclared = False,
    unchecked: Unchecked = False,
    strict: Strict = False,
    budget: BudgetMs = DEFAULT_BUDGET_MS,
    as_json: AsJson = False,
) -> int:
    """Send inputs through a pipeline, and collect the results.

    Nothing is sent before every hop is proved against the registered contracts. Results are JSON lines in the order of
    the inputs; a failed input has the step, the reason and the path. If the run is interrupted, the inputs that were
    sent continue; `--resume SESSION` collects their results and sends the rest. Exits with 1 if an input failed.
    """
    settings, document = settings_of_process(), pipeline_documents.read(file)
    given = pipeline_inputs.digest(inputs)
    with connect(settings) as client:
        keys = Keys(settings.namespace)
        if resume:
            record = resumed(client, keys, document, resume, inputs=given)
        else:
            record = _begun(
                client,
                keys,
                document,
                documents.origin(file),
                session,
                asked(strict=strict, budget_ms=budget),
                inputs=given,
                allow_undeclared=allow_undeclared,
                unchecked=unchecked,
            )
        say(f"session   {record.session}")
        total = pipeline_inputs.count(inputs)
        run = Run(client, settings, record, pipeline_inputs.values(inputs), total=total, window=window, ttl_s=ttl)
        with ResultWriter(output, gathered=as_json and not output) as results:
            _go(run, results)
    return _ended(run, results, as_json)


def _begun(client: Client, keys: Keys, document: Any, origin: str, session: str, ask: Ask, **how: Any) -> RunSession:
    """The record of a new run; a pipeline that is refused is shown with every hop and problem."""
    try:
        return prepare(client, keys, document, origin, session or run_name(document), ask, **how)
    except PipelineRefused as refused:
        show_problems(refused.report)
        for hop in refused.report.hops:
            show_hop(hop)
        raise


def _go(run: Run, results: ResultWriter) -> None:
    """Runs it to its end, and writes each result as soon as all before it are there."""
    try:
        with shown() as (show, every_s):

            def refresh(run: Run) -> None:
                results.write(run.tally.results())
                show(run)

            run.go(refresh, every_s)
    except KeyboardInterrupt:
        results.write(run.tally.results(all_=True))
        say(f"interrupted: what is on its way goes on. Go on with --resume {run.session.session}")
        raise


def _ended(run: Run, results: ResultWriter, as_json: bool) -> int:
    progress, failures = run.progress(), run.tally.failures()
    say_failures(failures)
    say(f"complete: {headline(progress)}.")
    if as_json:
        emit_json(
            {
                "session": run.session.session,
                "pipeline": run.session.pipeline,
                "total": progress.total,
                "done": progress.done,
                "failed": progress.failed,
                "steps": progress.steps,
                "failures": failures,
                **({} if results.gathered is None else {"results": results.gathered}),
            }
        )
    return 1 if failures else 0
