"""The figures of a report, gathered from the projection.

Law: read only, and of one state of the database. Every message of the scope is looked at once, in the order in which
SQLite finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from claude_comm.charts.axes import time_step
from claude_comm.delivery.burial import pattern
from claude_comm.report.figures import (
    Bucket,
    BurialKind,
    FileKind,
    HopFigures,
    MessageLine,
    Negotiated,
    Report,
    SlowMessage,
    Summary,
    TaskFigures,
)
from claude_comm.store.database import Database
from claude_comm.store.outcomes import deliveries_of
from claude_comm.store.packing import unpack_id
from claude_comm.store.tally import BURIED, HANDLED, Slice, Tally
from claude_comm.store.tasks import tasks

# How finely a chart divides the time.
_BUCKETS = 120
_BURIALS, _HOPS = 50, 200
_STATUS = {0: "sent", HANDLED: "handled", 2: "retrying", BURIED: "buried"}


class ReportScope(msgspec.Struct, frozen=True):
    """Which messages a report is of: those of a session, those sent since a moment (`since` is how a person put it), or
    all."""

    session: str = ""
    since_us: int = 0
    since: str = ""

    @property
    def subject(self) -> str:
        if self.session:
            return f"session {self.session}"
        return f"the last {self.since}" if self.since else "all messages"

    def where(self) -> tuple[str, tuple[object, ...]]:
        """The condition on messages, called `m`, and its values."""
        if self.session:
            return "m.session = (SELECT id FROM names WHERE name = ?) AND m.session != 0", (self.session,)
        return "m.time_us >= ?", (self.since_us,)


_MESSAGES = """
SELECT m.number, m.source, m.target, m.time_us, m.size_bytes, d.consumer, d.status, d.attempts, d.latency_us
FROM packed_messages AS m LEFT JOIN packed_deliveries AS d ON d.message = m.number WHERE {}
"""
_SPAN = "SELECT min(m.time_us), max(m.time_us) FROM packed_messages AS m WHERE {}"
_NAMES = "SELECT id, name FROM names WHERE id IN (SELECT value FROM json_each(?))"
_BURIED_BY = """
SELECT c.name, d.reason, d.path, count(*), max(d.settled_us), max(d.message)
FROM packed_deliveries AS d JOIN packed_messages AS m ON m.number = d.message JOIN names AS c ON c.id = d.consumer
WHERE d.status = 3 AND {} GROUP BY 1, 2, 3 ORDER BY 5
"""
_DETAIL = """
SELECT m.number AS number, m.message_id AS id, s.name AS source, t.name AS target, y.name AS type, m.time_us AS sent_us
FROM packed_messages AS m
JOIN names AS s ON s.id = m.source JOIN names AS t ON t.id = m.target JOIN names AS y ON y.id = m.type
WHERE m.number IN (SELECT value FROM json_each(?))
"""
_NEWEST = "SELECT m.number FROM packed_messages AS m WHERE {} ORDER BY m.time_us DESC, m.number DESC LIMIT ?"
_OUTCOMES = """
SELECT message, max(status), max(CASE status WHEN 1 THEN latency_us END) FROM packed_deliveries
WHERE message IN (SELECT value FROM json_each(?)) GROUP BY 1
"""
_FILES = """
SELECT operation_type, sum(status = 'success'), sum(status != 'success'),
    max(CASE WHEN status != 'success' THEN created_at || ' ' || file_path END)
FROM file_operations WHERE {} GROUP BY 1 ORDER BY count(*) DESC
"""
_KEPT_FROM = "SELECT before_us FROM pruned WHERE id = 1 AND before_us > 0"
# A moment as the public tables write it, and the blank behind it.
_MOMENT_LENGTH = len("2026-01-31T09:30:00.000000+00:00 ")


class _Detail(msgspec.Struct, frozen=True):
    number: int
    id: bytes | str
    source: str
    target: str
    type: str
    sent_us: int


def report(
    database: Database,
    scope: ReportScope,
    *,
    now_us: int,
    version: str,
    agreements: Sequence[Negotiated] | None = None,
    lines: int = 0,
) -> Report:
    """Everything of this scope; `lines` is how many messages are listed, the newest."""
    where, values = scope.where()
    with database.snapshot():
        [(first_us, last_us)] = database.rows(_SPAN.format(where), values)
        start_us, end_us = (first_us, last_us) if first_us is not None else (0, 0)
        bucket_us = int(time_step(end_us - start_us + 1, _BUCKETS))
        start_of_first = start_us // bucket_us * bucket_us
        tally = Tally(start_of_first, bucket_us)
        for row in database.stream(_MESSAGES.format(where), values):
            tally.add(row)
        tally.close()
        names = _names(database, tally)
        listed = [number for (number,) in database.rows(_NEWEST.format(where), (*values, lines))] if lines else []
        modules = sorted({names[at] for pair in tally.pairs for at in pair})
        return Report(
            subject=scope.subject,
            made_us=now_us,
            version=version,
            start_us=start_us,
            end_us=end_us,
            summary=_summary(tally, modules),
            bucket_us=bucket_us,
            buckets=_buckets(tally, names),
            hops=_hops(tally, names),
            burials=_burials(database, where, values),
            slowest=_slowest(database, tally),
            tasks=_tasks(database, scope),
            files=_files(database, scope),
            agreements=_concerning(agreements, modules),
            lines=_lines(database, listed),
            lines_left_out=max(0, tally.messages - len(listed)) if lines else 0,
            kept_from_us=_kept_from(database, scope, start_us),
        )


def _summary(tally: Tally, modules: Sequence[str]) -> Summary:
    handled, buried = tally.outcomes[HANDLED], tally.outcomes[BURIED]
    return Summary(
        messages=tally.messages,
        handled=handled,
        buried=buried,
        pending=tally.messages - handled - buried,
        retried=tally.retried,
        size_bytes=tally.size_bytes,
        modules=modules,
        latency=tally.latency.percentiles(),
    )


def _buckets(tally: Tally, names: Mapping[int, str]) -> list[Bucket]:
    """From the first to the last, those in which nothing was sent among them."""
    if not tally.messages:
        return []
    parts = [tally.slices.get(at) or Slice() for at in range(max(tally.slices) + 1)]
    return [
        Bucket(
            tally.start_us + at * tally.bucket_us,
            {names[source]: count for source, count in part.sent.items()},
            part.classes,
            part.latency.percentiles(),
        )
        for at, part in enumerate(parts)
    ]


def _hops(tally: Tally, names: Mapping[int, str]) -> list[HopFigures]:
    """The busiest first."""
    hops = [
        HopFigures(
            source=names[source],
            target=names[target],
            messages=pair.messages,
            handled=pair.handled,
            buried=pair.buried,
            size_bytes=pair.size_bytes,
            latency=pair.latency.percentiles(),
        )
        for (source, target), pair in tally.pairs.items()
    ]
    return sorted(hops, key=lambda hop: (-hop.messages, hop.source, hop.target))[:_HOPS]


def _burials(database: Database, where: str, values: tuple[object, ...]) -> list[BurialKind]:
    """By consumer, reason without its numbers, and path; the most frequent first."""
    kinds: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    # The latest come last: theirs are the example and the time.
    for consumer, reason, path, count, last_us, number in database.stream(_BURIED_BY.format(where), values):
        kind = (consumer, pattern(reason), path)
        kinds[kind] = (kinds.get(kind, (0, 0, 0))[0] + count, last_us, number)
    shown = sorted(kinds.items(), key=lambda item: item[1], reverse=True)[:_BURIALS]
    details = _details(database, [number for _, (_, _, number) in shown])
    return [
        BurialKind(
            consumer=consumer,
            reason=reason,
            path=path,
            count=count,
            example=unpack_id(details[number].id),
            last_us=last_us,
        )
        for (consumer, reason, path), (count, last_us, number) in shown
    ]


def _slowest(database: Database, tally: Tally) -> list[SlowMessage]:
    ordered = sorted(tally.slowest, reverse=True)
    numbers = [number for _, number, _ in ordered]
    details, deliveries = _details(database, numbers), deliveries_of(database, numbers)
    return [
        SlowMessage(
            id=unpack_id(details[number].id),
            source=details[number].source,
            target=details[number].target,
            type=details[number].type,
            sent_us=details[number].sent_us,
            latency_ms=latency_us / 1000,
            attempts=attempts,
            waited_ms=next((row.waited_ms for row in deliveries[number] if row.held_us), None),
        )
        for latency_us, number, attempts in ordered
    ]


def _lines(database: Database, numbers: Sequence[int]) -> list[MessageLine]:
    outcomes = {number: rest for number, *rest in database.rows(_OUTCOMES, (_listed(numbers),))}
    details = _details(database, numbers)
    lines = []
    for number in numbers:
        status, latency_us = outcomes.get(number, (0, None))
        line = MessageLine(
            number=number,
            id=unpack_id(details[number].id),
            source=details[number].source,
            target=details[number].target,
            type=details[number].type,
            sent_us=details[number].sent_us,
            status=_STATUS[status],
            latency_ms=None if latency_us is None else latency_us / 1000,
        )
        lines.append(line)
    return lines


def _tasks(database: Database, scope: ReportScope) -> list[TaskFigures]:
    return [
        TaskFigures(
            module=row.module,
            task=row.task,
            completed=row.completed,
            total=row.total,
            updated_us=row.time_us,
            state=row.state,
        )
        for row in tasks(database)
        if (row.session == scope.session if scope.session else row.time_us >= scope.since_us)
    ]


def _files(database: Database, scope: ReportScope) -> list[FileKind]:
    since = "julianday(created_at) >= 2440587.5 + ? / 86400e6"
    where, value = ("session_id = ?", scope.session) if scope.session else (since, scope.since_us)
    return [
        FileKind(operation=kind, succeeded=succeeded, failed=failed, last_failed=(last or "")[_MOMENT_LENGTH:])
        for kind, succeeded, failed, last in database.rows(_FILES.format(where), (value,))
    ]


def _concerning(agreements: Sequence[Negotiated] | None, modules: Sequence[str]) -> list[Negotiated] | None:
    """Those between modules of this report, refusals first."""
    if agreements is None:
        return None
    among = set(modules)
    chosen = [item for item in agreements if item.producer in among and item.consumer in among]
    return sorted(chosen, key=lambda item: (item.answer == "compatible", item.producer, item.consumer))


def _kept_from(database: Database, scope: ReportScope, start_us: int) -> int | None:
    pruned = database.rows(_KEPT_FROM)
    return pruned[0][0] if pruned and max(scope.since_us, 0) < pruned[0][0] <= max(start_us, pruned[0][0]) else None


def _names(database: Database, tally: Tally) -> dict[int, str]:
    return dict(database.rows(_NAMES, (_listed({at for pair in tally.pairs for at in pair}),)))


def _details(database: Database, numbers: Iterable[int]) -> dict[int, _Detail]:
    rows = database.records(_Detail, _DETAIL, (_listed(numbers),))
    return {row.number: row for row in rows}


def _listed(numbers: Iterable[int]) -> str:
    return msgspec.json.encode(sorted(numbers)).decode()
