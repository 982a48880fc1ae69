"""The metrics of a namespace: what the server, the registry and the projection know of all modules at once.

Law: reads only, starts nothing. What cannot be asked (a right that this user lacks, a projection that is not there) has
no samples; it is never zero.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator

from claude_comm.addresses import public
from claude_comm.errors import ServerUnreachable
from claude_comm.names import JANITOR_WORKER, NEGOTIATION_WORKER, PROGRESS_WORKER, TOPIC_PREFIX, Keys
from claude_comm.ops import dead, follow, heartbeats, registry
from claude_comm.ops import server as ops
from claude_comm.ops.server import StreamFacts
from claude_comm.settings import Settings
from claude_comm.store.catch_up import lags
from claude_comm.store.counters import DUPLICATES, LOST, counters
from claude_comm.store.database import Database, open_database
from claude_comm.store.measures import LatencyStep, latency_steps, pair_traffic
from claude_comm.telemetry import metrics
from claude_comm.telemetry.metrics import LATENCY_BOUNDS_US, Distribution, Sample
from claude_comm.transport.driver import Client

_WORKERS = (NEGOTIATION_WORKER, PROGRESS_WORKER, JANITOR_WORKER)


def measure(client: Client, settings: Settings) -> list[Sample]:
    """Every sample of this namespace now. Raises ServerUnreachable."""
    keys, now_ms = Keys(settings.namespace), time.time_ns() // 1_000_000
    samples = [*_alive(client, keys, now_ms), *_streams(client, settings, keys, now_ms), *_memory(client, settings)]
    if settings.database.exists():
        with open_database(settings.database) as database:
            samples += [*_projection(database), *_unprojected(client, database, keys)]
    return samples


def _alive(client: Client, keys: Keys, now_ms: int) -> Iterator[Sample]:
    directory = client.run(registry.everyone(keys, now_ms=now_ms))
    for standing in directory.modules:
        up = sum(instance.state == "up" for instance in standing.instances)
        yield Sample(metrics.INSTANCES, (standing.module,), up)
    for worker in _WORKERS:
        instances = client.run(heartbeats.workers_alive(keys, worker, now_ms=now_ms))
        yield Sample(metrics.WORKERS, (worker,), len(instances))
    for module, count in client.run(dead.dropped(keys)).items():
        yield Sample(metrics.DEAD_DROPPED, (module,), count)


def _streams(client: Client, settings: Settings, keys: Keys, now_ms: int) -> Iterator[Sample]:
    announced = client.run(follow.announced(keys)).streams
    wait_s = settings.projection_wait_s
    facts = client.run(ops.streams(keys, announced, projection_wait_s=wait_s, now_ms=now_ms))
    for stream in facts:
        destination, kind = _destination(keys, stream.key)
        if kind == "events":
            continue
        yield Sample(metrics.ENTRIES, (destination,), stream.entries)
        yield Sample(metrics.OLDEST_AGE, (destination,), _age_s(stream, now_ms))
        yield Sample(metrics.DELAYED, (destination,), stream.later)
        if kind == "inbox":
            yield Sample(metrics.DEAD, (destination,), stream.dead)
        for group in stream.groups:
            yield Sample(metrics.LAG, (destination, group.name), group.lag)
            yield Sample(metrics.PENDING, (destination, group.name), group.pending)


def _age_s(stream: StreamFacts, now_ms: int) -> float:
    return 0.0 if stream.oldest_ms is None else max(now_ms - stream.oldest_ms, 0) / 1000


def _destination(keys: Keys, key: str) -> tuple[str, str]:
    """The name of a stream as messages name it (`marker`, `topic:orders`), and its kind."""
    stream = keys.parse_stream(key.encode())
    if stream is None:
        return key, ""
    return (f"{TOPIC_PREFIX}{stream.name}" if stream.kind == "topic" else stream.name), stream.kind


def _memory(client: Client, settings: Settings) -> Iterator[Sample]:
    for server in client.data.pools():
        try:
            facts = Client(server, server).run(ops.may_tell())
        except ServerUnreachable:
            continue
        if facts is not None:
            # The address of a private server is a path in a home folder: it says nothing to who reads a chart.
            label = (public(server.url) if settings.url else "private",)
            yield Sample(metrics.SERVER_MEMORY, label, facts.memory_bytes)
            yield Sample(metrics.SERVER_MEMORY_LIMIT, label, facts.max_memory_bytes)


def _unprojected(client: Client, database: Database, keys: Keys) -> Iterator[Sample]:
    for key, behind in lags(client, database, keys).items():
        destination, kind = _destination(keys, key)
        if kind != "events":
            yield Sample(metrics.UNPROJECTED, (destination,), behind)


def _projection(database: Database) -> Iterator[Sample]:
    sums: dict[tuple[str, str], float] = {}
    for pair in pair_traffic(database):
        way = (pair.source, pair.target)
        sums[way] = pair.latency_us / 1_000_000
        if pair.messages:
            yield Sample(metrics.MESSAGES, way, pair.messages)
            yield Sample(metrics.MESSAGE_BYTES, way, pair.size_bytes)
        for outcome, count in (("handled", pair.handled), ("retrying", pair.retrying), ("buried", pair.buried)):
            if pair.handled or pair.retrying or pair.buried:
                yield Sample(metrics.DELIVERIES, (*way, outcome), count)
    for way, counts in _buckets(latency_steps(database)).items():
        yield Sample(metrics.LATENCY, way, Distribution(tuple(counts), sums.get(way, 0.0)))
    for metric, kind in ((metrics.LOST, LOST), (metrics.DUPLICATES, DUPLICATES)):
        for module, count in counters(database, kind).items():
            yield Sample(metric, (module,), count)


def _buckets(steps: list[LatencyStep]) -> dict[tuple[str, str], list[int]]:
    """The fine steps of the projection in the buckets of the metric, whose bounds are bounds of steps as well."""
    by_way: dict[tuple[str, str], list[int]] = {}
    for step in steps:
        counts = by_way.setdefault((step.source, step.target), [0] * (len(LATENCY_BOUNDS_US) + 1))
        counts[bisect_left(LATENCY_BOUNDS_US, step.about_us)] += step.deliveries
    return by_way
