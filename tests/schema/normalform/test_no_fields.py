"""A message without fields, and a well-known pattern beside properties with long names."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import Compatible, Incompatible, check

# A type without fields, in the ways that people and libraries write it.
PINGS: list[Any] = [
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {}, "required": []},
    {"$ref": "#/$defs/Ping", "$defs": {"Ping": {"type": "object", "properties": {}}}},
    {"allOf": [{"type": "object", "properties": {}}], "title": "Ping"},
]
TEXT = {"type": "string"}
PATTERNS = {
    "semver": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
    "e-mail": r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,}$",
    "hostname": r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
    "slug": r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
}


@pytest.mark.parametrize("ping", PINGS)
def test_a_type_without_fields_sends_none(ping: Any) -> None:
    later = {"type": "object", "properties": {"note": TEXT, "count": {"type": "integer"}}}
    assert isinstance(check(ping, later), Compatible)
    assert isinstance(check(ping, {**later, "additionalProperties": False}), Compatible)
    needed = check(ping, {**later, "required": ["note"]})
    assert isinstance(needed, Incompatible)
    assert needed.witness == {}


@pytest.mark.parametrize("free", [{"type": "object"}, {"type": "object", "title": "Anything"}])
def test_an_object_that_declares_nothing_may_hold_anything(free: Any) -> None:
    """It is how a mapping is written: `dict[str, Any]`."""
    assert isinstance(check(free, {"type": "object", "properties": {"note": TEXT}}), Incompatible)


@pytest.mark.parametrize("value", [TEXT, {"type": "integer"}, {"type": "array", "items": TEXT}])
def test_names_by_pattern_alone_are_all_that_is_sent(value: Any) -> None:
    produced = {"type": "object", "patternProperties": {"^x-": value}}
    assert isinstance(check(produced, {"type": "object", "properties": {"note": TEXT}}), Compatible)
    assert isinstance(check(produced, {**produced, "properties": {"note": {"const": 1}}}), Compatible)
    assert isinstance(check(produced, {"patternProperties": {"^x-": {"type": "null"}}}), Incompatible)


@pytest.mark.parametrize("length", [7, 10, 14])
@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_weighed_with_what_it_may_meet(name: str, length: int) -> None:
    """Not with the longest text of the message, names of properties included."""
    field = "abcdefghijklmnop"[:length]
    produced = {"type": "object", "properties": {"v": {"type": "string", "pattern": PATTERNS[name]}, field: TEXT}}
    accepted = {**produced, "properties": {**produced["properties"], field: {"type": "integer"}}}
    verdict = check({**produced, "required": ["v", field]}, accepted)
    assert isinstance(verdict, Incompatible)
    assert [reason.path for reason in verdict.reasons] == [f"$.{field}"]
    assert isinstance(check({**produced, "required": [field]}, produced), Compatible)
