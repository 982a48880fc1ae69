"""Ways of a process that traces: with the batch processor of the SDK, and an exporter that throws away its spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.actors import Act
from benchmarks.messages import payload
from benchmarks.peers import ours
from benchmarks.place import Place
from claude_comm import Publisher

# More than a round makes: the SDK drops what comes when its queue is full, which costs less than to keep it.
QUEUE = 100_000


class NowhereExporter(SpanExporter):
    """What an exporter makes of spans is its own cost."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def trace_all() -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NowhereExporter(), max_queue_size=QUEUE))
    trace.set_tracer_provider(provider)


@contextmanager
def publish_one_by_one(place: Place) -> Iterator[Act]:
    trace_all()
    with ours.publish_one_by_one(place) as act:
        yield act


@contextmanager
def publish_soon(place: Place) -> Iterator[Act]:
    trace_all()
    with ours.publish_soon(place) as act:
        yield act


@contextmanager
def consume_module(place: Place, name: str, kind: str = "plain") -> Iterator[Act]:
    trace_all()
    with ours.consume_module(place, name, kind) as act:
        yield act


@contextmanager
def fill(place: Place, reader: str) -> Iterator[Act]:
    """Messages that have a trace of their own each."""
    trace_all()
    with Publisher("filler", settings=place.settings()) as publisher:

        def act(count: int) -> None:
            promises = [publisher.publish_soon(reader, payload(number)) for number in range(count)]
            for promise in promises:
                promise.result()

        yield act
