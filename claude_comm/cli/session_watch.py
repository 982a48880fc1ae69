"""Watching a session: refreshed every interval, live on a terminal, one line per refresh in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from claude_comm.escaping import clean
from claude_comm.names import Keys
from claude_comm.progress.monitor import Observation, measure
from claude_comm.settings import Settings
from claude_comm.store.activity import module_activity
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.statistics import SessionSnapshot, session_snapshot
from claude_comm.terminal.output import emit, emit_json, on_terminal, reader_gone
from claude_comm.transport.connect import connect

MetricsDisplay = Callable[[dict[str, Any]], None]


class SessionWatch(msgspec.Struct, frozen=True, kw_only=True):
    """What to watch, how often and for how long; `database` replaces the one of this home: other programs fill it."""

    session_id: str
    modules: list[str]
    metrics: list[str]
    interval_s: float
    duration_s: float
    database: Path | None


def watch(watched: SessionWatch, settings: Settings, *, as_json: bool) -> None:
    """Shows the session until the time is over or the reader of the output has gone; at least once."""
    with _opened(watched, settings) as (database, refresh), _shown(as_json) as show:
        ends_s = time.monotonic() + watched.duration_s
        before: Observation | None = None
        while True:
            refresh()
            now = observed(session_snapshot(database, watched.session_id), time.monotonic())
            show(_refreshed(watched, database, now, before))
            before = now
            left_s = ends_s - time.monotonic()
            if left_s <= 0 or reader_gone():
                return
            time.sleep(min(watched.interval_s, left_s))


def observed(snapshot: SessionSnapshot, at_s: float) -> Observation:
    """A snapshot as the metrics read it."""
    totals = snapshot.session
    return Observation(
        at_s=at_s,
        messages=snapshot.messages,
        handled=snapshot.handled,
        failed=snapshot.failed,
        pending=snapshot.pending,
        size_bytes=snapshot.size_bytes,
        latency=msgspec.structs.asdict(snapshot.latency) if snapshot.latency else None,
        files_processed=totals.files_processed if totals else 0,
        errors_encountered=totals.errors_encountered if totals else 0,
        bytes_processed=totals.bytes_processed if totals else 0,
        modules_active=totals.modules_active if totals else (),
        file_operations=snapshot.file_operations,
        progress={f"{task.module}/{task.task}": round(task.percentage, 1) for task in snapshot.progress},
    )


def _refreshed(
    watched: SessionWatch, database: Database, now: Observation, before: Observation | None
) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "session_id": watched.session_id,
        **measure(watched.metrics, now, before),
    }
    if watched.modules:
        metrics["modules"] = [module_activity(database, watched.session_id, name) for name in watched.modules]
    return metrics


@contextmanager
def _opened(watched: SessionWatch, settings: Settings) -> Iterator[tuple[Database, Callable[[], object]]]:
    """The database, and the function that brings it up to date: none for a database that other programs fill."""
    if watched.database is not None:
        with open_database(watched.database) as database:
            yield database, lambda: None
        return
    with open_database(settings.database) as database, connect(settings) as client:
        limit = settings.max_envelope_bytes
        yield database, lambda: catch_up(client, database, Keys(settings.namespace), max_bytes=limit)


@contextmanager
def _shown(as_json: bool) -> Iterator[MetricsDisplay]:
    if as_json:
        yield lambda metrics: emit_json(metrics, lines=True)
    elif on_terminal():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(highlight=False), auto_refresh=False) as live:
            yield lambda metrics: live.update(_table(metrics), refresh=True)
    else:
        yield lambda metrics: emit("  ".join(f"{name}={clean(_text(value))}" for name, value in metrics.items()))


def _table(metrics: dict[str, Any]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, value in metrics.items():
        table.add_row(Text(name, style="bold"), Text(clean(_text(value))))
    return table


def _text(value: Any) -> str:
    """A metric's value on one line."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
