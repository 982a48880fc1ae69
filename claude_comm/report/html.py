"""A report as one HTML page: offline, readable without script, in light and dark, on paper, by a screen reader.

Each chart has its values in a table behind it. Sections without anything to show are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from claude_comm.charts import axes, style
from claude_comm.charts.bars import MOST_CHARACTERS, Bar, bars
from claude_comm.charts.heat import heat_strip
from claude_comm.charts.over_time import Series, lines, stacked
from claude_comm.charts.sankey import FlowLink, sankey
from claude_comm.charts.svg import escape
from claude_comm.report import text
from claude_comm.report.figures import Bucket, Report, class_names
from claude_comm.report.markup import folded, page, table, tag

# More senders than there are colours are drawn as one.
_MAX_SERIES = style.COLOURS - 1
OTHERS = "others"
# What still runs has the first colour of a series.
_TASK_TONES = {"completed": "good", "failed": "bad", "stopped": "warn", "silent": "warn"}
_FOLDER = Path(__file__).parent


def html(report: Report) -> str:
    """The whole page."""
    rules, script = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    sheet = (
        f":root{{{style.VARIABLES_LIGHT}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{style.VARIABLES_DARK}}}}}"
        f"@media print{{:root{{{style.VARIABLES_LIGHT}}}}}"
        f"{rules}{style.CSS}"
    )
    body = tag("main", *_head(report), *(section for section in _sections(report) if section))
    return page(f"Report of {report.subject}", body, style=sheet, script=script)


def _head(report: Report) -> Iterator[str]:
    summary = report.summary
    yield tag("h1", escape(f"Report of {report.subject}"))
    yield tag("p", escape(text.period(report)), class_="lead")
    yield tag("p", escape(text.verdict(report)), class_="note")
    tiles = [
        (axes.count_label(summary.messages), "messages", ""),
        (axes.count_label(summary.handled), "handled", "good"),
        (axes.count_label(summary.pending), "pending", "warn" if summary.pending else ""),
        (axes.count_label(summary.buried), "buried", "bad" if summary.buried else ""),
        (axes.count_label(summary.retried), "tried again", ""),
        (text.size(summary.size_bytes), "sent", ""),
        (str(len(summary.modules)), "modules", ""),
    ]
    if summary.latency:
        tiles.append((axes.duration_label(summary.latency.p50_ms), "median latency", ""))
        tiles.append((axes.duration_label(summary.latency.p99_ms), "99 % are quicker", ""))
    items = (tag("li", tag("b", escape(value)), tag("span", escape(name)), class_=tone) for value, name, tone in tiles)
    yield tag("ul", *items, class_="tiles")


def _sections(report: Report) -> Iterator[str]:
    yield _throughput(report)
    yield _latency(report)
    yield _flow(report)
    yield _burials(report)
    yield _agreements(report)
    yield _slowest(report)
    yield _tasks(report)
    yield _files(report)
    yield _lines(report)


def _section(title: str, *content: str) -> str:
    return tag("section", tag("h2", escape(title)), *content)


def _throughput(report: Report) -> str:
    if not report.buckets:
        return ""
    senders = senders_by_count(report.buckets)
    named = senders[:_MAX_SERIES]
    scale = 1e6 / report.bucket_us
    series = [Series(name, [(b.start_us, b.sent.get(name, 0) * scale) for b in report.buckets]) for name in named]
    if len(senders) > len(named):
        rest = [(b.start_us, scale * sum(n for name, n in b.sent.items() if name not in named)) for b in report.buckets]
        series.append(Series(OTHERS, rest))
    rows = [(text.moment(bucket.start_us), sum(bucket.sent.values())) for bucket in report.buckets]
    values = table(["from", "messages"], rows, numbers=[1], caption="Messages over time")
    chart = stacked(series, label="Messages a second by sender, over time")
    return _section(
        "Messages a second, by sender", _plots(chart), folded(f"Values, {text.every(report.bucket_us)}", values)
    )


def _latency(report: Report) -> str:
    if not any(bucket.latency for bucket in report.buckets):
        return ""
    buckets = report.buckets
    series = [
        Series(name, [(b.start_us, getattr(b.latency, field) if b.latency else None) for b in buckets])
        for name, field in (("median", "p50_ms"), ("95 %", "p95_ms"), ("99 %", "p99_ms"))
    ]
    chart = lines(series, label="Latency over time", unit=axes.duration_label, suffix=" ms", log=True)
    used = [at for at in range(len(class_names())) if any(bucket.classes[at] for bucket in buckets)]
    shown = range(used[0], used[-1] + 1)
    strip = heat_strip(
        [[bucket.classes[at] for bucket in buckets] for at in shown],
        rows=[class_names()[at] for at in shown],
        start_us=buckets[0].start_us,
        end_us=buckets[-1].start_us + report.bucket_us,
        label="How many deliveries took how long, over time",
    )
    rows = [(text.moment(b.start_us), *text.percentiles(b.latency)) for b in buckets if b.latency]
    values = table(["from", *text.PERCENTILES], rows, numbers=[1, 2, 3, 4], caption="Latency over time")
    note = tag(
        "p",
        "From sending to the return of the handler; the stronger the colour of a field, the more deliveries.",
        class_="note",
    )
    return _section("Latency", _plots(chart, strip), note, folded(f"Values, {text.every(report.bucket_us)}", values))


def _flow(report: Report) -> str:
    if not report.hops:
        return ""
    chart = sankey(
        [FlowLink(hop.source, hop.target, hop.messages, "messages") for hop in report.hops[:40]],
        label="Messages from module to module",
    )
    return _section("From module to module", _plots(chart), _table(text.hops(report)))


def _burials(report: Report) -> str:
    if not report.burials:
        return ""
    rows = [Bar(text.where(kind, MOST_CHARACTERS), kind.count, kind.consumer, "bad") for kind in report.burials[:12]]
    chart = bars(rows, label="Buried messages by reason")
    return _section("Buried messages, by reason and place", _plots(chart), _table(text.burials(report)))


def _agreements(report: Report) -> str:
    return _section("What was negotiated", _table(text.agreements(report))) if report.agreements else ""


def _slowest(report: Report) -> str:
    return _section("The slowest messages", _table(text.slowest(report))) if report.slowest else ""


def _tasks(report: Report) -> str:
    if not report.tasks:
        return ""
    rows = [
        Bar(f"{task.module}: {task.task}", 100 * task.completed / task.total, "%", _TASK_TONES.get(task.state, "s0"))
        for task in report.tasks[:30]
        if task.total > 0
    ]
    chart = _plots(bars(rows, label="Progress of tasks")) if rows else ""
    return _section("Tasks", chart, _table(text.tasks(report)))


def _files(report: Report) -> str:
    return _section("File operations", _table(text.file_kinds(report))) if report.files else ""


def _lines(report: Report) -> str:
    if not report.lines:
        return ""
    left_out = f" The {report.lines_left_out:,} older ones are left out." if report.lines_left_out else ""
    note = tag("p", escape(f"The newest {len(report.lines):,} messages.{left_out}"), class_="note")
    return _section("Messages", note, _table(text.message_lines(report)))


def _plots(*charts: str) -> str:
    """Charts that a narrow screen scrolls sideways, as it does tables: shrunk to it nobody could read their labels."""
    return tag("div", *charts, class_="plots", tabindex="0", role="region", aria_label="Charts")


def _table(content: text.Table) -> str:
    return table(content.heads, content.rows, numbers=content.numbers, caption=content.title)


def senders_by_count(buckets: Sequence[Bucket]) -> list[str]:
    """Every sender, the busiest first."""
    total: dict[str, int] = {}
    for bucket in buckets:
        for name, count in bucket.sent.items():
            total[name] = total.get(name, 0) + count
    return sorted(total, key=lambda name: (-total[name], name))
