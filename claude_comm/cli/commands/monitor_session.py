"""The command `monitor-session`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import documents
from claude_comm.cli.options import AsJson, DocumentFile
from claude_comm.cli.session_watch import SessionWatch, watch
from claude_comm.documents import form
from claude_comm.errors import NotFound
from claude_comm.progress.monitor import METRICS
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import say

DEFAULT_INTERVAL_S = 1.0
DEFAULT_DURATION_S = 10.0


def command(
    file: DocumentFile,
    duration: Annotated[float, typer.Option("--duration", min=0, help="Seconds to watch.")] = DEFAULT_DURATION_S,
    as_json: AsJson = False,
) -> None:
    """Watch a session for some seconds.

    FILE contains {session_id, database?, modules?, monitoring: {interval_seconds, metrics}}. On a terminal the display
    is live. In a pipe, it writes one line per refresh, or with --json one JSON object per line.
    """
    document = documents.read(file)
    form.require("session", document, documents.origin(file))
    monitoring = document.get("monitoring", {})
    metrics = _metrics(monitoring.get("metrics", []))
    watch(
        SessionWatch(
            session_id=document["session_id"],
            modules=document.get("modules", []),
            metrics=metrics,
            interval_s=monitoring.get("interval_seconds", DEFAULT_INTERVAL_S),
            duration_s=duration,
            database=_existing(document.get("database")),
        ),
        settings_of_process(),
        as_json=as_json,
    )


def _metrics(wanted: list[str]) -> list[str]:
    """The known ones of them; all metrics when that leaves none."""
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        say(f"no metric is called {', '.join(map(repr, unknown))}; there are: {', '.join(METRICS)}.")
    return [name for name in wanted if name in METRICS] or list(METRICS)


def _existing(database: str | None) -> Path | None:
    if database is None:
        return None
    path = Path(database).expanduser()
    if not path.is_file():
        raise NotFound(f"there is no database {path}. Leave `database` out to watch the projection of this home.")
    return path
