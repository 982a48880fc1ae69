"""The type that is written for a schema, and what of the schema is noted as said by no type."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.interchange.scaffold.file import scaffold
from claude_comm.interchange.scaffold.layout import laid_out
from claude_comm.interchange.scaffold.types import Types
from claude_comm.registry.contracts import contract

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
WITH_N = {"type": "object", "properties": {"n": INTEGER}}

TYPES: dict[str, tuple[Any, str, list[str]]] = {
    "integers are numbers": ({"type": ["integer", "number"]}, "float", []),
    "a pattern of another meaning": ({**TEXT, "pattern": r"\D"}, "str", ["/pattern"]),
    "a pattern that is none": ({**TEXT, "pattern": "("}, "str", ["/pattern"]),
    "a step of floats": ({"type": "number", "multipleOf": 0.5}, "float", ["/multipleOf"]),
    "two limits of one side": (
        {**INTEGER, "minimum": 2, "exclusiveMinimum": 1}, "Annotated[int, Meta(ge=2)]", ["/exclusiveMinimum"],
    ),
    "a limit that is none": ({**INTEGER, "minimum": True}, "int", []),
    "a tuple of draft 7": (
        {"type": "array", "items": [INTEGER, TEXT], "additionalItems": False, "minItems": 2}, "tuple[int, str]", [],
    ),
    "no property": (
        {"type": "object", "additionalProperties": False}, "Annotated[dict[str, Any], Meta(max_length=0)]", [],
    ),
    "a least number of properties": ({**WITH_N, "minProperties": 1}, "T", ["/minProperties"]),
    "further properties of a type": ({**WITH_N, "additionalProperties": TEXT}, "T", ["/additionalProperties"]),
    "a length beside a reference": (
        {"properties": {"a": {"$ref": "#/$defs/a", "maxLength": 1}}, "type": "object", "$defs": {"a": TEXT}},
        "T", ["/properties/a/maxLength"],
    ),
    "true alone": ({"enum": [True]}, "bool", [""]),
    "true and false": ({"enum": [True, False]}, "bool", []),
    "constants of the type alone": (
        {"type": ["string", "integer", "null"], "enum": ["a", 1, 1.5, None, True, []]}, 'Literal["a", 1] | None', [],
    ),
    "exactly one": ({"oneOf": [INTEGER, TEXT]}, "int | str", ["/oneOf"]),
    "a schema alone": ({"allOf": [INTEGER]}, "int", []),
    "what holds together": ({"allOf": [INTEGER, {"minimum": 1}]}, "Any", ["/allOf"]),
    "the same twice": ({"anyOf": [INTEGER, INTEGER]}, "int", []),
    "or anything": ({"anyOf": [INTEGER, True]}, "Any", []),
    "alternatives in alternatives": ({"anyOf": [{"type": ["integer", "null"]}, TEXT]}, "int | None | str", []),
    "two of one kind": ({"anyOf": [{"type": ["integer", "null"]}, {"const": 1}]}, "Any", [""]),
}  # fmt: skip


@pytest.mark.parametrize("case", TYPES)
def test_what_a_type_says_and_what_it_leaves_out(case: str) -> None:
    schema, text, left_out = TYPES[case]
    types = Types()
    written = laid_out(types.of(schema, "t", "#"))
    notes = [note.path.removeprefix("#") for note in types.notes]
    assert (written, notes) == (text, left_out)


def test_the_limit_of_a_module_is_written() -> None:
    assert "max_lag=7" in scaffold(contract("m", max_lag=7)).text
