"""The command `status`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Annotated

import msgspec
import typer

from claude_comm.addresses import public
from claude_comm.cli.options import AsJson
from claude_comm.errors import ConfigurationError, ServerUnreachable
from claude_comm.names import COLLECTOR, TOPIC_PREFIX, Keys, Stream, StreamKind
from claude_comm.ops import dead, follow, heartbeats, registry, unreadable
from claude_comm.ops import server as ops
from claude_comm.ops.registry import Directory
from claude_comm.ops.server import GroupFacts, ServerFacts, StreamFacts
from claude_comm.ops.unreadable import UnreadableKey
from claude_comm.registry.contracts import UnreadableContract
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.environment import settings_of_process
from claude_comm.runtime.worker_processes import Service
from claude_comm.settings import Settings
from claude_comm.store import newer, queries
from claude_comm.store.catch_up import lags
from claude_comm.store.counters import DUPLICATES, LOST, counters
from claude_comm.store.database import open_database
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json, emit_pair, emit_table, on_terminal, say
from claude_comm.terminal.tables import Column, numbers
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

SERVER = "server"
# Of the names that nobody has, how many are named.
SHOWN = 5
# Beyond so many streams those at rest are counted, and not shown.
ALL_SHOWN = 100
# Of how many streams, and how many entries of each, status sees again what the projection could not read.
SUSPECTED_STREAMS, SUSPECTED = 200, 20
_NAME_CHARACTERS = 11
_STREAM_COLUMNS = [
    Column("stream", least=20),
    *numbers("entries"),
    Column("oldest", "number", rank=1),
    *numbers("behind", "later", "dead"),
    Column("held by"),
]
_GROUP_COLUMNS = [Column("stream", least=20), Column("group", least=12), *numbers("lag", "pending", "instances")]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What runs for one home and namespace. `server` is None while the private server is stopped, and on a cluster,
    which has `masters` by address instead (None: it does not answer); `behind` is how many entries of each stream are
    not in the projection yet; `lost` and `duplicates` are counts by module; `newer` counts entries that a newer release
    wrote and that an upgraded program will read; `awaited` says by module whom its messages wait for; `dropped` counts
    by module the buried messages that went because there were too many; `unknown` are the inboxes of names that nobody
    has, with their messages, and `unread` are the topics that nobody reads; `retired` are the modules of which every
    version was retired, with how many contracts each keeps; `unreadable` are the keys in which others wrote what cannot
    be read, and what removes it; `at_rest` is how many streams are left out, in which nothing goes on; `silent_pid` is
    the process of a private server that does not answer (0: unknown which)."""

    home: str
    namespace: str
    address: str
    server: ServerFacts | None
    masters: dict[str, ServerFacts | None]
    workers: dict[str, Service | None]
    streams: list[StreamFacts]
    behind: dict[str, int]
    lost: dict[str, int]
    duplicates: dict[str, int]
    newer: int
    awaited: dict[str, list[str]]
    dropped: dict[str, int]
    unknown: dict[str, int]
    unread: dict[str, int]
    retired: dict[str, int]
    unreadable: list[UnreadableKey]
    at_rest: int = 0
    silent_pid: int | None = None


def command(
    check: Annotated[
        str,
        typer.Option("--check", metavar="NAME", help="Print nothing; exit with 0 if NAME (server or a worker) runs."),
    ] = "",
    ready: Annotated[
        bool, typer.Option("--ready", help="With --check: exit with 0 only if it does its work and waits for nothing.")
    ] = False,
    whole: Annotated[bool, typer.Option("--all", help="Also show idle streams, however many there are.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show what runs: server, workers, streams.

    `behind` counts the entries of a stream that the projection has not stored yet, `later` the delayed messages and
    retries, `dead` the messages that the module has buried. `held by` says what prevents trimming. `lag` counts what a
    group has not read yet, `pending` what it has read and not acked. `lost` counts messages that were deleted from
    their stream before the module had handled them, `duplicates` copies that it skipped; both as far as the projection
    knows. `unreadable` names each kind of key in which another program wrote something foreign, the reason, and the
    server command that removes it (docs/keys.md). The command starts nothing. With --check it is a health check for a
    container or a supervisor. A worker that waits for its server counts as alive; with --ready it counts as not ready.
    One that has been silent for two minutes, because it was stopped or hangs, does not count as alive.
    """
    settings = settings_of_process()
    if check:
        return 0 if _runs(settings, check, ready=ready) else 1
    report = look(settings, whole=whole or as_json)
    if as_json:
        emit_json(report)
    else:
        _show(report)
    return 0


def look(settings: Settings, *, whole: bool = True) -> Status:
    """The state of the server, workers and streams; of many streams only the active ones, unless `whole`.

    Raises ServerUnreachable when a configured server does not answer."""
    seen, silent_pid = _Seen(), None
    if settings.url or private_server.answers(private_server.socket_path(settings.home)):
        with connect(settings) as client:
            seen = _see(client, settings, whole=whole)
    else:
        silent_pid = private_server.silent_pid(settings.home)
    return Status(
        home=str(settings.home),
        namespace=settings.namespace,
        address=public(settings.url) or f"unix://{private_server.socket_path(settings.home)}",
        workers={name: worker_processes.running(settings.home, name) for name in worker_processes.WORKERS},
        lost=_counters(settings, LOST),
        duplicates=_counters(settings, DUPLICATES),
        newer=_newer(settings),
        silent_pid=silent_pid,
        **msgspec.structs.asdict(seen),
    )


class _Seen(msgspec.Struct, frozen=True):
    """What the servers say; nothing where none is asked."""

    server: ServerFacts | None = None
    masters: dict[str, ServerFacts | None] = {}
    streams: list[StreamFacts] = []
    behind: dict[str, int] = {}
    awaited: dict[str, list[str]] = {}
    dropped: dict[str, int] = {}
    unknown: dict[str, int] = {}
    unread: dict[str, int] = {}
    retired: dict[str, int] = {}
    unreadable: list[UnreadableKey] = []
    at_rest: int = 0


def _see(client: Client, settings: Settings, *, whole: bool) -> _Seen:
    keys, now_ms = Keys(settings.namespace), time.time_ns() // 1_000_000
    in_cluster = client.data.reach == "cluster"
    announced = client.run(follow.announced(keys)).streams
    behind = _behind(client, settings, keys)
    shown = announced if whole else _active(client, keys, announced, behind)
    streams = client.run(ops.streams(keys, shown, projection_wait_s=settings.projection_wait_s, now_ms=now_ms))
    directory = client.run(registry.everyone(keys, now_ms=now_ms))
    return _Seen(
        server=None if in_cluster else client.run(ops.facts()),
        masters=_masters(client) if in_cluster else {},
        streams=streams,
        behind=behind or {stream.key: stream.entries for stream in streams},
        awaited=client.run(heartbeats.waiting(keys, now_ms=now_ms)),
        dropped=client.run(dead.dropped(keys)),
        unknown=_unknown(client, keys, streams),
        unread=_waiting(keys, streams, "topic"),
        retired=_retired(directory),
        unreadable=_unreadable(client, settings, keys, announced, directory.unreadable),
        at_rest=len(announced) - len(shown),
    )


def _unknown(client: Client, keys: Keys, streams: list[StreamFacts]) -> dict[str, int]:
    """The inboxes that nobody reads, of names under which nobody has registered. Where the results of pipelines are
    gathered nobody is meant to, and the server removes them."""
    registered = set(client.run(registry.names(keys)))
    return {
        name: count
        for name, count in _waiting(keys, streams, "inbox").items()
        if name not in registered and not name.startswith(COLLECTOR)
    }


def _waiting(keys: Keys, streams: list[StreamFacts], kind: StreamKind) -> dict[str, int]:
    """The streams of a kind that no group reads, with their messages."""
    unread = {
        parsed.name: stream.entries + stream.later
        for stream in streams
        if not stream.groups and (parsed := keys.parse_stream(stream.key.encode())) and parsed.kind == kind
    }
    return {name: count for name, count in unread.items() if count}


def _retired(directory: Directory) -> dict[str, int]:
    """The modules of which nobody may be negotiated with any more, and their contracts."""
    return {
        standing.module: len(standing.record.releases)
        for standing in directory.modules
        if all(release.state == "retired" for release in standing.record.releases)
    }


def _unreadable(
    client: Client, settings: Settings, keys: Keys, announced: list[Stream], records: list[UnreadableContract]
) -> list[UnreadableKey]:
    """The keys of all servers in which something stands that is none of ours: also in the middle of a stream, as far as
    the projection knows."""
    names = [name for part in client.run_on_each(lambda: unreadable.scan(keys, "data")) for name in sorted(part)]
    if client.control is not client.data:
        names += sorted(client.run(unreadable.scan(keys, "control")))
    # After those: who writes into the registry can make up any number of streams.
    names += sorted(unreadable.known(keys, announced))
    suspected: dict[str, list[str]] = {}
    if settings.database.exists():
        streams = [stream.key for stream in announced[:SUSPECTED_STREAMS]]
        with open_database(settings.database) as database:
            suspected = queries.unreadable_entries(database, streams, most=SUSPECTED)
    return client.run(unreadable.look(keys, names, suspected, records))


def _counters(settings: Settings, kind: str) -> dict[str, int]:
    if not settings.database.exists():
        return {}
    with open_database(settings.database) as database:
        return counters(database, kind)


def _newer(settings: Settings) -> int:
    if not settings.database.exists():
        return 0
    with open_database(settings.database) as database:
        return newer.waiting(database)


def _masters(client: Client) -> dict[str, ServerFacts | None]:
    """Each master of the cluster as it describes itself. Raises ServerUnreachable when none answers."""
    masters: dict[str, ServerFacts | None] = {}
    for server in client.data.pools():
        try:
            masters[public(server.url)] = Client(server, server).run(ops.facts())
        except ServerUnreachable:
            masters[public(server.url)] = None
    return masters


def _active(client: Client, keys: Keys, announced: list[Stream], behind: dict[str, int]) -> list[Stream]:
    """All of few streams; of many those in which something goes on."""
    if len(announced) <= ALL_SHOWN:
        return announced
    busy = {stream.key for stream in client.run(ops.busy(keys, announced, reach=client.data.reach))}
    return [stream for stream in announced if stream.key in busy or behind.get(stream.key)]


def _behind(client: Client, settings: Settings, keys: Keys) -> dict[str, int]:
    """Empty where there is no projection yet: then all of each stream is."""
    if not settings.database.exists():
        return {}
    with open_database(settings.database) as database:
        return lags(client, database, keys)


def _runs(settings: Settings, name: str, *, ready: bool) -> bool:
    if name in worker_processes.WORKERS:
        service = worker_processes.running(settings.home, name)
        return service is not None and (service.state == "works" or (service.state != "silent" and not ready))
    if name != SERVER:
        raise ConfigurationError(
            f"nothing is called {name!r}; there are: {SERVER}, {', '.join(worker_processes.WORKERS)}."
        )
    if not settings.url:
        return private_server.answers(private_server.socket_path(settings.home))
    with connect(settings) as client:
        client.run_on_each(ops.facts)
    return True


def _show(report: Status) -> None:
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
    yield SERVER, _server(report)
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
    for kind, rows in groupby(report.unreadable, lambda row: row.kind):
        yield "unreadable", _nobodys(kind, list(rows))


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
