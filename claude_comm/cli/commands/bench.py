"""The command `bench`: how fast this machine's server, link and Python carry messages, in a few seconds.

Law: it touches no data of the user. It works in a namespace of its own, which no projection follows, and removes
its keys when it is done.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from claude_comm.cli.options import AsJson
from claude_comm.client.consumer.consumer import Consumer
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.effects import Batch, Command, Operation
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import numbers

# A payload of 200 bytes with the time that it was sent at.
_TEXT = "x" * 178
_PART = 500
# Each rate is measured for this long, or until this many messages are through.
_LIMIT_S = 1.5
_MOST = 20_000
# Latency: messages one at a time, with a pause after each.
_SINGLE, _PAUSE_S, _LOST_AFTER_S = 400, 0.002, 2.0


class Measured(msgspec.Struct, frozen=True):
    """One figure."""

    name: str
    value: float
    unit: str


def command(as_json: AsJson = False) -> None:
    """Measure publishing, consuming and latency on your server.

    Takes a few seconds, in a namespace of its own that is removed afterwards. Messages are of 200 bytes, confirmed by
    the server and acked; latency is from before the publish to the handler, within one process.
    """
    settings = msgspec.structs.replace(settings_of_process(), namespace=f"bench-{os.getpid()}-{os.urandom(4).hex()}")
    say("measuring for some seconds; other load on this machine shows in the figures.")
    figures = measure(settings)
    if as_json:
        emit_json(figures)
    else:
        rows = [(figure.name, f"{figure.value:,.{0 if figure.value > 100 else 3}f}", figure.unit) for figure in figures]
        emit_table(["measured", *numbers("value"), "unit"], rows)


def measure(settings: Settings) -> list[Measured]:
    """All figures. Leaves nothing on the server."""
    with Publisher("bench", settings=settings) as publisher:
        try:
            return [*_rates(publisher, settings), *_latency(publisher, settings)]
        finally:
            publisher.client.run(_forget(publisher.identity.keys))


def _rates(publisher: Publisher, settings: Settings) -> list[Measured]:
    with Consumer("bench-sink", settings=settings, batch=_PART) as consumer:
        consumer.read(wait_s=0)
        many = _rate(lambda: len(publisher.publish_many("bench-sink", [_payload() for _ in range(_PART)])))
        consumed = _rate(lambda: _consume(consumer))
        single = _rate(lambda: len([publisher.publish("bench-sink", _payload()) for _ in range(10)]))
    return [
        Measured("publish_many", many, "messages/s"),
        Measured("publish, one after another", single, "messages/s"),
        Measured("consume and ack", consumed, "messages/s"),
    ]


def _rate(step: Callable[[], int]) -> float:
    """Messages a second; ends early when a step had none."""
    started, done = time.perf_counter(), 0
    while (moved := step()) and (done := done + moved) < _MOST and time.perf_counter() - started < _LIMIT_S:
        pass
    return done / (time.perf_counter() - started)


def _consume(consumer: Consumer) -> int:
    deliveries = consumer.read(wait_s=0)
    for delivery in deliveries:
        delivery.payload()
        consumer.ack(delivery)
    return len(deliveries)


def _latency(publisher: Publisher, settings: Settings) -> list[Measured]:
    with Consumer("bench-late", settings=settings) as consumer, ThreadPoolExecutor(1) as beside:
        consumer.read(wait_s=0)
        received = beside.submit(_receive, consumer)
        for _ in range(_SINGLE):
            publisher.publish("bench-late", _payload())
            time.sleep(_PAUSE_S)
        taken = received.result()
    shares = statistics.quantiles(taken, n=100)
    return [Measured(f"latency p{share}, one way", shares[share - 1], "ms") for share in (50, 99)]


def _receive(consumer: Consumer) -> list[float]:
    """Milliseconds of each message."""
    taken: list[float] = []
    while len(taken) < _SINGLE and (deliveries := consumer.read(wait_s=_LOST_AFTER_S)):
        for delivery in deliveries:
            taken.append((time.monotonic_ns() - delivery.payload()["sent_ns"]) / 1e6)
            consumer.ack(delivery)
    return taken


def _payload() -> dict[str, object]:
    return {"sent_ns": time.monotonic_ns(), "text": _TEXT}


def _forget(keys: Keys) -> Operation[None]:
    modules = ("bench", "bench-sink", "bench-late")
    yield Batch(tuple(Command(("DEL", key)) for module in modules for key in (keys.inbox(module), keys.events(module))))
    yield Command(("DEL", keys.streams, keys.news), on="control")
