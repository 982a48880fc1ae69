"""Depth: publishing into and consuming from an inbox that holds a million messages, beside one that holds none.

Each round publishes as many as it then consumes, so that both inboxes keep their depth. The empty one is emptied of
what is done between the rounds; the deep one holds a million that wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.actors import Act, Spec, actors
from benchmarks.messages import Handler, payloads
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, rates, rounds
from claude_comm import Consumer, Publisher
from claude_comm.effects import Command

HELD = 1_000_000
COUNT, BATCH, ROUNDS = 20_000, 500, 21
EMPTY, DEEP = "an empty inbox", f"an inbox that holds {HELD:,}"
_READERS = {EMPTY: "shallow", DEEP: "deep"}


def main() -> list[Result]:
    publishing = [Spec(f"publish {name}", "benchmarks.depth:publish", (reader,)) for name, reader in _READERS.items()]
    consuming = [Spec(f"consume {name}", "benchmarks.depth:consume", (reader,)) for name, reader in _READERS.items()]
    with place() as where, actors(publishing, where) as senders, actors(consuming, where) as readers:
        for _ in range(HELD // COUNT):
            senders[f"publish {DEEP}"].run(COUNT)
        published: dict[str, list[float]] = {name: [] for name in _READERS}

        def turn(name: str) -> float:
            seconds, _ = senders[f"publish {name}"].run(COUNT)
            published[name].append(seconds)
            return readers[f"consume {name}"].run(COUNT)[0]

        consumed = rounds({name: lambda name=name: turn(name) for name in _READERS}, ROUNDS)
    note = f"{COUNT:,} messages of 200 bytes a round, in batches of {BATCH}; the deep inbox holds what nobody has read."
    counts = dict.fromkeys(_READERS, COUNT)
    # The first round does not count, in publishing either.
    measured = {name: seconds[1:] for name, seconds in published.items()}
    return [
        rates("Depth publishing", measured, counts, note=note),
        rates("Depth consuming", consumed, counts, note=note),
    ]


@contextmanager
def publish(where: Place, reader: str) -> Iterator[Act]:
    with Publisher("filler", settings=where.settings()) as publisher:

        def act(count: int) -> None:
            for _ in range(count // BATCH):
                publisher.publish_many(reader, payloads(BATCH))

        yield act


@contextmanager
def consume(where: Place, reader: str) -> Iterator[Act]:
    with Consumer(reader, settings=where.settings(), batch=BATCH) as consumer:
        consumer.read(wait_s=0)
        keys = consumer._subscription.identity.keys

        def act(count: int) -> None:
            handler = Handler()
            while handler.count < count:
                for delivery in consumer.read():
                    handler(delivery.payload())
                    consumer.ack(delivery)
            consumer.flush()
            if reader == _READERS[EMPTY]:
                consumer.client.data.one(Command(("XTRIM", keys.inbox(reader), "MAXLEN", 0)))

        yield act
