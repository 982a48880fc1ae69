"""A text that several patterns match: certain where one is returned, and found for what types write."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from claude_comm.client.payload_types import accepted, produced
from claude_comm.schema import Compatible, Impossible, check
from claude_comm.schema.containment.one_text import one_text
from claude_comm.schema.solver.prover import Prover
from claude_comm.schema.types import msgspec_texts, pydantic_texts

WRITTEN = {
    "datetime": msgspec_texts.write_datetime(None),
    "aware datetime": msgspec_texts.write_datetime(True),
    "date": msgspec_texts.write_date(),
    "time": msgspec_texts.write_time(None),
    "duration": msgspec_texts.write_duration(),
    "uuid": msgspec_texts.write_uuid(),
    "bytes": msgspec_texts.write_base64(None, None),
    "decimal": msgspec_texts.write_decimal(),
    "a duration of pydantic": pydantic_texts.write_duration(),
    "read by msgspec": msgspec_texts.read_datetime(None),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_type_writes_has_a_text_that_all_its_patterns_match(name: str) -> None:
    schema = WRITTEN[name].schema()
    text = one_text(schema)
    assert text is not None
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(text)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"pattern": "^a"},
        {"type": "integer", "pattern": "^a"},
        {"type": "string", "minLength": 3},
        {"type": "string", "pattern": "^a", "allOf": [{"pattern": "^b"}]},
        {"type": "string", "pattern": "^a", "maxLength": 0},
        {"type": "string", "pattern": "^a", "not": {"pattern": "a"}},
        {"type": "string", "pattern": "^a", "not": {"minLength": 1}},
        {"type": "string", "pattern": "^a", "enum": ["b"]},
        {"type": "string", "pattern": "^a", "allOf": [False]},
        {"type": "string", "pattern": "^a", "not": {}},
        {"type": "string", "pattern": r"^(a)\1$"},
        {"type": ["string", "null"], "pattern": "^a", "allOf": [{"type": "null"}]},
    ],
)
def test_where_it_is_not_certain_none_is_returned(schema: Any) -> None:
    assert one_text(schema) is None


def test_patterns_that_exclude_each_other_are_told_as_that() -> None:
    text = {"type": "string", "pattern": "^a", "allOf": [{"pattern": "^b"}]}
    never = {"type": "object", "properties": {"a": text}, "required": ["a"]}
    assert isinstance(check(never, {"type": "object"}), Impossible)


def test_an_agreement_on_datetimes_needs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry(msgspec.Struct):
        at: dt.datetime
        until: dt.datetime | None = None

    def searched(*_: object) -> None:
        raise AssertionError("it was searched")

    monkeypatch.setattr(Prover, "goal", searched)
    assert isinstance(check(produced(Entry), accepted(Entry)), Compatible)
