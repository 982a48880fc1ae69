"""Watching a session: a look every interval, shown live on a terminal, as lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from claude_comm.names import Keys
from claude_comm.progress.monitor import Seen, measure
from claude_comm.settings import Settings
from claude_comm.store.activity import module_activity
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.statistics import SessionSnapshot, session_snapshot
from claude_comm.terminal.output import clean, emit, emit_json, on_terminal, reader_gone
from claude_comm.transport.connect import connect

Show = Callable[[dict[str, Any]], None]


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What to watch, how often and for how long; `database` is one that others fill, in place of this home's."""

    session_id: str
    modules: list[str]
    metrics: list[str]
    interval_s: float
    duration_s: float
    database: Path | None


def watch(asked: Watch, settings: Settings, *, as_json: bool) -> None:
    """Looks until the time is over or the reader has gone; at least once."""
    with _opened(asked, settings) as (database, refresh), _shown(as_json) as show:
        ends_s = time.monotonic() + asked.duration_s
        before: Seen | None = None
        while True:
            refresh()
            now = seen(session_snapshot(database, asked.session_id), time.monotonic())
            show(_look(asked, database, now, before))
            before = now
            left_s = ends_s - time.monotonic()
            if left_s <= 0 or reader_gone():
                return
            time.sleep(min(asked.interval_s, left_s))


def seen(found: SessionSnapshot, at_s: float) -> Seen:
    """A snapshot as the metrics see it."""
    sums = found.session
    return Seen(
        at_s=at_s,
        messages=found.messages,
        handled=found.handled,
        failed=found.failed,
        pending=found.pending,
        size_bytes=found.size_bytes,
        latency=msgspec.structs.asdict(found.latency) if found.latency else None,
        files_processed=sums.files_processed if sums else 0,
        errors_encountered=sums.errors_encountered if sums else 0,
        bytes_processed=sums.bytes_processed if sums else 0,
        modules_active=sums.modules_active if sums else (),
        file_operations=found.file_operations,
        progress={f"{one.module}/{one.task}": round(one.percentage, 1) for one in found.progress},
    )


def _look(asked: Watch, database: Database, now: Seen, before: Seen | None) -> dict[str, Any]:
    look: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "session_id": asked.session_id,
        **measure(asked.metrics, now, before),
    }
    if asked.modules:
        look["modules"] = [module_activity(database, asked.session_id, name) for name in asked.modules]
    return look


@contextmanager
def _opened(asked: Watch, settings: Settings) -> Iterator[tuple[Database, Callable[[], object]]]:
    """The database, and what brings it up to date: nothing of ours for one that others fill."""
    if asked.database is not None:
        with open_database(asked.database) as database:
            yield database, lambda: None
        return
    with open_database(settings.database) as database, connect(settings) as client:
        limit = settings.max_envelope_bytes
        yield database, lambda: catch_up(client, database, Keys(settings.namespace), max_bytes=limit)


@contextmanager
def _shown(as_json: bool) -> Iterator[Show]:
    if as_json:
        yield lambda look: emit_json(look, lines=True)
    elif on_terminal():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(highlight=False), auto_refresh=False) as live:
            yield lambda look: live.update(_table(look), refresh=True)
    else:
        yield lambda look: emit("  ".join(f"{name}={clean(_text(value))}" for name, value in look.items()))


def _table(look: dict[str, Any]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, value in look.items():
        table.add_row(Text(name, style="bold"), Text(clean(_text(value))))
    return table


def _text(value: Any) -> str:
    """A metric's value on one line."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
