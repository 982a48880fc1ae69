"""One-way latency: from before the publish call to the handler, a producer and a consumer process.

A message leaves every 2 ms or so, one at a time, confirmed by the server; the consumer acks what it handled.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.place import place
from benchmarks.side_by_side import Figure, Result

# The median of a few rounds was seen to move by a third between runs.
ROUNDS = 21
COUNT = 300
# The consumer is at its first read by then; a framework that starts anew for each round has connected.
HEAD_START_S = 0.25

_PEERS = "benchmarks.peers"
# A reader of three topics, beside its inbox.
_TOPICS = ("topics", "t1", "t2", "t3")
# The consumer of a way, and its producer with its words.
PAIRS = (
    (Spec("walrus", f"{_PEERS}.walrus_streams:consume", needs="walrus"), f"{_PEERS}.walrus_streams:send_paced"),
    (Spec("redis-py without a framework", f"{_PEERS}.bare:consume"), f"{_PEERS}.bare:send_paced"),
    (Spec("claude-comm", f"{_PEERS}.ours:consume", ("reader", "100")), f"{_PEERS}.ours:send_paced"),
    (Spec("claude-comm, a topic", f"{_PEERS}.ours:consume_topic", _TOPICS), f"{_PEERS}.ours:send_paced", ("topic:t1",)),
    (Spec("claude-comm, asyncio", f"{_PEERS}.ours:consume_async"), f"{_PEERS}.ours:send_paced_async"),
    (Spec("NATS JetStream", f"{_PEERS}.jetstream:consume_now", needs="nats"), f"{_PEERS}.jetstream:send_paced"),
    (Spec("FastStream", f"{_PEERS}.fast_stream:consume_now", needs="faststream"), f"{_PEERS}.fast_stream:send_paced"),
)


def main() -> list[Result]:
    with place(with_nats=True) as where:
        consumers = installed([consumer for consumer, *_ in PAIRS], where)
        producers = [
            Spec(spec.name, path, *words, needs=spec.needs) for spec, path, *words in PAIRS if spec in consumers
        ]
        with actors(consumers, where) as reading, actors(producers, where) as sending:
            taken: dict[str, list[list[float]]] = {name: [] for name in reading}
            for number in range(ROUNDS + 1):
                for name in reading:
                    latencies = _round(sending[name], reading[name])
                    if number:
                        taken[name].append(latencies)
    note = "Milliseconds from before the publish call to the handler's first line, one message every 2 ms."
    return [Result(f"Latency p{share}, one way", "ms", _figures(taken, share), note) for share in (50, 99)]


def _round(producer: Actor, consumer: Actor) -> list[float]:
    consumer.go(COUNT)
    time.sleep(HEAD_START_S)
    producer.run(COUNT)
    _, latencies_ns = consumer.wait()
    return [nanos / 1e6 for nanos in latencies_ns]


def _figures(taken: dict[str, list[list[float]]], share: int) -> list[Figure]:
    return [
        Figure(name, [statistics.quantiles(latencies, n=100)[share - 1] for latencies in all_])
        for name, all_ in taken.items()
    ]
