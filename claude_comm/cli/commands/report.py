"""The command `report`."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import completions, durations
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import refresh
from claude_comm.client.reports import negotiated
from claude_comm.errors import UnknownSession
from claude_comm.names import Keys
from claude_comm.report.figures import Report
from claude_comm.report.html import html
from claude_comm.report.markdown import markdown
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store.database import open_database
from claude_comm.store.report_figures import ReportScope, report
from claude_comm.terminal.output import OutputFailed, emit, emit_json, say
from claude_comm.transport.connect import connect
from claude_comm.version import __version__


class ReportFormat(StrEnum):
    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def command(
    session: Annotated[
        str, typer.Option("--session", "-s", help="Only this session.", autocompletion=completions.sessions)
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only messages sent in this time up to now: 15m, 1h, 7d.")
    ] = "",
    format: Annotated[
        ReportFormat, typer.Option(help="A page that works offline, Markdown, or JSON.")
    ] = ReportFormat.HTML,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    rows: Annotated[int, typer.Option(min=0, max=10_000, help="Also list this many of the newest messages.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Report throughput, latency, flows, failures, tasks and negotiations of a session or a period.

    The page is one file without external parts. It works without script, and follows the light or dark setting of the
    viewer. Times are in UTC.
    """
    if session and since:
        raise typer.BadParameter("give --session or --since, not both.")
    form = ReportFormat.JSON if as_json else format
    settings = settings_of_process()
    now_us = time.time_ns() // 1000
    scope = ReportScope(session, now_us - int(durations.seconds(since) * 1e6) if since else 0, since)
    figures = _gathered(settings, scope, now_us, rows)
    if session and not figures.summary.messages and not figures.tasks and not figures.files:
        raise UnknownSession(session)
    if output is None:
        emit_json(figures) if form is ReportFormat.JSON else emit(_written(figures, form).rstrip("\n"))
        return
    try:
        output.write_text(_written(figures, form), encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{output} cannot be written: {error.strerror}.") from None
    say(f"wrote {output}: {figures.summary.messages:,} messages.")


def _gathered(settings: Settings, scope: ReportScope, now_us: int, rows: int) -> Report:
    with open_database(settings.database) as database:
        refresh(settings, database)
        with connect(settings) as client:
            decided = negotiated(client, Keys(settings.namespace))
        return report(database, scope, now_us=now_us, version=__version__, agreements=decided, lines=rows)


def _written(figures: Report, format: ReportFormat) -> str:
    if format is ReportFormat.JSON:
        import msgspec

        return msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n"
    return html(figures) if format is ReportFormat.HTML else markdown(figures)
