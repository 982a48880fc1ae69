"""What `status` reports: what runs for one home and namespace, and what is on its server."""

from __future__ import annotations

import time

import msgspec

from claude_comm.addresses import public
from claude_comm.errors import ServerUnreachable
from claude_comm.names import COLLECTOR, Keys, Stream, StreamKind
from claude_comm.ops import dead, follow, heartbeats, jobs, registry, unreadable
from claude_comm.ops import server as ops
from claude_comm.ops.jobs import KeptJobs
from claude_comm.ops.registry import Directory
from claude_comm.ops.server import ServerFacts, StreamFacts
from claude_comm.ops.unreadable import UnreadableKey
from claude_comm.registry.contracts import UnreadableContract
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.home import log_bytes
from claude_comm.runtime.worker_processes import Service
from claude_comm.settings import Settings
from claude_comm.store import newer, queries
from claude_comm.store.catch_up import lags
from claude_comm.store.counters import DUPLICATES, LOST, counters
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

# Beyond so many streams those at rest are counted, and not shown.
ALL_SHOWN = 100
# Of how many streams, and how many entries of each, status sees again what the projection could not read.
SUSPECTED_STREAMS, SUSPECTED = 200, 20


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What runs for one home and namespace. `server` is None while the private server is stopped, and on a cluster,
    which has `masters` by address instead (None: it does not answer); `behind` is how many entries of each stream are
    not in the projection yet; `lost` and `duplicates` are counts by module; `newer` counts entries that a newer release
    wrote and that an upgraded program will read; `awaited` says by module whom its messages wait for; `dropped` counts
    by module the buried messages that went because there were too many; `unknown` are the inboxes of names that nobody
    has, with their messages, and `unread` are the topics that nobody reads; `retired` are the modules of which every
    version was retired, with how many contracts each keeps; `unreadable` are the keys in which others wrote what cannot
    be read, and what removes it; `jobs` are the negotiation jobs on the server, and `log_bytes` is what the logs of the
    home take; `at_rest` is how many streams are left out, in which nothing goes on; `silent_pid` is
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
    jobs: KeptJobs
    log_bytes: int
    at_rest: int = 0
    silent_pid: int | None = None


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
        log_bytes=log_bytes(settings.home),
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
    jobs: KeptJobs = KeptJobs()
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
        jobs=client.run(jobs.kept(keys)),
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
