"""What signatures cost: sending, reading and projecting with `signing="require"`, beside the same without."""

from __future__ import annotations

import time
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.messages import payloads
from benchmarks.peers.signed import READER, SENDER, make_keys, settings
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, processor, rates, rounds
from claude_comm import Publisher, Settings
from claude_comm.names import Keys
from claude_comm.store.catch_up import catch_up, trust_of
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect

ROUNDS = 11
PROJECTED, PROJECTED_NAMESPACE = 50_000, "projected"
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
        # The projection first: it stores all that lies in its namespaces.
        return [*_projecting(where), *_publishing(where), *_consuming(where)]


def _projecting(where: Place) -> list[Result]:
    """A backlog of messages into an empty database, by one process: without signatures, and each of them checked."""
    plain = where.settings(PROJECTED_NAMESPACE)
    for sender, its in ((SENDER, settings(where)), ("plain", plain)):
        with Publisher(sender, settings=its) as publisher:
            publisher.publish_many("sink", payloads(PROJECTED))
    numbers = count()
    spent: dict[str, list[float]] = {"projection": [], "projection, signatures demanded": []}
    ways = {
        name: partial(_project, where, its, numbers, spent[name])
        for name, its in zip(spent, (plain, settings(where)), strict=True)
    }
    seconds, counts = rounds(ways, ROUNDS), dict.fromkeys(ways, PROJECTED)
    note = f"{PROJECTED:,} messages of 200 bytes into an empty database."
    used = {name: all_[-ROUNDS:] for name, all_ in spent.items()}
    return [
        rates("Materialise, signed", seconds, counts, note=note),
        processor("Materialise, signed: processor time of the projection", used, counts, note=note),
    ]


def _project(where: Place, its: Settings, numbers: count[int], spent_s: list[float]) -> None:
    path, began = Path(where.home) / f"projection-{next(numbers)}.db", time.process_time()
    with connect(its) as client, open_database(path) as database:
        keys, most = Keys(its.namespace), its.max_envelope_bytes
        catch_up(client, database, keys, max_bytes=most, trust=trust_of(its))
        ((stored, doubted),) = database.rows("SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM doubtful)")
    spent_s.append(time.process_time() - began)
    path.unlink()
    if (stored, doubted) != (PROJECTED, 0):
        raise RuntimeError(f"{stored} messages of {PROJECTED} were stored, {doubted} entries doubted")


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
