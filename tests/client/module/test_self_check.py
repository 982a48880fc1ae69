"""A module is held to its own contract when it registers a handler."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pydantic
import pytest

from claude_comm import Module, Settings
from claude_comm.client.module.self_check import ContractNotKept, self_check
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
