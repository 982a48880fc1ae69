"""The command `session show`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from claude_comm.cli import completions, message_rows
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import readable
from claude_comm.errors import UnknownSession
from claude_comm.store import session_list
from claude_comm.store.session_list import SessionDetail
from claude_comm.store.timelines import TimelinePage, TimelineRow, timeline
from claude_comm.store.timestamps import iso_micros
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_fields, emit_json, emit_table, say, shorten
from claude_comm.terminal.tables import Column, Columns, numbers

# Seconds: a pause at least this long has a line of its own.
IDLE_US = 1_000_000
_PREVIEW_CHARACTERS = 160
_HOPS: Columns = ["from", "to", *numbers("messages", "p50", "p95")]
_TASKS: Columns = ["module", "task", Column("state", "whole"), *numbers("completed", "total", "per second", "left")]
_TIMELINE: Columns = [
    *numbers("number", "after"),
    Column("from", least=12),
    Column("to", least=12),
    Column("type", rank=2),
    Column("status", "whole"),
    *numbers("took"),
    *numbers("waited", rank=3),
    Column("data", rank=1, least=24),
]
_FAILED: Columns = [
    *numbers("number"),
    Column("after", "number", rank=2),
    Column("from", rank=3, least=14),
    Column("to", rank=1, least=14),
    Column("type", rank=4),
    Column("status", "whole"),
    *numbers("took", "waited", rank=5),
    Column("reason", "wrap", least=36),
]


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A session, or the start of its name.", autocompletion=completions.sessions
        ),
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many messages.")] = 20,
    after: Annotated[int, typer.Option("--after", min=0, help="The number of the last message shown before.")] = 0,
    last: Annotated[bool, typer.Option("--last", help="Show the last messages instead of the first.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what was buried or waits to be retried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one session: its hops, its tasks, and its messages in order.

    `after` counts from the session's start. A pause of a second or more is a line of its own. It shows one page; the
    end of the page has the command for the next one. An unknown session exits with 3.
    """
    with reading() as database:
        name = session_list.whole_name(database, name)
        detail = session_list.session(database, name)
        page = timeline(database, name, limit=limit, after=after, failed=failed, last=last)
    if detail is None:
        raise UnknownSession(name)
    if as_json:
        emit_json(_as_json(detail, page))
    else:
        if not after:
            _show(detail)
        _show_messages(detail, page, failed=failed)
    if page.more:
        options = f"{' --failed' if failed else ''}{f' --limit {limit}' if limit != 20 else ''}"
        say(f"more: claude-comm session show {shlex.quote(name)} --after {page.after}{options}")


def _show(detail: SessionDetail) -> None:
    summary = detail.summary
    counts = f"{summary.messages:,}, {summary.failed:,} failed, {summary.pending:,} pending"
    reasons = [f"{member.module}: {member.reason}" for member in detail.members if member.reason]
    emit_fields(
        {
            "session": summary.session,
            "state": summary.state,
            **({"reason": reasons[-1]} if reasons else {}),
            "started": formats.moment(_start_us(detail) or iso_micros(summary.started)),
            "last active": formats.moment(iso_micros(summary.active)),
            "messages": f"{counts}, {formats.size(summary.size_bytes)}",
            "files": f"{summary.files:,}, {summary.errors:,} errors",
            "modules": summary.modules,
        }
    )
    if detail.hops:
        emit("")
        emit_table(_HOPS, [[hop.source, hop.target, hop.messages, *_latencies(hop.latency)] for hop in detail.hops])
    if detail.tasks:
        emit("")
        emit_table(
            _TASKS,
            [
                [
                    task.module,
                    f"{task.parent} / {task.task}" if task.parent else task.task,
                    task.state,
                    f"{task.completed:g}",
                    f"{task.total:g}",
                    f"{task.rate:.1f}" if task.rate else "",
                    "" if task.eta_s is None else formats.span(task.eta_s),
                ]
                for task in detail.tasks
            ],
        )


def _show_messages(detail: SessionDetail, page: TimelinePage, *, failed: bool) -> None:
    if page.rows:
        emit("")
        start_us = _start_us(detail) or page.rows[0].message.time_us
        emit_table(_FAILED if failed else _TIMELINE, _lines(page.rows, start_us, fold=not failed))
    else:
        say("no message of it failed." if failed else "no more messages.")


def _lines(rows: Sequence[TimelineRow], start_us: int, *, fold: bool) -> Iterator[list[object]]:
    before_us = rows[0].message.time_us
    for row in rows:
        message = row.message
        idle_us = message.time_us - before_us
        if fold and idle_us >= IDLE_US:
            yield ["", "", f"· · · {formats.span(idle_us / 1e6)} idle", "", "", "", "", "", ""]
        before_us = message.time_us
        yield [
            message.number,
            formats.offset(message.time_us - start_us),
            message.source,
            message.target,
            message.type,
            message_rows.status(message, row.deliveries),
            formats.took(message_rows.took_ms(row.deliveries)),
            formats.took(message_rows.waited_ms(row.deliveries)),
            message_rows.reasons(row.deliveries) or shorten(readable(message.data), _PREVIEW_CHARACTERS),
        ]


def _latencies(latency: Any) -> list[str]:
    return [formats.milliseconds(latency.p50_ms), formats.milliseconds(latency.p95_ms)] if latency else ["-", "-"]


def _start_us(detail: SessionDetail) -> int:
    return min((member.opened_us for member in detail.members), default=0)


def _as_json(detail: SessionDetail, page: TimelinePage) -> dict[str, Any]:
    return {
        **{name: getattr(detail.summary, name) for name in detail.summary.__struct_fields__},
        "hops": detail.hops,
        "tasks": detail.tasks,
        "members": detail.members,
        "timeline": [message_rows.as_document(row.message, row.deliveries) for row in page.rows],
        "more": page.more,
        "after": page.after,
    }
