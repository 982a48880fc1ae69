"""How `status` is shown on a terminal and as text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import groupby

from claude_comm.cli.status_report import Status
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import jobs
from claude_comm.ops.server import GroupFacts, ServerFacts, StreamFacts
from claude_comm.ops.unreadable import UnreadableKey
from claude_comm.runtime.home import MAX_LOG_BYTES
from claude_comm.runtime.worker_processes import Service
from claude_comm.store.counters import DUPLICATES, LOST
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_pair, emit_table, on_terminal, say
from claude_comm.terminal.tables import Column, numbers

# Of the names that nobody has, how many are named.
SHOWN = 5
_NAME_CHARACTERS = 11
_STREAM_COLUMNS = [
    Column("stream", least=20),
    *numbers("entries"),
    Column("oldest", "number", rank=1),
    *numbers("behind", "later", "dead"),
    Column("held by"),
]
_GROUP_COLUMNS = [Column("stream", least=20), Column("group", least=12), *numbers("lag", "pending", "instances")]


def show(report: Status) -> None:
    for name, value in _facts(report):
        emit_pair(name, value, _NAME_CHARACTERS)
    if report.at_rest:
        say(f"{report.at_rest:,} streams are at rest: nothing in them waits, is pending or buried. --all shows them.")
    if not report.streams:
        if not report.at_rest:
            say("no streams yet.")
        return
    emit("")
    labels = {stream.key: _stream_name(report, stream.key) for stream in report.streams}
    rows = [[labels[stream.key], *_stream_cells(stream, report.behind.get(stream.key, 0))] for stream in report.streams]
    emit_table(_STREAM_COLUMNS, rows)
    if on_terminal():
        _show_held(report, labels)
    groups = [[labels[stream.key], *_group_cells(group)] for stream in report.streams for group in stream.groups]
    if groups:
        emit("")
        emit_table(_GROUP_COLUMNS, groups)


def _facts(report: Status) -> Iterator[tuple[str, str]]:
    """What there is to say beside the streams."""
    yield "home", report.home
    yield "namespace", report.namespace
    yield "server", _server(report)
    for address, facts in report.masters.items():
        yield "  master", _described(facts, address) if facts else f"{address} does not answer"
    for name, service in report.workers.items():
        yield name, _worker(service)
    for name, counts in ((LOST, report.lost), (DUPLICATES, report.duplicates)):
        if counts:
            yield name, ", ".join(f"{count} by {module}" for module, count in counts.items())
    if report.newer:
        yield "newer", f"{report.newer} entries that a newer release wrote: upgrade this program to read them"
    for module, names in report.awaited.items():
        yield "waits", f"messages of {module}, until there is: {', '.join(names)}"
    for module, count in report.dropped.items():
        yield "dropped", f"{count} buried messages of {module}, the oldest: more than CLAUDE_COMM_KEEP_DEAD"
    if report.unknown:
        yield (
            "nobody has",
            f"{_some(report.unknown)}: messages wait there; `claude-comm forget NAME` removes such a name",
        )
    if report.unread:
        topics = {f"{TOPIC_PREFIX}{name}": count for name, count in report.unread.items()}
        yield (
            "unread",
            f"{_some(topics)}: nothing is trimmed there; `claude-comm forget topic:NAME` removes such a topic",
        )
    if report.retired:
        yield "retired", f"contracts of {_some(report.retired)}; `claude-comm forget NAME` removes them with the module"
    if report.jobs.waiting or report.jobs.ended:
        waiting, ended = map(_up_to, (report.jobs.waiting, report.jobs.ended))
        yield (
            "jobs",
            f"{waiting} wait for the negotiation worker; {ended} have ended, and go within the hour: "
            f"`claude-comm trim --jobs` removes them now",
        )
    if report.log_bytes:
        most = formats.size(2 * MAX_LOG_BYTES)
        yield (
            "logs",
            f"{formats.size(report.log_bytes)}, at most {most} each while the janitor runs; `claude-comm trim --logs` "
            f"empties them",
        )
    for kind, rows in groupby(report.unreadable, lambda row: row.kind):
        yield "unreadable", _nobodys(kind, list(rows))


def _up_to(count: int) -> str:
    return f"{jobs.MOST:,} or more" if count >= jobs.MOST else f"{count:,}"


def _some(counts: Mapping[str, int]) -> str:
    """The first of these names, with their counts, and how many more there are."""
    more = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    return ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:SHOWN]) + more


def _nobodys(kind: str, rows: list[UnreadableKey]) -> str:
    """What stands in keys of one kind, and the command that removes the first of it."""
    first, values = rows[0], sum(row.values for row in rows)
    where = first.key if len(rows) == 1 else f"{first.key} and {len(rows) - 1} more keys"
    more = " the first; status --json has all commands" if values > 1 else " it"
    return f"{kind}: {values} in {where} ({first.why}); on the server, `{first.remove[0]}` removes{more}"


def _show_held(report: Status, labels: Mapping[str, str]) -> None:
    """What keeps entries from being trimmed, each reason once: as a column it would be wider than the rest."""
    streams_by_reason: dict[str, list[str]] = {}
    for stream in report.streams:
        if stream.held:
            streams_by_reason.setdefault(stream.held, []).append(labels[stream.key])
    for reason, streams in streams_by_reason.items():
        more = f" and {len(streams) - SHOWN} more" if len(streams) > SHOWN else ""
        emit("")
        emit_pair("not trimmed", f"{', '.join(streams[:SHOWN])}{more}", _NAME_CHARACTERS)
        emit_pair("  because", reason, _NAME_CHARACTERS)


def _stream_name(report: Status, key: str) -> str:
    """A person reads `indexer inbox`, a program the key."""
    parsed = Keys(report.namespace).parse_stream(key.encode())
    return f"{parsed.name} {parsed.kind}" if parsed and on_terminal() else key


def _worker(service: Service | None) -> str:
    if service is None:
        return "not running"
    state = f"process {service.pid}, for {formats.since(service.since_us)}"
    return f"{state}, does not work: {service.trouble}" if service.trouble else state


def _stream_cells(stream: StreamFacts, behind: int) -> list[object]:
    oldest = "-" if stream.oldest_ms is None else formats.since(stream.oldest_ms * 1000)
    waiting = str(stream.later)
    if stream.next_due_ms is not None:
        wait_s = stream.next_due_ms / 1000 - time.time()
        waiting += f" (next in {formats.span(wait_s)})" if wait_s > 0 else " (due)"
    return [stream.entries, oldest, behind, waiting, stream.dead, "" if on_terminal() else stream.held or "-"]


def _group_cells(group: GroupFacts) -> list[object]:
    lag = f"{group.lag}{'+' if group.at_least else ''}"
    return [group.name, lag, group.pending, group.consumers]


def _server(report: Status) -> str:
    facts = report.server
    if report.masters:
        return f"a cluster of {len(report.masters)} masters at {report.address}"
    if facts is None and report.silent_pid is not None:
        name = f"process {report.silent_pid or '(unknown)'}"
        return f"{name} does not answer at {report.address}; `claude-comm down` ends it"
    if facts is None:
        return f"not running ({report.address}); the first command that needs it starts it"
    return _described(facts, report.address)


def _described(facts: ServerFacts, address: str) -> str:
    saved = "append-only file on" if facts.persistent else "append-only file off"
    saved += f"; {facts.policy} deletes messages when its memory is full: set noeviction" if facts.evicts else ""
    return (
        f"{facts.program} {facts.version} at {address}, process {facts.pid}, for {formats.span(facts.uptime_s)}, "
        f"{formats.size(facts.memory_bytes)}, {saved}"
    )
