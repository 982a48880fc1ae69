"""The commands `monitor-session` and `communication-status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import documents
from claude_comm.cli.commands.watch import Watch, watch
from claude_comm.cli.options import AsJson, Document
from claude_comm.cli.projection import reading
from claude_comm.documents import form
from claude_comm.errors import NotFound
from claude_comm.progress.monitor import METRICS
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store.statistics import PairStatistics, pair_statistics
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_table, say

DEFAULT_INTERVAL_S = 1.0
DEFAULT_DURATION_S = 10.0


def monitor_session(
    file: Document,
    duration: Annotated[float, typer.Option("--duration", min=0, help="Seconds to watch.")] = DEFAULT_DURATION_S,
    as_json: AsJson = False,
) -> None:
    """Watch a session for some seconds.

    FILE holds {session_id, database?, modules?, monitoring: {interval_seconds, metrics}}. Live on a terminal; in a
    pipe one line a look, or one JSON object a line with --json.
    """
    document = documents.read(file)
    form.require("session", document, documents.origin(file))
    monitoring = document.get("monitoring", {})
    metrics = _metrics(monitoring.get("metrics", []))
    watch(
        Watch(
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


def communication_status(file: Document, as_json: AsJson = False) -> None:
    """Show what pairs of modules have sent each other.

    FILE holds {module_pairs: [{source, target}], include_metrics}: with metrics there are the success rate and the
    latency, from sending a message to the end of its handling.
    """
    document = documents.read(file)
    form.require("communication", document, documents.origin(file))
    full = document.get("include_metrics", True)
    with reading() as database:
        found = [pair_statistics(database, pair["source"], pair["target"]) for pair in document["module_pairs"]]
    if as_json:
        emit_json(found if full else [_counts(one) for one in found])
        return
    columns = ["source", "target", "messages", "handled", "failed", "pending"]
    more = ["success", "p50", "p95", "mean"] if full else []
    emit_table(columns + more, [_row(one)[: len(columns) + len(more)] for one in found], right=columns[2:] + more)


def _metrics(wanted: list[str]) -> list[str]:
    """Those that there are; all of them when none is left."""
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        say(f"no metric is called {', '.join(map(repr, unknown))}; there are: {', '.join(METRICS)}.")
    return [name for name in wanted if name in METRICS] or list(METRICS)


def _existing(database: str | None) -> Path | None:
    if database is None:
        return None
    path = Path(database).expanduser()
    if not path.is_file():
        raise NotFound(f"there is no database {path}.")
    return path


def _counts(one: PairStatistics) -> dict[str, object]:
    names = ("source", "target", "count", "handled", "failed", "pending")
    return {name: getattr(one, name) for name in names}


def _row(one: PairStatistics) -> list[object]:
    rate = "-" if one.success_rate is None else f"{one.success_rate:.1%}"
    found = one.latency
    latencies = (found.p50_ms, found.p95_ms, found.mean_ms) if found else (None, None, None)
    counts = [one.source, one.target, one.count, one.handled, one.failed, one.pending]
    return [*counts, rate, *map(formats.milliseconds, latencies)]
