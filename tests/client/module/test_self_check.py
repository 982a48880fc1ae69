"""A module is held to its own contract when it registers a handler."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import msgspec
import pydantic
import pytest

from claude_comm import Module, Settings
from claude_comm.client.module.self_check import ContractNotKept, ContractNotTried, complaint, self_check
from claude_comm.client.payload_types import produced
from claude_comm.schema import Compatible, Incompatible, check
from tests.support.typed_values import VALUES, name_of

COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
LOOSE = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}


class Event(msgspec.Struct):
    at: datetime


class Checked(pydantic.BaseModel):
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def positive(cls, value: int) -> int:
        assert value > 0
        return value


def test_a_schema_that_says_more_than_a_validator_takes_is_named_with_a_message(settings: Settings) -> None:
    module = Module("sink", settings=settings)
    with pytest.warns(ContractNotKept, match=r"accepts the 'event' message \{\"n\":0\} by its contract"):

        @module.handles("event", accepts=COUNT)
        def event(payload: Checked) -> None: ...


def test_a_schema_that_a_validator_takes_whole_is_kept(settings: Settings) -> None:
    module = Module("sink", settings=settings)

    @module.handles("event", accepts={**COUNT, "properties": {"n": {"type": "integer", "minimum": 1}}})
    def event(payload: Checked) -> None: ...

    checked = self_check(module.handlers[0])
    assert checked.kept
    assert checked.taken > 100
    assert not checked.refused


def test_a_schema_beside_a_type_without_code_promises_what_both_take(settings: Settings) -> None:
    module = Module("sink", settings=settings)

    @module.handles("event", accepts=LOOSE)
    def event(payload: Event) -> None: ...

    assert self_check(module.handlers[0]).refused == 0
    contract = module.contract().accepts["event"]
    assert isinstance(check(produced(Event), contract), Compatible)
    assert isinstance(check(LOOSE, contract), Incompatible)
    assert isinstance(check(produced(Event), {**LOOSE, "properties": {"at": {"maxLength": 3}}}), Incompatible)


def test_what_a_validator_refuses_is_counted_and_promised_by_nobody(settings: Settings) -> None:
    module = Module("sink", settings=settings)

    @module.handles("event")
    def event(payload: Checked) -> None: ...

    checked = self_check(module.handlers[0])
    assert checked.kept
    assert checked.refused
    assert "Checked.positive" in checked.code


@pytest.mark.parametrize("shape", [shape for shape, _ in VALUES], ids=name_of)
def test_every_type_keeps_its_own_contract(settings: Settings, shape: Any) -> None:
    module = Module("sink", settings=settings)

    def event(payload: Any) -> None: ...

    event.__annotations__["payload"] = shape
    module.handles("event")(event)
    checked = self_check(module.handlers[0], 300)
    assert checked.code or not checked.refused, checked.examples
    assert checked.taken


def doubling(levels: int) -> dict[str, Any]:
    """Messages of this schema have two values for each one of the level above."""
    names = [f"level_{index}" for index in range(levels)]
    definitions: dict[str, Any] = {
        name: {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/{below}"} for side in ("left", "right")},
            "required": ["left", "right"],
        }
        for name, below in zip(names, [*names[1:], "leaf"], strict=True)
    }
    return {"$ref": f"#/$defs/{names[0]}", "$defs": {**definitions, "leaf": {"type": "integer"}}}


def test_a_contract_of_very_large_messages_takes_a_bounded_time_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each reading of the clock is a tenth of a second later: what would take hours has its end after five.
    readings = itertools.count()
    monkeypatch.setattr("claude_comm.client.module.self_check.time.thread_time", lambda: next(readings) / 10)
    module = Module("sink", settings=settings)
    with pytest.warns(ContractNotTried, match="claude-comm module check"):

        @module.handles("event", accepts=doubling(30))
        def event(payload: Any) -> None: ...

    checked = self_check(module.handlers[0], seconds=0.5)
    assert checked.cut_short
    assert not checked.taken


def test_a_contract_of_ordinary_messages_is_tried_whole(settings: Settings) -> None:
    module = Module("sink", settings=settings)

    @module.handles("event", accepts=doubling(2))
    def event(payload: Any) -> None: ...

    assert complaint("sink", module.handlers[0]) is None
    assert not self_check(module.handlers[0], 100).cut_short
