"""Watching a session: refreshed every interval, live on a terminal, one line per refresh in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from claude_comm.escaping import clean
from claude_comm.progress.monitor import Observation, measure
from claude_comm.settings import Settings
from claude_comm.store.activity import module_activity
from claude_comm.store.database import Database, open_database
from claude_comm.store.keep_up import KeepUp
from claude_comm.store.statistics import SessionSnapshot, session_snapshot
from claude_comm.terminal import formats
from claude_comm.terminal.live import QUIT, Screen, leave, live_screen
from claude_comm.terminal.output import emit, emit_json, on_terminal, reader_gone
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect

Metrics: TypeAlias = dict[str, Any]
# Shows one refresh and waits; whether a key ends it.
Display: TypeAlias = Callable[[Metrics, float], bool]

FIRST_CATCH_UP_S = 10.0
LEAST_CATCH_UP_S = 0.1
_BAR_CHARACTERS = 20


class SessionWatch(msgspec.Struct, frozen=True, kw_only=True):
    """What to watch, how often and for how long; `database` replaces the one of this home: other programs fill it."""

    session_id: str
    modules: list[str]
    metrics: list[str]
    interval_s: float
    duration_s: float
    database: Path | None


def watch(watched: SessionWatch, settings: Settings, *, as_json: bool) -> None:
    """Shows the session until the time is over, a key ends it or the reader of the output has gone; at least once."""
    with _opened(watched, settings) as (database, refresh), _shown(watched, as_json) as show:
        ends_s = time.monotonic() + watched.duration_s
        before: Observation | None = None
        while True:
            refresh()
            now = observed(session_snapshot(database, watched.session_id), time.monotonic())
            left_s = ends_s - time.monotonic()
            quits = show(_refreshed(watched, database, now, before), max(min(watched.interval_s, left_s), 0))
            before = now
            if quits or left_s <= 0 or reader_gone():
                return


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
        keep_up = KeepUp(client, database, settings)
        # What there is already is worth waiting for once; later refreshes are not held up.
        keep_up.refresh(FIRST_CATCH_UP_S)
        yield database, lambda: keep_up.refresh(max(watched.interval_s / 2, LEAST_CATCH_UP_S))


@contextmanager
def _shown(watched: SessionWatch, as_json: bool) -> Iterator[Display]:
    """A function that shows one refresh and waits for the next; whether a key ends it."""
    if on_terminal() and not as_json:
        last: list[Any] = []
        with live_screen() as screen:
            started_s = time.monotonic()

            def show(metrics: Metrics, wait_s: float) -> bool:
                left_s = max(watched.duration_s - (time.monotonic() - started_s), 0)
                last[:] = _parts(screen, metrics)
                screen.draw(last, f"q quit   {left_s:.0f} s left")
                return screen.wait(wait_s) in QUIT

            yield show
        leave(last)
        return
    yield _json if as_json else _line


def _json(metrics: Metrics, wait_s: float) -> bool:
    emit_json(metrics, lines=True)
    time.sleep(wait_s)
    return False


def _line(metrics: Metrics, wait_s: float) -> bool:
    emit("  ".join(f"{name}={clean(_text(value))}" for name, value in metrics.items()))
    time.sleep(wait_s)
    return False


def _parts(screen: Screen, metrics: Metrics) -> list[Any]:
    """The metrics as a person reads them: one a line, and a line a module."""
    shown = {name: value for name, value in metrics.items() if name not in ("time", "session_id", "modules")}
    rows = [
        ["" if place else name.replace("_", " "), line]
        for name, value in shown.items()
        for place, line in enumerate(_lines(name, value) or ["-"])
    ]
    title = f"session {metrics['session_id']}   {formats.moment(time.time_ns() // 1000)[11:19]}"
    parts = [screen.title(title), screen.title(""), screen.table([Column("metric", "whole"), Column("value")], rows)]
    if modules := metrics.get("modules"):
        cells = [[module.module, module.sent, module.handled, module.failed] for module in modules]
        parts += [screen.title(""), screen.table([Column("module"), *numbers("sent", "handled", "failed")], cells)]
    return parts


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and name == "progress":
        return [f"{_bar(part)} {part:3.0f}%  {task}" for task, part in value.items()]
    if isinstance(value, Mapping):
        return ["   ".join(f"{key.removesuffix('_ms')} {_plain(key, part)}" for key, part in value.items())]
    if isinstance(value, list | tuple):
        return [", ".join(map(str, value))]
    return [_plain(name, value)]


def _plain(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_rate"):
        return f"{value:.1%}"
    if name.endswith("_ms"):
        return formats.took(value)
    if name in ("size_bytes", "bytes_processed"):
        return formats.size(value)
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _bar(percentage: float) -> str:
    filled = round(min(max(percentage, 0), 100) / 100 * _BAR_CHARACTERS)
    return "█" * filled + "·" * (_BAR_CHARACTERS - filled)


def _text(value: Any) -> str:
    """A metric's value on one line."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
