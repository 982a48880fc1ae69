"""A report as Markdown: the same tables, for a pull request, a chat or a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from claude_comm.charts import axes
from claude_comm.escaping import clean
from claude_comm.report import text
from claude_comm.report.figures import Report

# Characters that would start an element of Markdown or HTML in a cell.
_SPECIAL = {ord(character): f"\\{character}" for character in "\\`*_{}[]<>|#!~"}


def markdown(report: Report) -> str:
    """The whole document."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    summary = report.summary
    yield f"# Report of {escaped(report.subject)}"
    yield ""
    yield escaped(text.period(report))
    yield ""
    yield escaped(text.verdict(report))
    yield ""
    yield f"- messages: {summary.messages:,} ({text.size(summary.size_bytes)}) by {len(summary.modules)} modules"
    outcomes = {"handled": summary.handled, "pending": summary.pending, "buried": summary.buried}
    yield f"- {', '.join(f'{name} {count:,}' for name, count in outcomes.items())}; tried again {summary.retried:,}"
    if summary.latency:
        named = zip(text.PERCENTILES, text.percentiles(summary.latency), strict=True)
        yield f"- latency: {', '.join(f'{name} {value}' for name, value in named)}"
    if report.buckets:
        most = max(sum(bucket.sent.values()) for bucket in report.buckets) * 1e6 / report.bucket_us
        yield f"- at most {axes.count_label(most)} messages a second ({text.every(report.bucket_us)})"
    for content in (
        text.hops,
        text.burials,
        text.agreements,
        text.slowest,
        text.tasks,
        text.file_kinds,
        text.message_lines,
    ):
        table = content(report)
        if table.rows:
            yield ""
            yield from _table(table)


def escaped(value: object) -> str:
    """Text that stands for itself in a line or a cell."""
    return clean(value).translate(_SPECIAL)


def _table(table: text.Table) -> Iterator[str]:
    yield f"## {table.title}"
    yield ""
    yield f"| {' | '.join(table.heads)} |"
    yield f"| {' | '.join('---:' if index in table.numbers else '---' for index in range(len(table.heads)))} |"
    for row in table.rows:
        yield f"| {' | '.join(map(escaped, row))} |"
