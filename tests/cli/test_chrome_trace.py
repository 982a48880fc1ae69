"""A trace as the viewers of Chrome and Perfetto read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from claude_comm import Context, Module, Publisher, Settings
from claude_comm.cli.chrome_trace import trace_events
from claude_comm.store.records import MessageRow
from claude_comm.store.traces import TraceStep
from tests.support.command_line import Ran
from tests.support.modules import running
from tests.support.waiting import wait_until


def test_a_slice_for_each_delivery_and_an_arrow_from_each_cause(
    settings: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., Ran],
) -> None:  # fmt: skip
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    marker, indexer = Module("marker", settings=settings), Module("indexer", settings=settings)

    @marker.handles("page")
    def mark(page: int, context: Context) -> None:
        for number in range(2):
            context.send("indexer", number, type="found")

    @indexer.handles("found")
    def index(number: int) -> None:
        pass

    with Publisher("reader", settings=settings) as publisher, running(marker), running(indexer):
        id_ = publisher.publish("marker", 1, type="page")

        def handled() -> bool:
            steps = json.loads(run("trace", id_, "--json").out or "[]")
            return [step["status"] for step in steps] == ["handled"] * 3

        wait_until(handled)
    document = json.loads(run("trace", id_, "--format", "chrome").out)
    by_phase: dict[str, list[Any]] = {}
    for event in document["traceEvents"]:
        by_phase.setdefault(event["ph"], []).append(event)
    names = {event["pid"]: event["args"]["name"] for event in by_phase["M"]}
    assert set(names.values()) == {"marker", "indexer"}
    slices = [(names[event["pid"]], event["name"], event["cat"]) for event in by_phase["X"]]
    assert slices == [("marker", "page", "handled"), ("indexer", "found", "handled"), ("indexer", "found", "handled")]
    # Two slices that overlap in time are on two lanes of their process.
    first, second = by_phase["X"][1:]
    assert first["tid"] != second["tid"] or first["ts"] + first["dur"] <= second["ts"]
    assert all(event["dur"] > 0 for event in by_phase["X"])
    assert len(by_phase["s"]) == len(by_phase["f"]) == 2
    assert {event["id"] for event in by_phase["s"]} == {event["id"] for event in by_phase["f"]}
    assert {names[event["pid"]] for event in by_phase["s"]} == {"marker"}
    for arrow in [*by_phase["s"], *by_phase["f"]]:
        (_,) = [slice_ for slice_ in by_phase["X"] if within(arrow, slice_)]


def within(arrow: dict[str, Any], slice_: dict[str, Any]) -> bool:
    """Whether an arrow begins or ends in a slice, as viewers see it."""
    there = (arrow["pid"], arrow["tid"]) == (slice_["pid"], slice_["tid"])
    return there and slice_["ts"] <= arrow["ts"] < slice_["ts"] + slice_["dur"]


def test_an_arrow_from_a_message_that_nobody_has_settled_begins_within_its_slice() -> None:
    cause = message("1", "reader", "marker", 1_000, "")
    effect = message("2", "marker", "indexer", 5_000, "1")
    document = trace_events([TraceStep(cause, 0, True, []), TraceStep(effect, 1, True, [])])
    (start,) = [event for event in document["traceEvents"] if event["ph"] == "s"]
    (whole,) = [event for event in document["traceEvents"] if event["ph"] == "X" and event["args"]["id"] == "1"]
    assert within(start, whole)


def message(id_: str, source: str, target: str, time_us: int, causation: str) -> MessageRow:
    """One that is sent, and no more."""
    texts = dict.fromkeys(MessageRow.__struct_fields__, "")
    given = {"id": id_, "source": source, "target": target, "type": "page", "causation": causation, "status": "sent"}
    numbers = {"number": 1, "time_us": time_us, "size_bytes": 0, "data": b"", "headers": {}}
    return msgspec.convert({**texts, **given, **numbers}, MessageRow)
