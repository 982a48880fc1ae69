"""The words and tables of a report, the same on a page and in Markdown.

Times are UTC. What a table leaves out is said where it is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.charts import axes
from claude_comm.report.figures import BurialKind, Percentiles, Report, SlowMessage

PERCENTILES = ("median", "95 %", "99 %", "longest")
# How a module begins to say why it gave up; numbers are left out of reasons.
_LAST_WITH = "failed # times, last with "
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


class Table(msgspec.Struct, frozen=True):
    """`numbers` are the columns that are aligned to the right."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: Sequence[int] = ()


def period(report: Report) -> str:
    """From when to when, and when it was made."""
    if not report.summary.messages:
        return f"Nothing was sent. Made {moment(report.made_us)} UTC by claude-comm {report.version}."
    length_ms = (report.end_us - report.start_us) / 1000
    return (
        f"{moment(report.start_us)} to {moment(report.end_us)} UTC ({axes.duration_label(length_ms)}). "
        f"Made {moment(report.made_us)} UTC by claude-comm {report.version}."
    )


def verdict(report: Report) -> str:
    """What a reader wants to know first."""
    summary = report.summary
    if not summary.messages:
        return "There is nothing to report."
    facts = []
    if summary.buried:
        facts.append(f"{summary.buried:,} of {summary.messages:,} messages failed and were buried")
    if summary.pending:
        facts.append(f"{summary.pending:,} have not been handled yet")
    said = "; ".join(facts) or f"All {summary.messages:,} messages were handled"
    pruned = f" Details before {moment(report.kept_from_us)} UTC are no longer kept." if report.kept_from_us else ""
    return f"{said[0].upper()}{said[1:]}.{pruned}"


def moment(time_us: float) -> str:
    return axes.moment(time_us).strftime("%Y-%m-%d %H:%M:%S")


def exact_moment(time_us: float) -> str:
    return axes.moment(time_us).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def every(bucket_us: int) -> str:
    """How long the parts of the time are."""
    return f"each of {axes.duration_label(bucket_us / 1000)}"


def size(count: float) -> str:
    for name in _SIZES[:-1]:
        if count < 1024:
            return f"{count:.0f} {name}" if name == "B" else f"{count:.1f} {name}"
        count /= 1024
    return f"{count:.1f} {_SIZES[-1]}"


def percentiles(latency: Percentiles | None) -> tuple[str, str, str, str]:
    if latency is None:
        return "-", "-", "-", "-"
    values = (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms)
    first, second, third, fourth = map(axes.duration_label, values)
    return first, second, third, fourth


def where(kind: BurialKind, most: int) -> str:
    """A reason with its place, in so many characters at most: without how often it was tried, which all have."""
    reason = kind.reason.partition(_LAST_WITH)[2] or kind.reason
    told = f"{kind.path}: {reason}" if kind.path and kind.path not in reason else reason
    return told if len(told) <= most else f"{told[: most - 1]}…"


def hops(report: Report) -> Table:
    rows = [
        (hop.source, hop.target, f"{hop.messages:,}", f"{hop.handled:,}", f"{hop.buried:,}", size(hop.size_bytes),
         *percentiles(hop.latency))
        for hop in report.hops
    ]  # fmt: skip
    heads = ["from", "to", "messages", "handled", "buried", "size", *PERCENTILES]
    return Table("Messages from module to module", heads, rows, range(2, len(heads)))


def burials(report: Report) -> Table:
    rows = [
        (kind.consumer, kind.path or "-", kind.reason, f"{kind.count:,}", moment(kind.last_us), kind.example)
        for kind in report.burials
    ]
    return Table("Buried messages", ["module", "path", "reason", "count", "last", "for example"], rows, [3])


def agreements(report: Report) -> Table:
    rows = [
        (item.producer, item.consumer, item.answer, item.reason or "-", item.witness or "-")
        for item in report.agreements or ()
    ]
    return Table("What was negotiated", ["producer", "consumer", "answer", "reason", "a message that shows it"], rows)


def slowest(report: Report) -> Table:
    """How long of it a message waited is known of those that were handled for more than a second."""
    known = any(row.waited_ms is not None for row in report.slowest)
    rows = [
        (axes.duration_label(row.latency_ms), *([_waited(row)] if known else []), row.source, row.target, row.type,
         row.attempts, exact_moment(row.sent_us), row.id)
        for row in report.slowest
    ]  # fmt: skip
    heads = ["took", *(["of it waiting"] if known else []), "from", "to", "type", "attempts", "sent", "id"]
    return Table("The slowest messages", heads, rows, [0, 1, 5] if known else [0, 4])


def _waited(row: SlowMessage) -> str:
    return "-" if row.waited_ms is None else axes.duration_label(row.waited_ms)


def tasks(report: Report) -> Table:
    rows = [
        (task.module, task.task, task.state, f"{task.completed:g} of {task.total:g}", moment(task.updated_us))
        for task in report.tasks
    ]
    return Table("Tasks", ["module", "task", "state", "done", "last heard"], rows, [3])


def file_kinds(report: Report) -> Table:
    rows = [
        (kind.operation, f"{kind.succeeded:,}", f"{kind.failed:,}", kind.last_failed or "-") for kind in report.files
    ]
    return Table("File operations", ["operation", "succeeded", "failed", "last that failed"], rows, [1, 2])


def message_lines(report: Report) -> Table:
    rows = [
        (line.number, exact_moment(line.sent_us), line.source, line.target, line.type, line.status,
         "-" if line.latency_ms is None else axes.duration_label(line.latency_ms))
        for line in report.lines
    ]  # fmt: skip
    return Table("Messages", ["number", "sent", "from", "to", "type", "status", "took"], rows, [0, 6])


# In the order of a report.
TABLES = (hops, burials, agreements, slowest, tasks, file_kinds, message_lines)
