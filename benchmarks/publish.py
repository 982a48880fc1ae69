"""Publishing: each way in a process of its own, on the same server where it is a way over Redis streams."""

from __future__ import annotations

from benchmarks.actors import Spec, actors, installed
from benchmarks.place import place
from benchmarks.side_by_side import Result, rates, rounds

ROUNDS = 7
_OURS, _BARE, _NATS, _FAST = (
    f"benchmarks.peers.{name}:publish" for name in ("ours", "bare", "jetstream", "fast_stream")
)
WAYS = (
    Spec("redis-py, pipelines of 500", "benchmarks.peers.bare:fill", ("bare",)),
    Spec("raw socket with hiredis packing", f"{_BARE}_raw"),
    Spec("claude-comm publish_many", f"{_OURS}_many"),
    Spec("claude-comm publish_many, validated under an agreement", f"{_OURS}_agreed"),
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


def main() -> list[Result]:
    with place(with_nats=True) as where, actors(installed(WAYS, where), where) as playing:
        ways = {name: lambda actor=actor: actor.run(actor.spec.count)[0] for name, actor in playing.items()}
        seconds = rounds(ways, ROUNDS)
    note = "200-byte payloads, durable (append-only file, file storage) and confirmed by the server; one producer."
    return [rates("Publish", seconds, {spec.name: spec.count for spec in WAYS}, note=note)]
