"""Workers and health: the servers, the workers, the projections, and the instances of all modules."""

from __future__ import annotations

import msgspec

from claude_comm.addresses import public
from claude_comm.errors import ServerUnreachable
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.ops import heartbeats, registry, server
from claude_comm.ops.registry import Instance
from claude_comm.ops.server import ServerFacts
from claude_comm.runtime import worker_processes
from claude_comm.runtime.worker_processes import Service
from claude_comm.store import newer, queries
from claude_comm.store.catch_up import lags
from claude_comm.store.counters import DUPLICATES, LOST, counters
from claude_comm.store.records import Counts, UnreadableRow
from claude_comm.transport.driver import Client

PAGE = 100


class Worker(msgspec.Struct, frozen=True):
    """One worker of this home (`service`), and the instances of it that live anywhere."""

    name: str
    service: Service | None
    alive: list[str]


class Running(msgspec.Struct, frozen=True):
    module: str
    instance: Instance


class Health(msgspec.Struct, frozen=True):
    """`servers` by address; None is one that does not answer. `behind` is what the projection has not stored yet."""

    servers: dict[str, ServerFacts | None]
    workers: list[Worker]
    instances: list[Running]
    of: int
    after: str
    counts: Counts
    behind: int
    database_bytes: int
    newer: int
    lost: dict[str, int]
    duplicates: dict[str, int]
    unreadable: list[UnreadableRow]


def view(system: System, query: PageAddress) -> Health:
    client, keys, now_ms = system.client, system.keys, system.now_ms
    state, after = query.choice("state", ("", "up", "late", "gone")), query.text("after")
    instances = [
        Running(standing.module, instance)
        for standing in client.run(registry.everyone(keys, now_ms=now_ms)).modules
        for instance in standing.instances
        if state in ("", instance.state)
    ]
    instances.sort(key=_name)
    page = [running for running in instances if _name(running) > after][: PAGE + 1]
    database = system.database
    return Health(
        servers=_servers(client),
        workers=[
            Worker(
                name,
                worker_processes.running(system.settings.home, name),
                client.run(heartbeats.workers_alive(keys, name, now_ms=now_ms)),
            )
            for name in worker_processes.WORKERS
        ],
        instances=page[:PAGE],
        of=len(instances),
        after=_name(page[PAGE - 1]) if len(page) > PAGE else "",
        counts=queries.counts(database),
        behind=sum(lags(client, database, keys).values()),
        database_bytes=system.settings.database.stat().st_size,
        newer=newer.waiting(database),
        lost=counters(database, LOST),
        duplicates=counters(database, DUPLICATES),
        unreadable=queries.unreadable(database, limit=10),
    )


def _name(running: Running) -> str:
    return f"{running.module}/{running.instance.name}"


def _servers(client: Client) -> dict[str, ServerFacts | None]:
    servers: dict[str, ServerFacts | None] = {}
    for pool in client.data.pools():
        try:
            servers[public(pool.url)] = Client(pool, pool).run(server.may_tell())
        except ServerUnreachable:
            servers[public(pool.url)] = None
    return servers
