"""Sessions and pipelines: the list, and one session with its hops, tasks and timeline."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from claude_comm.charts import axes
from claude_comm.charts.lanes import Mark, lanes
from claude_comm.errors import UnknownSession
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.gateway.dashboard.views.messages import Line, line
from claude_comm.ops import sessions as records
from claude_comm.pipeline.session import RunSession, UnreadableSession
from claude_comm.store import session_list
from claude_comm.store.session_list import SessionDetail, SessionSummary
from claude_comm.store.timelines import TimelineRow, timeline

PAGE = 50
TIMELINE = 100
_TONES = {"handled": "good", "buried": "bad", "retrying": "warn"}


class Listed(msgspec.Struct, frozen=True):
    """One session, with its pipeline where it runs one."""

    summary: SessionSummary
    run: RunSession | None

    @property
    def share(self) -> float | None:
        """How much of it is settled, 0 to 1; None where it has no messages yet."""
        total = max(self.summary.messages, 0)
        return (self.summary.handled + self.summary.failed) / total if total else None


class Sessions(msgspec.Struct, frozen=True):
    """A page, the one that was active last first; `after` is the session after which the next page begins."""

    state: str
    rows: list[Listed]
    after: str


class Step(msgspec.Struct, frozen=True):
    """One step of a pipeline: its module, and what follows it."""

    step: str
    module: str
    type: str
    next: list[str]
    optional: bool


class SessionPage(msgspec.Struct, frozen=True):
    """One session; `after` is the number of the message after which the next page of the timeline begins."""

    detail: SessionDetail
    run: RunSession | None
    steps: list[Step]
    failed: bool
    lines: list[Line]
    after: int
    chart: str


STATES = ("", "open", "completed", "failed", "died", "pending", "settled", "unknown")


def listed(system: System, query: PageAddress) -> Sessions:
    state, after = query.choice("state", STATES), query.text("after")
    page = session_list.sessions(system.database, limit=PAGE + 1, after=after)
    runs = {run.session: run for run in system.client.run(records.everything(system.keys))}
    rows = [Listed(summary, runs.get(summary.session)) for summary in page[:PAGE] if state in ("", summary.state)]
    return Sessions(state, rows, page[PAGE - 1].session if len(page) > PAGE else "")


def one(system: System, query: PageAddress) -> SessionPage:
    """Raises UnknownSession."""
    name = query.part("name")
    detail = session_list.session(system.database, name)
    if detail is None:
        raise UnknownSession(name)
    failed = query.flag("failed")
    page = timeline(system.database, name, limit=TIMELINE, after=query.number("after"), failed=failed)
    run = _run(system, name)
    return SessionPage(
        detail=detail,
        run=run,
        steps=_steps(run) if run else [],
        failed=failed,
        lines=[line(row.message, row.deliveries) for row in page.rows],
        after=page.after if page.more else 0,
        chart=_chart(page.rows),
    )


def _run(system: System, name: str) -> RunSession | None:
    try:
        return system.client.run(records.find(system.keys, name))
    except UnreadableSession:
        return None


def _steps(run: RunSession) -> list[Step]:
    return [
        Step(leg.step, leg.module or leg.step, leg.type, list(leg.next), leg.optional)
        for leg in run.whole.legs.values()
        if leg.type
    ]


def _chart(rows: list[TimelineRow]) -> str:
    """Each message from its sending to its end, on the lane of who got it."""
    marks = [mark for row in rows for mark in _marks(row)]
    return lanes(marks, label="When each message was sent and settled, by who got it") if marks else ""


def _marks(row: TimelineRow) -> Iterator[Mark]:
    sent = row.message
    way = f"{sent.number}: {sent.source} → {sent.target} {sent.type}"
    for delivery in row.deliveries:
        title = f"{way}, {delivery.status} after {axes.duration_label(delivery.latency_ms)}"
        yield Mark(delivery.consumer, sent.time_us, delivery.settled_us, title, _TONES[delivery.status])
    if not row.deliveries:
        yield Mark(sent.target, sent.time_us, sent.time_us, f"{way}, not settled", "s5")
