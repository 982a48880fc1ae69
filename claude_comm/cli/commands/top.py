"""The command `top`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, get_args

import typer

from claude_comm.cli.options import AsJson
from claude_comm.client.load_watch import Load, LoadWatch, as_document, sorted_by
from claude_comm.progress.load import ModuleLoad, Order
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store.database import open_database
from claude_comm.terminal import formats
from claude_comm.terminal.live import QUIT, Screen, live_screen
from claude_comm.terminal.output import emit, emit_json, on_terminal, reader_gone
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect

ORDERS: tuple[Order, ...] = get_args(Order)
# The key that sorts by each.
_KEYS: dict[str, Order] = {"t": "latency", **{order[0]: order for order in ORDERS if order != "latency"}}
_HELP = "q quit   sort by: m module  h handled  s sent  l lag  f failed  t time taken"
_MODULES = [
    Column("module", least=14),
    *numbers("handled/s", "sent/s", "mean", "lag"),
    Column("pending", "number", rank=1),
    *numbers("retrying", "failed/s"),
    Column("failed", "number", rank=2),
    *numbers("running"),
]
_HOPS = [Column("slowest hops", least=30), *numbers("handled/s", "mean"), Column("failed", "number")]
# Lines of a screen that are no modules: titles, the hops, the footer.
_OTHER_LINES = 11


def command(
    order: Annotated[str, typer.Option("--sort", help=f"What to sort by: {', '.join(ORDERS)}.")] = "handled",
    interval: Annotated[float, typer.Option("--interval", "-i", min=0.2, help="Seconds between two refreshes.")] = 1.0,
    duration: Annotated[float, typer.Option("--duration", min=0, help="Seconds to watch; 0: until stopped.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Watch the modules live: rates, backlogs, failures, and the slowest hops.

    On a terminal, keys sort and q quits. In a pipe, it writes one line per module and refresh, or with --json one JSON
    object per refresh. `handled/s` counts the deliveries that a module handled, `mean` is the time from sending to the
    end of handling, `lag` the messages that the module has not read, `pending` those that it has not finished, `failed`
    those that it buried, `running` its instances. Rates need two refreshes.
    """
    if order not in ORDERS:
        raise typer.BadParameter(f"{order!r} is none of {', '.join(ORDERS)}.", param_hint="--sort")
    settings = settings_of_process()
    ends_s = time.monotonic() + duration if duration else float("inf")
    with open_database(settings.database) as database, connect(settings) as client:
        watch = LoadWatch(client, database, settings)
        if on_terminal() and not as_json:
            with live_screen() as screen:
                _live(screen, watch, order, interval, ends_s)
        else:
            _lines(watch, order, interval, ends_s, as_json=as_json)


def _live(screen: Screen, watch: LoadWatch, order: Order, interval_s: float, ends_s: float) -> None:
    while True:
        load = watch.refresh()
        due_s = min(time.monotonic() + interval_s, ends_s)
        while True:
            screen.draw(_parts(screen, load, order), _HELP)
            key = screen.wait(max(due_s - time.monotonic(), 0))
            if key in QUIT or time.monotonic() >= ends_s:
                return
            if key not in _KEYS:
                break
            order = _KEYS[key]


def _lines(watch: LoadWatch, order: Order, interval_s: float, ends_s: float, *, as_json: bool) -> None:
    watch.refresh()
    while not reader_gone():
        time.sleep(interval_s)
        load = watch.refresh()
        if as_json:
            emit_json(as_document(load, order), lines=True)
        else:
            for module in sorted_by(load, order):
                values = zip((column.name for column in _MODULES), _cells(module), strict=True)
                emit(formats.moment(load.at_us) + "".join(f"  {name}={value}" for name, value in values))
        if time.monotonic() >= ends_s:
            return


def _parts(screen: Screen, load: Load, order: Order) -> Sequence[object]:
    rows = [_cells(module) for module in sorted_by(load, order)]
    room = max(screen.height - _OTHER_LINES, 3)
    more = f", {len(rows) - room} more below" if len(rows) > room else ""
    behind = "" if load.current else "figures lag behind: the projection is being brought up to date"
    handled = sum(module.handled_per_s or 0 for module in load.modules)
    sent = sum(module.sent_per_s or 0 for module in load.modules)
    title = (
        f"{formats.moment(load.at_us)[11:19]}  {len(rows)} modules by {order}{more}   "
        f"{sent:,.0f} messages/s sent, {handled:,.0f}/s handled"
    )
    hops = [[f"{hop.source} → {hop.target}", _per_s(hop.per_s), _ms(hop.mean_ms), hop.failed] for hop in load.slowest]
    parts = [screen.title(title), screen.title(behind, style="bold magenta"), screen.table(_MODULES, rows[:room])]
    if hops:
        parts += [screen.title(""), screen.table(_HOPS, hops)]
    return parts if rows else [*parts[:2], screen.title("nothing has been sent yet, and no module runs.", style="")]


def _cells(load: ModuleLoad) -> list[object]:
    backlog = load.backlog
    return [
        load.module,
        _per_s(load.handled_per_s),
        _per_s(load.sent_per_s),
        _ms(load.mean_ms),
        backlog.lag,
        backlog.pending,
        load.retrying,
        _per_s(load.failed_per_s),
        load.failed,
        backlog.instances,
    ]


def _per_s(rate: float | None) -> str:
    if rate is None:
        return "-"
    return f"{rate:,.0f}" if rate >= 100 or rate == 0 else f"{rate:.1f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else formats.took(value)
