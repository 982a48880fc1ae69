"""A light span is, to whoever reads it, the span that the SDK would have made."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from opentelemetry import context as api
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    use_span,
)

from claude_comm.telemetry import light_tracer as file_of_tracer
from claude_comm.telemetry import runtime_context
from claude_comm.telemetry import spans as spans_of
from claude_comm.telemetry.light_spans import LightSpan
from claude_comm.telemetry.light_tracer import light_tracer
from claude_comm.telemetry.tracer import AnyTracer, Tracer, headers, link_to_parent, read_context
from tests.support.spans import id_of
from tests.support.waiting import wait_until

PARENT = SpanContext(2**100 + 7, 2**60 + 9, True, TraceFlags(3), TraceState([("vendor", "x")]))
MESSAGE = ("id-1", "page", "", "s")
UNSAMPLED = SpanContext(2**100 + 7, 2**60 + 9, True, TraceFlags(0))


def provider(exporter: InMemorySpanExporter, **options: Any) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False, **options)
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def plain(span: Any) -> None:
    span.end()


def added_to(span: Any) -> None:
    span.set_attribute("own", 1)
    span.set_attributes({"list": ["a", "b"], "messaging.system": "other"})
    span.add_event("looked", {"at": "x"})
    span.add_link(UNSAMPLED, {"why": "y"})
    span.update_name("renamed")
    span.end()
    span.end()
    span.set_attribute("late", 1)


def failed(span: Any) -> None:
    try:
        raise LookupError("no such page")
    except LookupError as error:
        span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, "no such page"))
    span.end()


def timed(span: Any) -> None:
    span.end(end_time=span.start_time + 5_000)


def limited(span: Any) -> None:
    for number in range(30):
        span.set_attribute(f"a{number}", "long" * 99)
    span.end()


def shown(span: ReadableSpan) -> dict[str, Any]:
    """All that an exporter reads, without what is another each time."""
    document = json.loads(span.to_json())
    del document["context"]["span_id"], document["start_time"], document["end_time"]
    if document["parent_id"] is None:
        del document["context"]["trace_id"]
    for event in document["events"]:
        del event["timestamp"]
    dropped = span.dropped_attributes, span.dropped_events, span.dropped_links
    return document | {"dropped": dropped, "kind": span.kind, "scope": span.instrumentation_scope}


@pytest.mark.parametrize("parent", [None, PARENT])
@pytest.mark.parametrize("use", [plain, added_to, failed, timed, limited])
def test_an_exporter_reads_the_same(use: Any, parent: SpanContext | None) -> None:
    exporter = InMemorySpanExporter()
    made = provider(exporter, span_limits=SpanLimits(max_span_attributes=16, max_span_attribute_length=256))
    light = light_tracer(made)
    assert light is not None
    for tracer in (light, AnyTracer(made)):
        shared = {"messaging.system": "c", "n": 3}
        span = tracer.start("send x", SpanKind.PRODUCER, parent, shared, MESSAGE, link_to_parent)
        assert isinstance(span, Span)
        assert isinstance(span, LightSpan) is (tracer is light)
        assert span.is_recording()
        use(span)
        assert not span.is_recording()
    first, second = exporter.get_finished_spans()
    assert shown(first) == shown(second)
    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_flags == second.context.trace_flags
    assert first.context.trace_state == second.context.trace_state
    assert first.resource is second.resource
    assert (first.end_time or 0) >= (first.start_time or 0) > 0


@pytest.mark.parametrize("read_early", [False, True])
@pytest.mark.parametrize("parent", [PARENT, UNSAMPLED, SpanContext(7, 9, True, TraceFlags(1)), None])
def test_what_is_below_a_message_is_the_same(parent: SpanContext | None, read_early: bool) -> None:
    exporter = InMemorySpanExporter()
    made = provider(exporter)
    light = light_tracer(made)
    assert light is not None
    carried = headers(parent) if parent else ("00-ffffffffffffffffffffffffffffffff-0000000000000000-01", "")
    contexts = []
    for tracer in (light, AnyTracer(made)):
        random.seed(1)
        span = tracer.below("process x", SpanKind.CONSUMER, *carried, {"n": 3}, MESSAGE)
        if read_early:
            assert getattr(span, "parent", None) == (None if parent is UNSAMPLED else parent)
        contexts.append(span.get_span_context())
        assert spans_of.carried(span) == headers(span.get_span_context())
        span.end()
    if parent is not None:  # both draw the ids of their spans alike
        assert contexts[0] == contexts[1]
    first, second = contexts
    assert (first.trace_flags, first.trace_state) == (second.trace_flags, second.trace_state)
    assert first.is_valid
    assert second.is_valid
    told = [shown(span) for span in exporter.get_finished_spans()]
    assert told[::2] == told[1::2]
    assert len(told) == (0 if parent is UNSAMPLED else 2)


def begun(tracer: Tracer) -> Any:
    """A send that a tracer begins, and the light span or the SDK's that stands for it."""

    def otherwise(_destination: str) -> Any:
        return tracer.start("send x", SpanKind.PRODUCER, current_parent(), {"n": 3})

    return tracer.begins({}, lambda destination: (f"send {destination}", {"n": 3}), otherwise)("x")


def current_parent() -> SpanContext | None:
    context = get_current_span().get_span_context()
    return context if context.is_valid else None


@pytest.mark.parametrize("error", [None, LookupError("no such page")])
@pytest.mark.parametrize("above", ["", "carried", "state", "foreign"])
def test_a_send_that_is_its_own_span_is_read_the_same(above: str, error: BaseException | None) -> None:
    exporter = InMemorySpanExporter()
    made = provider(exporter)
    light = light_tracer(made)
    assert light is not None
    state = "vendor=x" if above == "state" else ""
    parent: Any = INVALID_SPAN
    if above == "foreign":
        parent = NonRecordingSpan(PARENT)
    elif above:
        parent = light.below("process x", SpanKind.CONSUMER, f"00-{5:032x}-{6:016x}-01", state, {}, MESSAGE)
    for tracer in (light, AnyTracer(made)):
        with use_span(parent):
            send = begun(tracer)
        assert isinstance(send, LightSpan) is (tracer is light)
        spans_of.describe(send, MESSAGE)
        spans_of.note(send, {"batch": 2})
        assert spans_of.carried(send) == headers(send.get_span_context())
        spans_of.finish(send, error)
    first, second = (shown(span) for span in exporter.get_finished_spans())
    for document in (first, second):
        for event in document["events"]:
            event["attributes"].pop("exception.stacktrace")
    assert (first["parent_id"] is None) is (not above)
    assert first == second


def test_a_send_that_is_its_own_span_is_the_sdks_where_a_processor_was_added() -> None:
    made, watching = provider(InMemorySpanExporter()), Watching()
    light = light_tracer(made)
    assert light is not None
    made.add_span_processor(watching)
    assert not isinstance(begun(light), LightSpan)
    assert watching.started == ["send x"]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_begins_other_traces_than_its_parent() -> None:
    light = light_tracer(provider(InMemorySpanExporter()))
    assert light is not None
    begun(light)  # more contexts are drawn than this takes
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, begun(light).traceparent.encode())
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told:
        os.close(writing)
        theirs = told.read().decode()
    assert read_context(theirs) is not None
    assert begun(light).traceparent != theirs


def test_a_batch_processor_is_told_of_each_span_and_drops_as_it_would() -> None:
    kept = InMemorySpanExporter()
    made = TracerProvider(shutdown_on_exit=False)
    batch = BatchSpanProcessor(kept, max_queue_size=20, max_export_batch_size=10, schedule_delay_millis=10_000_000)
    made.add_span_processor(batch)
    light = light_tracer(made)
    assert light is not None
    sends = [begun(light) for _ in range(10)]
    for send in sends[:9]:
        send.finish()
    assert kept.get_finished_spans() == ()
    # The tenth wakes the thread that exports.
    sends[9].finish()
    wait_until(lambda: len(kept.get_finished_spans()) == 10)
    assert sorted(map(id_of, kept.get_finished_spans())) == sorted(map(id_of, sends))
    last = begun(light)
    last.finish()
    made.force_flush()
    assert len(kept.get_finished_spans()) == 11
    made.shutdown()
    begun(light).finish()
    assert len(kept.get_finished_spans()) == 11


def test_the_current_context_is_read_through_the_api_where_it_is_kept_elsewhere() -> None:
    class Elsewhere:
        _current_context = "no variable"

    assert runtime_context.functions_of(Elsewhere()) == (api.get_current, api.attach, api.detach)
    assert runtime_context.current != api.get_current, "the default of the API is a context variable"
    token = runtime_context.attach(api.Context({"key": 1}))
    assert api.get_value("key") == 1
    runtime_context.detach(token)
    assert api.get_value("key") is None


class Choosy(StaticSampler):
    """One that somebody wrote: it may look at anything."""


LOCAL = SpanContext(2**100 + 7, 2**60 + 9, False, TraceFlags(1))
SAMPLERS = [
    ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, DEFAULT_OFF, TraceIdRatioBased(0), TraceIdRatioBased(1), TraceIdRatioBased(0.5),
    ParentBased(TraceIdRatioBased(0.5)), ParentBased(ALWAYS_OFF, local_parent_sampled=ALWAYS_OFF),
    ParentBased(ALWAYS_ON, remote_parent_sampled=TraceIdRatioBased(0), remote_parent_not_sampled=ALWAYS_ON),
]  # fmt: skip


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("parent", [None, PARENT, UNSAMPLED, LOCAL])
def test_it_is_sampled_as_the_sdk_samples(sampler: Any, parent: SpanContext | None) -> None:
    made = provider(InMemorySpanExporter(), sampler=sampler)
    light = light_tracer(made)
    assert light is not None
    tracers: list[Tracer] = [light, AnyTracer(made)]
    for seed in range(20):
        spans = []
        for tracer in tracers:
            random.seed(seed)
            spans.append(tracer.start("x", SpanKind.CLIENT, parent, {}))
        ours, theirs = spans
        assert ours.is_recording() == theirs.is_recording()
        assert ours.get_span_context() == theirs.get_span_context()


def test_a_span_that_is_read_before_its_end_reads_the_same_after_it() -> None:
    light = light_tracer(provider(InMemorySpanExporter()))
    assert light is not None
    span: Any = light.start("x", SpanKind.CLIENT, PARENT, {"n": 3}, None, link_to_parent)
    assert (dict(span.attributes), len(span.links)) == ({"n": 3}, 1)
    span.describe(MESSAGE)
    span.note({"more": 1})
    span.end()
    told = {"n": 3, "more": 1, "messaging.message.id": "id-1", "claude_comm.message.type": "page"}
    assert dict(span.attributes) == told | {"claude_comm.session": "s"}


class Watching(SpanProcessor):
    def __init__(self) -> None:
        self.started: list[str] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.started.append(span.name)


def test_the_sdk_makes_the_spans_where_somebody_could_tell() -> None:
    recording = StaticSampler(Decision.RECORD_ONLY)
    for sampler in (Choosy(Decision.DROP), ParentBased(Choosy(Decision.DROP)), recording):
        assert light_tracer(TracerProvider(sampler=sampler, shutdown_on_exit=False)) is None
    made, watching = provider(InMemorySpanExporter()), Watching()
    light = light_tracer(made)
    assert light is not None
    for limits in (SpanLimits(max_span_attributes=5), SpanLimits(max_span_attribute_length=9)):
        assert light_tracer(TracerProvider(span_limits=limits, shutdown_on_exit=False)) is None
    # A processor that is added later counts from the next span on.
    made.add_span_processor(watching)
    light.start("x", SpanKind.CLIENT, None, {}).end()
    assert watching.started == ["x"]


@pytest.mark.parametrize(
    "text",
    ["", "x", "00-0-0-01", f"00-{0:032x}-{5:016x}-01", f"00-{5:032x}-{0:016x}-01", f"ff-{5:032x}-{5:016x}-01",
     f"00-{5:032x}-{5:016x}-01-more", f"00-{5:032x}-{5:016x}-1", f"00-{5:032X}-{5:016x}-0G"],
)  # fmt: skip
def test_what_is_no_context_is_none(text: str) -> None:
    assert read_context(text) is None


def test_a_context_comes_back_as_it_was_written() -> None:
    back = read_context(*headers(PARENT))
    assert back == PARENT
    assert back is not None
    assert back.is_remote
    # What a later version writes after the parts that are known is passed over.
    later = read_context(f"01-{5:032x}-{6:016x}-01-more", "not a state")
    assert later is not None
    assert (later.trace_id, later.span_id) == (5, 6)


def test_another_release_of_the_sdk_makes_its_spans_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert light_tracer(TracerProvider(shutdown_on_exit=False)) is not None, "raise light_tracer.RELEASE on purpose"
    monkeypatch.setattr(file_of_tracer, "sdk_version", "1.450.0")
    assert light_tracer(TracerProvider(shutdown_on_exit=False)) is None
