"""What the parts of a composition say together: which forms of a union are apart, and who asks for more names."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.forms import MAX_FORMS, Forms
from claude_comm.schema.normalform.normalize import normalise

TEXT, OBJECT = {"type": "string"}, {"type": "object"}


def forms(schema: Any) -> Forms:
    return Forms(normalise(schema, DEFAULT))


def tagged(tag: Any, required: Any = ("k",)) -> Any:
    return {**OBJECT, "properties": {"k": tag}, "required": [*required]}


A, B = tagged({"const": "a"}), tagged({"const": "b"})
DEFINITIONS = {"a": A, "b": B, "t": TEXT, "m": {"minProperties": 2}}
REFERENCES = {name: {"$ref": f"#/$defs/{name}"} for name in DEFINITIONS}
KEPT = {"allOf": [*REFERENCES.values()], "$defs": DEFINITIONS}


@pytest.mark.parametrize(
    ("left", "right", "apart"),
    [
        (TEXT, OBJECT, True),
        (TEXT, {"type": "integer"}, True),
        ({"type": "integer"}, {"type": "number"}, False),
        ({"type": ["string", "null"]}, {"type": ["null", "boolean"]}, True),
        ({"required": ["a"]}, {"required": ["b"]}, True),
        ({"required": ["a"]}, {}, False),
        (A, B, True),
        (A, A, False),
        (tagged({"enum": ["a", "b"]}), tagged({"enum": ["b", "c"]}), False),
        (tagged({"enum": ["a", "b"]}), tagged({"enum": ["c", 1]}), True),
        (A, tagged({"type": "integer"}), True),
        (A, tagged(TEXT), False),
        (tagged({"const": 1}), tagged({"type": "number"}), False),
        (tagged({"const": None}), tagged({"type": "null"}), False),
        (tagged({"const": {}}), tagged({"type": "array"}), True),
        (tagged(TEXT), tagged({"type": "integer"}), True),
        (A, tagged(True), False),
        (A, tagged(False), True),
        (A, tagged({}), False),
        # A tag that may be left out tells nothing.
        (tagged({"const": "a"}, required=()), tagged({"const": "b"}, required=()), False),
        (REFERENCES["a"], REFERENCES["b"], True),
        (REFERENCES["a"], A, False),
        ({"allOf": [A, True]}, {"allOf": [REFERENCES["b"]]}, True),
        ({"allOf": [{"required": ["x"]}, {"allOf": [A]}]}, B, True),
        # Of a union nothing is certain.
        ({"anyOf": [A, TEXT]}, B, False),
        (False, A, False),
    ],
)
def test_forms_are_apart_where_kinds_names_or_their_values_tell(left: Any, right: Any, apart: bool) -> None:
    known = forms(KEPT)
    assert known.apart([left, right]) is apart
    assert known.apart([right, left]) is apart


@pytest.mark.parametrize(("count", "apart"), [(MAX_FORMS, False), (MAX_FORMS + 1, True)])
def test_many_forms_are_taken_to_be_apart(count: int, apart: bool) -> None:
    assert forms({}).apart([A] * count) is apart


@pytest.mark.parametrize(
    ("schema", "wants"),
    [
        ({"minProperties": 2, "properties": {"a": True}}, True),
        ({"minProperties": 1, "properties": {"a": True}}, False),
        ({"minProperties": 3, "properties": {"a": True}, "required": ["b"]}, True),
        ({"minProperties": 2, "properties": {"a": True}, "required": ["b"]}, False),
        ({"minProperties": 2, "required": ["b"], "properties": {"b": True}}, True),
        ({"properties": {"a": True}}, False),
        ({"allOf": [{"properties": {}}, {}]}, False),
        ({"allOf": [{"minProperties": 1}, {"minProperties": 3}], "required": ["a", "b"]}, True),
        ({"allOf": [{"minProperties": 2}, {"properties": {"a": True}}], "properties": {"b": True}}, False),
        ({**REFERENCES["m"], "properties": {"a": True}}, True),
        ({**REFERENCES["m"], "properties": {"a": True, "b": True}}, False),
        # Any name may be one of a pattern.
        ({"minProperties": 2, "patternProperties": {"^x": True}}, False),
        ({"minProperties": 2, "allOf": [{"patternProperties": {"^x": True}}]}, False),
        ({"minProperties": 2, "patternProperties": {}}, True),
    ],
)
def test_more_names_may_be_wanted_than_are_declared(schema: Any, wants: bool) -> None:
    assert forms(KEPT).wants_more(schema) is wants


def test_the_names_and_patterns_that_forms_declare() -> None:
    known = forms({"allOf": [REFERENCES["a"]], "$defs": {"a": {**A, "patternProperties": {"^x-": TEXT}}}})
    schemas = [{"properties": {"n": TEXT}, "not": {"properties": {"not": True}}}, {"anyOf": [REFERENCES["a"]]}, True]
    assert known.names(schemas) == ["n", "k"]
    assert known.patterns(schemas) == ["^x-"]


def test_a_definition_that_is_referred_to_twice_is_one_part() -> None:
    twice = {"allOf": [REFERENCES["a"], REFERENCES["a"]]}
    known = forms(KEPT)
    assert sorted(map(len, known.parts(twice))) == [1, 1, 1, len(A)]
    assert sorted(map(len, known.certain(twice))) == [1, 1, 1, len(A)]
