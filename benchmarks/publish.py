"""Publishing: each way in a process of its own, on the same server where it is a way over Redis streams.

What it takes of the processor is measured beside it: of the client's process, and of the server's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, processor, rates, rounds

ROUNDS = 7
_OURS, _BARE, _NATS, _FAST = (
    f"benchmarks.peers.{name}:publish" for name in ("ours", "bare", "jetstream", "fast_stream")
)
WAYS = (
    Spec("redis-py, pipelines of 500", "benchmarks.peers.bare:fill", ("bare",)),
    Spec("canned bytes on a socket: the ceiling", f"{_BARE}_canned"),
    Spec("raw socket with hiredis packing", f"{_BARE}_raw"),
    Spec("claude-comm publish_many", f"{_OURS}_many"),
    Spec("claude-comm publish_many, validated under an agreement", f"{_OURS}_agreed"),
    Spec("claude-comm publish_many, $ref and enum", f"{_OURS}_unshaped"),
    Spec("claude-comm publish_many, $ref and enum, validated", f"{_OURS}_shaped"),
    Spec("claude-comm await publish() from 100 tasks", f"{_OURS}_tasks"),
    Spec("claude-comm publish_many, with an outbox", f"{_OURS}_many_kept"),
    Spec("claude-comm await publish() from 100 tasks, with an outbox", f"{_OURS}_tasks", ("tasks.outbox",)),
    Spec("claude-comm publish_soon", f"{_OURS}_soon"),
    Spec("claude-comm publish, one after another", f"{_OURS}_one_by_one", count=2_000),
    Spec("NATS JetStream publish_async", _NATS, needs="nats", count=5_000),
    Spec("FastStream, pipelined", f"{_FAST}_pipelined", needs="faststream", count=5_000),
    Spec("FastStream, a message", _FAST, needs="faststream", count=1_000),
    Spec("walrus", "benchmarks.peers.walrus_streams:publish", needs="walrus", count=2_000),
)


SIZES_BYTES = {2_000: 2_000, 50_000: 200}


def main() -> list[Result]:
    with place(with_nats=True) as where:
        found = _measured(WAYS, where, "Publish", "200-byte payloads")
        for size, count in SIZES_BYTES.items():
            found += _measured(_sized(size, count), where, f"Publish, {size // 1000} KB", f"{size:,}-byte payloads")
    return found


def _sized(size: int, count: int) -> list[Spec]:
    return [
        Spec("redis-py, pipelines of 500", "benchmarks.peers.bare:fill", ("sized", str(size)), count=count),
        Spec("claude-comm publish_many", f"{_OURS}_many", (str(size),), count=count),
        Spec("NATS JetStream publish_async", _NATS, (str(size),), needs="nats", count=count),
    ]


def _measured(specs: Sequence[Spec], where: Place, title: str, what: str) -> list[Result]:
    served: dict[str, list[float]] = {}
    with actors(installed(specs, where), where) as playing:

        def run(name: str, actor: Actor) -> float:
            where.tidy()
            before = where.processor_s()
            seconds, _ = actor.run(actor.spec.count)
            served.setdefault(name, []).append(where.processor_s() - before)
            return seconds

        ways = {name: partial(run, name, actor) for name, actor in playing.items()}
        seconds = rounds(ways, ROUNDS)
        # Without the first round, which does not count, and what the process took to be ready.
        spent = {name: actor.spent_s[-ROUNDS:] for name, actor in playing.items()}
    counts = {spec.name: spec.count for spec in specs}
    over_redis = {name: took[-ROUNDS:] for name, took in served.items() if not name.startswith("NATS")}
    note = f"{what}, durable (append-only file, file storage) and confirmed by the server; one producer."
    return [
        rates(title, seconds, counts, note=note),
        processor(f"{title}: processor time of the client", spent, counts, note=note),
        processor(f"{title}: processor time of the server", over_redis, counts, note=note),
    ]
