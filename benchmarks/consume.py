"""Consuming: a handler in Python is called with each decoded payload, and everything is acked.

The stream is filled by a producer in a process of its own before each round; the consumer's process is timed.
"""

from __future__ import annotations

from typing import NamedTuple

import redis

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, processor, rates, rounds

ROUNDS = 15
_BARE, _OURS, _FAST = (f"benchmarks.peers.{name}" for name in ("bare", "ours", "fast_stream"))
_NATS, _WALRUS = "benchmarks.peers.jetstream", "benchmarks.peers.walrus_streams"


class Pair(NamedTuple):
    """A consumer, and what fills its stream: a function and its words."""

    consumer: Spec
    fill: str
    words: tuple[str, ...] = ()

    def filler(self) -> Spec:
        return Spec(f"{self.consumer.name} (filler)", self.fill, self.words, self.consumer.needs)


def _filled(kind: str) -> tuple[str, tuple[str, ...]]:
    return f"{_OURS}:fill", (f"module-{kind}",)


PAIRS = (
    Pair(Spec("redis-py without a framework", f"{_BARE}:consume"), f"{_BARE}:fill", ("bare-in",)),
    Pair(Spec("raw socket with hiredis packing", f"{_BARE}:consume_raw"), f"{_BARE}:fill", ("raw-in",)),
    Pair(Spec("claude-comm Consumer(batch=500)", f"{_OURS}:consume", ("r500", "500")), f"{_OURS}:fill", ("r500",)),
    Pair(Spec("claude-comm Consumer(batch=100)", f"{_OURS}:consume", ("r100", "100")), f"{_OURS}:fill", ("r100",)),
    Pair(Spec("claude-comm AsyncConsumer(batch=500)", f"{_OURS}:consume_async"), f"{_OURS}:fill", ("async-reader",)),
    Pair(Spec("claude-comm Module", f"{_OURS}:consume_module"), f"{_OURS}:fill", ("module",)),
    Pair(Spec("NATS JetStream", f"{_NATS}:consume", needs="nats"), f"{_NATS}:fill"),
    *(
        Pair(Spec(f"claude-comm Module, {kind}", f"{_OURS}:consume_module", (f"module-{kind}", kind)), *_filled(kind))
        for kind in ("validated", "dedup", "async")
    ),
    Pair(
        Spec("FastStream, batched", f"{_FAST}:consume_batched", needs="faststream"),
        *(f"{_FAST}:fill", ("fs-batched",)),
    ),
    Pair(
        Spec("FastStream, a message", f"{_FAST}:consume", needs="faststream", count=1_000),
        *(f"{_FAST}:fill", ("fs-single",)),
    ),
    Pair(Spec("walrus", f"{_WALRUS}:consume", needs="walrus"), f"{_WALRUS}:fill"),
)


def main() -> list[Result]:
    with place(with_nats=True) as where:
        consumers = installed([pair.consumer for pair in PAIRS], where)
        pairs = [pair for pair in PAIRS if pair.consumer in consumers]
        with actors(consumers, where) as reading, actors([pair.filler() for pair in pairs], where) as filling:
            ways = {
                pair.consumer.name: lambda pair=pair: _round(
                    filling[pair.filler().name], reading[pair.consumer.name], where
                )
                for pair in pairs
            }
            seconds = rounds(ways, ROUNDS)
            # Without the first round, which does not count, and what the process took to be ready.
            spent = {name: actor.spent_s[-ROUNDS:] for name, actor in reading.items()}
    counts = {pair.consumer.name: pair.consumer.count for pair in pairs}
    note = (
        "200-byte payloads, durable, decoded and handed to a Python handler one by one, all acked. "
        "A framework that starts anew for each round is timed from its first message."
    )
    return [
        rates("Consume", seconds, counts, note=note),
        processor("Consume: processor time of the client", spent, counts, note=f"{note} A module's start is in it."),
    ]


def _round(filler: Actor, consumer: Actor, where: Place) -> float:
    filler.run(consumer.spec.count)
    where.tidy()
    seconds, own = consumer.run(consumer.spec.count)
    _empty(where)
    return own if isinstance(own, float) else seconds


def _empty(where: Place) -> None:
    """Takes what is done off the server: else it grows from way to way, and rewrites its file while some are timed."""
    client = redis.Redis(unix_socket_path=where.socket)
    for key in client.scan_iter(_type="stream"):
        client.xtrim(key, maxlen=0, approximate=False)
