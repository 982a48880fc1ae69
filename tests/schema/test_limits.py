"""What a schema measures, and what is refused for its size or because no JSON has it, with its place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.limits import Caps, _walked, measure

# Strings of 3, 1 and 1 letters, each with two quotes; a number, a float and a word.
MEASURED: list[tuple[Any, dict[str, Any]]] = [
    (True, {"nodes": 1, "depth": 1, "characters": 4}),
    ({}, {"nodes": 1, "depth": 1, "characters": 0, "longest": 0}),
    ({"a": []}, {"longest": 0}),
    ({"a": 1}, {"nodes": 2, "depth": 2, "characters": 11, "names": {"a"}}),
    ({"abc": "x"}, {"nodes": 2, "depth": 2, "characters": 8, "references": 0}),
    ({"a": 2**40}, {"characters": 11}),
    ({"\u00e9": "\ud7ff\ue000"}, {"characters": 7}),
    ({"a": 1.5, "b": None}, {"nodes": 3, "depth": 2, "characters": 26}),
    ({"a": [[1], [], [{"b": True}]]}, {"nodes": 8, "depth": 5, "longest": 3, "names": {"a", "b"}}),
    ({"$ref": "#", "a": {"$ref": "#", "$dynamicRef": "#"}}, {"references": 3}),
    ({"a": 2**31 - 1, "b": -(2**31) + 1}, {"ordinary": True}),
    *(({"a": number}, {"ordinary": False}) for number in (2**31, -(2**31), 1e-9, 1e10)),
    *(({"a": number}, {"ordinary": True}) for number in (0, 0.0, 1e-8, -0.5, True, None, "x", 2.0**30)),
    ({"a": 2**40, "b": 1}, {"ordinary": False}),
]


@pytest.mark.parametrize(("schema", "size"), MEASURED)
def test_a_schema_measures_what_it_holds(schema: Any, size: dict[str, Any]) -> None:
    for found in (measure(schema), _walked(schema, Caps())):
        assert {name: getattr(found, name) for name in size} == size


def objects(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


# A schema that is as large as it may be, the cap, and one that is larger by the least.
AT_THE_CAP: list[tuple[str, dict[str, int], Any, Any]] = [
    ("deep", {"depth": 4}, objects(4), objects(5)),
    ("values", {"nodes": 4}, {"a": [1, 2]}, {"a": [1, 2, 3]}),
    ("values", {"nodes": 4}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3, "d": 4}),
    ("values", {"nodes": 4}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": [1]}}}),
    ("characters", {"characters": 11}, {"a": 1}, {"ab": 1}),
    ("characters", {"characters": 8}, {"abc": "x"}, {"abc": "xy"}),
    ("characters", {"characters": 19}, {"a": 1.5}, {"ab": 1.5}),
    ("references", {"references": 1}, {"a": {"$ref": "#"}}, {"$ref": "#", "a": {"$dynamicRef": "#"}}),
    ("digits", {"digits": 3}, {"a": 2**10 - 1}, {"a": 2**10}),
]  # fmt: skip


@pytest.mark.parametrize(("named", "caps", "fits", "over"), AT_THE_CAP)
def test_a_cap_is_the_most_that_is_taken(named: str, caps: dict[str, int], fits: Any, over: Any) -> None:
    # Small numbers are not asked for their digits at a glance.
    ways = [_walked] if named == "digits" else [measure, _walked]
    for way in ways:
        way(fits, Caps(**caps))
        with pytest.raises(SchemaError, match=named):
            way(over, Caps(**caps))


def test_digits_are_counted_beyond_what_every_validator_holds() -> None:
    measure({"a": 10**399})
    for number in (10**402, -(10**402)):
        with pytest.raises(SchemaError, match="400 digits") as refused:
            measure({"b": [1, {"a": number}]})
        assert refused.value.path == "/b/1/a"


class Text(str):
    """No type of JSON's own."""


@pytest.mark.parametrize(
    ("schema", "place", "why"),
    [
        ({"a": [0, math.nan]}, "/a/1", "not a number"),
        ({"a": math.inf}, "/a", "too large"),
        ({"a": {"b": {1, 2}}}, "/a/b", "a Python set is not a JSON value"),
        ({"a": {1: 2}}, "/a", "an object key must be a string, not a Python int"),
        ({"a": ["\udc00"]}, "/a/0", "surrogate"),
        ({"a": ["x\udc00\u00e9"]}, "/a/0", "surrogate"),
        ({"a": {"\ud800": 1}}, "/a", "surrogate"),
        ({"x/y": {"~": b""}}, "/x~1y/~0", "bytes"),
        ([], "", "not a Python list"),
        (None, "", "not a Python NoneType"),
        ("x", "", "not a Python str"),
    ],
)
def test_what_no_json_has_is_refused_with_its_place(schema: Any, place: str, why: str) -> None:
    with pytest.raises(SchemaError, match=why) as refused:
        measure(schema)
    assert (refused.value.path or "") == place


@pytest.mark.parametrize("schema", [{"a": (1, 2)}, {"a": Text("x")}, {"\u00e9\U0001f600": "\ud7ff\ue000"}])
def test_what_can_be_written_as_json_is_measured(schema: Any) -> None:
    assert measure(schema).nodes >= 2
