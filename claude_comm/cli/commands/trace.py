"""The command `trace`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from claude_comm.cli import completions, message_rows
from claude_comm.cli.chrome_trace import trace_events
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import readable
from claude_comm.store.records import HANDLING
from claude_comm.store.traces import DEFAULT_LIMIT, TraceStep, trace
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json, emit_table, say, shorten
from claude_comm.terminal.tables import Column, Columns, numbers

_PREVIEW_CHARACTERS = 160


class TraceForm(StrEnum):
    """How a trace is written."""

    TREE = "tree"
    CHROME = "chrome"


_COLUMNS: Columns = [
    *numbers("number"),
    Column("after", "number"),
    Column("message", least=30),
    Column("status", "whole"),
    *numbers("took"),
    *numbers("waited", rank=2),
    Column("data", rank=1, least=20),
]


def command(
    message: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE",
            help="A number from `list`, a message id or its start.",
            autocompletion=completions.messages,
        ),
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many messages.")] = DEFAULT_LIMIT,
    form: Annotated[
        TraceForm, typer.Option("--format", help="A tree, or JSON for the trace viewers of Chrome and Perfetto.")
    ] = TraceForm.TREE,
    as_json: AsJson = False,
) -> None:
    """Show everything that one message caused, as a tree with times.

    Each message is below the one that caused it. `after` counts from the sending of the first message; `took` is the
    time from sending to the end of handling. A message that its module has been handling for more than a second is
    `handling`; after its end, `waited` says how much of the time it waited before, to a second. `--format chrome`
    writes a file for ui.perfetto.dev or chrome://tracing: a process for each module, a slice for each delivery, arrows
    from causes. An unknown MESSAGE exits with 3. `conversation` also shows what came before the message.
    """
    with reading() as database:
        traced = trace(database, message, limit=limit)
    if form is TraceForm.CHROME:
        emit_json(trace_events(traced.steps))
    elif as_json:
        emit_json([_as_json(step) for step in traced.steps])
    else:
        emit_table(_COLUMNS, _lines(traced.steps))
        emit("")
        emit(_summary(traced.steps))
    if traced.left_out:
        say(f"there are more: these are the first {len(traced.steps):,} (--limit).")


def _lines(steps: Sequence[TraceStep]) -> Iterator[list[object]]:
    start_us = steps[0].message.time_us
    # By depth, whether the cause there has more to come: the line down to it goes on.
    open_below: list[bool] = []
    for step in steps:
        row = step.message
        open_below[step.depth - 1 if step.depth else 0 :] = [not step.last] if step.depth else []
        yield [
            row.number,
            formats.offset(row.time_us - start_us) if step.depth else "",
            f"{_branches(open_below, step)}{row.source} → {row.target} ({row.type})",
            message_rows.status(row, step.deliveries),
            formats.took(message_rows.took_ms(step.deliveries)),
            formats.took(message_rows.waited_ms(step.deliveries)),
            message_rows.reasons(step.deliveries) or shorten(readable(row.data), _PREVIEW_CHARACTERS),
        ]


def _branches(open_below: Sequence[bool], step: TraceStep) -> str:
    if not step.depth:
        return ""
    above = "".join("│ " if more else "  " for more in open_below[: step.depth - 1])
    return above + ("└ " if step.last else "├ ")


def _summary(steps: Sequence[TraceStep]) -> str:
    failed = sum(step.message.status == "failed" for step in steps)
    start_us = steps[0].message.time_us
    ends_us = [delivery.settled_us for step in steps for delivery in step.deliveries if delivery.status != HANDLING]
    lasted = formats.took(max(max(ends_us, default=start_us) - start_us, 0) / 1000)
    counts = f"{len(steps):,} message{'s' if len(steps) != 1 else ''}, {failed:,} failed"
    return f"{counts}; the last one ended {lasted} after the first was sent"


def _as_json(step: TraceStep) -> dict[str, Any]:
    return message_rows.as_document(step.message, step.deliveries, depth=step.depth, causation=step.message.causation)
