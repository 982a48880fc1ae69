"""What tracing costs: publishing and handling with the SDK's batch processor, beside the same without a provider.

Each message has a trace of its own, which costs most: those of a `publish_many` share one.
"""

from __future__ import annotations

import statistics
from functools import partial

import msgspec

from benchmarks.actors import Actor, Spec, actors, installed
from benchmarks.consume import _round
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, processor, rounds

# Of sending: many short ones, next to each other, so that what else the machine does falls on both ways alike.
SENDING_ROUNDS, ROUNDS = 101, 11
_OURS, _TRACED, _SDK = "benchmarks.peers.ours", "benchmarks.peers.traced", "opentelemetry"
PUBLISH = (
    Spec("publish", f"{_OURS}:publish_one_by_one", count=250),
    Spec("publish, traced", f"{_TRACED}:publish_one_by_one", needs=_SDK, count=250),
    Spec("publish_soon", f"{_OURS}:publish_soon", count=1_000),
    Spec("publish_soon, traced", f"{_TRACED}:publish_soon", needs=_SDK, count=1_000),
)
HANDLE = (
    (Spec("Module", f"{_OURS}:consume_module", ("plain",)), Spec("filler", f"{_OURS}:fill", ("plain",))),
    (
        Spec("Module, traced", f"{_TRACED}:consume_module", ("traced",), needs=_SDK),
        Spec("traced filler", f"{_TRACED}:fill", ("traced",), needs=_SDK),
    ),
)


def main() -> list[Result]:
    with place() as where:
        return [_publishing(where), _handling(where)]


def _publishing(where: Place) -> Result:
    with actors(installed(PUBLISH, where), where) as playing:
        rounds({name: partial(_seconds, actor) for name, actor in playing.items()}, SENDING_ROUNDS)
        spent = {name: actor.spent_s[-SENDING_ROUNDS:] for name, actor in playing.items()}
    counts = {spec.name: spec.count for spec in PUBLISH}
    note = "200-byte payloads; a span for each message, given to a batch processor whose exporter throws it away."
    return _compared(processor("Publish, traced: processor time of the client", spent, counts, note=note))


def _handling(where: Place) -> Result:
    specs = installed([spec for pair in HANDLE for spec in pair], where)
    with actors(specs, where) as playing:
        pairs = [(playing[reader.name], playing[filler.name]) for reader, filler in HANDLE if filler.name in playing]
        rounds({reader.spec.name: partial(_round, filler, reader, where) for reader, filler in pairs}, ROUNDS)
        spent = {reader.spec.name: reader.spent_s[-ROUNDS:] for reader, _ in pairs}
    counts = {reader.spec.name: reader.spec.count for reader, _ in pairs}
    note = "A function for each message; a span for each, and one for the acks of many. A module's start is in it."
    return _compared(processor("Handle, traced: processor time of the client", spent, counts, note=note))


def _compared(result: Result) -> Result:
    """With what tracing adds, as the median of pairs of rounds."""
    added = []
    for traced in result.figures:
        plain, _, word = traced.name.partition(", ")
        if word and plain in result:
            pairs = zip(traced.rounds, result[plain].rounds, strict=True)
            added.append(f"{statistics.median(mine - other for mine, other in pairs):.1f} µs to {plain}")
    return msgspec.structs.replace(result, note=f"{result.note} Tracing adds {', '.join(added)} (medians of pairs).")


def _seconds(actor: Actor) -> float:
    seconds, _ = actor.run(actor.spec.count)
    return seconds
