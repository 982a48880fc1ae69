"""A run as a person follows it on stderr: live on a terminal, else a line now and then; at the end what failed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from claude_comm.client.pipeline.run import Run
from claude_comm.escaping import clean
from claude_comm.pipeline.tally import Failed, Progress
from claude_comm.terminal.formats import span
from claude_comm.terminal.output import say

# A refresh of the eye, and a line of a log.
LIVE_S, LINE_S = 0.25, 5.0
_MOST_FAILURES = 20


@contextmanager
def shown() -> Iterator[tuple[Callable[[Run], None], float]]:
    """What shows a run, and how often that is worth it (seconds)."""
    if not sys.stderr.isatty():
        yield _line(), LINE_S
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=sys.stderr, highlight=False), auto_refresh=False) as live:
        yield lambda run: live.update(_table(run), refresh=True), LIVE_S


def headline(progress: Progress) -> str:
    """How far a run is, in one line."""
    of = f" of {progress.total:,}" if progress.total is not None else ""
    parts = [f"{progress.done + progress.failed:,}{of} inputs have ended"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.rate:
        parts.append(f"{progress.rate:,.0f} a second")
    if progress.left_s:
        parts.append(f"{span(progress.left_s)} left")
    return ", ".join(parts)


def say_failures(failures: list[Failed]) -> None:
    for failed in failures[:_MOST_FAILURES]:
        where = f" (at {failed.path})" if failed.path else ""
        more = f"; `claude-comm show {failed.message}` has the message" if failed.message else ""
        at = f"step {failed.step}: " if failed.step else ""
        say(f"failed    input {failed.input}: {at}{failed.reason}{where}{more}")
    if len(failures) > _MOST_FAILURES:
        say(f"          and {len(failures) - _MOST_FAILURES:,} more inputs.")


def _line() -> Callable[[Run], None]:
    started = time.monotonic()

    def show(run: Run) -> None:
        progress = run.progress()
        counts = ", ".join(f"{step.step} {step.handled:,}" for step in progress.steps)
        say(f"{time.monotonic() - started:5.0f} s  {headline(progress)} ({counts}){_waiting(run)}")

    return show


def _waiting(run: Run) -> str:
    if not run.nobody_runs or run.over:
        return ""
    return f"; waits for {', '.join(run.nobody_runs)}, of which no instance runs"


def _table(run: Run) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    progress = run.progress()
    table = Table(header_style="bold", box=None, padding=(0, 2))
    for name in ("step", "handled", "retried", "failed"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step in progress.steps:
        idle = " (no instance runs)" if step.module in run.nobody_runs and not run.over else ""
        cells = [
            f"{step.handled:,}",
            f"{step.retried:,}" if step.retried else "",
            f"{step.failed:,}" if step.failed else "",
        ]
        table.add_row(clean(step.step + idle), *cells)
    ended = progress.done + progress.failed
    bar = ProgressBar(total=max(progress.total or progress.sent, 1), completed=ended, width=40)
    return Group(Text(headline(progress)), bar, table)
