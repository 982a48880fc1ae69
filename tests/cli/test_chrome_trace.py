"""A trace as the viewers of Chrome and Perfetto read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from claude_comm import Context, Module, Publisher, Settings
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
