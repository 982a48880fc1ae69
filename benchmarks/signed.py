"""What signatures cost: sending and reading with `signing="require"`, beside the same without."""

from __future__ import annotations

from functools import partial

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.peers.signed import READER, make_keys
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, processor, rates, rounds

ROUNDS = 11
_OURS, _SIGNED = "benchmarks.peers.ours", "benchmarks.peers.signed"
PUBLISH = (
    Spec("publish_many", f"{_OURS}:publish_many"),
    Spec("publish_many, signed", f"{_SIGNED}:publish_many"),
    Spec("publish, one after another", f"{_OURS}:publish_one_by_one", count=2_000),
    Spec("publish, one after another, signed", f"{_SIGNED}:publish_one_by_one", count=2_000),
)
CONSUME = (
    (Spec("Consumer", f"{_OURS}:consume", ("unsigned", "500")), Spec("filler", f"{_OURS}:fill", ("unsigned",))),
    (
        Spec("Consumer, signatures demanded", f"{_SIGNED}:consume"),
        Spec("signing filler", f"{_SIGNED}:publish_many", (READER,)),
    ),
)


def main() -> list[Result]:
    with place() as where:
        make_keys(where)
        return [*_publishing(where), *_consuming(where)]


def _publishing(where: Place) -> list[Result]:
    with actors(installed(PUBLISH, where), where) as playing:
        ways = {name: partial(_seconds, actor) for name, actor in playing.items()}
        seconds = rounds(ways, ROUNDS)
        spent = {name: actor.spent_s[-ROUNDS:] for name, actor in playing.items()}
    counts = {spec.name: spec.count for spec in PUBLISH}
    note = "200-byte payloads; one producer."
    return [
        rates("Publish, signed", seconds, counts, note=note),
        processor("Publish, signed: processor time of the client", spent, counts, note=note),
    ]


def _consuming(where: Place) -> list[Result]:
    specs = [spec for pair in CONSUME for spec in pair]
    with actors(installed(specs, where), where) as playing:

        def read(consumer: str, filler: str) -> float:
            playing[filler].run(playing[consumer].spec.count)
            return _seconds(playing[consumer])

        ways = {consumer.name: partial(read, consumer.name, filler.name) for consumer, filler in CONSUME}
        seconds = rounds(ways, ROUNDS)
        spent = {consumer.name: playing[consumer.name].spent_s[-ROUNDS:] for consumer, _ in CONSUME}
    counts = {consumer.name: consumer.count for consumer, _ in CONSUME}
    note = "200-byte payloads, read in batches of 500."
    return [
        rates("Consume, signed", seconds, counts, note=note),
        processor("Consume, signed: processor time of the client", spent, counts, note=note),
    ]


def _seconds(actor: Actor) -> float:
    seconds, _ = actor.run(actor.spec.count)
    return seconds
