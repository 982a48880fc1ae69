"""The overview: whether all is well, and if not, where to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from claude_comm.charts import axes
from claude_comm.charts.over_time import Series, lines
from claude_comm.errors import ServerUnreachable
from claude_comm.gateway.dashboard.query import RANGES, PageAddress, link
from claude_comm.gateway.dashboard.system import System
from claude_comm.names import Stream
from claude_comm.ops import dead, follow, heartbeats, registry, server
from claude_comm.ops.holders import GroupHold, held
from claude_comm.ops.publish import EVICTS
from claude_comm.ops.registry import Standing
from claude_comm.ops.server import ServerFacts
from claude_comm.progress.load import ModuleLoad
from claude_comm.runtime import worker_processes

Tone: TypeAlias = Literal["good", "warn", "bad", "plain"]
# Modules that the overview shows; the rest is counted.
MODULES = 12
# Names that a notice says.
_NAMED = 5
_BUCKETS = 60


class Tile(msgspec.Struct, frozen=True):
    """One figure, what it is of, and where more of it is."""

    value: str
    name: str
    href: str
    tone: Tone = "plain"
    note: str = ""


class Notice(msgspec.Struct, frozen=True):
    """Something that wants a look: a sentence, and where."""

    tone: Tone
    text: str
    href: str


class DashboardQuestion(msgspec.Struct, frozen=True):
    """A question that a person has, and the page that answers it."""

    text: str
    how: str
    href: str


class Overview(msgspec.Struct, frozen=True):
    tiles: list[Tile]
    notices: list[Notice]
    questions: list[DashboardQuestion]
    chart: str
    range: str
    modules: list[ModuleLoad]
    more: int
    current: bool


QUESTIONS = [
    DashboardQuestion(
        "Who breaks if this changes?", "Paste a contract: every partner, with a witness.", link("what-if")
    ),
    DashboardQuestion(
        "Why did this message not arrive?",
        "Every step of one message, and where it stands.",
        link("messages", failed=True),
    ),
    DashboardQuestion(
        "What is slow?", "Every hop with its median and 95 %, the slowest first.", link("flows", sort="slow")
    ),
    DashboardQuestion(
        "What is piling up, and who holds it?",
        "Lag, pending and the oldest, by holder.",
        link("streams", sort="waiting"),
    ),
    DashboardQuestion(
        "What failed, and would it pass now?", "Buried messages, held to today's contract.", link("dead", check=True)
    ),
    DashboardQuestion("Who talks to whom?", "The live map: proved, adapted, undecided, broken.", link("topology")),
]


def view(system: System, query: PageAddress) -> Overview:
    range_s = query.range_s("15m")
    announced = system.client.run(follow.announced(system.keys)).streams
    groups = system.client.run(held([stream.key for stream in announced if stream.kind != "events"]))
    buried = system.client.run(dead.lengths(system.keys))
    facts = _facts(system)
    modules = sorted(system.load.modules, key=_busiest)
    return Overview(
        tiles=list(_tiles(system, groups, sum(buried.values()), facts)),
        notices=list(_notices(system, buried, facts)) + list(_unread(announced, groups)),
        questions=QUESTIONS,
        chart=_chart(system, range_s),
        range=query.text("range") if query.text("range") in RANGES else "15m",
        modules=modules[:MODULES],
        more=max(0, len(modules) - MODULES),
        current=system.load.current,
    )


def _busiest(load: ModuleLoad) -> tuple[float, int, str]:
    return -(load.handled_per_s or 0) - (load.sent_per_s or 0), -load.backlog.lag - load.backlog.pending, load.module


def _facts(system: System) -> list[ServerFacts]:
    """Each server of the messages; none that does not answer."""
    try:
        return [facts for facts in system.client.run_on_each(server.may_tell) if facts is not None]
    except ServerUnreachable:
        return []


def _tiles(system: System, groups: list[GroupHold], buried: int, servers: list[ServerFacts]) -> Iterator[Tile]:
    loads = system.load.modules
    up = sum(1 for load in loads if load.backlog.instances)
    yield Tile(str(up), "modules running" if up != 1 else "module running", link("workers"), "plain" if up else "warn")
    yield Tile(_rate([load.sent_per_s for load in loads]), "sent / s", link("messages"))
    yield Tile(_rate([load.handled_per_s for load in loads]), "handled / s", link("flows"))
    waiting = sum((group.lag or 0) + group.pending for group in groups)
    yield Tile(
        axes.count_label(waiting), "waiting", link("streams", sort="waiting"), "plain" if not waiting else "warn"
    )
    oldest = min((group.oldest_ms for group in groups if group.oldest_ms is not None), default=None)
    age = axes.duration_label(max(0, system.now_ms - oldest)) if oldest is not None else "none"
    old = oldest is not None and system.now_ms - oldest > 60_000
    yield Tile(age, "oldest pending", link("streams", sort="waiting"), "warn" if old else "plain")
    retrying = sum(load.retrying for load in loads)
    yield Tile(
        axes.count_label(retrying), "to be retried", link("messages", failed=True), "warn" if retrying else "plain"
    )
    yield Tile(axes.count_label(buried), "buried", link("dead"), "bad" if buried else "good")
    memory = sum(facts.memory_bytes for facts in servers)
    yield Tile(_bytes(memory), "memory", link("workers"))


def _rate(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return axes.count_label(round(sum(known), 1 if sum(known) < 10 else 0)) if known else "–"


def _bytes(count: int) -> str:
    return f"{count / 1048576:.3g} MiB" if count < 1000 << 20 else f"{count / (1 << 30):.2f} GiB"


def _notices(system: System, buried: dict[str, int], servers: list[ServerFacts]) -> Iterator[Notice]:
    for module, count in sorted(buried.items(), key=lambda pair: -pair[1])[:3]:
        yield Notice(
            "bad", f"{module} has buried {count:,} message{'s' if count != 1 else ''}", link("dead", module=module)
        )
    for module, names in system.client.run(heartbeats.waiting(system.keys, now_ms=system.now_ms)).items():
        yield Notice(
            "warn", f"messages of {module} wait for a module that is not there: {', '.join(names)}", link("topology")
        )
    directory = system.client.run(registry.everyone(system.keys, now_ms=system.now_ms))
    gone = [standing.module for standing in directory.modules if _is_gone(standing)]
    if gone:
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        href = link("contracts", gone[0]) if len(gone) == 1 else link("workers", state="gone")
        yield Notice("warn", f"no instance runs of {', '.join(gone[:_NAMED])}{more}", href)
    for name in worker_processes.WORKERS:
        service = worker_processes.running(system.settings.home, name)
        if service is not None and service.trouble:
            yield Notice("bad", f"the worker {name} does not work: {service.trouble}", link("workers"))
    if any(facts.evicts for facts in servers):
        yield Notice("bad", EVICTS, link("workers"))


def _unread(announced: list[Stream], groups: list[GroupHold]) -> Iterator[Notice]:
    """Inboxes that somebody has sent to and no module has ever read."""
    read = {group.stream for group in groups}
    names = [stream.name for stream in announced if stream.kind == "inbox" and stream.key not in read]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        text = f"no module has ever read the inbox of {', '.join(names[:_NAMED])}{more}"
        yield Notice("warn", text, link("streams", sort="waiting", find=names[0] if len(names) == 1 else ""))


def _is_gone(standing: Standing) -> bool:
    """Whether it ran not long ago, and no instance of it does now."""
    return bool(standing.instances) and all(instance.state != "up" for instance in standing.instances)


def _chart(system: System, range_s: int) -> str:
    """Messages a second, and those that failed, in even parts of the range that ends now."""
    bucket_us = range_s * 1_000_000 // _BUCKETS
    start_us = (system.now_us // bucket_us - _BUCKETS + 1) * bucket_us
    parts = system.rates.parts(
        system.database, start_us=start_us, bucket_us=bucket_us, buckets=_BUCKETS, now_us=system.now_us
    )
    scale = 1e6 / bucket_us
    # The last part is not over yet: its rate would always fall.
    series = [
        Series(
            "messages",
            [(part.start_us, None if part.messages is None else part.messages * scale) for part in parts[:-1]],
        ),
        Series("failed", [(part.start_us, part.failed * scale) for part in parts[:-1]]),
    ]
    return lines(series, label="Messages a second over time, and those of them that failed", suffix=" /s")
