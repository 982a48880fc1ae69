"""The command `watch`."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.stream_watch import Glimpse, Matching, PassedMessage, Recent, StreamWatch, WatchFilter
from claude_comm.escaping import clean
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal import formats
from claude_comm.terminal.live import QUIT, Screen, live_screen
from claude_comm.terminal.output import emit, emit_json, on_terminal, reader_gone, say
from claude_comm.terminal.tables import Column
from claude_comm.transport.connect import connect

# Four times a second is live to an eye, and as much as it can read.
REFRESH_S = 0.25
# More than a screen has lines.
_KEPT = 500
_STATUS = {"retried": "retrying"}
_HELP = "q quit  space hold still  f failures only"
_COLUMNS = [
    Column("time", "whole"),
    Column("from", least=12),
    Column("to", least=12),
    Column("type", least=8),
    Column("session", rank=2),
    Column("status", "whole"),
    Column("took", "number"),
    Column("data", rank=1, least=16),
]
_FAILURES = [
    Column("time", "whole"),
    Column("from", rank=1),
    Column("failed at", least=12),
    Column("status", "whole"),
    Column("attempts", "number"),
    Column("reason", least=30),
]
# Lines of a screen that are no messages.
_OTHER_LINES = 5


def command(
    source: Annotated[
        str, typer.Option("--source", "-s", help="Only messages from this module.", autocompletion=completions.modules)
    ] = "",
    target: Annotated[
        str,
        typer.Option(
            "--target", "-t", help="Only messages to this module or topic:NAME.", autocompletion=completions.modules
        ),
    ] = "",
    type_: Annotated[str, typer.Option("--type", help="Only messages of this type.")] = "",
    session: Annotated[
        str, typer.Option("--session", help="Only messages of this session.", autocompletion=completions.sessions)
    ] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only deliveries that failed: retried or buried.")] = False,
    duration: Annotated[float, typer.Option("--duration", min=0, help="Seconds to watch; 0: until stopped.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Watch messages and the outcome of their deliveries live.

    On a terminal, space pauses the display, f shows failures only, and q quits. In a pipe, it writes one line per
    message and per failure; with --json one JSON object for each of them and for each outcome. If there are too many
    messages to show, it skips some and reports how many: in a pipe on stderr, with --json as {"passed_over": N}.
    """
    chosen = WatchFilter(source, target, type_, session, failed)
    ends_s = time.monotonic() + duration if duration else float("inf")
    settings = settings_of_process()
    with connect(settings) as client:
        watch = StreamWatch(client, settings)
        if on_terminal() and not as_json:
            with live_screen() as screen:
                _live(screen, watch, chosen, ends_s)
        else:
            _lines(watch, chosen, ends_s, as_json=as_json)


def _lines(watch: StreamWatch, chosen: WatchFilter, ends_s: float, *, as_json: bool) -> None:
    matching = Matching(chosen)
    while not reader_gone():
        glimpse = watch.refresh()
        for passed in matching.of(glimpse.passed):
            if as_json:
                emit_json(passed, lines=True)
            elif passed.kind != "handled":
                emit(_line(passed))
        if glimpse.passed_over and as_json:
            emit_json({"passed_over": glimpse.passed_over}, lines=True)
        elif glimpse.passed_over:
            say(f"{glimpse.passed_over:,} messages passed that are not shown: more than can be read.")
        if time.monotonic() >= ends_s:
            return
        time.sleep(REFRESH_S)


def _line(passed: PassedMessage) -> str:
    at = formats.moment(passed.at_us)
    if passed.kind == "sent":
        session = f" [{passed.session}]" if passed.session else ""
        return clean(f"{at}  {passed.source} -> {passed.target} ({passed.type}){session}  {passed.data}")
    return clean(f"{at}  {passed.kind} by {passed.consumer}: {passed.id} of {passed.source}: {passed.reason}")


def _live(screen: Screen, watch: StreamWatch, chosen: WatchFilter, ends_s: float) -> None:
    recent, held, over = Recent(chosen, _KEPT), False, 0
    rate = _Rate()
    while True:
        glimpse = watch.refresh()
        over += glimpse.passed_over
        rate.add(glimpse)
        if not held:
            recent.add(glimpse.passed)
        _draw(screen, recent, chosen, f"{rate.per_s():,.0f} messages/s", over, held=held)
        key = screen.wait(REFRESH_S)
        if key in QUIT or time.monotonic() >= ends_s:
            return
        if key == " ":
            held = not held
        elif key == "f":
            chosen = msgspec.structs.replace(chosen, failed=not chosen.failed)
            recent = Recent(chosen, _KEPT)


def _draw(screen: Screen, recent: Recent, chosen: WatchFilter, rate: str, over: int, *, held: bool) -> None:
    rows = recent.rows(screen.height - _OTHER_LINES)
    limits = [f"{name} {value}" for name, value in msgspec.structs.asdict(chosen).items() if value and name != "failed"]
    what = "failures" if chosen.failed else "messages"
    title = f"{what}{' of ' + ', '.join(limits) if limits else ''}   {rate}"
    title += f"   {over:,} not shown: too many" if over else ""
    parts = [screen.title(title + ("   HELD STILL" if held else "")), screen.title("")]
    waiting = f"waiting for {what} to pass; `claude-comm list` shows earlier ones."
    columns, cells = (_FAILURES, _failure_cells) if chosen.failed else (_COLUMNS, _cells)
    parts.append(screen.table(columns, [cells(*row) for row in rows]) if rows else screen.title(waiting, style=""))
    screen.draw(parts, _HELP)


def _failure_cells(message: PassedMessage, outcome: PassedMessage | None) -> list[object]:
    known = outcome or message
    at = formats.moment(known.at_us)[11:19]
    return [at, known.source, known.consumer, _STATUS.get(known.kind, known.kind), known.attempts, known.reason]


def _cells(message: PassedMessage, outcome: PassedMessage | None) -> list[object]:
    known = outcome or message
    took = "" if known.took_ms is None else formats.milliseconds(known.took_ms)
    status = _STATUS.get(known.kind, known.kind)
    text = known.reason or message.data
    at = formats.moment(message.at_us)[11:23]
    return [at, message.source, message.target or known.consumer, message.type, message.session, status, took, text]


class _Rate:
    """Messages a second over the last seconds."""

    _SPAN_S = 2.0

    def __init__(self) -> None:
        self._counts: list[tuple[float, int]] = []

    def add(self, glimpse: Glimpse) -> None:
        now_s = time.monotonic()
        self._counts.append((now_s, glimpse.messages))
        while now_s - self._counts[0][0] > self._SPAN_S:
            self._counts.pop(0)

    def per_s(self) -> float:
        first_s, last_s = self._counts[0][0], self._counts[-1][0]
        # What the first look found came before it.
        return sum(count for _, count in self._counts[1:]) / (last_s - first_s) if last_s > first_s else 0.0
